//! For tests of what runs by itself: a cluster without objects, and a process in it.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use http::{Request, Response, StatusCode};
use kube::client::Body;
use kube::runtime::reflector::ObjectRef;
use secrecy::SecretString;
use serde_json::json;
use tokio::sync::mpsc::UnboundedReceiver;
use tokio_util::sync::CancellationToken;

use super::{Context, RawIdentity, Scope, Settings};
use crate::apiserver::ServerTime;
use crate::domain::{DeletionLimits, Policy};
use crate::leader::Leadership;
use crate::telemetry::Metrics;
use crate::unkey::{Bounds, Client, Credentials, Options};

/// A process in which nobody calls Unkey: there is nothing to look for.
pub struct Process {
    pub context: Arc<Context>,
    pub woken: UnboundedReceiver<ObjectRef<RawIdentity>>,
    pub settings: Settings,
    pub metrics: Metrics,
}

impl Process {
    /// It scans every ten minutes.
    pub fn new(lead: Leadership) -> Self {
        let unkey = Options { base_url: "http://127.0.0.1:9".to_owned(), ..Options::default() };
        let unkey = Client::new(&unkey, Credentials::from_value(&SecretString::from("key")).unwrap()).unwrap();
        let policy = Policy::default();
        let settings = Settings {
            scope: Scope { namespaces: Vec::new(), selector: None },
            workers: 1,
            bounds: Bounds::default(),
            policy,
            accept_workspace_change: false,
            lead,
            stop: CancellationToken::new(),
            scan_every: Duration::from_secs(600),
            server_time: ServerTime::default(),
            deletions: DeletionLimits::NONE,
            approved_namespaces: Vec::new(),
        };
        let metrics = Metrics::default();
        let (context, woken) = Context::new(without_objects(), unkey, &settings, metrics.clone());
        Self { context, woken, settings, metrics }
    }
}

/// A series as it is served.
pub fn series(context: &Context, metrics: &Metrics, name: &str) -> f64 {
    let text = metrics.render(&context.view()).unwrap();
    let value = text.lines().find_map(|line| line.strip_prefix(&format!("unkey_operator_{name} ")));
    value.unwrap_or_else(|| panic!("there is no {name}")).parse().unwrap()
}

/// How many scans ended so far.
pub fn scans(context: &Context, metrics: &Metrics) -> u32 {
    format!("{}", series(context, metrics, "scans_total{result=\"nothing\"}")).parse().unwrap()
}

/// An API server that has no objects, and in which nothing happens.
fn without_objects() -> kube::Client {
    let serve = |request: Request<Body>| async move {
        let (path, query) = (request.uri().path(), request.uri().query().unwrap_or_default());
        let refused = |code: StatusCode| (code, json!({"kind": "Status", "status": "Failure", "code": code.as_u16()}));
        let (code, body) = match path.ends_with("/identities") {
            true if query.contains("sendInitialEvents") => refused(StatusCode::UNPROCESSABLE_ENTITY),
            true if query.contains("watch=") => std::future::pending().await,
            true => {
                (StatusCode::OK, json!({"kind": "IdentityList", "metadata": {"resourceVersion": "1"}, "items": []}))
            }
            false => refused(StatusCode::NOT_FOUND),
        };
        let response = Response::builder().status(code).body(Body::from(body.to_string().into_bytes()));
        Ok::<_, Infallible>(response.unwrap())
    };
    kube::Client::new(tower::service_fn(serve), "default")
}
