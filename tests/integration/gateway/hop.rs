//! A next hop that says what a test tells it to, and a client that says literal bytes.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::host::Delivered;

/// What is said to a line of a connection; none: yes. `.` stands for the end of a message, by LMTP with the recipient
/// behind it. `close` breaks off, `hang` says nothing for a while.
type Answers = Box<dyn FnMut(&str) -> Option<&'static str> + Send>;

struct Shared {
    answers: Mutex<Answers>,
    offers: Mutex<&'static [&'static str]>,
    /// Lines with the number of their connection in front, in the order in which they came.
    seen: Mutex<Vec<String>>,
    delivered: Mutex<Vec<Delivered>>,
    connections: AtomicUsize,
}

/// The next hop.
pub(crate) struct Hop {
    pub(crate) port: u16,
    shared: Arc<Shared>,
}

impl Hop {
    /// One that says yes to everything.
    pub(crate) fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        Self::on(listener)
    }

    pub(crate) fn start_on(port: u16) -> Self {
        Self::on(TcpListener::bind(("127.0.0.1", port)).unwrap())
    }

    fn on(listener: TcpListener) -> Self {
        let port = listener.local_addr().unwrap().port();
        let shared = Arc::new(Shared {
            answers: Mutex::new(Box::new(|_| None)),
            offers: Mutex::new(&["8BITMIME", "SMTPUTF8", "DSN", "ENHANCEDSTATUSCODES"]),
            seen: Mutex::default(),
            delivered: Mutex::default(),
            connections: AtomicUsize::new(1),
        });
        let all = Arc::clone(&shared);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let shared = Arc::clone(&all);
                std::thread::spawn(move || drop(shared.serve(stream)));
            }
        });
        Self { port, shared }
    }

    pub(crate) fn answers(
        &self,
        answers: impl FnMut(&str) -> Option<&'static str> + Send + 'static,
    ) {
        *self.shared.answers.lock().unwrap() = Box::new(answers);
    }

    pub(crate) fn offers(&self, offers: &'static [&'static str]) {
        *self.shared.offers.lock().unwrap() = offers;
    }

    /// What was said so far, and forgets it.
    pub(crate) fn seen(&self) -> Vec<String> {
        std::mem::take(&mut *self.shared.seen.lock().unwrap())
    }

    pub(crate) fn all(&self) -> Vec<Delivered> {
        self.shared.delivered.lock().unwrap().clone()
    }
}

impl Shared {
    fn serve(&self, stream: TcpStream) -> std::io::Result<()> {
        let number = self.connections.fetch_add(1, Ordering::Relaxed);
        let mut out = stream.try_clone()?;
        let mut lines = BufReader::new(stream);
        out.write_all(b"220 next.test\r\n")?;
        let (mut from, mut to, mut lmtp) = (String::new(), Vec::new(), false);
        loop {
            let mut line = String::new();
            if lines.read_line(&mut line)? == 0 {
                return Ok(());
            }
            let line = line.trim_end().to_owned();
            self.seen.lock().unwrap().push(format!("{number} {line}"));
            let verb = line.split([' ', ':']).next().unwrap_or_default().to_owned();
            let said = self.say(&mut out, &line, &verb)?;
            match (verb.as_str(), said.as_str()) {
                ("LHLO", _) => lmtp = true,
                ("RCPT", "250") => to.push(line.split(['<', '>']).nth(1).unwrap().to_owned()),
                ("RSET", _) => to.clear(),
                ("MAIL", _) => {
                    from = line.split(['<', '>']).nth(1).unwrap_or_default().to_owned();
                    to.clear();
                }
                ("DATA", "354") => {
                    let mut data = Vec::new();
                    loop {
                        let mut line = Vec::new();
                        if lines.read_until(b'\n', &mut line)? == 0 {
                            return Ok(());
                        }
                        if line == b".\r\n" {
                            break;
                        }
                        data.extend(line.strip_prefix(b".").unwrap_or(&line));
                    }
                    self.seen.lock().unwrap().push(format!("{number} ."));
                    let ends: Vec<Vec<String>> = match lmtp {
                        true => to.iter().map(|to| vec![to.clone()]).collect(),
                        false => vec![std::mem::take(&mut to)],
                    };
                    for to in ends {
                        let end = if lmtp {
                            format!(". {}", to[0])
                        } else {
                            ".".to_owned()
                        };
                        let said = self.answer_to(&end, "")?;
                        // Whoever has the answer finds the message.
                        if said.starts_with("250") {
                            let data = data.clone();
                            self.delivered.lock().unwrap().push(Delivered {
                                from: from.clone(),
                                to,
                                data,
                            });
                        }
                        out.write_all(said.as_bytes())?;
                    }
                    to.clear();
                }
                ("QUIT", _) => return Ok(()),
                _ => {}
            }
        }
    }

