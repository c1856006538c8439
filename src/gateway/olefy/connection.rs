//! One connection: a request, until the client shuts down its side, and the answer.

use std::sync::Arc;
use std::time::Duration;

use bytes::BytesMut;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::sync::watch;
use tokio::time::{Instant, timeout, timeout_at};

use super::answer;
use super::codec::{self, END, PONG, Request};
use crate::config::Protocol;
use crate::gateway::filter::Filter;
use crate::gateway::inspect::{Asker, unnamed};
use crate::gateway::listen::Connection;
use crate::gateway::pool::Share;

/// How long a client may be silent within a request.
const SILENCE: Duration = Duration::from_secs(30);

/// How long a whole request may take: memory is held for it.
const REQUEST: Duration = Duration::from_secs(300);

/// How long it may take to read the answer.
const SLOW_READER: Duration = Duration::from_secs(30);

/// Serves a connection to its end. Says why it ended, where that is not in order.
pub(in crate::gateway) async fn serve(
    mut connection: Connection,
    filter: Arc<Filter>,
    mut stopping: watch::Receiver<bool>,
) -> Result<(), String> {
    let mut request = BytesMut::new();
    let mut share = Share::default();
    let mut buffer = vec![0; 32 << 10];
    let deadline = Instant::now() + REQUEST;
    // Ends with the request, the connection, too many bytes, or the time.
    loop {
        let until = deadline.min(Instant::now() + SILENCE);
        let read = timeout_at(until, connection.read(&mut buffer));
        let read = tokio::select! {
            read = read => read,
            _ = stopping.wait_for(|stop| *stop), if request.is_empty() => return Ok(()),
        };
        let len = read
            .map_err(|_| "the request did not come in time".to_owned())?
            .map_err(|error| error.to_string())?;
        request.extend_from_slice(buffer.get(..len).unwrap_or_default());
        if len == 0 || codec::is_ping(&request) {
            break;
        }
        let no_room = request.len() > filter.max_message()
            || filter.admission.grow(&mut share, request.len()).is_err();
        if no_room {
            return write(&mut connection, &answer::error("no room for the file")).await;
        }
    }
    let answer = match codec::request(&request.freeze()) {
        Request::Ping => PONG.to_vec(),
        Request::Bad(why) => answer::error(why),
        Request::Oletools { file, .. } => {
            let client = match &connection {
                Connection::Tcp(stream) => stream.peer_addr().ok().map(|address| address.ip()),
                Connection::Unix(_) => None,
            };
            let asker = Asker {
                protocol: Protocol::Olefy,
                client,
            };
            match filter.inspect(asker, unnamed(asker, file), share).await {
                Ok(inspection) => {
                    let generation = filter.pool.generation();
                    answer::of(&inspection, &generation.engine.knowledge.catalogue)
                }
                Err(trouble) => answer::error(answer::reason(trouble)),
            }
        }
    };
    write(&mut connection, &answer).await
}

/// Writes the answer in one piece: rspamd takes one that comes in smaller pieces for whole.
async fn write(connection: &mut Connection, answer: &[u8]) -> Result<(), String> {
    let mut whole = answer.to_vec();
    if whole != PONG {
        whole.extend_from_slice(END);
    }
    let written = async {
        connection.write_all(&whole).await?;
        connection.shutdown().await
    };
    timeout(SLOW_READER, written)
        .await
        .map_err(|_| "the client does not read our answer".to_owned())?
        .map_err(|error| error.to_string())
}
