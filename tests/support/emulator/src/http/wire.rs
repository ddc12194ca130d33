//! Requests off and answers onto the wire, broken ones too. It must not know what is asked.

use std::convert::Infallible;
use std::io;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::http::{HeaderMap, HeaderName, Response as HttpResponse, header};
use futures::{StreamExt as _, stream};
use tokio::time::sleep;

use super::flow::{Incoming, Outcome};
use crate::state::{MAX_BODY_BYTES, Response};

/// On a response: close the connection instead of sending it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Cut;

/// How often a slow body moves on.
const SLOW_STEPS_PER_SECOND: u64 = 20;

/// Reads a request; `None` when the client went away before it was complete.
pub(super) async fn read(request: axum::extract::Request) -> Option<Incoming> {
    let (head, body) = request.into_parts();
    let mut chunks = body.into_data_stream();
    let mut bytes = Vec::new();
    while let Some(chunk) = chunks.next().await {
        let chunk = chunk.ok()?;
        // All of it is read, but no more kept than shows that it was too long.
        let room = (MAX_BODY_BYTES + 1).saturating_sub(bytes.len());
        bytes.extend_from_slice(&chunk[..chunk.len().min(room)]);
    }
    Some(Incoming {
        method: head.method.to_string(),
        path: head.uri.path().to_owned(),
        query: head.uri.query().map(ToOwned::to_owned),
        authorization: text(&head.headers, &header::AUTHORIZATION),
        content_type: text(&head.headers, &header::CONTENT_TYPE),
        accept: text(&head.headers, &header::ACCEPT),
        body: bytes,
    })
}

fn text(headers: &HeaderMap, name: &HeaderName) -> Option<String> {
    headers.get(name).map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned())
}

/// The answer as hyper sends it.
pub(super) fn write(outcome: Outcome) -> HttpResponse<Body> {
    match outcome {
        Outcome::Whole(response) => build(response, Body::from),
        Outcome::Slow(response, bytes_per_second) => build(response, |body| slow(body, bytes_per_second)),
        Outcome::Half(response) => build(response, half),
        Outcome::Cut => {
            let mut response = HttpResponse::new(Body::empty());
            response.extensions_mut().insert(Cut);
            response
        }
    }
}

fn build(response: Response, body: impl FnOnce(Vec<u8>) -> Body) -> HttpResponse<Body> {
    let mut builder =
        HttpResponse::builder().status(response.status).header(header::CONTENT_LENGTH, response.body.len());
    if !response.content_type.is_empty() {
        builder = builder.header(header::CONTENT_TYPE, response.content_type);
    }
    for (name, value) in response.headers {
        builder = builder.header(name, value);
    }
    builder.body(body(response.body)).unwrap_or_else(|error| {
        // A fault was ordered with a status or header that HTTP does not have: say so to whoever ordered it.
        let mut response = HttpResponse::new(Body::from(format!("the ordered fault is not HTTP: {error}\n")));
        *response.status_mut() = axum::http::StatusCode::INTERNAL_SERVER_ERROR;
        response
    })
}

fn slow(body: Vec<u8>, bytes_per_second: u64) -> Body {
    let steps = bytes_per_second.min(SLOW_STEPS_PER_SECOND);
    let size = usize::try_from(bytes_per_second / steps).unwrap_or(usize::MAX);
    let pause = Duration::from_secs(1) / u32::try_from(steps).unwrap_or(1);
    Body::from_stream(stream::unfold(Bytes::from(body), move |mut rest| async move {
        if rest.is_empty() {
            return None;
        }
        sleep(pause).await;
        let next = rest.split_to(size.min(rest.len()));
        Some((Ok::<_, Infallible>(next), rest))
    }))
}

fn half(mut body: Vec<u8>) -> Body {
    body.truncate(body.len() / 2);
    let steps = stream::unfold(Some(Bytes::from(body)), |rest| async move {
        if let Some(bytes) = rest {
            return Some((Ok(bytes), None));
        }
        // hyper flushes what it has while a body makes it wait; an error at once would swallow the first half.
        sleep(Duration::from_millis(10)).await;
        Some((Err(io::Error::from(io::ErrorKind::ConnectionReset)), None))
    });
    Body::from_stream(steps)
}
