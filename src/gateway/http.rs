//! `/metrics`, `/healthz`, `/readyz`: GET and HEAD of HTTP/1.0 and 1.1 (RFC 9112), one request a connection.

use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::sync::watch;
use tokio::time::timeout;

use super::filter::Filter;
use super::metrics;

/// Bytes of a request at the most.
const LONGEST: usize = 8 << 10;

/// Time for a request and its answer.
const PATIENCE: Duration = Duration::from_secs(10);

/// Answers one request.
pub(super) async fn serve<S: AsyncRead + AsyncWrite + Unpin>(
    mut stream: S,
    filter: Arc<Filter>,
    stopping: watch::Receiver<bool>,
) -> Result<(), String> {
    let talk = async {
        let request = request(&mut stream).await?;
        let stopping = *stopping.borrow();
        // The store is asked, which takes its time.
        let answer = tokio::task::spawn_blocking(move || answer(&request, &filter, stopping))
            .await
            .unwrap_or_else(|_| response("500 Internal Server Error", "", true));
        stream.write_all(answer.as_bytes()).await?;
        stream.shutdown().await
    };
    match timeout(PATIENCE, talk).await {
        Ok(ended) => ended.map_err(|error: std::io::Error| error.to_string()),
        Err(_) => Err("the client of the HTTP listener is too slow".to_owned()),
    }
}

async fn request<S: AsyncRead + Unpin>(stream: &mut S) -> std::io::Result<Vec<u8>> {
    let mut request = Vec::new();
    let mut buffer = [0; 1024];
    // Ends with the request, the connection, or at its longest.
    while request.len() < LONGEST && memchr::memmem::find(&request, b"\r\n\r\n").is_none() {
        let len = stream.read(&mut buffer).await?;
        if len == 0 {
            break;
        }
        request.extend_from_slice(buffer.get(..len).unwrap_or_default());
    }
    Ok(request)
}

fn answer(request: &[u8], filter: &Filter, stopping: bool) -> String {
    let line = request
        .split(|byte| *byte == b'\r' || *byte == b'\n')
        .next();
    let line = String::from_utf8_lossy(line.unwrap_or_default()).into_owned();
    let mut words = line.split(' ');
    let (method, target) = (words.next(), words.next().unwrap_or_default());
    let with_body = match method {
        Some("GET") => true,
        Some("HEAD") => false,
        _ => return response("405 Method Not Allowed", "only GET and HEAD\n", true),
    };
    match target.split('?').next().unwrap_or_default() {
        "/metrics" => response("200 OK", &metrics::page(filter), with_body),
        "/healthz" => response("200 OK", "ok\n", with_body),
        "/readyz" => match not_ready(filter, stopping) {
            None => response("200 OK", "ready\n", with_body),
            Some(why) => response("503 Service Unavailable", &format!("{why}\n"), with_body),
        },
        _ => response("404 Not Found", "/metrics, /healthz, /readyz\n", with_body),
    }
}

/// Why messages would be sent back now.
fn not_ready(filter: &Filter, stopping: bool) -> Option<String> {
    if stopping {
        return Some("stopping".to_owned());
    }
    if !filter.pool.waiting().1 {
        return Some("busy: the queue is full".to_owned());
    }
    filter.store.ready().err().map(|error| error.to_string())
}

fn response(status: &str, body: &str, with_body: bool) -> String {
    format!(
        "HTTP/1.1 {status}\r\nContent-Type: text/plain; version=0.0.4; charset=utf-8\r\nContent-Length: {}\r\nCache-Control: no-store\r\nConnection: close\r\n\r\n{}",
        body.len(),
        if with_body { body } else { "" }
    )
}
