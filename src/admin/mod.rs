//! The admin server: `/livez`, `/readyz`, `/metrics`. Read only; knows nothing of decisions.
//!
//! `/livez` answers as long as the process serves: it must not depend on Unkey, or an outage there would restart the
//! operator. `/readyz` names what is missing, and warns of what nothing else can tell: that makes it no less ready.

use std::future::IntoFuture;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use axum::Router;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use tokio::net::TcpListener;

const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// What Kubernetes lacks that the operator needs.
#[derive(Debug, Default)]
pub struct Kubernetes {
    /// Without it the operator is not ready.
    pub missing: Option<String>,
    /// Sentences about what it does without.
    pub gaps: Vec<String>,
}

/// What the admin server shows.
#[derive(Clone)]
pub struct Admin(Arc<Inner>);

struct Inner {
    cache: AtomicBool,
    kubernetes: Box<dyn Fn() -> Kubernetes + Send + Sync>,
    credentials: Box<dyn Fn() -> Result<(), String> + Send + Sync>,
    metrics: Box<dyn Fn() -> Result<String, std::fmt::Error> + Send + Sync>,
}

impl Admin {
    /// `credentials` says what is wrong with the root key; `metrics` is the text to serve.
    pub fn new(
        credentials: impl Fn() -> Result<(), String> + Send + Sync + 'static,
        kubernetes: impl Fn() -> Kubernetes + Send + Sync + 'static,
        metrics: impl Fn() -> Result<String, std::fmt::Error> + Send + Sync + 'static,
    ) -> Self {
        let (credentials, kubernetes, metrics) = (Box::new(credentials), Box::new(kubernetes), Box::new(metrics));
        Self(Arc::new(Inner { cache: AtomicBool::new(false), kubernetes, credentials, metrics }))
    }

    /// The cache is filled.
    pub fn cache_is_filled(&self) {
        self.0.cache.store(true, Ordering::SeqCst);
    }

    fn readyz(&self) -> Response {
        let (mut missing, kubernetes) = (Vec::new(), (self.0.kubernetes)());
        if !self.0.cache.load(Ordering::SeqCst) {
            missing.push(
                "the list of Identities: check that the CRD is installed and that the operator may list Identities"
                    .to_owned(),
            );
        }
        missing.extend(kubernetes.missing);
        if let Err(why) = (self.0.credentials)() {
            // The error says "no root key: …" itself.
            missing.push(format!("a usable root key: {}", why.trim_start_matches("no root key: ")));
        }
        // A namespace that is not watched takes no Pod out of service: the others are worked on, and a roll-out that takes it off the list, or
        // gives the right back, must come to its end.
        let gaps = kubernetes.gaps.iter().fold(String::new(), |text, gap| text + gap + "\n");
        if missing.is_empty() {
            return (StatusCode::OK, format!("ok\n{gaps}")).into_response();
        }
        (StatusCode::SERVICE_UNAVAILABLE, format!("missing: {}\n{gaps}", missing.join("; "))).into_response()
    }

    fn metrics(&self) -> Response {
        match (self.0.metrics)() {
            Ok(text) => ([(header::CONTENT_TYPE, OPEN_METRICS)], text).into_response(),
            Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
        }
    }

    /// Listens on `address`; port 0 picks a free one. Serving goes on until the future is dropped.
    pub async fn serve(
        self,
        address: SocketAddr,
    ) -> std::io::Result<(SocketAddr, impl Future<Output = std::io::Result<()>>)> {
        let listener = TcpListener::bind(address).await?;
        let bound = listener.local_addr()?;
        let (ready, metrics) = (self.clone(), self);
        let router = Router::new()
            .route("/livez", get(async || "ok\n"))
            .route("/readyz", get(move || std::future::ready(ready.readyz())))
            .route("/metrics", get(move || std::future::ready(metrics.metrics())));
        Ok((bound, axum::serve(listener, router).into_future()))
    }
}
