//! What the operator does, as far as it takes rights: gives occasion for it, and knows when it is done. May not grant or look into the log.

use cutting_proxy::Ending;
use serde_json::json;
use unkey_emulator::{Fault, FaultKind, Operation};

use super::scene::Scene;
use crate::harness::{Right, World};

#[derive(Clone, Copy, Debug)]
pub enum Deed {
    Create,
    /// What is in Unkey already is taken over, and that is worth an event of its own.
    Adopt,
    /// Somebody changes the identity behind the operator's back: that is undone, and worth an event.
    Correct,
    Update,
    /// An object goes in the middle of its create.
    ClearUp,
    /// The watches break.
    Watch,
    Delete,
}

impl Deed {
    /// Its whole behaviour. The first event of a series is created, the next ones patch it.
    pub const LIFE: [Self; 8] = [
        Self::Create,
        Self::Adopt,
        Self::Correct,
        Self::Correct,
        Self::Update,
        Self::ClearUp,
        Self::Watch,
        Self::Delete,
    ];

    /// What takes this right.
    pub fn with(right: &Right) -> Self {
        match (right.resource.as_str(), right.verb.as_str()) {
            ("identities" | "identities/status", "patch") => Self::Create,
            ("events", "create") => Self::Adopt,
            ("events", "patch") => Self::Correct,
            ("identities", "get") => Self::Update,
            ("identities", "list") => Self::ClearUp,
            ("identities", "watch") => Self::Watch,
            ("customresourcedefinitions", "get") => Self::Delete,
            _ => panic!("nothing that it does is known to take this: {right:?}"),
        }
    }

    /// Gives occasion for it; the object that shows it. `word`: another one each time.
    pub async fn begin(self, scene: &Scene, team: &World, word: &str) -> String {
        let name = format!("{word}-{}", team.namespace);
        match self {
            Self::Create => create(team, &name).await,
            Self::Adopt => {
                team.seed(&name, &json!({"meta": {"n": 1}}));
                create(team, &name).await;
                team.ready(&name).await;
            }
            Self::Correct => {
                team.mutate(&old(team), &json!({"meta": {"not": "ours"}}));
                team.request_reconcile(&old(team), word).await;
                return old(team);
            }
            Self::Update => {
                team.edit(&old(team), &json!({"meta": {"n": word}})).await;
                return old(team);
            }
            Self::ClearUp => {
                let held = team.workspace.order(Fault::new(FaultKind::Hold).on(Operation::Create).of(&name).once());
                create(team, &name).await;
                team.until_hit(held, 1).await;
                team.patch(&name, &json!({"metadata": {"finalizers": null}})).await;
                team.delete(&name).await;
                team.workspace.release(held);
            }
            Self::Watch => {
                scene.proxy.end_watches(Ending::Cut);
                create(team, &name).await;
            }
            Self::Delete => {
                create(team, &name).await;
                team.ready(&name).await;
                team.delete(&name).await;
            }
        }
        name
    }

    /// Waits until it is done.
    pub async fn end(self, team: &World, name: &str) {
        match self {
            Self::Create | Self::Correct | Self::Update | Self::Watch => drop(team.ready(name).await),
            Self::Adopt => drop(team.event(name, "Adopted").await),
            Self::ClearUp => team.until_accepted(Operation::Delete, name, 1).await,
            Self::Delete => team.gone(name).await,
        }
    }
}

/// What there is in each team from the beginning.
pub fn old(team: &World) -> String {
    format!("old-{}", team.namespace)
}

pub async fn create(team: &World, name: &str) {
    team.create(name, &json!({"externalId": name, "meta": {"n": 1}})).await;
}
