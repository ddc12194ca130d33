//! The root key shows nowhere, however badly a call ends and however much is logged.

use std::error::Error as _;
use std::fmt::Write as _;
use std::io;
use std::sync::{Arc, Mutex};

use serde_json::json;
use tracing_subscriber::fmt::MakeWriter;
use unkey::Error;

use crate::server::{Server, http, ok};
use crate::support::{KEY, PATIENT, SHORT, client, credentials, failures};

#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl Lines {
    fn text(&self) -> String {
        String::from_utf8_lossy(&self.0.lock().unwrap()).into_owned()
    }
}

impl io::Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl MakeWriter<'_> for Lines {
    type Writer = Self;

    fn make_writer(&self) -> Self {
        self.clone()
    }
}

/// reqwest and rustls speak `log`, hyper and h2 `tracing`; both end here.
impl log::Log for Lines {
    fn enabled(&self, _: &log::Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &log::Record<'_>) {
        let line = format!("{} {} {}\n", record.level(), record.target(), record.args());
        self.0.lock().unwrap().extend_from_slice(line.as_bytes());
    }

    fn flush(&self) {}
}

fn everything_shown(error: &Error) -> String {
    let mut shown =
        format!("{error} {error:?} {error:#?} {:?} {:?} {:?}", error.request_id(), error.class(), error.fault());
    let mut source = error.source();
    while let Some(cause) = source {
        let _ = write!(shown, " {cause} {cause:?}");
        source = cause.source();
    }
    shown
}

#[tokio::test]
async fn the_root_key_is_in_no_log_error_or_debug_output() {
    let lines = Lines::default();
    tracing_subscriber::fmt().with_max_level(tracing::Level::TRACE).with_ansi(false).with_writer(lines.clone()).init();
    log::set_boxed_logger(Box::new(lines.clone())).unwrap();
    log::set_max_level(log::LevelFilter::Trace);

    // Servers that repeat the key wherever they can.
    let bearer = format!("Authorization: Bearer {KEY}");
    let echo = |kind: &str| {
        json!({
            "meta": {"requestId": format!("req_{KEY}")},
            "error": {"title": KEY, "detail": bearer, "type": format!("https://unkey.com/docs/errors/unkey/{KEY}/{kind}")}
        })
        .to_string()
    };
    let mut answers = vec![
        String::new(),
        format!("HTTP/1.1 302 Found\r\nLocation: http://{KEY}.invalid/{KEY}\r\nContent-Length: 0\r\n\r\n"),
        format!("HTTP/1.1 200 {KEY}\r\nContent-Type: {KEY}\r\nContent-Length: 0\r\n\r\n"),
        format!("HTTP/1.1 200 OK\r\n{bearer}\r\n{KEY}\r\n\r\n"),
        format!("{KEY}\r\n\r\n"),
        ok(KEY),
        ok(&json!({"meta": {"requestId": KEY}, "data": KEY, "pagination": KEY}).to_string()),
        ok(&json!({"meta": {"requestId": KEY}, "data": {KEY: KEY}, "error": KEY}).to_string()),
        http("200 OK", "text/html", &bearer),
    ];
    for (status, kind) in [
        (400, "invalid_input"),
        (401, "key_not_found"),
        (403, "insufficient_permissions"),
        (404, "identity_not_found"),
        (409, "identity_already_exists"),
        (412, KEY),
        (429, "workspace_rate_limited"),
        (500, "unexpected_error"),
        (503, KEY),
    ] {
        answers.push(http(&status.to_string(), "application/json", &echo(kind)));
    }

    let mut shown = format!("{:?} {:?}", credentials(), client("https://api.unkey.com", PATIENT));
    for answer in answers {
        let server = Server::saying(answer).await;
        for error in failures(&client(&server.url(), PATIENT)).await {
            shown.push_str(&everything_shown(&error));
        }
    }
    let silent = Server::start(|connection, _| connection.stall()).await;
    for url in [silent.url(), silent.url().replace("http:", "https:"), "http://127.0.0.1:1".to_owned()] {
        for error in failures(&client(&url, SHORT)).await {
            shown.push_str(&everything_shown(&error));
        }
    }

    let logged = lines.text();
    // Without these the test would prove nothing: our own lines, hyper's, and reqwest's through `log`.
    for expected in ["unkey call failed", "hyper_util::client", "reqwest::", "rustls::"] {
        assert!(logged.contains(expected), "no line of {expected}");
    }
    for (place, text) in [("log", logged), ("error", shown)] {
        let leak = text.lines().find(|line| line.contains(KEY) || line.contains("CANARY"));
        assert_eq!(leak, None, "in the {place} output");
    }
}
