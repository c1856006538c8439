//! One connection: bytes from the MTA into its [`Session`], messages to the filter, answers back.

use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::sync::watch;
use tokio::time::{Instant, interval_at, timeout};

use super::codec::{Decoder, Reply};
use super::session::{Mail, Session, Step};
use crate::gateway::filter::{Filter, Request};
use crate::gateway::plan::Answer;
use crate::gateway::pool::Share;

/// How long an MTA may be silent: longer than a client may keep it waiting (RFC 5321 section 4.5.3.2: 5 minutes).
const SILENCE: Duration = Duration::from_secs(600);

/// How long an MTA may take to read an answer.
const SLOW_READER: Duration = Duration::from_secs(60);

/// How often the MTA is told that we are still at work.
const PROGRESS: Duration = Duration::from_secs(10);

/// Bytes taken ahead while a message is judged.
const MOST_AHEAD: usize = 1 << 20;

/// Serves a connection to its end. Says why it ended, where that is not in order.
pub(in crate::gateway) async fn serve<S: AsyncRead + AsyncWrite + Unpin>(
    mut stream: S,
    filter: Arc<Filter>,
    mut stopping: watch::Receiver<bool>,
) -> Result<(), String> {
    let mut decoder = Decoder::default();
    let mut session = Session::default();
    let mut share = Share::default();
    let mut out = Vec::new();
    loop {
        // Ends when the bytes at hand hold no whole frame any more.
        while let Some(command) = decoder.command().map_err(|error| error.to_string())? {
            match session.take(command) {
                Step::Read => {}
                Step::Answer(reply) => reply.encode(&mut out),
                Step::Judge(mail) => {
                    write(&mut stream, &mut out).await?;
                    let share = std::mem::take(&mut share);
                    let answer = judge(&mut stream, &mut decoder, &filter, *mail, share).await?;
                    for reply in session.answers(&answer) {
                        reply.encode(&mut out);
                    }
                }
                Step::Close => {
                    write(&mut stream, &mut out).await?;
                    return Ok(());
                }
            }
            if session.held() == 0 {
                share = Share::default();
            } else if filter.admission.grow(&mut share, session.held()).is_err()
                || filter.too_large(session.held())
            {
                session.give_up_message();
            }
        }
        write(&mut stream, &mut out).await?;
        let stop = *stopping.borrow() && session.held() == 0;
        if stop {
            return Ok(());
        }
        let len = tokio::select! {
            read = timeout(SILENCE, stream.read_buf(decoder.room())) => match read {
                Ok(Ok(len)) => len,
                Ok(Err(error)) => return Err(error.to_string()),
                Err(_) => return Err("the MTA was silent for ten minutes".to_owned()),
            },
            _ = stopping.changed() => continue,
        };
        if len == 0 {
            return Ok(());
        }
    }
}

async fn write<S: AsyncWrite + Unpin>(stream: &mut S, out: &mut Vec<u8>) -> Result<(), String> {
    if !out.is_empty() {
        timeout(SLOW_READER, stream.write_all(out))
            .await
            .map_err(|_| "the MTA does not read our answers".to_owned())?
            .map_err(|error| error.to_string())?;
        out.clear();
    }
    Ok(())
}

/// Has a message judged while the MTA is kept waiting. What it sends meanwhile is kept.
async fn judge<S: AsyncRead + AsyncWrite + Unpin>(
    stream: &mut S,
    decoder: &mut Decoder,
    filter: &Arc<Filter>,
    mail: Mail,
    share: Share,
) -> Result<Answer, String> {
    let request = Request {
        envelope: mail.envelope,
        message: mail.message,
        abilities: mail.abilities,
        share,
    };
    let filter = Arc::clone(filter);
    // A task of its own: it is brought to its end even when the MTA goes away.
    let mut judged = tokio::spawn(async move { filter.judge(request).await });
    let mut progress = interval_at(Instant::now() + PROGRESS, PROGRESS);
    loop {
        tokio::select! {
            answer = &mut judged => {
                return answer.map_err(|error| format!("the filter broke down: {error}"));
            }
            _ = progress.tick() => {
                let mut out = Vec::new();
                Reply::Progress.encode(&mut out);
                write(stream, &mut out).await?;
            }
            read = stream.read_buf(decoder.room()) => match read {
                Ok(0) => return Err("the MTA left while its message was looked at".to_owned()),
                Ok(_) if decoder.waiting() > MOST_AHEAD => {
                    return Err("the MTA does not wait for our answer".to_owned());
                }
                Ok(_) => {}
                Err(error) => return Err(error.to_string()),
            },
        }
    }
}
