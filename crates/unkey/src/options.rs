//! What a client is set up with, and the HTTP client that is made of it: its timeouts, its proxy, and what it never does by itself.

use std::time::Duration;

use reqwest::header::HeaderValue;

use super::url::BaseUrlError;

/// Unkey closes a connection that idled for 10 s. A pool that keeps one longer sends into a closing connection, and the fate of
/// that write is unknown.
const POOL_IDLE: Duration = Duration::from_secs(9);
/// Connecting takes a fraction of a second or fails; see [`connect_timeout`].
const CONNECT: Duration = Duration::from_secs(10);
/// A request may be sent by a connection that has idled for [`POOL_IDLE`] and is dead since then. What is waited for less long ends by its own
/// deadline soon enough.
const SILENCE: Duration = Duration::from_secs(20);
/// How soon a peer that vanished is noticed on a shared HTTP/2 connection that every call would otherwise keep choosing.
const HTTP2_PING: Duration = Duration::from_secs(10);

/// What a client needs to know besides the root key.
#[derive(Clone, Debug)]
pub struct Options {
    /// Where the API is, such as `https://api.unkey.com`. `http` is allowed, for an emulator or a server inside the cluster.
    pub base_url: String,
    /// The proxy on the way there, `http` or `https`; `None`: directly.
    pub proxy: Option<String>,
    /// Total time for one call: connecting, sending, headers and body.
    pub request_timeout: Duration,
    /// The `User-Agent`. Unkey stores it with each audit event, so it should tell which installation wrote.
    pub user_agent: String,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            base_url: "https://api.unkey.com".to_owned(),
            proxy: None,
            request_timeout: Duration::from_secs(30),
            user_agent: concat!("unkey-operator/", env!("CARGO_PKG_VERSION")).to_owned(),
        }
    }
}

/// Why a client cannot be built.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// The base URL is unfit.
    #[error(transparent)]
    BaseUrl(#[from] BaseUrlError),
    /// The proxy is not one. It is not repeated: it may hold a password.
    #[error("the API proxy is not a URL such as http://proxy.example:3128")]
    Proxy,
    /// The request timeout is zero.
    #[error("the request timeout must be longer than zero")]
    Timeout,
    /// The user agent cannot be sent in a header.
    #[error("the user agent has control or non-ASCII characters")]
    UserAgent,
    /// The TLS back end failed; most often, the machine has no CA certificates.
    #[error(
        "the HTTP client cannot be built: this machine has no CA certificates, or SSL_CERT_FILE names a file without any"
    )]
    Http(#[source] reqwest::Error),
}

/// The HTTP client below. Its connections are given up when nothing comes for `silence`.
pub(super) fn http_client(
    options: &Options,
    user_agent: HeaderValue,
    silence: Option<Duration>,
) -> Result<reqwest::Client, ConfigError> {
    let http = reqwest::Client::builder()
        .user_agent(user_agent)
        .redirect(reqwest::redirect::Policy::none())
        .referer(false)
        .no_proxy()
        // The default sends again after some HTTP/2 refusals. Those are safe, but an attempt is to be visible to the caller.
        .retry(reqwest::retry::never())
        .connect_timeout(connect_timeout(options.request_timeout))
        .pool_idle_timeout(POOL_IDLE)
        .http2_keep_alive_interval(HTTP2_PING)
        .http2_keep_alive_timeout(HTTP2_PING)
        .tcp_nodelay(true);
    let http = match &options.proxy {
        Some(url) => http.proxy(proxy(url)?),
        None => http,
    };
    let http = match silence {
        Some(silence) => http.read_timeout(silence),
        None => http,
    };
    http.build().map_err(ConfigError::Http)
}

/// Shorter than the whole call, so that a host that drops packets ends as "never sent" and not as "unknown outcome".
fn connect_timeout(request_timeout: Duration) -> Duration {
    (request_timeout / 2).min(CONNECT)
}

fn proxy(url: &str) -> Result<reqwest::Proxy, ConfigError> {
    let is_one = reqwest::Url::parse(url).is_ok_and(|url| matches!(url.scheme(), "http" | "https") && url.has_host());
    if is_one { reqwest::Proxy::all(url).map_err(|_| ConfigError::Proxy) } else { Err(ConfigError::Proxy) }
}

/// How long nothing may come before the connection is taken for dead, so that this is noticed within 30 s of when it died; the longer, the longer a call
/// may take by the user's own word. A call that may not take longer needs no limit besides its deadline.
pub(super) fn silence(request_timeout: Duration) -> Option<Duration> {
    (request_timeout > SILENCE).then(|| SILENCE.max(request_timeout.saturating_sub(CONNECT)))
}
