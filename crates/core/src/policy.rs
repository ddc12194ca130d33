//! How this operator is set up, as far as decisions go. It knows no object.

use unkey_operator_api::{AdoptionPolicy, DeletionPolicy};

/// How this operator is set up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    /// For specs that name none.
    pub adoption: AdoptionPolicy,
    /// For specs that name none.
    pub deletion: DeletionPolicy,
    /// The consistency window in milliseconds (R4).
    pub window: u64,
    /// Milliseconds after which an attempt of any process is surely over: the request timeout (R4).
    pub attempt: u64,
    /// Milliseconds over which the objects that were failing before a restart are spread (R13).
    pub stagger: u64,
    /// Fingerprint of the root key in use; `None`: there is no usable key.
    pub credential: Option<String>,
}

/// So old may the answer be that shows an object, in milliseconds, if something is to be sent for it: what it shows may be that old.
pub const LOOK_MS: u64 = 10_000;
