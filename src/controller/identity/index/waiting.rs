//! Who waits for a witness (R19). Plain data.

use std::collections::{HashMap, HashSet};

use super::object_name::IdentityRef;
use crate::domain::{ExternalId, Mono};

/// Who cannot go on without a witness, each with when its read was answered.
#[derive(Debug, Default)]
pub(super) struct Waiting {
    pub objects: HashMap<IdentityRef, Mono>,
    /// Those that listen by themselves: the latest of them.
    pub listeners: Option<Mono>,
    /// Who was asked in vain under the root key in use, and is asked last. Else a few that are gone, and that nobody will notice, would be
    /// asked again and again, and nobody else.
    pub vain: HashSet<ExternalId>,
}
