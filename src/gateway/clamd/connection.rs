//! One connection of a client of clamd: a command and its answer, or a session of several.

use std::fs::File;
use std::os::fd::AsRawFd as _;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use tokio::sync::watch;
use tokio::time::{Instant, timeout, timeout_at};

use super::codec::{Command, Decoder, Extent, Framing, Piece, Request};
use super::names::names;
use super::wire::Wire;
use crate::config::{Gateway, Protocol};
use crate::engine::Input;
use crate::gateway::filter::Filter;
use crate::gateway::inspect::{Asker, unnamed};
use crate::gateway::listen::Connection;
use crate::gateway::pool::Share;
use crate::model::Name;
use crate::policy::Trouble;
use crate::source::{Met, NotOpened, Opened, open_beneath, read_opened};
use crate::text;

/// How long a client may be silent: between commands of a session, and within a command.
const SILENCE: Duration = Duration::from_secs(120);

/// How long one command with its file may take: memory is held for it.
const COMMAND: Duration = Duration::from_secs(600);

/// How long it may take to read an answer.
const SLOW_READER: Duration = Duration::from_secs(60);

/// How long a client that sends too much is listened to, so that it gets to read why.
const LINGER: Duration = Duration::from_secs(2);

/// The commands that are answered.
const COMMANDS: &str = "SCAN PING CONTSCAN VERSIONCOMMANDS VERSION END MULTISCAN FILDES STATS IDSESSION INSTREAM ALLMATCHSCAN";

/// Serves a connection to its end. Says why it ended, where that is not in order.
pub(in crate::gateway) async fn serve(
    connection: Connection,
    filter: Arc<Filter>,
    gateway: Arc<Gateway>,
    stopping: watch::Receiver<bool>,
) -> Result<(), String> {
    let client = match &connection {
        Connection::Tcp(stream) => stream.peer_addr().ok().map(|address| address.ip()),
        Connection::Unix(_) => None,
    };
    let mut talk = Talk {
        wire: Wire::new(connection),
        decoder: Decoder::default(),
        filter,
        gateway,
        stopping,
        asker: Asker {
            protocol: Protocol::Clamd,
            client,
        },
        session: None,
        deadline: Instant::now() + COMMAND,
        buffer: vec![0; 32 << 10],
    };
    talk.run().await?;
    // Where the client is gone already there is nobody to tell.
    let _ = talk.wire.finish().await;
    Ok(())
}

struct Talk {
    wire: Wire,
    decoder: Decoder,
    filter: Arc<Filter>,
    gateway: Arc<Gateway>,
    stopping: watch::Receiver<bool>,
    asker: Asker,
    /// The number of the last command of a session.
    session: Option<u64>,
    /// When the command that comes in must be there with its file.
    deadline: Instant,
    buffer: Vec<u8>,
}

/// What follows a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Then {
    Next,
    Close,
}

impl Talk {
    async fn run(&mut self) -> Result<(), String> {
        // Ends with a command outside of a session, the end of one, or the connection.
        loop {
            let Some(request) = self.decoder.command().map_err(|error| error.to_string())? else {
                if *self.stopping.borrow() {
                    return Ok(());
                }
                if self.decoder.waiting() == 0 {
                    self.deadline = Instant::now() + COMMAND;
                }
                let more = self.wait().await?;
                if !more {
                    return match self.decoder.waiting() {
                        0 => Ok(()),
                        _ => Err("the connection ended within a command".to_owned()),
                    };
                }
                continue;
            };
            if self.obey(request).await? == Then::Close {
                return Ok(());
            }
        }
    }

    /// Waits for a command, or for the stop of the server; false at the end of the connection.
    async fn wait(&mut self) -> Result<bool, String> {
        let mut stopping = self.stopping.clone();
        tokio::select! {
            read = self.read() => read,
            _ = stopping.wait_for(|stop| *stop) => Ok(true),
        }
    }

