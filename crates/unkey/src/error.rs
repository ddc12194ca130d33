//! What can go wrong with a call, what to do about it ([`Class`]) and what it did ([`Effect`]).

use std::time::Duration;

use super::class::{Class, Effect, Permission};
use super::credentials::CredentialError;
use super::wire::Operation;
use unkey_text::transport::TlsFault;

/// A failed call. Its `Display` is one sentence without request id and without anything secret, the same for the same cause.
#[derive(Debug, thiserror::Error)]
#[error("{operation}: {fault}")]
pub struct Error {
    operation: Operation,
    request_id: Option<String>,
    fault: Fault,
}

/// The cause of a failed call. Match on [`Error::class`] and [`Error::effect`] to act; this is for messages and tests.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Fault {
    /// There is no usable root key, so nothing was sent.
    #[error(transparent)]
    Credential(#[from] CredentialError),
    /// The request could not be written as JSON, so nothing was sent.
    #[error("the request cannot be written as JSON")]
    NotBuilt(#[source] serde_json::Error),
    /// There was no connection, so nothing was sent.
    #[error("Unkey cannot be reached: {cause}")]
    Unreachable {
        /// The step that failed.
        cause: Unreached,
        /// What the HTTP client said.
        source: reqwest::Error,
    },
    /// Nothing came for so long after the request may have been sent: the connection is taken for dead, and is not used again.
    #[error("Unkey sent nothing for {} s", .0.as_secs())]
    Silent(
        /// How long.
        Duration,
    ),
    /// The connection failed after the request may have been sent.
    #[error("the connection to Unkey broke before the answer was complete")]
    Interrupted(#[source] reqwest::Error),
    /// No complete answer within the request timeout.
    #[error("Unkey did not send a complete answer within {} ms", .0.as_millis())]
    Deadline(
        /// The request timeout.
        Duration,
    ),
    /// The answer is larger than what is read at most.
    #[error("the answer of Unkey is larger than {limit} bytes")]
    TooLarge {
        /// The cap of this operation, in bytes.
        limit: usize,
    },
    /// An answer that claims to be Unkey's and is not what the API reference describes.
    #[error("the answer of Unkey (HTTP {status}) cannot be read: {why}")]
    Unreadable {
        /// HTTP status.
        status: u16,
        /// What is wrong with it.
        why: &'static str,
    },
    /// An answer of something other than the Unkey API: a proxy, a gateway, a login page, a wrong URL.
    #[error(
        "HTTP {status} in a format that is not the Unkey API's: a proxy, a load balancer or another server answers at the API URL"
    )]
    Foreign {
        /// HTTP status.
        status: u16,
        /// From the `Retry-After` header of a 429.
        retry_after: Option<Duration>,
    },
    /// An error in Unkey's own envelope.
    #[error("Unkey answered {status} {code}: {detail}")]
    Answered {
        /// HTTP status.
        status: u16,
        /// Last segment of `error.type`, the stable name of the error: `identity_not_found`.
        code: String,
        /// The server's sentence: root key removed, control characters escaped, at most about 500 characters.
        detail: String,
        /// From the `Retry-After` header of a 429.
        retry_after: Option<Duration>,
    },
}

/// The step at which no connection came about.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unreached {
    /// The host name has no address.
    #[error("the host name cannot be resolved")]
    Dns,
    /// No TLS session: an untrusted or expired certificate, another name in it, no TLS at all.
    #[error("{0}")]
    Tls(TlsFault),
    /// No connection within the time for connecting.
    #[error("no connection within the time limit")]
    Timeout,
    /// The proxy cannot be reached, refuses, or cannot reach Unkey.
    #[error("the connection through the proxy failed")]
    Proxy,
    /// Refused, unreachable, reset while connecting.
    #[error("the connection failed")]
    Connect,
}

impl Error {
    /// A failure of `operation`, of which the server gave no request id: what the client makes, and a test of a caller.
    pub fn new(operation: Operation, fault: Fault) -> Self {
        Self { operation, request_id: None, fault }
    }

    pub(crate) fn with_request_id(mut self, request_id: Option<String>) -> Self {
        self.request_id = request_id.filter(|id| !id.is_empty());
        self
    }

    /// The operation that failed.
    pub fn operation(&self) -> Operation {
        self.operation
    }

    /// Unkey's id of the request, if it answered: for logs and events, not for conditions, where it would change at every retry.
    pub fn request_id(&self) -> Option<&str> {
        self.request_id.as_deref()
    }

    /// The cause.
    pub fn fault(&self) -> &Fault {
        &self.fault
    }

