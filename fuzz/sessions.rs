//! Connections to the gateway's servers as targets: what a client sends, in pieces.

use sekisho::gateway::clamd::codec as clamd;
use sekisho::gateway::milter::codec::Decoder;
use sekisho::gateway::milter::session::{Session, Step};
use sekisho::gateway::plan::{Answer, Changes};
use sekisho::gateway::smtp;

/// A connection to the relay: what the client sends, in pieces, with a next hop that says yes.
pub(crate) fn smtp(data: &[u8]) {
    use smtp::session::{Peer, Session, Step};
    let peer = Peer {
        address: None,
        trusted: data.first().is_some_and(|byte| byte % 2 == 0),
    };
    let own = smtp::offers::Own {
        size: 1 << 16,
        starttls: true,
        trusted: false,
    };
    let mut session = Session::new(peer, own);
    let (mut input, mut replies) = (
        smtp::lines::Input::default(),
        smtp::reply::Replies::default(),
    );
    let (mut text, mut breaks, mut reading) = (
        Vec::new(),
        smtp::lines::Breaks::default(),
        None::<smtp::lines::DataText>,
    );
    for piece in data.chunks(97) {
        input.push(piece);
        replies.push(piece);
        while let Ok(Some(reply)) = replies.reply() {
            drop(smtp::offers::Offers::of(&reply).offered(own));
        }
        breaks.push(piece, &mut text);
        // Ends because every round takes a line or waits for more.
        loop {
            if let Some(data_text) = &mut reading {
                let (taken, ended) = data_text.push(input.rest(), &mut text);
                input.advance(taken);
                if !ended {
                    break;
                }
                reading = None;
                let _ = smtp::trace::loops(&text, "mark");
                let trace = smtp::trace::Trace::default();
                drop(smtp::trace::compose(
                    &trace,
                    &Changes {
                        clean_own: true,
                        ..Changes::default()
                    },
                    &text,
                ));
                text.clear();
                session.end_transaction();
            }
            let Some(line) = input.line() else { break };
            match session.take(&line) {
                Step::Data => reading = Some(smtp::lines::DataText::default()),
                Step::Hello => drop(session.greeted(smtp::offers::Offers::default(), "mx")),
                Step::Ask(_) => drop(session.answered(smtp::reply::Reply::new(250, "yes"))),
                Step::Chunk { size, .. } => {
                    input.advance(usize::try_from(size).unwrap_or(usize::MAX))
                }
                Step::StartTls => session.secured(),
                Step::Close(_) => return,
                Step::Answer(_) | Step::Greet => {}
            }
            drop((session.envelope(), session.spoken()));
        }
    }
}

/// A connection: what the MTA sends, in pieces, with an answer to every message.
pub(crate) fn milter(data: &[u8]) {
    let mut decoder = Decoder::default();
    let mut session = Session::default();
    let mut out = Vec::new();
    for piece in data.chunks(97) {
        decoder.push(piece);
        while let Ok(Some(command)) = decoder.command() {
            match session.take(command) {
                Step::Judge(mail) => {
                    let changes = Changes {
                        dropped: vec![0, 7],
                        clean_own: true,
                        message: mail.message,
                        ..Changes::default()
                    };
                    let answers = session.answers(&Answer::Pass(changes));
                    answers.iter().for_each(|answer| answer.encode(&mut out));
                }
                Step::Answer(answer) => answer.encode(&mut out),
                Step::Close => return,
                Step::Read => {}
            }
            if session.held() > 1 << 20 {
                session.give_up_message();
            }
            out.clear();
        }
    }
}

/// A connection of a client of clamd: commands and what belongs to them.
pub(crate) fn clamd(data: &[u8]) {
    let mut decoder = clamd::Decoder::default();
    let mut streaming = false;
    for piece in data.chunks(61) {
        decoder.push(piece);
        loop {
            if streaming {
                match decoder.piece() {
                    Some(clamd::Piece::End) => streaming = false,
                    Some(clamd::Piece::Data(_)) => {}
                    None => break,
                }
                continue;
            }
            match decoder.command() {
                Err(_) => return,
                Ok(None) => break,
                Ok(Some(request)) => match request.command {
                    clamd::Command::Instream => streaming = true,
                    clamd::Command::Fildes => drop(decoder.carrier()),
                    _ => {}
                },
            }
        }
    }
}
