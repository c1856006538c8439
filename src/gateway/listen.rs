//! Listening sockets: from systemd where it opened them, else our own.

use std::os::unix::fs::{FileTypeExt as _, PermissionsExt as _};
use std::os::unix::net::UnixStream as StdUnixStream;
use std::path::Path;

use listenfd::ListenFd;
use tokio::net::{TcpListener, TcpStream, UnixListener, UnixStream};

use crate::config::{Gateway, Listen};

/// One listening socket.
#[derive(Debug)]
pub(super) enum Listener {
    /// TCP.
    Tcp(TcpListener),
    /// A UNIX socket.
    Unix(UnixListener),
}

/// The sockets of the gateway.
#[derive(Debug, Default)]
pub(super) struct Sockets {
    /// Of the milter.
    pub(super) milter: Option<Listener>,
    /// Of the HTTP listener.
    pub(super) http: Option<Listener>,
}

/// A connection that was accepted.
pub(super) enum Connection {
    Tcp(TcpStream),
    Unix(UnixStream),
}

impl Listener {
    pub(super) async fn accept(&self) -> std::io::Result<Connection> {
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

/// Opens the listeners of a configuration. Those that systemd hands over (first the milter's, then the HTTP
/// listener's) take the places of the configured ones. The error says which, and why.
pub(super) async fn open(gateway: &Gateway) -> Result<Sockets, String> {
    let mut handed = ListenFd::from_env();
    let mut at = 0;
    let mut sockets = Sockets::default();
    for (name, listen, socket) in [
        ("milter", &gateway.milter, &mut sockets.milter),
        ("http", &gateway.http, &mut sockets.http),
    ] {
        let Some(listen) = listen else { continue };
        let ours = if at < handed.len() {
            let taken = take(&mut handed, at);
            at = at.saturating_add(1);
            taken
        } else {
            bind(listen).await
        };
        let ours = ours.map_err(|error| format!("{name}: cannot listen on {listen}: {error}"))?;
        *socket = Some(ours);
    }
    Ok(sockets)
}

fn take(handed: &mut ListenFd, at: usize) -> std::io::Result<Listener> {
    if let Ok(Some(listener)) = handed.take_unix_listener(at) {
        listener.set_nonblocking(true)?;
        return UnixListener::from_std(listener).map(Listener::Unix);
    }
    let listener = handed
        .take_tcp_listener(at)?
        .ok_or_else(|| std::io::Error::other("systemd handed over no listening socket"))?;
    listener.set_nonblocking(true)?;
    TcpListener::from_std(listener).map(Listener::Tcp)
}

async fn bind(listen: &Listen) -> std::io::Result<Listener> {
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
fn remove_stale(path: &Path) -> std::io::Result<()> {
    let Ok(metadata) = std::fs::symlink_metadata(path) else {
        return Ok(());
    };
    if !metadata.file_type().is_socket() {
        return Err(std::io::Error::other("a file that is no socket is there"));
    }
    if StdUnixStream::connect(path).is_ok() {
        return Err(std::io::ErrorKind::AddrInUse.into());
    }
    std::fs::remove_file(path)
}
