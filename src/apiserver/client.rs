//! The client: one pool of connections for each credential, and what it does about a 401 and about silence. It knows no resource.

use parking_lot::Mutex;
use std::sync::Arc;

use futures::FutureExt;
use http::{Method, Request, Response, StatusCode};
use http_body_util::BodyExt as _;
use http_body_util::combinators::UnsyncBoxBody;
use hyper::body::{Bytes, Incoming};
use hyper_util::client::legacy;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use kube::client::{Body, ConfigExt as _};
use tower::util::BoxCloneService;
use tower::{BoxError, ServiceBuilder, ServiceExt as _, service_fn};

use super::connection::{Connections, SILENCE, Silent, WRITE_SILENCE};
use super::connector::connector;
use super::credentials::{Credentials, Current};
use super::listing::{self, UntilListed};
use super::setup_error::SetupError;
use super::time::ServerTime;
use crate::transport;

type Answer = Response<UnsyncBoxBody<Bytes, BoxError>>;
type Service = BoxCloneService<Request<Body>, Answer, BoxError>;

/// What all requests of one client share.
pub(super) struct Shared {
    config: kube::Config,
    credentials: Arc<Credentials>,
    connections: Connections,
    time: ServerTime,
    /// For the credential of that number.
    service: Mutex<Option<(u64, Service)>>,
}

impl Shared {
    pub fn new(
        config: kube::Config,
        credentials: Arc<Credentials>,
        connections: Connections,
        time: ServerTime,
    ) -> Self {
        Self { config, credentials, connections, time, service: Mutex::new(None) }
    }

    /// Says whether requests can be sent at all, before the first one is.
    pub fn check(&self) -> Result<(), SetupError> {
        self.service(&self.credentials.current()).map(drop)
    }

    /// Sends one request; once more with another credential if the first is refused.
    pub async fn send(&self, request: Request<Body>) -> Result<Answer, BoxError> {
        let credential = self.credentials.get().await?;
        let again = copy(&request);
        let answer = self.service(&credential)?.oneshot(request).await?;
        self.time.observe(answer.headers());
        if answer.status() != StatusCode::UNAUTHORIZED {
            return Ok(answer);
        }
        let Some(again) = again else { return Ok(answer) };
        match self.credentials.instead_of(&credential).await {
            Some(other) => self.service(&other)?.oneshot(again).await,
            None => Ok(answer),
        }
    }

    /// The service that asks with this credential. Another one has connections of its own: one may be made with a certificate.
    fn service(&self, credential: &Current) -> Result<Service, SetupError> {
        let mut present = self.service.lock();
        if let Some((number, service)) = &*present
            && *number >= credential.number
        {
            return Ok(service.clone());
        }
        let service = self.build(credential)?;
        *present = Some((credential.number, service.clone()));
        Ok(service)
    }

    fn build(&self, credential: &Current) -> Result<Service, SetupError> {
        let mut config = self.config.clone();
        config.auth_info = credential.who.clone();
        let pool = |silence| {
            let connector = connector(&config, &self.connections, silence)?.map_future(FutureExt::boxed);
            Ok::<_, SetupError>(
                legacy::Client::builder(TokioExecutor::new())
                    // Less than an idle connection lasts, so that none is taken that is just being closed.
                    .pool_idle_timeout(SILENCE * 3 / 4)
                    .pool_timer(TokioTimer::new())
                    .build::<_, Body>(connector),
            )
        };
        let (reads, writes) = (pool(SILENCE)?, pool(WRITE_SILENCE)?);
        let connections = self.connections.clone();
        let listening = service_fn(move |mut request: Request<Body>| {
            // Only an object of ours meets webhooks that may take their time; a lease has to be renewed before.
            let pool = if request.method() == Method::PATCH { &writes } else { &reads };
            let (http, connections) = (pool.clone(), connections.clone());
            async move {
                let lists = listing::prolong(&mut request);
                let answer = http.request(request).await.map_err(|error| noticed(error, &connections))?;
                let lists = lists && answer.status().is_success();
                Ok::<_, BoxError>(answer.map(|body: Incoming| {
                    let body = body.map_err(move |error| noticed(error, &connections));
                    if lists { UnsyncBoxBody::new(UntilListed::new(body)) } else { UnsyncBoxBody::new(body) }
                }))
            }
        });
        let service = ServiceBuilder::new()
            .layer(config.base_uri_layer())
            .option_layer(config.auth_layer().map_err(SetupError::Client)?)
            .layer(config.extra_headers_layer().map_err(SetupError::Client)?)
            .map_err(BoxError::from)
            .service(listening);
        Ok(BoxCloneService::new(service))
    }
}

/// Its body is sent again only if it is at hand as a whole, as all of ours are.
fn copy(request: &Request<Body>) -> Option<Request<Body>> {
    let mut copy = Request::new(request.body().try_clone()?);
    *copy.method_mut() = request.method().clone();
    *copy.uri_mut() = request.uri().clone();
    *copy.headers_mut() = request.headers().clone();
    *copy.extensions_mut() = request.extensions().clone();
    Some(copy)
}

/// A request or an answer that ended in silence tells of more connections than its own.
fn noticed(error: impl Into<BoxError>, connections: &Connections) -> BoxError {
    let error = error.into();
    if let Some(silent) = transport::find::<Silent>(error.as_ref()) {
        let others = connections.give_up_silent(silent.since);
        tracing::warn!(others, "{silent}; opening new connections to the API server");
    }
    error
}
