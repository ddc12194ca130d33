//! The workflows: what there is, what the user then does, and when it is over. Nothing here knows of faults.

use serde_json::{Value, json};
use unkey_emulator::Seed;

use crate::harness::{World, condition, eventually};
use crate::masked;

/// The externalId that every workflow is about.
pub const EXTERNAL_ID: &str = "x";
/// The one that a second object has, if it is no rival.
const ANOTHER: &str = "y";
/// One more than go without a listing.
const LISTED: usize = 101;
/// Claim, status and event of one object; the pages of the listing.
const LISTED_STRUCK: usize = 3;
/// What another client stored in its meta, as `by`.
pub const THEIRS: &str = "somebody else";
/// An identity of somebody else in the same workspace.
pub const BYSTANDER: &str = "bystander";

/// A change by the user or by another client, with all that has to follow from it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Workflow {
    Create,
    Update,
    Delete,
    /// The identity exists with other content; policy Always.
    Adopt,
    /// The identity was deleted in Unkey.
    Recreate,
    /// The identity was deleted in Unkey and made again, so that it has another id; policy Always.
    Replaced,
    /// `deletionPolicy` becomes Orphan, then the object is deleted.
    FlipOrphan,
    /// `deletionPolicy` was Orphan and becomes Delete, then the object is deleted.
    FlipDelete,
    /// An adopted identity of which nothing is managed; then the spec names both fields, and keeps what is stored.
    Manage,
    /// The same, but what the spec names would take something from what is stored.
    Lose,
    /// Adoption was refused, then `adoptionPolicy` becomes Always.
    FlipAdopt,
    /// Two objects of one externalId at once.
    Rivals,
    /// Two objects of one externalId; the owner is deleted.
    Heir,
    /// Two objects are deleted at once, and only one may go (R20).
    Mass,
    /// The same; then their deletions are approved.
    MassApproved,
    /// The same; then one of them is kept.
    MassKept,
    /// What it owns is only observed from now on (R21).
    Observe,
    /// It is only observed as soon as it is created.
    ObserveEarly,
    /// What was only observed is enforced.
    Enforce,
    /// So many objects over identities that exist that a listing pays: a process that starts adopts them from the list.
    Listed,
    /// The root key loses the permission to delete, unseen (R19); the object is deleted; then the permission comes back.
    MaskedDelete,
    /// The same with the permission to update, and an edit.
    MaskedUpdate,
    /// The same with the permission to read, and a check.
    MaskedRead,
    /// The same with all permissions, and a deletion, beside an object that is at rest.
    MaskedAll,
}

/// A spec of our externalId: content, and further fields.
fn spec(revision: u32, more: &Value) -> Value {
    let limits = json!([{"name": "calls", "limit": revision, "duration": 1000}]);
    let mut spec = json!({"externalId": EXTERNAL_ID, "meta": {"revision": revision}, "ratelimits": limits});
    spec.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    spec
}

/// Another client's identity.
fn theirs(world: &World) {
    let meta = json!({"by": THEIRS}).as_object().cloned();
    world
        .workspace
        .seed(Seed { external_id: EXTERNAL_ID.to_owned(), meta, ratelimits: None })
        .expect("a free externalId");
}

/// Somebody else's identity, beside ours.
pub fn bystander(world: &World) {
    let meta = json!({"keep": "me"}).as_object().cloned();
    world
        .workspace
        .seed(Seed { external_id: BYSTANDER.to_owned(), meta, ratelimits: None })
        .expect("a free externalId");
}

pub fn is_ready(object: &Value) -> bool {
    let ready = condition(object, "Ready");
    ready["status"] == "True" && ready["observedGeneration"] == object["metadata"]["generation"]
}

pub fn is_loser(object: &Value) -> bool {
    condition(object, "Ready")["reason"] == "ExternalIdConflict"
}

