//! Names of things. Newtypes, so that an id of Unkey, a uid of Kubernetes and an externalId cannot be mixed up.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

macro_rules! name {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name(Arc<str>);

        impl $name {
            /// Takes the text as it is.
            pub fn new(text: &str) -> Self {
                Self(Arc::from(text))
            }

            /// The text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

name!(
    /// `metadata.uid`: one life of one Kubernetes object.
    Uid
);
name!(
    /// `spec.externalId`: the identity's key in the Unkey workspace.
    ExternalId
);
name!(
    /// The id that Unkey gave an identity (`id_…`).
    IdentityId
);

name!(
    /// A revision of a tier's content, as statuses hold it: `v1:` and 16 hexadecimal digits. One that another version of the operator wrote equals
    /// none of ours.
    Revision
);

/// Fingerprint of the root key under which an id was recorded; `None`: the status does not say.
pub type KeyMark = Option<String>;

/// Namespace and name of an object.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ObjectKey {
    /// `metadata.namespace`
    pub namespace: String,
    /// `metadata.name`
    pub name: String,
}

/// Milliseconds of a monotonic clock since this process took the lead (or started, without leader election).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Mono(pub u64);

impl Mono {
    /// The moment of taking the lead.
    pub const ZERO: Self = Self(0);

    /// The moment so much later, to the millisecond below.
    pub const fn after(self, wait: Duration) -> Self {
        let ms = wait.as_secs().saturating_mul(1_000).saturating_add(wait.subsec_millis() as u64);
        Self(self.0.saturating_add(ms))
    }

    /// From `self` until `later`; zero if that is past.
    pub fn until(self, later: Self) -> Duration {
        Duration::from_millis(later.0.saturating_sub(self.0))
    }
}

/// An identity's id together with the proof that it belongs to our externalId (R6: writes go to no other id).
///
/// Made only from a reply that names our externalId, from a create of that externalId, or from a status that carries our own uid.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Confirmed {
    id: IdentityId,
    external_id: ExternalId,
}

impl Confirmed {
    /// From an answer of get, update or list: only if it names exactly our externalId (older servers compare
    /// case-insensitively, and look up by internal id too).
    pub fn from_reply(ours: &ExternalId, replied: &str, id: &str) -> Option<Self> {
        (ours.as_str() == replied && !id.is_empty())
            .then(|| Self { id: IdentityId::new(id), external_id: ours.clone() })
    }

    /// From the answer to a create that sent this externalId; that answer names only the id.
    pub fn from_create(sent: &ExternalId, id: &str) -> Option<Self> {
        (!id.is_empty()).then(|| Self { id: IdentityId::new(id), external_id: sent.clone() })
    }

    /// From a status: only if the status was written for this very object.
    pub fn from_status(status_uid: Option<&str>, uid: &Uid, external_id: &ExternalId, id: &str) -> Option<Self> {
        (status_uid == Some(uid.as_str()) && !id.is_empty())
            .then(|| Self { id: IdentityId::new(id), external_id: external_id.clone() })
    }

    /// The id in Unkey.
    pub fn id(&self) -> &IdentityId {
        &self.id
    }

    /// The externalId that it was confirmed for.
    pub fn external_id(&self) -> &ExternalId {
        &self.external_id
    }
}
