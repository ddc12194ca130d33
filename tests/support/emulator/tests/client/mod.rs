//! A plain HTTP client that adds nothing of its own: no Accept, no redirects, no TLS. It must not know the API.
// Each test program uses its own part of it.
#![allow(dead_code)]

use axum::body::{Body, Bytes};
use axum::http::{HeaderMap, Request};
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::{Client as Pool, Error};
use hyper_util::rt::TokioExecutor;
use serde_json::Value;

/// Keeps connections, as a real client does.
#[derive(Clone)]
pub struct Client(Pool<HttpConnector, Body>);

/// An answer, read to its end.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: HeaderMap,
    /// An error is a body that broke off.
    pub body: Result<Bytes, String>,
}

impl Answer {
    /// The media type without parameters.
    pub fn content_type(&self) -> &str {
        self.header("content-type").split(';').next().unwrap_or_default().trim()
    }

    /// A header, or nothing.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    /// The body as JSON; null if it is none.
    pub fn json(&self) -> Value {
        self.body.as_ref().ok().and_then(|body| serde_json::from_slice(body).ok()).unwrap_or(Value::Null)
    }
}

impl Client {
    pub fn new() -> Self {
        Self(Pool::builder(TokioExecutor::new()).build_http())
    }

    /// Sends a request; an error if no answer came.
    pub async fn send(
        &self,
        method: &str,
        url: &str,
        headers: impl IntoIterator<Item = (String, String)>,
        body: impl Into<Body>,
    ) -> Result<Answer, Error> {
        let mut request = Request::builder().method(method).uri(url);
        for (name, value) in headers {
            request = request.header(name, value);
        }
        let response = self.0.request(request.body(body.into()).expect("a request")).await?;
        let (head, body) = response.into_parts();
        let body = axum::body::to_bytes(Body::new(body), usize::MAX).await.map_err(|error| error.to_string());
        Ok(Answer { status: head.status.as_u16(), headers: head.headers, body })
    }

    /// Sends JSON with a root key.
    pub async fn post(&self, url: &str, key: &str, body: &Value) -> Result<Answer, Error> {
        let headers = [("authorization", format!("Bearer {key}")), ("content-type", "application/json".to_owned())];
        let headers = headers.map(|(name, value)| (name.to_owned(), value));
        self.send("POST", url, headers, body.to_string()).await
    }
}
