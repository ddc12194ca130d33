//! A server that says exactly the bytes a test wants, and remembers what it was asked.

use std::future::Future;
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

pub struct Server {
    port: u16,
    seen: Arc<Mutex<Seen>>,
    /// Ends with the server.
    _task: JoinSet<()>,
}

#[derive(Default)]
struct Seen {
    connections: usize,
    requests: Vec<String>,
}

pub struct Connection {
    stream: TcpStream,
    seen: Arc<Mutex<Seen>>,
}

impl Server {
    /// Runs `script` on each connection, with the number of connections before it; the connection closes when the script ends.
    pub async fn start<F, S>(script: F) -> Self
    where
        F: Fn(Connection, usize) -> S + Send + 'static,
        S: Future<Output = ()> + Send + 'static,
    {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let seen = Arc::new(Mutex::new(Seen::default()));
        let shared = seen.clone();
        let mut task = JoinSet::new();
        task.spawn(async move {
            let mut scripts = JoinSet::new();
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let number = shared.lock().unwrap().connections;
                shared.lock().unwrap().connections += 1;
                scripts.spawn(script(Connection { stream, seen: shared.clone() }, number));
            }
        });
        Self { port, seen, _task: task }
    }

    /// Reads a request per connection, answers it with these bytes, then closes. A whole head gets a `Connection: close`, so that
    /// the client does not choose the closing connection for its next call.
    pub async fn saying(answer: impl Into<String>) -> Self {
        let mut answer: String = answer.into();
        if answer.starts_with("HTTP/1.1 ") {
            answer = answer.replacen("\r\n\r\n", "\r\nConnection: close\r\n\r\n", 1);
        }
        let answer = Arc::<str>::from(answer);
        Self::start(move |mut connection, _| {
            let answer = answer.clone();
            async move {
                connection.request().await;
                connection.send(answer.as_bytes()).await;
            }
        })
        .await
    }

    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    pub fn connections(&self) -> usize {
        self.seen.lock().unwrap().connections
    }

    /// The requests read in full, head and body as they came.
    pub fn requests(&self) -> Vec<String> {
        self.seen.lock().unwrap().requests.clone()
    }
}

impl Connection {
    /// Reads one request, or `None` at the end of the connection.
    pub async fn request(&mut self) -> Option<String> {
        let mut bytes = Vec::new();
        loop {
            if let Some(end) = find(&bytes, b"\r\n\r\n") {
                let head = String::from_utf8_lossy(&bytes[..end]).to_ascii_lowercase();
                let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap_or("0");
                if bytes.len() >= end + 4 + length.parse::<usize>().unwrap() {
                    break;
                }
            }
            if self.stream.read_buf(&mut bytes).await.ok()? == 0 {
                return None;
            }
        }
        let request = String::from_utf8(bytes).unwrap();
        self.seen.lock().unwrap().requests.push(request.clone());
        Some(request)
    }

    /// Sends, as long as the other side listens; tells whether it did.
    pub async fn send(&mut self, bytes: &[u8]) -> bool {
        self.stream.write_all(bytes).await.is_ok()
    }

    /// Waits for data, then closes without reading it, which resets the connection.
    pub async fn reset(self) {
        let _ = self.stream.peek(&mut [0]).await;
    }

    /// Never says another word.
    pub async fn stall(self) {
        std::future::pending::<()>().await;
    }
}

fn find(bytes: &[u8], what: &[u8]) -> Option<usize> {
    bytes.windows(what.len()).position(|window| window == what)
}

/// A whole HTTP/1.1 answer.
pub fn http(status: &str, content_type: &str, body: &str) -> String {
    format!("HTTP/1.1 {status}\r\nContent-Type: {content_type}\r\nContent-Length: {}\r\n\r\n{body}", body.len())
}

/// A whole 200 with a JSON body.
pub fn ok(body: &str) -> String {
    http("200 OK", "application/json", body)
}
