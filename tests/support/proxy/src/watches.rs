//! A watch on its way to the client, event by event: it can be ended in several ways and held back. It must not change an event.

use std::collections::VecDeque;
use std::io;
use std::sync::Arc;

use futures::stream::BoxStream;
use futures::{Stream, StreamExt as _, stream};
use hyper::body::Bytes;
use tokio::sync::{mpsc, watch};

use super::control::Shared;

/// How a watch ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// As the API server ends one after some minutes.
    Clean,
    /// The connection breaks.
    Cut,
    /// An event ERROR with 410 in the stream, then its end: the client's resourceVersion is too old.
    Expired,
}

/// What all watches are to do.
#[derive(Debug, Default)]
pub(crate) struct Orders {
    /// Nothing is passed on.
    pub hold: bool,
    /// Counts the endings ordered, so that a watch that begins later is spared.
    ended: u64,
    ending: Option<Ending>,
}

impl Orders {
    pub fn end(&mut self, ending: Ending) {
        self.ended += 1;
        self.ending = Some(ending);
    }
}

/// What an expired watch says last.
const EXPIRED: &str = concat!(
    r#"{"type":"ERROR","object":{"kind":"Status","apiVersion":"v1","metadata":{},"status":"Failure","#,
    r#""message":"too old resource version, by order of a test","reason":"Expired","code":410}}"#,
    "\n"
);

/// The events in `chunks`, one per item. They stop when the client drops the stream.
pub(crate) fn pass_on(
    chunks: BoxStream<'static, io::Result<Bytes>>,
    shared: Arc<Shared>,
    number: u64,
) -> impl Stream<Item = io::Result<Bytes>> + Send + 'static {
    let orders = shared.orders.subscribe();
    let (sender, receiver) = mpsc::channel(1);
    tokio::spawn(async move {
        let mut pump = Pump { chunks, orders, sender, half: Vec::new(), held: VecDeque::new(), shared, number };
        pump.run().await;
        let held = u64::try_from(pump.held.len()).unwrap_or(u64::MAX);
        pump.shared.held(0, held);
        pump.shared.update(number, |entry| entry.done = true);
    });
    stream::unfold(receiver, |mut receiver| async move { receiver.recv().await.map(|line| (line, receiver)) })
}

struct Pump {
    chunks: BoxStream<'static, io::Result<Bytes>>,
    orders: watch::Receiver<Orders>,
    sender: mpsc::Sender<io::Result<Bytes>>,
    /// The start of an event whose end is not here yet.
    half: Vec<u8>,
    held: VecDeque<Bytes>,
    shared: Arc<Shared>,
    number: u64,
}

impl Pump {
    /// Ends with the watch, by order, or with the client. An error of `send` means that the client is gone.
    async fn run(&mut self) {
        let before = self.orders.borrow_and_update().ended;
        loop {
            let (hold, ending) = {
                let orders = self.orders.borrow_and_update();
                (orders.hold, orders.ending.filter(|_| orders.ended > before))
            };
            match ending {
                Some(Ending::Clean) => return,
                Some(Ending::Cut) => return drop(self.sender.send(Err(io::ErrorKind::ConnectionReset.into())).await),
                Some(Ending::Expired) => {
                    return drop(self.sender.send(Ok(Bytes::from_static(EXPIRED.as_bytes()))).await);
                }
                None => {}
            }
            while !hold && let Some(event) = self.held.pop_front() {
                self.shared.held(0, 1);
                if self.sender.send(Ok(event)).await.is_err() {
                    return;
                }
                self.shared.update(self.number, |entry| entry.events += 1);
            }
            let chunk = tokio::select! {
                changed = self.orders.changed() => match changed {
                    Ok(()) => continue,
                    // The proxy is gone.
                    Err(_) => return,
                },
                () = self.sender.closed() => return,
                chunk = self.chunks.next() => chunk,
            };
            match chunk {
                None => return self.last().await,
                Some(Err(error)) => return drop(self.sender.send(Err(error)).await),
                Some(Ok(chunk)) => self.take(&chunk),
            }
        }
    }

    fn take(&mut self, chunk: &[u8]) {
        for part in chunk.split_inclusive(|byte| *byte == b'\n') {
            self.half.extend_from_slice(part);
            if self.half.ends_with(b"\n") {
                self.held.push_back(Bytes::from(std::mem::take(&mut self.half)));
                self.shared.held(1, 0);
            }
        }
    }

    /// The API server has ended it: what is held back ends with it once it is let go.
    async fn last(&mut self) {
        // An error means that the proxy is gone.
        drop(self.orders.wait_for(|orders| !orders.hold).await);
        while let Some(event) = self.held.pop_front() {
            self.shared.held(0, 1);
            drop(self.sender.send(Ok(event)).await);
        }
    }
}
