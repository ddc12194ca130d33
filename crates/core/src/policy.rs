//! How this operator is set up, as far as decisions go. It knows no object.

use std::time::Duration;

use unkey_operator_api::{AdoptionPolicy, DeletionPolicy, ManagementPolicy};

/// How this operator is set up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    /// For specs that name none.
    pub adoption: AdoptionPolicy,
    /// For specs that name none.
    pub deletion: DeletionPolicy,
    /// For specs that name none.
    pub management: ManagementPolicy,
    /// Every object is only observed, whatever its spec says (R21).
    pub observe: bool,
    /// The consistency window (R4).
    pub window: Duration,
    /// An attempt of any process is surely over after this: the request timeout (R4).
    pub attempt: Duration,
    /// The objects that were failing before a restart are spread over this (R13).
    pub stagger: Duration,
    /// Fingerprint of the root key in use; `None`: there is no usable key.
    pub credential: Option<String>,
}

impl Default for Policy {
    /// As the operator is set up if nobody says otherwise (`unkey-operator run --help`), without a root key.
    fn default() -> Self {
        Self {
            adoption: AdoptionPolicy::IfLossless,
            deletion: DeletionPolicy::Delete,
            management: ManagementPolicy::Enforce,
            observe: false,
            window: Duration::from_secs(30),
            attempt: Duration::from_secs(30),
            stagger: Duration::ZERO,
            credential: None,
        }
    }
}

/// So old may the answer be that shows an object if something is to be sent for it: what it shows may be that old.
pub const LOOK: Duration = Duration::from_secs(10);