    /// HTTP status of the answer, if there was one.
    pub fn status(&self) -> Option<u16> {
        match self.fault {
            Fault::Unreadable { status, .. } | Fault::Foreign { status, .. } | Fault::Answered { status, .. } => {
                Some(status)
            }
            _ => None,
        }
    }

    /// Whether a smaller page may help: the answer was over the size cap, or the server failed by itself (one identity with a
    /// large meta makes every page that holds it a 500).
    pub fn may_be_too_much(&self) -> bool {
        matches!(self.fault, Fault::TooLarge { .. }) || self.status().is_some_and(|status| status >= 500)
    }

    /// Whether what was asked for may be to blame, and not Unkey as a whole, the root key or the way there: another may be answered.
    pub fn may_be_its_own(&self) -> bool {
        let unreadable = matches!(self.fault, Fault::Unreadable { .. });
        unreadable || self.may_be_too_much() || matches!(self.class(), Class::Terminal { .. })
    }

    /// What to do about it.
    pub fn class(&self) -> Class {
        match &self.fault {
            Fault::Credential(_) => Class::Credential,
            Fault::NotBuilt(_) => Class::Terminal { why: self.fault.to_string() },
            Fault::Unreachable { cause: Unreached::Tls(fault), .. } if fault.needs_a_person() => Class::Misconfigured,
            Fault::Unreachable { .. } => Class::Transient,
            Fault::Interrupted(_)
            | Fault::Silent(_)
            | Fault::Deadline(_)
            | Fault::TooLarge { .. }
            | Fault::Unreadable { .. } => self.lost(),
            Fault::Foreign { status, retry_after } => self.foreign(*status, *retry_after),
            Fault::Answered { status, code, detail, retry_after } => self.answered(*status, code, detail, *retry_after),
        }
    }

    /// What it may have done, if it was a write.
    pub fn effect(&self) -> Effect {
        match self.fault {
            Fault::Credential(_) | Fault::NotBuilt(_) | Fault::Unreachable { .. } => Effect::NotSent,
            // Answers that a server or proxy gives without having passed the request on: a redirect, no such path or method, a
            // request it will not read, its own login or limit.
            Fault::Foreign {
                status: 300..=399 | 401 | 404 | 405 | 407 | 411 | 413..=415 | 421 | 426 | 429 | 431 | 511,
                ..
            } => Effect::Refused,
            // Any other foreign answer may stand in for one that Unkey gave (502 after a reset, 403 of a filter that reads answers,
            // 200 of one that rewrites them); and these two of Unkey's own are for requests it had begun.
            Fault::Foreign { .. }
            | Fault::Answered { status: 408 | 499, .. }
            | Fault::Interrupted(_)
            | Fault::Silent(_)
            | Fault::Deadline(_)
            | Fault::TooLarge { .. }
            | Fault::Unreadable { .. } => Effect::Unknown,
            Fault::Answered { status: 500.., .. } => Effect::Ended,
            Fault::Answered { .. } => Effect::Refused,
        }
    }

    /// An attempt without an answer: a read is simply tried again.
    fn lost(&self) -> Class {
        if self.operation.is_write() { Class::UnknownOutcome } else { Class::Transient }
    }

    fn foreign(&self, status: u16, retry_after: Option<Duration>) -> Class {
        match status {
            408 | 499 | 500.. => self.lost(),
            413 => Class::Terminal { why: "a proxy in front of Unkey refuses a request of this size".to_owned() },
            429 => Class::RateLimited { retry_after },
            _ => Class::Misconfigured,
        }
    }

    /// By status and `error.type`; titles and details are for people. The one exception: Unkey validates before it authenticates, so a
    /// missing header is `invalid_input` and only the detail says that it is the credential.
    fn answered(&self, status: u16, code: &str, detail: &str, retry_after: Option<Duration>) -> Class {
        match (status, code) {
            (400, "malformed" | "missing") => Class::Credential,
            (400, _) if detail.contains("Authorization header for 'bearer' scheme") => Class::Credential,
            (403, "insufficient_permissions") => Class::Permission { which: Permission::of(self.operation) },
            (401 | 403, _) | (404, "workspace_not_found") => Class::Credential,
            (404, "identity_not_found") => Class::NotFound,
            // Some other resource, or no such route: not a word about the identity.
            (404 | 405, _) => Class::Misconfigured,
            (408 | 499, _) => self.lost(),
            (409, "identity_already_exists") if self.operation == Operation::Create => Class::Conflict,
            // No other conflict is documented for identities; if there is one, it is with another writer.
            (409 | 500.., _) => Class::Transient,
            (429, _) => Class::RateLimited { retry_after },
            _ => Class::Terminal { why: detail.to_owned() },
        }
    }
}
