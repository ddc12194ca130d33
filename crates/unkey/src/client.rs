//! The client: one method per operation, one request per call.

use std::fmt;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use reqwest::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, DATE, HeaderMap, HeaderName, HeaderValue, RETRY_AFTER};
use serde::Serialize;
use tokio::time::Instant;

use super::credentials::{CredentialError, Credentials, RootKey};
use super::error::{Error, Fault, Unreached};
use super::limiter::{QuotaReport, RateLimit};
use super::options::{ConfigError, Options, http_client, silence};
use super::reply::{self, Answer, Head};
use super::url::BaseUrl;
use super::wire::{
    ByIdentity, CreateIdentity, Created, Deleted, Identity, ListIdentities, Operation, Page, UpdateIdentity, Updated,
};
use unkey_text::transport::TlsFault;

const JSON: HeaderValue = HeaderValue::from_static("application/json");

/// A client of the Unkey API's identities. Cheap to clone; clones share connections.
///
/// - Redirects are answers, never followed, so the root key goes nowhere but to the base URL.
/// - `HTTP_PROXY` and its kin are ignored: the root key takes no way that the operator's own flags do not show. [`Options::proxy`] is one.
/// - No answer is retried. Below, hyper replaces a pooled connection that was closed before it took the request; such a request
///   was never written, so one call still is at most one request.
/// - Dropping the future of a call closes its connection (HTTP/1.1) or stream (HTTP/2); the server may go on.
#[derive(Clone)]
pub struct Client(Arc<Inner>, Option<QuotaObserver>);

/// Takes in what the head of the answer to one call says of the workspace's limit and of the time, whether the call succeeds or fails. Clones
/// share it.
#[derive(Clone, Debug, Default)]
pub struct QuotaObserver(Arc<Observed>);

#[derive(Debug, Default)]
struct Observed {
    quota: OnceLock<QuotaReport>,
    date: OnceLock<String>,
}

impl QuotaObserver {
    /// What was said so far.
    pub fn report(&self) -> QuotaReport {
        self.0.quota.get().copied().unwrap_or_default()
    }

    /// What time it was there, as the header `Date` says it (RFC 9110, 6.6.1); `None`: it does not.
    pub fn date(&self) -> Option<&str> {
        self.0.date.get().map(String::as_str)
    }
}

struct Inner {
    http: reqwest::Client,
    base: BaseUrl,
    request_timeout: Duration,
    /// A connection on which nothing comes for so long is dead.
    silence: Option<Duration>,
    /// There is a proxy on the way.
    by_proxy: bool,
    credentials: Credentials,
}

impl Client {
    /// Builds a client. No network or file access; installs rustls' ring provider if the process has none.
    pub fn new(options: &Options, credentials: Credentials) -> Result<Self, ConfigError> {
        let base = BaseUrl::parse(&options.base_url)?;
        if options.request_timeout.is_zero() {
            return Err(ConfigError::Timeout);
        }
        let user_agent = HeaderValue::from_str(&options.user_agent).map_err(|_| ConfigError::UserAgent)?;
        if rustls::crypto::CryptoProvider::get_default().is_none() {
            // An error means that another thread was faster, which is as good.
            let _ = rustls::crypto::ring::default_provider().install_default();
        }
        let silence = silence(options.request_timeout);
        let http = http_client(options, user_agent, silence)?;
        let request_timeout = options.request_timeout;
        let by_proxy = options.proxy.is_some();
        Ok(Self(Arc::new(Inner { http, base, request_timeout, silence, by_proxy, credentials }), None))
    }

    /// `createIdentity`. Not idempotent: a second one answers [`Conflict`](super::Class::Conflict).
    pub async fn create(&self, request: &CreateIdentity<'_>) -> Result<Created, Error> {
        self.call(Operation::Create, request).await
    }

    /// `getIdentity`, by internal or external id. Check the reply's `external_id`: the server tries both.
    pub async fn get(&self, identity: &str) -> Result<Identity, Error> {
        self.call(Operation::Get, &ByIdentity { identity }).await
    }

    /// `updateIdentity`. Check the reply's id and external id.
    pub async fn update(&self, request: &UpdateIdentity<'_>) -> Result<Updated, Error> {
        self.call(Operation::Update, request).await
    }

    /// `deleteIdentity`, by internal or external id. A second one answers [`NotFound`](super::Class::NotFound).
    pub async fn delete(&self, identity: &str) -> Result<Deleted, Error> {
        self.call(Operation::Delete, &ByIdentity { identity }).await
    }

    /// `listIdentities`: `limit` identities (1 to 100) from `cursor` on, or from the first.
    pub async fn list(&self, limit: u8, cursor: Option<&str>) -> Result<Page, Error> {
        let page: Page = self.call(Operation::List, &ListIdentities { limit, cursor }).await?;
        // The cursor names the first row of the next page, so with a limit of at least 1 it moves on; else a scan would never end.
        if page.next_cursor.is_some() && page.next_cursor.as_deref() == cursor {
            return Err(Error::new(
                Operation::List,
                Fault::Unreadable { status: 200, why: "the cursor of the page does not advance" },
            ));
        }
        Ok(page)
    }

    /// Total time for one call: an attempt without answer is over this long after it began.
    pub fn request_timeout(&self) -> Duration {
        self.0.request_timeout
    }

    /// The base URL in its normal form, without trailing slash.
    pub fn base_url(&self) -> &str {
        self.0.base.as_str()
    }