/// What it would lose keeps it from being carried out (R18).
pub fn is_stopped(object: &Value) -> bool {
    let stalled = condition(object, "Stalled");
    stalled["reason"] == "WouldLose" && stalled["observedGeneration"] == object["metadata"]["generation"]
}

/// Its deletion waits for an approval (R20).
pub fn is_held(object: &Value) -> bool {
    let ready = condition(object, "Ready");
    ready["reason"] == "DeletionHeld" && ready["observedGeneration"] == object["metadata"]["generation"]
}

/// It is only observed, and nothing of ours is on it (R21).
pub fn is_observed(object: &Value) -> bool {
    let (ready, meta) = (condition(object, "Ready"), &object["metadata"]);
    let tells = ready["reason"] == "Observed" || ready["reason"] == "NotInUnkey";
    let marked = meta.get("finalizers").is_some() || meta["annotations"].get("unkey.com/claim").is_some();
    tells && !marked && ready["observedGeneration"] == meta["generation"]
}

async fn observe(world: &World) {
    world.edit("a", &json!({"managementPolicy": "Observe"})).await;
}

/// Two objects of two externalIds, ready.
async fn two(world: &World) {
    for (name, external_id) in [("a", EXTERNAL_ID), ("b", ANOTHER)] {
        world.create(name, &spec(1, &json!({"externalId": external_id}))).await;
        world.ready(name).await;
    }
}

/// What the identities of [`Workflow::Listed`] hold beside what the specs name.
pub fn listed_limits() -> Value {
    json!([{"name": "calls", "limit": 7, "duration": 1000}])
}

/// More than a hundred objects over identities of the same meta. Their limits are nobody's to manage, and tell them from what a create of
/// ours would have made: where its answer is lost, the same content would count as our own (R3).
async fn listed(world: &World) {
    let limits = listed_limits();
    for at in 0..LISTED {
        let (name, meta) = (format!("l{at}"), json!({"plan": "pro", "number": at}));
        world.seed(&name, &json!({"meta": meta, "ratelimits": limits}));
        world.create(&name, &json!({"externalId": name, "meta": meta})).await;
    }
}

impl Workflow {
    pub const ALL: [Self; 24] = [
        Self::Create,
        Self::Update,
        Self::Delete,
        Self::Adopt,
        Self::Recreate,
        Self::Replaced,
        Self::FlipOrphan,
        Self::FlipDelete,
        Self::FlipAdopt,
        Self::Manage,
        Self::Lose,
        Self::Rivals,
        Self::Heir,
        Self::Mass,
        Self::MassApproved,
        Self::MassKept,
        Self::Observe,
        Self::ObserveEarly,
        Self::Enforce,
        Self::Listed,
        Self::MaskedDelete,
        Self::MaskedUpdate,
        Self::MaskedRead,
        Self::MaskedAll,
    ];