    /// Takes in what comes next; false at the end of the connection.
    async fn read(&mut self) -> Result<bool, String> {
        let until = self.deadline.min(Instant::now() + SILENCE);
        let len = timeout_at(until, self.wire.read(&mut self.buffer))
            .await
            .map_err(|_| "the client did not say all in time".to_owned())?
            .map_err(|error| error.to_string())?;
        self.decoder
            .push(self.buffer.get(..len).unwrap_or_default());
        Ok(len > 0)
    }

    async fn obey(&mut self, request: Request) -> Result<Then, String> {
        let Request { framing, command } = request;
        self.deadline = Instant::now() + COMMAND;
        if let Some(number) = &mut self.session {
            if framing == Framing::Bare {
                return Err("a command without prefix in a session".to_owned());
            }
            *number = number.saturating_add(1);
        }
        let session = self.session.is_some();
        match command {
            Command::Ping => self.answer(framing, "PONG").await?,
            Command::Version => self.answer(framing, &self.version()).await?,
            Command::VersionCommands => {
                let all = format!("{}| COMMANDS: {COMMANDS}", self.version());
                self.answer(framing, &all).await?;
            }
            Command::Stats => self.answer(framing, &self.stats()).await?,
            Command::IdSession if !session => {
                self.session = Some(0);
                return Ok(Then::Next);
            }
            Command::End if session => return Ok(self.parting().await),
            Command::Instream => return self.instream(framing).await,
            Command::Fildes => self.fildes(framing).await?,
            Command::Scan(extent, path) => self.scan(framing, extent, &path).await?,
            Command::Refused => {
                self.answer(framing, "COMMAND UNAVAILABLE").await?;
                return Ok(self.parting().await);
            }
            Command::Unknown | Command::IdSession | Command::End => {
                self.answer(framing, "UNKNOWN COMMAND").await?;
                return Ok(self.parting().await);
            }
        }
        Ok(match session {
            true => Then::Next,
            false => Then::Close,
        })
    }

    /// Program, version, and the rules in force.
    fn version(&self) -> String {
        let generation = self.filter.pool.generation();
        let rules: String = generation.engine.rules.digest().chars().take(12).collect();
        format!("sekisho {}/{rules}", env!("CARGO_PKG_VERSION"))
    }

    /// In clamd's form, which monitors know how to read.
    fn stats(&self) -> String {
        let pool = &self.filter.pool;
        let (threads, running, waiting) = (pool.threads(), pool.running(), pool.waiting().0);
        let idle = threads.saturating_sub(running);
        format!(
            "POOLS: 1\n\nSTATE: VALID PRIMARY\nTHREADS: live {threads}  idle {idle} max {threads} idle-timeout 0\nQUEUE: {waiting} items\n\tSTATS 0.000000 \n\nMEMSTATS: heap N/A mmap N/A used N/A free N/A releasable N/A pools 1 pools_used {:.3}M pools_total {:.3}M\nEND",
            mebibytes(self.filter.admission.used()),
            mebibytes(self.gateway.max_memory)
        )
    }

    async fn answer(&mut self, framing: Framing, text: &str) -> Result<(), String> {
        let mut line = match self.session {
            Some(number) => format!("{number}: {text}"),
            None => text.to_owned(),
        }
        .into_bytes();
        line.push(framing.end());
        timeout(SLOW_READER, self.wire.write(&line))
            .await
            .map_err(|_| "the client does not read our answers".to_owned())?
            .map_err(|error| error.to_string())
    }