    /// A client that uses the present key only, and that key's [mark](Self::credential_mark): what is decided with one key in
    /// view must not be sent with another, which may lead to another workspace. It shares the connections.
    pub fn pinned(&self) -> Result<(Self, String), CredentialError> {
        let key = self.0.credentials.key()?;
        let mark = key.mark(self.0.base.as_str());
        let pinned = Inner {
            http: self.0.http.clone(),
            base: self.0.base.clone(),
            request_timeout: self.0.request_timeout,
            silence: self.0.silence,
            by_proxy: self.0.by_proxy,
            credentials: Credentials::of(key),
        };
        Ok((Self(Arc::new(pinned), None), mark))
    }

    /// The same client; what its next answer says of the limit is told to `quota`.
    pub fn observed_by(&self, quota: &QuotaObserver) -> Self {
        Self(Arc::clone(&self.0), Some(quota.clone()))
    }

    /// Where the root key comes from, to watch it for changes.
    pub fn credentials(&self) -> &Credentials {
        &self.0.credentials
    }

    /// First 12 hex digits of SHA-256(base URL, NUL, root key): a name for the workspace access in use that reveals nothing.
    pub fn credential_mark(&self) -> Result<String, CredentialError> {
        Ok(self.0.credentials.key()?.mark(self.0.base.as_str()))
    }

    async fn call<T: Answer>(&self, operation: Operation, request: &impl Serialize) -> Result<T, Error> {
        let begun = Instant::now();
        let result = self.attempt(operation, request).await;
        let elapsed_ms = u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX);
        let operation = operation.as_str();
        match &result {
            Ok(_) => tracing::debug!(operation, status = 200, elapsed_ms, "unkey call"),
            Err(error) => {
                let (status, request_id) = (error.status(), error.request_id());
                tracing::debug!(operation, status, request_id, elapsed_ms, effect = ?error.effect(), %error, "unkey call failed");
            }
        }
        result
    }

    async fn attempt<T: Answer>(&self, operation: Operation, request: &impl Serialize) -> Result<T, Error> {
        let failed = |fault| Error::new(operation, fault);
        let key = self.0.credentials.key().map_err(|error| failed(error.into()))?;
        let body = serde_json::to_vec(request).map_err(|error| failed(Fault::NotBuilt(error)))?;
        tokio::time::timeout(self.0.request_timeout, self.exchange(operation, &key, body))
            .await
            .unwrap_or_else(|_| Err(failed(Fault::Deadline(self.0.request_timeout))))
    }

    async fn exchange<T: Answer>(&self, operation: Operation, key: &RootKey, body: Vec<u8>) -> Result<T, Error> {
        let failed = |fault| Error::new(operation, fault);
        let mut response = self
            .0
            .http
            .post(self.0.base.join(operation.path()))
            .header(AUTHORIZATION, key.header())
            .header(ACCEPT, JSON)
            .header(CONTENT_TYPE, JSON)
            .body(body)
            .send()
            .await
            .map_err(|error| failed(self.unsent_or_interrupted(error)))?;

        let headers = response.headers().clone();
        let text = |name: HeaderName| headers.get(name).and_then(|value| value.to_str().ok());
        let head = Head {
            status: response.status().as_u16(),
            content_type: text(CONTENT_TYPE),
            retry_after: text(RETRY_AFTER),
        };
        if let Some(QuotaObserver(observed)) = &self.1 {
            // Unkey names the limit with every answer to a known key, if there is one. Of a refusal without it nothing follows.
            let told = match rate_limit(&headers) {
                Some(told) => QuotaReport::Limited(told),
                None if head.status == 200 && head.is_json() => QuotaReport::Unlimited,
                None => QuotaReport::Unknown,
            };
            // An observer takes in one call.
            let _ = observed.quota.set(told);
            if let Some(date) = text(DATE) {
                let _ = observed.date.set(date.to_owned());
            }
        }
        let mut bytes = Vec::new();
        // What is not JSON is not read: its bytes cannot change the verdict.
        if head.is_json() {
            let limit = operation.body_cap();
            while let Some(chunk) = response.chunk().await.map_err(|error| failed(self.interrupted(error)))? {
                if bytes.len() + chunk.len() > limit {
                    return Err(failed(Fault::TooLarge { limit }));
                }
                bytes.extend_from_slice(&chunk);
            }
        }
        reply::read(operation, head, &bytes, |text| key.redact(text))
    }

    /// A failure without answer. Only while connecting (name, TCP, TLS) it is sure that the request was not sent.
    fn unsent_or_interrupted(&self, error: reqwest::Error) -> Fault {
        if !error.is_connect() {
            return self.interrupted(error);
        }
        let cause = if error.is_dns() {
            Unreached::Dns
        } else if error.is_timeout() {
            Unreached::Timeout
        } else if let Some(fault) = TlsFault::of(&error) {
            Unreached::Tls(fault)
        } else if self.0.by_proxy {
            Unreached::Proxy
        } else {
            Unreached::Connect
        };
        Fault::Unreachable { cause, source: error }
    }

    fn interrupted(&self, error: reqwest::Error) -> Fault {
        match self.0.silence {
            Some(silence) if error.is_timeout() => Fault::Silent(silence),
            _ => Fault::Interrupted(error),
        }
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client")
            .field("base_url", &self.base_url())
            .field("request_timeout", &self.0.request_timeout)
            .field("credentials", &self.0.credentials)
            .finish_non_exhaustive()
    }
}

/// All three headers, or nothing: half of them are somebody else's.
fn rate_limit(headers: &HeaderMap) -> Option<RateLimit> {
    let number = |name: &str| headers.get(name)?.to_str().ok()?.trim().parse::<u64>().ok();
    let reset = Duration::from_secs(number("ratelimit-reset")?);
    Some(RateLimit { limit: number("ratelimit-limit")?, remaining: number("ratelimit-remaining")?, reset })
}