    /// Says what the script says, else yes; gives the code.
    fn say(&self, out: &mut TcpStream, line: &str, verb: &str) -> std::io::Result<String> {
        let said = self.answer_to(line, verb)?;
        out.write_all(said.as_bytes())?;
        Ok(said[..3].to_owned())
    }

    /// What the script says to a line, else yes.
    fn answer_to(&self, line: &str, verb: &str) -> std::io::Result<String> {
        let said = (self.answers.lock().unwrap())(line);
        Ok(match said {
            Some("close") => return Err(std::io::ErrorKind::ConnectionAborted.into()),
            Some("hang") => {
                std::thread::sleep(Duration::from_secs(20));
                return Err(std::io::ErrorKind::TimedOut.into());
            }
            Some(said) => format!("{said}\r\n"),
            None if matches!(verb, "EHLO" | "LHLO") => {
                let offers = self.offers.lock().unwrap();
                let more = offers.iter().map(|offer| format!("250-{offer}\r\n"));
                format!("250-next.test\r\n{}250 HELP\r\n", more.collect::<String>())
            }
            None if verb == "DATA" => "354 go\r\n".to_owned(),
            None => "250 2.0.0 taken\r\n".to_owned(),
        })
    }
}

/// A client that says what it is told to.
pub(crate) struct Talk {
    pub(crate) stream: TcpStream,
    lines: BufReader<TcpStream>,
}

impl Talk {
    /// Connects, and reads the greeting.
    pub(crate) fn to(port: u16) -> Self {
        let stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
        stream
            .set_read_timeout(Some(Duration::from_secs(30)))
            .unwrap();
        let lines = BufReader::new(stream.try_clone().unwrap());
        let mut talk = Self { stream, lines };
        let greeting = talk.answer();
        assert!(greeting.starts_with("220 "), "{greeting}");
        talk
    }

    /// The next answer, its lines joined; empty at the end of the connection.
    pub(crate) fn answer(&mut self) -> String {
        let mut all = String::new();
        loop {
            let mut line = String::new();
            if self.lines.read_line(&mut line).unwrap_or_default() == 0 {
                return all;
            }
            assert!(line.ends_with("\r\n"), "{line:?}");
            all.push_str(&line);
            if line.as_bytes()[3] == b' ' {
                return all.trim_end().to_owned();
            }
        }
    }

    pub(crate) fn write(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).unwrap();
    }

    /// Says a line, and gives the answer.
    pub(crate) fn say(&mut self, line: &str) -> String {
        self.write(format!("{line}\r\n").as_bytes());
        self.answer()
    }

    /// Says lines, and gives the first digits of the answers.
    pub(crate) fn codes(&mut self, lines: &[&str]) -> Vec<u16> {
        lines.iter().map(|line| code(&self.say(line))).collect()
    }

    /// The answers that are left until the connection ends.
    pub(crate) fn rest(&mut self) -> String {
        let mut all = Vec::new();
        let _ = self.lines.read_to_end(&mut all);
        String::from_utf8_lossy(&all).into_owned()
    }
}

/// The code of an answer; 0 where there is none.
pub(crate) fn code(answer: &str) -> u16 {
    answer
        .get(..3)
        .and_then(|code| code.parse().ok())
        .unwrap_or_default()
}
