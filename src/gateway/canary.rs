//! A new generation is tried before it is in force: a rule that calls everything malicious, or a scan that does not
//! end, must not stop the mail.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use bytes::Bytes;

use crate::engine::{Context, Engine, Input, Worker};
use crate::model::{Level, Report};

/// Harmless mails of every day.
const MAILS: &[(&str, &str)] = &[
    (
        "plain",
        "From: a@example.com\r\nTo: b@example.com\r\nSubject: Minutes\r\nDate: Mon, 2 Nov 2026 09:30:00 +0900\r\nMessage-ID: <1@example.com>\r\n\r\nThe minutes of Monday are in the shared folder.\r\n",
    ),
    (
        "japanese",
        "From: a@example.jp\r\nTo: b@example.jp\r\nSubject: =?UTF-8?B?6K2w5LqL6Yyy?=\r\nDate: Mon, 2 Nov 2026 09:30:00 +0900\r\nMessage-ID: <2@example.jp>\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; charset=UTF-8\r\nContent-Transfer-Encoding: base64\r\n\r\n6K2w5LqL6Yyy44KS44GK6YCB44KK44GX44G+44GZ44CCDQo=\r\n",
    ),
    (
        "html",
        "From: a@example.com\r\nTo: b@example.com\r\nSubject: News\r\nDate: Mon, 2 Nov 2026 09:30:00 +0900\r\nMessage-ID: <3@example.com>\r\nMIME-Version: 1.0\r\nContent-Type: multipart/alternative; boundary=b\r\n\r\n--b\r\nContent-Type: text/plain\r\n\r\nNews\r\n--b\r\nContent-Type: text/html\r\n\r\n<html><body><p>News, <a href=\"https://www.example.com/\">read on</a></p></body></html>\r\n--b--\r\n",
    ),
];

/// Time for one of them.
const PATIENCE: Duration = Duration::from_secs(5);

/// Scans a few harmless mails of every day; says what is wrong with the engine, where it takes one for anything else.
pub fn try_harmless(engine: &Engine) -> Result<(), String> {
    let mut worker = Worker::new(engine);
    for (name, mail) in MAILS {
        let report = scan(&mut worker, name, mail);
        if report.level != Level::Clean || !report.complete {
            let found: Vec<&str> = report
                .findings
                .iter()
                .filter(|finding| finding.score > 0)
                .map(|finding| finding.id.as_ref())
                .collect::<BTreeSet<_>>()
                .into_iter()
                .collect();
            return Err(format!(
                "a harmless mail ({name}) is {} by {}",
                report.level.as_str(),
                found.join(", ")
            ));
        }
    }
    Ok(())
}

/// Lets a worker scan them before anybody waits for it: the first scan of a thread makes what all others use again.
pub(super) fn warm(worker: &mut Worker<'_>) {
    for (name, mail) in MAILS {
        scan(worker, name, mail);
    }
}

fn scan(worker: &mut Worker<'_>, name: &str, mail: &'static str) -> Report {
    worker.scan(Input {
        path: format!("canary-{name}.eml"),
        data: Bytes::from_static(mail.as_bytes()),
        context: Context {
            deadline: Instant::now().checked_add(PATIENCE),
            ..Context::default()
        },
        ..Input::default()
    })
}
