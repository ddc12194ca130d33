//! The claim: the annotation `unkey.com/claim: <uid>:<content hash>:<id given up, or empty>` (R1).
//!
//! It is put on together with the finalizer, before the first create or adoption, so that whoever finds the object
//! after a crash knows that a create may have been sent, by whom, and with what content.

use super::content::ContentHash;
use super::ids::{IdentityId, Uid};

/// What the API server allows all annotations of an object together: keys and values, in bytes.
pub const MAX_ANNOTATION_BYTES: usize = 256 * 1024;

/// A claim of this very object.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Claim {
    /// Hash of the content that a create may have sent. A create sends no other.
    pub hash: ContentHash,
    /// The id that this object owned and gave up, since its identity is gone or was replaced (R9). If the status still
    /// records it, that record is void.
    pub given_up: Option<IdentityId>,
}

/// What the claim annotation says.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum ClaimState {
    /// There is none.
    Absent,
    /// It is this object's own.
    Own(Claim),
    /// It names another object (a copied manifest, a restore) or cannot be read.
    Foreign,
}

impl ClaimState {
    /// Reads the annotation of the object `uid`.
    pub fn parse(annotation: Option<&str>, uid: &Uid) -> Self {
        let Some(text) = annotation else { return Self::Absent };
        // The hash holds a ':' of its own (its version), uids and ids hold none.
        let Some((owner, rest)) = text.split_once(':') else { return Self::Foreign };
        let Some((hash, given_up)) = rest.rsplit_once(':') else { return Self::Foreign };
        if owner != uid.as_str() {
            return Self::Foreign;
        }
        let given_up = (!given_up.is_empty()).then(|| IdentityId::new(given_up));
        Self::Own(Claim { hash: ContentHash::parse(hash), given_up })
    }

    /// The claim, if it is this object's own.
    pub fn own(&self) -> Option<&Claim> {
        match self {
            Self::Own(claim) => Some(claim),
            Self::Absent | Self::Foreign => None,
        }
    }
}

impl Claim {
    /// The annotation's value for the object `uid`.
    pub fn render(&self, uid: &Uid) -> String {
        format!("{uid}:{}:{}", self.hash, self.given_up.as_ref().map_or("", IdentityId::as_str))
    }
}