    /// INSTREAM: the data, chunk by chunk.
    async fn instream(&mut self, framing: Framing) -> Result<Then, String> {
        let mut data = BytesMut::new();
        let mut share = Share::default();
        // Ends with the last chunk, too many bytes, or the connection.
        loop {
            match self.decoder.piece() {
                Some(Piece::End) => break,
                Some(Piece::Data(piece)) => {
                    let len = data.len().saturating_add(piece.len());
                    let refused = if len > self.longest() {
                        Some("INSTREAM size limit exceeded. ERROR")
                    } else if self.filter.admission.grow(&mut share, len).is_err() {
                        Some("stream: no memory left for it, try again later ERROR")
                    } else {
                        None
                    };
                    if let Some(refused) = refused {
                        self.answer(framing, refused).await?;
                        return Ok(self.parting().await);
                    }
                    data.extend_from_slice(&piece);
                }
                None => {
                    if !self.read().await? {
                        return Err("the connection ended within a stream".to_owned());
                    }
                }
            }
        }
        let input = unnamed(self.asker, data.freeze());
        let answers = self.verdict("stream", Extent::First, input, share).await;
        self.answer_all(framing, &answers).await?;
        Ok(match self.session {
            Some(_) => Then::Next,
            None => Then::Close,
        })
    }

    /// The largest file that is taken, in bytes.
    fn longest(&self) -> usize {
        let most = usize::try_from(self.gateway.clamd.max_stream).unwrap_or(usize::MAX);
        most.min(self.filter.max_message())
    }

    /// Reads on for a moment: closing on a client that still sends would throw the answer away.
    async fn parting(&mut self) -> Then {
        let _ = self.wire.finish().await;
        let until = Instant::now() + LINGER;
        // Ends with the connection or in time.
        while let Ok(Ok(1..)) = timeout_at(until, self.wire.read(&mut self.buffer)).await {}
        Then::Close
    }

    /// FILDES: a byte that carries the descriptor of a file.
    async fn fildes(&mut self, framing: Framing) -> Result<(), String> {
        if !self.wire.carries_files() {
            return self
                .answer(framing, "FILDES works on a UNIX socket only. ERROR")
                .await;
        }
        while !self.decoder.carrier() {
            if !self.read().await? {
                return Err("the connection ended before a descriptor came".to_owned());
            }
        }
        let Some(file) = self.wire.take_file() else {
            return self
                .answer(framing, "No file descriptor received. ERROR")
                .await;
        };
        let label = format!("fd[{}]", file.as_raw_fd());
        let answers = self.file(&label, Extent::First, file, None).await;
        self.answer_all(framing, &answers).await
    }

    /// SCAN and its kin: a path beneath a configured folder.
    async fn scan(&mut self, framing: Framing, extent: Extent, path: &Bytes) -> Result<(), String> {
        let gateway = Arc::clone(&self.gateway);
        let asked = Path::new(std::ffi::OsStr::from_bytes(path)).to_path_buf();
        let label = text::path(&asked);
        let opened = blocking(move || open_beneath(&gateway.clamd.roots, &asked)).await?;
        match opened {
            Err(why) => {
                let answer = format!("{label}: {} ERROR", sentence(&why));
                self.answer(framing, &answer).await
            }
            Ok(Opened::File(file)) => {
                let name = Path::new(std::ffi::OsStr::from_bytes(path)).file_name();
                let name = name.map(|name| Name::from_raw(name.as_encoded_bytes()));
                let answers = self.file(&label, extent, file, name).await;
                self.answer_all(framing, &answers).await
            }
            Ok(Opened::Folder(mut folder)) => {
                let mut said = false;
                // Ends with the folder, which is finite.
                loop {
                    let (rest, met) = blocking(move || {
                        let met = folder.next();
                        (folder, met)
                    })
                    .await?;
                    folder = rest;
                    let Some(met) = met else { break };
                    let answers = self.met(extent, met).await;
                    if answers.iter().all(Answer::is_ok) {
                        continue;
                    }
                    said = true;
                    self.answer_all(framing, &answers).await?;
                    if extent == Extent::First {
                        return Ok(());
                    }
                }
                match said {
                    true => Ok(()),
                    false => self.answer(framing, &format!("{label}: OK")).await,
                }
            }
        }
    }

