//! Listening sockets: from systemd where it opened them, else our own.

use std::io;
use std::net::IpAddr;
use std::os::unix::fs::{FileTypeExt as _, PermissionsExt as _};
use std::os::unix::net::UnixStream as StdUnixStream;
use std::path::Path;
use std::pin::Pin;
use std::task::{Context, Poll};

use listenfd::ListenFd;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream, UnixListener, UnixStream};

use crate::config::{Gateway, Listen, Protocol};

use super::server::NotServed;

/// One listening socket.
#[derive(Debug)]
pub(super) enum Listener {
    /// TCP.
    Tcp(TcpListener),
    /// A UNIX socket.
    Unix(UnixListener),
}

/// A connection that was accepted.
#[derive(Debug)]
pub(super) enum Connection {
    /// TCP.
    Tcp(TcpStream),
    /// Of a UNIX socket.
    Unix(UnixStream),
}

impl Listener {
    pub(super) async fn accept(&self) -> io::Result<Connection> {
        match self {
            Self::Tcp(listener) => {
                let (stream, _) = listener.accept().await?;
                stream.set_nodelay(true)?;
                Ok(Connection::Tcp(stream))
            }
            Self::Unix(listener) => Ok(Connection::Unix(listener.accept().await?.0)),
        }
    }

    /// Where it listens.
    pub(super) fn address(&self) -> String {
        match self {
            Self::Tcp(listener) => listener
                .local_addr()
                .map_or_else(|error| error.to_string(), |address| address.to_string()),
            Self::Unix(listener) => {
                let address = listener.local_addr().ok();
                let path = address.and_then(|address| address.as_pathname().map(Path::to_path_buf));
                format!("unix:{}", path.unwrap_or_default().display())
            }
        }
    }
}

impl Connection {
    /// The address of the other side; none for a UNIX socket.
    pub(super) fn peer(&self) -> Option<IpAddr> {
        match self {
            Self::Tcp(stream) => stream.peer_addr().ok().map(|address| address.ip()),
            Self::Unix(_) => None,
        }
    }
}

impl AsyncRead for Connection {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream).poll_read(context, buffer),
            Self::Unix(stream) => Pin::new(stream).poll_read(context, buffer),
        }
    }
}

impl AsyncWrite for Connection {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream).poll_write(context, bytes),
            Self::Unix(stream) => Pin::new(stream).poll_write(context, bytes),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream).poll_flush(context),
            Self::Unix(stream) => Pin::new(stream).poll_flush(context),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream).poll_shutdown(context),
            Self::Unix(stream) => Pin::new(stream).poll_shutdown(context),
        }
    }
}

/// Opens the listeners of a configuration. Those that systemd hands over take the places of the configured ones. The
/// error says which, and why.
pub(super) async fn open(gateway: &Gateway) -> Result<Vec<(Protocol, Listener)>, NotServed> {
    let mut handed = Handed::from_environment();
    let mut open = Vec::new();
    for (protocol, listen) in &gateway.listeners {
        let ours = match handed.place(*protocol) {
            Some(at) => handed.take(at),
            None => bind(listen).await,
        };
        let name = protocol.as_str();
        let ours = ours.map_err(|error| NotServed {
            what: format!("{name}: cannot listen on {listen}: {error}"),
            hint: hint(listen, error.kind()),
        })?;
        open.push((*protocol, ours));
    }
    handed.warn_of_rest();
    Ok(open)
}

/// What to do where a socket cannot be opened.
fn hint(listen: &Listen, why: io::ErrorKind) -> &'static str {
    match (listen, why) {
        (Listen::Tcp(_), io::ErrorKind::AddrInUse) => "`ss -ltnp` shows who listens there",
        (Listen::Unix(_), io::ErrorKind::AddrInUse) => "`ss -lxp` shows who listens there",
        (Listen::Unix(_), io::ErrorKind::NotFound) => {
            "make the folder; under systemd RuntimeDirectory= does, as in deploy/sekisho.service"
        }
        (Listen::Unix(_), io::ErrorKind::PermissionDenied) => {
            "the folder must be writable by the user of sekisho, and so must a socket that was left there"
        }
        (Listen::Unix(_), _) => "take away what is there, or name another path",
        (Listen::Tcp(_), io::ErrorKind::PermissionDenied) => {
            "ports below 1024 are not for every user: take another one, or have systemd open it"
        }
        (Listen::Tcp(_), _) => "`ip addr` shows the addresses of this machine",
    }
}

/// What systemd hands over (sd_listen_fds(3)): sockets, each with a name where its unit gives one
/// (`FileDescriptorName=milter`). A socket goes to the listener of its name; those without such a name go to the
/// listeners that are left, in order.
struct Handed {
    sockets: ListenFd,
    /// The protocol that each is named after; none where it is free for any.
    named: Vec<Option<Protocol>>,
    taken: Vec<bool>,
}

impl Handed {
    fn from_environment() -> Self {
        let names = std::env::var("LISTEN_FDNAMES").unwrap_or_default();
        let sockets = ListenFd::from_env();
        let named = |name: &str| Protocol::ALL.into_iter().find(|of| of.as_str() == name);
        let mut named: Vec<_> = names.split(':').map(named).collect();
        named.resize(sockets.len(), None);
        Self {
            taken: vec![false; sockets.len()],
            sockets,
            named,
        }
    }

    /// The socket for a listener, if there is one.
    fn place(&self, protocol: Protocol) -> Option<usize> {
        let own = |name: Option<Protocol>| self.first(name);
        own(Some(protocol)).or_else(|| own(None))
    }

    fn first(&self, name: Option<Protocol>) -> Option<usize> {
        let mut sockets = self.named.iter().zip(&self.taken);
        sockets.position(|(named, taken)| *named == name && !taken)
    }

    fn take(&mut self, at: usize) -> io::Result<Listener> {
        if let Some(taken) = self.taken.get_mut(at) {
            *taken = true;
        }
        if let Ok(Some(listener)) = self.sockets.take_unix_listener(at) {
            listener.set_nonblocking(true)?;
            return UnixListener::from_std(listener).map(Listener::Unix);
        }
        let listener = self
            .sockets
            .take_tcp_listener(at)?
            .ok_or_else(|| io::Error::other("systemd handed over no listening socket"))?;
        listener.set_nonblocking(true)?;
        TcpListener::from_std(listener).map(Listener::Tcp)
    }

    /// Somebody who connects there would wait for ever.
    fn warn_of_rest(&self) {
        let rest = self.taken.iter().filter(|taken| !**taken).count();
        if rest > 0 {
            tracing::warn!(
                rest,
                "systemd handed over sockets for which no listener is on"
            );
        }
    }
}

async fn bind(listen: &Listen) -> io::Result<Listener> {
    match listen {
        Listen::Tcp(address) => TcpListener::bind(address).await.map(Listener::Tcp),
        Listen::Unix(path) => {
            remove_stale(path)?;
            let listener = UnixListener::bind(path)?;
            // The MTA is another user; who may reach it is decided by the folder.
            std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o666))?;
            Ok(Listener::Unix(listener))
        }
    }
}

/// Takes away the socket of a process that died. One that answers is somebody's.
fn remove_stale(path: &Path) -> io::Result<()> {
    let Ok(metadata) = std::fs::symlink_metadata(path) else {
        return Ok(());
    };
    if !metadata.file_type().is_socket() {
        return Err(io::Error::other("a file that is no socket is there"));
    }
    if StdUnixStream::connect(path).is_ok() {
        return Err(io::ErrorKind::AddrInUse.into());
    }
    std::fs::remove_file(path)
}
