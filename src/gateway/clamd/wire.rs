//! A connection whose UNIX form may carry file descriptors (unix(7), `SCM_RIGHTS`).

use std::collections::VecDeque;
use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;

use rustix::net::{RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, Interest};
use tokio::net::UnixStream;

use crate::gateway::listen::Connection;

/// Descriptors of one packet, and of all that wait: clients send one for each FILDES.
const MOST: usize = 8;

/// Bytes in, bytes out, descriptors in.
#[derive(Debug)]
pub(super) struct Wire {
    connection: Connection,
    descriptors: VecDeque<OwnedFd>,
}

impl Wire {
    pub(super) fn new(connection: Connection) -> Self {
        Self {
            connection,
            descriptors: VecDeque::new(),
        }
    }

    /// Whether descriptors can come at all.
    pub(super) fn carries_files(&self) -> bool {
        matches!(self.connection, Connection::Unix(_))
    }

    /// Reads what has come; 0 at the end. Descriptors that come with it wait to be taken.
    pub(super) async fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match &mut self.connection {
            Connection::Tcp(stream) => stream.read(buffer).await,
            // Never by read(2): it would throw a descriptor away that comes behind the bytes of its command.
            Connection::Unix(stream) => {
                let descriptors = &mut self.descriptors;
                stream
                    .async_io(Interest::READABLE, || receive(stream, buffer, descriptors))
                    .await
            }
        }
    }

    /// The descriptor that came first, as a file.
    pub(super) fn take_file(&mut self) -> Option<File> {
        self.descriptors.pop_front().map(File::from)
    }

    pub(super) async fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.connection.write_all(bytes).await
    }

    /// Says that nothing more comes from us.
    pub(super) async fn finish(&mut self) -> io::Result<()> {
        self.connection.shutdown().await
    }
}

fn receive(
    stream: &UnixStream,
    buffer: &mut [u8],
    descriptors: &mut VecDeque<OwnedFd>,
) -> io::Result<usize> {
    let mut space = [0; rustix::cmsg_space!(ScmRights(MOST))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let mut parts = [io::IoSliceMut::new(buffer)];
    let received = rustix::net::recvmsg(
        stream,
        &mut parts,
        &mut control,
        RecvFlags::CMSG_CLOEXEC | RecvFlags::DONTWAIT,
    )?;
    for message in control.drain() {
        if let RecvAncillaryMessage::ScmRights(files) = message {
            descriptors.extend(files);
        }
    }
    if descriptors.len() > MOST {
        return Err(io::Error::other("more descriptors than commands"));
    }
    Ok(received.bytes)
}
