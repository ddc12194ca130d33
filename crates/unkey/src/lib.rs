//! The Unkey API client: the five identity operations, their errors, the root key, and how often it may ask.
//!
//! It knows nothing of Kubernetes. What it promises its callers:
//!
//! - **One call is at most one request on the wire.** No redirect is followed and no answer is retried here; whoever calls
//!   decides whether to try again.
//! - **Every failure says what it is and what it did.** [`Error::class`] is what to do about it, [`Error::effect`] whether a
//!   write may have been applied, may still be running, or surely did not happen.
//! - **Only Unkey's own words count.** "Success" and "this identity does not exist" need the right status, a JSON content type
//!   and Unkey's envelope. Anything else (a proxy's page, a truncated body, another server) is neither.
//! - **The root key stays inside.** It is in no error, no log line and no `Debug` output, whatever the server echoes.
//!
//! Facts about the API come from the Unkey API reference (<https://www.unkey.com/docs/api-reference>) and from recorded answers
//! of a real server (`tests/contract`).

mod class;
mod client;
mod credentials;
mod error;
mod limiter;
mod listing;
mod looks;
mod options;
mod probe;
mod reply;
mod url;
mod wire;

pub use class::{Class, Effect, Permission};
pub use client::{Client, QuotaObserver};
pub use credentials::{CredentialError, Credentials, ROOT_KEY_ENV};
pub use error::{Error, Fault, Unreached};
pub use limiter::{Bounds, Budget, LimiterSnapshot, QuotaReport, RateLimit, Ready, Refusal, Sent};
pub use listing::Listing;
pub use looks::Looks;
pub use options::{ConfigError, Options};
pub use probe::{PROBE, refused_create, refused_update, was_too_large};
pub use reply::{MAX_RETRY_AFTER, MIN_RETRY_AFTER};
pub use url::BaseUrlError;
pub use wire::{
    CreateIdentity, Created, Deleted, Identity, Meta, Operation, Page, Ratelimit, RatelimitSpec, UpdateIdentity,
    Updated,
};