    async fn met(&self, extent: Extent, met: Met) -> Vec<Answer> {
        let label = text::path(&met.path);
        let name = met.path.file_name();
        let name = name.map(|name| Name::from_raw(name.as_encoded_bytes()));
        match met.file {
            Ok(file) => self.file(&label, extent, file, name).await,
            Err(why) => vec![Answer::error(&label, sentence(&why))],
        }
    }

    async fn file(
        &self,
        label: &str,
        extent: Extent,
        file: File,
        name: Option<Name>,
    ) -> Vec<Answer> {
        let size = file.metadata().map_or(u64::MAX, |metadata| metadata.len());
        let most = size.min(self.longest() as u64);
        let mut share = Share::default();
        let need = usize::try_from(most).unwrap_or(usize::MAX);
        if let Err(trouble) = self.filter.admission.grow(&mut share, need) {
            return vec![Answer::error(label, reason(trouble).to_owned())];
        }
        let path = label.to_owned();
        let read = blocking(move || read_opened(&file, path, most)).await;
        match read {
            Ok(Ok(input)) => {
                let input = Input { name, ..input };
                self.verdict(label, extent, input, share).await
            }
            Ok(Err(unreadable)) => vec![Answer::error(label, format!("{}.", unreadable.reason))],
            Err(why) => vec![Answer::error(label, why)],
        }
    }

    async fn verdict(
        &self,
        label: &str,
        extent: Extent,
        input: Input,
        share: Share,
    ) -> Vec<Answer> {
        let inspected = self.filter.inspect(self.asker, input, share).await;
        let inspection = match inspected {
            Err(trouble) => return vec![Answer::error(label, reason(trouble).to_owned())],
            Ok(inspection) if inspection.passes() => return vec![Answer::ok(label)],
            Ok(inspection) => inspection,
        };
        let most = match extent {
            Extent::Names => usize::MAX,
            Extent::First | Extent::All => 1,
        };
        let named = names(&inspection).into_iter().take(most);
        named
            .map(|name| Answer {
                kind: Said::Found,
                text: format!("{label}: {name} FOUND"),
            })
            .collect()
    }

    async fn answer_all(&mut self, framing: Framing, answers: &[Answer]) -> Result<(), String> {
        for answer in answers {
            self.answer(framing, &answer.text).await?;
        }
        Ok(())
    }
}

/// One line of an answer.
#[derive(Debug)]
struct Answer {
    kind: Said,
    text: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Said {
    Ok,
    Found,
    Error,
}

impl Answer {
    fn ok(label: &str) -> Self {
        Self {
            kind: Said::Ok,
            text: format!("{label}: OK"),
        }
    }

    #[expect(
        clippy::needless_pass_by_value,
        reason = "callers have made it for this"
    )]
    fn error(label: &str, why: String) -> Self {
        Self {
            kind: Said::Error,
            text: format!("{label}: {why} ERROR"),
        }
    }

    fn is_ok(&self) -> bool {
        self.kind == Said::Ok
    }
}

fn sentence(why: &NotOpened) -> String {
    format!("{}.", text::safe(&why.to_string()))
}

/// What is said of trouble of ours.
fn reason(trouble: Trouble) -> &'static str {
    match trouble {
        Trouble::Busy => "too busy, try again later.",
        Trouble::OutOfTime => "the scan did not end in time, try again later.",
        Trouble::Lost => "the scan broke down, try again later.",
        Trouble::Unreachable => "the store does not answer, try again later.",
        Trouble::NotOffered => "not offered.",
    }
}

/// Work on the file system, off the threads of the sockets.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, String> {
    let done = tokio::task::spawn_blocking(work).await;
    done.map_err(|error| format!("work broke down: {error}"))
}

fn mebibytes(bytes: u64) -> f64 {
    #[expect(
        clippy::cast_precision_loss,
        reason = "three digits behind the point are shown"
    )]
    let bytes = bytes as f64;
    bytes / f64::from(1 << 20)
}
