//! One request from its last byte to its answer: the book, the fault it meets, the API server. It runs as a task of its own, so that a
//! client that goes away cancels nothing that was sent.

use std::convert::Infallible;
use std::io;
use std::sync::Arc;

use futures::{StreamExt as _, TryStreamExt as _};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt as _, Full, StreamBody};
use hyper::body::{Bytes, Frame, Incoming};
use hyper::header::{CONNECTION, CONTENT_LENGTH, HOST, HeaderMap, TRANSFER_ENCODING};
use hyper::{Request, Response};
use kube::Client;
use kube::client::Body;
use tokio::time::sleep;

use super::control::Shared;
use super::fault::{FaultKind, Strike};
use super::line::Mute;
use super::request::Asked;
use super::watches;

/// What goes onto the wire.
pub(crate) type Answer = Response<UnsyncBoxBody<Bytes, io::Error>>;

/// The connection is to be closed without an answer.
#[derive(Debug, thiserror::Error)]
#[error("the connection is dropped")]
pub(crate) struct Dropped;

/// A request that can be sent.
struct Whole {
    asked: Asked,
    number: u64,
    request: Request<Body>,
    /// Of the connection that it came by.
    mute: Mute,
}

pub(crate) async fn serve(
    request: Request<Incoming>,
    client: Client,
    shared: Arc<Shared>,
    mute: Mute,
) -> Result<Answer, Dropped> {
    let (mut head, body) = request.into_parts();
    let body = body.collect().await.map_err(|_| Dropped)?.to_bytes();
    let asked = Asked::read(&head.method, &head.uri);
    strip(&mut head.headers);
    let (number, strike) = shared.open(asked.clone(), head.uri.to_string(), body.to_vec());
    let whole = Whole { asked, number, request: Request::from_parts(head, Body::from(body)), mute };
    let task = tokio::spawn(async move {
        let answer = match strike {
            None => forward(&shared, whole, &client).await,
            Some(strike) => suffer(&shared, whole, &client, strike).await,
        };
        let answered = answer.as_ref().ok().map(|answer| answer.status().as_u16());
        shared.update(number, |entry| {
            entry.answered = answered;
            entry.done |= !(entry.asked.is_watch() && answered == Some(200));
        });
        answer
    });
    task.await.map_err(|_| Dropped)?
}

/// Headers that speak of one connection only.
fn strip(headers: &mut HeaderMap) {
    for name in [HOST, CONNECTION, CONTENT_LENGTH, TRANSFER_ENCODING] {
        headers.remove(name);
    }
}

async fn suffer(shared: &Arc<Shared>, whole: Whole, client: &Client, strike: Strike) -> Result<Answer, Dropped> {
    let Strike { fault, mut released, .. } = strike;
    let mute = whole.mute.clone();
    sleep(fault.delay).await;
    match fault.kind {
        FaultKind::Delay(time) => sleep(time).await,
        // An error means that the order was cleared, which lets go as well.
        FaultKind::Hold => drop(released.wait_for(|released| *released).await),
        FaultKind::SilentBefore => {
            mute.silence();
        }
        _ => {}
    }
    let answer = if fault.kind.is_handled() { forward(shared, whole, client).await } else { Err(Dropped) };
    match fault.kind {
        FaultKind::DelayAnswer(time) => sleep(time).await,
        FaultKind::HoldAnswer => drop(released.wait_for(|released| *released).await),
        FaultKind::DropAfter => return Err(Dropped),
        FaultKind::SilentAfter => {
            mute.silence();
        }
        FaultKind::Status { status, body, headers } => return ordered(status, body, headers),
        _ => {}
    }
    answer
}

/// The answer that a fault gives.
fn ordered(status: u16, body: String, headers: Vec<(String, String)>) -> Result<Answer, Dropped> {
    let mut builder = Response::builder().status(status);
    for (name, value) in headers {
        builder = builder.header(name, value);
    }
    // A status or header that HTTP does not have: whoever ordered it sees a closed connection.
    builder.body(full(Bytes::from(body))).map_err(|_| Dropped)
}

/// Asks the API server. A connection to it that breaks breaks the client's.
async fn forward(shared: &Arc<Shared>, whole: Whole, client: &Client) -> Result<Answer, Dropped> {
    let (mut head, body) = client.send(whole.request).await.map_err(|_| Dropped)?.into_parts();
    strip(&mut head.headers);
    let status = head.status.as_u16();
    let body = if whole.asked.is_watch() && head.status.is_success() {
        shared.update(whole.number, |entry| entry.handled = Some(status));
        let chunks = body.into_data_stream().map_err(io::Error::other).boxed();
        let lines = watches::pass_on(chunks, Arc::clone(shared), whole.number);
        StreamBody::new(lines.map_ok(Frame::data)).boxed_unsync()
    } else {
        let bytes = body.collect().await.map_err(|_| Dropped)?.to_bytes();
        shared.handled(whole.number, status, &bytes);
        full(bytes)
    };
    let mut answer = Response::new(body);
    (*answer.status_mut(), *answer.headers_mut()) = (head.status, head.headers);
    Ok(answer)
}

fn full(bytes: Bytes) -> UnsyncBoxBody<Bytes, io::Error> {
    Full::new(bytes).map_err(|never: Infallible| match never {}).boxed_unsync()
}