    pub fn name(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Update => "update",
            Self::Delete => "delete",
            Self::Adopt => "adopt",
            Self::Recreate => "recreate",
            Self::Replaced => "replaced",
            Self::FlipOrphan => "flip-orphan",
            Self::FlipDelete => "flip-delete",
            Self::FlipAdopt => "flip-adopt",
            Self::Manage => "manage",
            Self::Lose => "lose",
            Self::Rivals => "rivals",
            Self::Heir => "heir",
            Self::Mass => "mass",
            Self::MassApproved => "mass-approved",
            Self::MassKept => "mass-kept",
            Self::Observe => "observe",
            Self::ObserveEarly => "observe-early",
            Self::Enforce => "enforce",
            Self::Listed => "listed",
            Self::MaskedDelete => "masked-delete",
            Self::MaskedUpdate => "masked-update",
            Self::MaskedRead => "masked-read",
            Self::MaskedAll => "masked-all",
        }
    }

    /// Brings about what there is before the user acts.
    pub async fn prepare(self, world: &World) {
        let always = json!({"adoptionPolicy": "Always"});
        match self {
            Self::Create | Self::Rivals | Self::ObserveEarly => {}
            Self::Adopt => theirs(world),
            Self::Listed => listed(world).await,
            Self::Update
            | Self::Delete
            | Self::Recreate
            | Self::FlipOrphan
            | Self::Observe
            | Self::MaskedDelete
            | Self::MaskedUpdate
            | Self::MaskedRead => {
                world.create("a", &spec(1, &json!({}))).await;
                world.ready("a").await;
            }
            Self::Enforce => {
                world.create("a", &spec(1, &json!({}))).await;
                world.ready("a").await;
                observe(world).await;
                world.reason("a", "Observed").await;
            }
            Self::Replaced => {
                world.create("a", &spec(1, &always)).await;
                world.ready("a").await;
            }
            Self::FlipDelete => {
                world.create("a", &spec(1, &json!({"deletionPolicy": "Orphan"}))).await;
                world.ready("a").await;
            }
            Self::FlipAdopt => {
                theirs(world);
                world.create("a", &spec(1, &json!({"adoptionPolicy": "Never"}))).await;
                world.reason("a", "AlreadyExists").await;
            }
            Self::Manage | Self::Lose => {
                theirs(world);
                world.create("a", &json!({"externalId": EXTERNAL_ID})).await;
                world.ready("a").await;
            }
            Self::MaskedAll | Self::Mass => two(world).await,
            Self::MassApproved | Self::MassKept => {
                two(world).await;
                for name in ["a", "b"] {
                    world.delete(name).await;
                }
                for name in ["a", "b"] {
                    world.reason(name, "DeletionHeld").await;
                }
            }
            Self::Heir => {
                world.create("a", &spec(1, &json!({}))).await;
                world.ready("a").await;
                world.create("b", &spec(2, &json!({}))).await;
                world.reason("b", "ExternalIdConflict").await;
            }
        }
    }

    /// What the user, or another client, does.
    pub async fn act(self, world: &World) {
        match self {
            Self::Create => drop(world.create("a", &spec(1, &json!({}))).await),
            Self::Adopt => drop(world.create("a", &spec(1, &json!({"adoptionPolicy": "Always"}))).await),
            // The operator is what begins.
            Self::Listed => {}
            Self::Observe => observe(world).await,
            Self::ObserveEarly => {
                world.create("a", &spec(1, &json!({}))).await;
                observe(world).await;
            }
            Self::Enforce => drop(world.edit("a", &json!({"managementPolicy": "Enforce"})).await),
            Self::Update => drop(world.edit("a", &spec(2, &json!({}))).await),
            Self::Delete | Self::Heir => world.delete("a").await,
            Self::Recreate | Self::Replaced => {
                assert!(world.workspace.delete(EXTERNAL_ID));
                if self == Self::Replaced {
                    theirs(world);
                }
                world.ask_for_check("a", "look").await;
            }
            Self::FlipOrphan | Self::FlipDelete => {
                let policy = if self == Self::FlipOrphan { "Orphan" } else { "Delete" };
                world.edit("a", &json!({"deletionPolicy": policy})).await;
                world.ready("a").await;
                world.delete("a").await;
            }
            Self::FlipAdopt => drop(world.edit("a", &json!({"adoptionPolicy": "Always"})).await),
            Self::Manage => {
                let kept = json!({"by": THEIRS, "revision": 1});
                world.edit("a", &spec(1, &json!({"meta": kept}))).await;
            }
            Self::Lose => drop(world.edit("a", &spec(1, &json!({}))).await),
            Self::Mass => {
                world.delete("a").await;
                world.delete("b").await;
            }
            Self::MassApproved => {
                let approval = json!({"metadata": {"annotations": {"unkey.com/deletion-approved": "always"}}});
                for name in ["a", "b"] {
                    world.patch_if_there(name, &approval).await;
                }
            }
            Self::MassKept => world.patch_if_there("a", &json!({"spec": {"deletionPolicy": "Orphan"}})).await,
            Self::MaskedDelete => masked::act(world, &masked::DELETE).await,
            Self::MaskedUpdate => masked::act(world, &masked::UPDATE).await,
            Self::MaskedRead => masked::act(world, &masked::READ).await,
            Self::MaskedAll => masked::act(world, &masked::ALL).await,
            Self::Rivals => {
                world.create("a", &spec(1, &json!({}))).await;
                world.create("b", &spec(2, &json!({}))).await;
            }
        }
    }

    /// Whether everything that has to follow has followed, as far as the objects say.
    pub fn is_over(self, objects: &[Value]) -> bool {
        match self {
            Self::Create | Self::Adopt | Self::Update | Self::FlipAdopt | Self::Manage | Self::Enforce => {
                objects.iter().all(is_ready)
            }
            Self::Observe | Self::ObserveEarly => objects.iter().all(is_observed),
            Self::Listed => objects.iter().all(|it| is_ready(it) && it["status"]["origin"] == "Adopted"),
            Self::Lose => objects.iter().all(is_stopped),
            Self::Delete | Self::FlipOrphan | Self::FlipDelete | Self::MaskedDelete | Self::MassApproved => {
                objects.is_empty()
            }
            // Another process that comes upon one of them alone lets it go.
            Self::Mass => objects.iter().all(is_held),
            Self::MassKept => objects.len() < 2 && objects.iter().all(is_held),
            Self::Recreate | Self::Replaced | Self::MaskedUpdate | Self::MaskedRead => {
                objects.iter().all(|it| is_ready(it) && it["status"]["lastHandledReconcileAt"] == "look")
            }
            Self::Rivals => {
                objects.iter().filter(|it| is_ready(it)).count() == 1
                    && objects.iter().filter(|it| is_loser(it)).count() == 1
            }
            Self::Heir | Self::MaskedAll => objects.len() == 1 && objects.iter().all(is_ready),
        }
    }

    /// Whether what another client stored in our identity has to be there from the beginning to the end (R18).
    pub fn keeps_theirs(self) -> bool {
        matches!(self, Self::Manage | Self::Lose)
    }

    /// Whether the root key loses permissions unseen (R19).
    pub fn is_masked(self) -> bool {
        matches!(self, Self::MaskedDelete | Self::MaskedUpdate | Self::MaskedRead | Self::MaskedAll)
    }

    /// Whether there is no operator before the user acts.
    pub fn begins_stopped(self) -> bool {
        self == Self::Listed
    }

    /// How many requests on each way meet a fault. Where many objects go the same way, those of the first stand for all.
    pub fn struck(self) -> usize {
        if self == Self::Listed { LISTED_STRUCK } else { usize::MAX }
    }

    /// Whether our identity stays in Unkey without an object.
    pub fn leaves_it(self) -> bool {
        matches!(self, Self::FlipOrphan | Self::MassKept)
    }

    /// Whether a fault may decide what is left: a process that comes upon one of two deletions alone lets it go. That it is no more than one a process
    /// is checked in any case.
    pub fn may_end_otherwise(self) -> bool {
        self.limit().is_some()
    }

    /// How many deletions a process may send without an approval; `None`: as many as there are.
    pub fn limit(self) -> Option<u32> {
        matches!(self, Self::Mass | Self::MassKept).then_some(1)
    }

    /// What its operator is told beside the rest.
    pub fn args(self) -> &'static [&'static str] {
        match self {
            Self::Mass | Self::MassApproved | Self::MassKept => {
                // The hold is longer than a busy machine takes to see both.
                &["--deletion-hold", "4s", "--max-deletions", "1", "--max-deletions-share", "0"]
            }
            // Sights count for a window, which has to be enough for all of them. One after the other, so that requests have numbers.
            Self::Listed => &["--consistency-window", "4s", "--workers", "1"],
            _ => &[],
        }
    }
}

/// All Identities, or none while the API server cannot be asked.
pub async fn objects(world: &World) -> Vec<Value> {
    eventually("a list of the Identities", async || Some(world.list().await)).await
}
