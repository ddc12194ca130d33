//! The state of the whole world.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

use unkey_operator_core::{CrdSight, OwnershipGate};

use crate::kube::{Kube, Thing};
use crate::operator::Operator;
use crate::properties::Broken;
use crate::unkey::{Right, Unkey};

/// How much may still go wrong or be asked for. It is what makes the state space finite, besides time being relative.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Budget {
    /// Edits, reconcile requests, deletions and creations by users.
    pub user: u8,
    /// Calls that go wrong.
    pub faults: u8,
    /// What other clients of Unkey do.
    pub strangers: u8,
    /// Processes that die and start anew.
    pub crashes: u8,
    /// Reconciles that end in the middle: a dropped future, an answer of the API server that is lost.
    pub cuts: u8,
    /// Root keys that are swapped.
    pub keys: u8,
    /// Answers of the API server that are wrong: 404 for what exists.
    pub lies: u8,
    /// Restores of etcd from a backup. One is made at any moment before.
    pub rewinds: u8,
    /// Writes that Kubernetes refuses.
    pub refusals: u8,
    /// Permissions that the root key loses.
    pub rights: u8,
    /// Calls that are refused or answered with a masked 404 for want of a permission.
    pub denials: u8,
}

#[derive(Clone, Debug)]
#[allow(clippy::struct_excessive_bools)] // independent facts
pub struct State {
    /// In ticks.
    pub now: u32,
    pub kube: Kube,
    pub unkey: Unkey,
    pub ops: Vec<Arc<Operator>>,
    pub left: Budget,
    /// Objects whose identity may stay in Unkey: released by `Orphan`, or their finalizer taken off by hand. By bit.
    pub excused: u32,
    /// Objects that were let go with their identity kept: it stays (R7, R10). By bit.
    pub kept: u32,
    /// Identities for which a process in this place has sent a delete that no look has shown since. By bit.
    pub deleted: [u32; 2],
    /// Objects for which a create was sent, and those of them whose answer somebody may lack. By bit.
    pub asked: u32,
    pub unanswered: u32,
    /// Objects whose create was answered "exists". By bit.
    pub met: u32,
    /// The whole resource type is being removed (R10).
    pub going: bool,
    /// The definition in the cluster is older than the operators.
    pub outdated: bool,
    /// A stranger has acted, so what Unkey holds is not the operator's doing alone.
    pub disturbed: bool,
    /// So many looks in a row were answered that there is no definition; two are believed.
    pub denied_type: u8,
    /// Etcd's backup.
    pub backup: Option<[Option<Arc<Thing>>; 2]>,
    /// Etcd was restored from it: a status may tell of what was undone, until the next look.
    pub rewound: bool,
    /// The permission that the root key lacks.
    pub lost: Option<Right>,
    /// It once lacked all but that to create, so that what is there looked like an empty workspace.
    pub was_blind: bool,
    /// The first property that did not hold.
    pub broken: Option<Broken>,
    /// It did not hold later, when the world was left alone.
    pub alone: bool,
    /// Versions that a cache of a process that starts now may still hold, and when they were superseded.
    pub past: Vec<(u32, usize, Arc<Thing>)>,
    /// Requests made: for the quiet at the end. No part of what a state is.
    pub calls: u32,
    /// Those that write.
    pub sent: u32,
    pub writes: u32,
}

impl State {
    /// What a look at the CustomResourceDefinition shows. `lies`: the API server answers that there is none.
    pub fn crd_sight(&self, lies: bool) -> CrdSight {
        match (lies, self.going) {
            (true, _) => CrdSight::Missing,
            (false, true) => CrdSight::Going,
            (false, false) => CrdSight::Stays,
        }
    }

    /// Whether an object that owns nothing may come to own an identity, as this process sees it.
    pub fn ownership_gate(&self, op: &Operator) -> OwnershipGate {
        if self.outdated { OwnershipGate::Outdated } else { op.ownership_gate() }
    }

    pub fn excuse(&mut self, uid: u8) {
        self.excused |= 1 << uid;
    }

    pub fn is_excused(&self, uid: u8) -> bool {
        self.excused & (1 << uid) != 0
    }

    pub fn print(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        self.hash(&mut hasher);
        hasher.finish()
    }
}

/// The checker tells states apart by their fingerprint; this is only asked by its helpers.
impl PartialEq for State {
    fn eq(&self, other: &Self) -> bool {
        self.print() == other.print()
    }
}
