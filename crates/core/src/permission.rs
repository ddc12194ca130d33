//! The permissions of a root key, as far as identities go.

/// An operation of the Unkey API, as far as permissions go.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Operation {
    /// createIdentity
    Create,
    /// getIdentity, listIdentities
    Read,
    /// updateIdentity
    Update,
    /// deleteIdentity
    Delete,
}

impl Operation {
    /// The permission that the root key needs (Unkey API reference).
    pub fn permission(self) -> &'static str {
        match self {
            Self::Create => "identity.*.create_identity",
            Self::Read => "identity.*.read_identity",
            Self::Update => "identity.*.update_identity",
            Self::Delete => "identity.*.delete_identity",
        }
    }
}
