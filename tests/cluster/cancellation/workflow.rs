//! The workflows, as what the user does. May not know how a reconcile is run.

use serde_json::json;

use crate::harness::{World, condition};

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Workflow {
    Create,
    Update,
    Delete,
    Adopt,
    Recreate,
    Replaced,
    AdoptionFlip,
    DeletionFlip,
    TwoObjects,
    /// Edited again, or deleted, at the very moment of the drop.
    CreateEdit,
    CreateDelete,
    UpdateEdit,
    UpdateDelete,
}

impl Workflow {
    /// The user's actions: what to do, and the reasons that all objects then come to show.
    pub fn acts(self) -> &'static [&'static [&'static str]] {
        match self {
            Self::Create | Self::Adopt => &[&["Synced"]],
            Self::Update | Self::Recreate | Self::Replaced | Self::CreateEdit => &[&["Synced"], &["Synced"]],
            Self::Delete | Self::CreateDelete => &[&["Synced"], &[]],
            Self::AdoptionFlip => &[&["AlreadyExists"], &["Synced"]],
            Self::DeletionFlip | Self::UpdateDelete => &[&["Synced"], &["Synced"], &[]],
            Self::TwoObjects => &[&["ExternalIdConflict", "Synced"], &["Synced"]],
            Self::UpdateEdit => &[&["Synced"], &["Synced"], &["Synced"]],
        }
    }

    /// The first act that is part of the workflow; those before only prepare it.
    pub fn begins(self) -> usize {
        let from_nothing = [Self::Create, Self::Adopt, Self::TwoObjects, Self::CreateEdit, Self::CreateDelete];
        usize::from(!from_nothing.contains(&self))
    }

    /// Whether the user's next action comes with the drop, and not when all is well again.
    pub fn hurries(self) -> bool {
        matches!(self, Self::CreateEdit | Self::CreateDelete | Self::UpdateEdit | Self::UpdateDelete)
    }

    pub async fn act(self, number: usize, world: &World) {
        let limits = |limit| json!([{"name": "requests", "limit": limit, "duration": 1000}]);
        let spec = json!({"externalId": "user", "meta": {"n": 1}, "ratelimits": limits(10)});
        match (self, number) {
            (Self::Adopt, 0) => {
                world.seed("user", &json!({"meta": {"n": 1}}));
                world.create("one", &spec).await;
            }
            (Self::AdoptionFlip, 0) => {
                world.seed("user", &json!({"meta": {"theirs": true}}));
                world.create("one", &json!({"externalId": "user", "meta": {"n": 1}, "adoptionPolicy": "Never"})).await;
            }
            (Self::TwoObjects, 0) => {
                world.create("one", &spec).await;
                // The older one owns (R8), in every run.
                world.next_second().await;
                world.create("two", &json!({"externalId": "user", "meta": {"n": 2}})).await;
            }
            (_, 0) => drop(world.create("one", &spec).await),
            (Self::CreateEdit, _) | (Self::UpdateEdit, 2) => drop(world.edit("one", &json!({"meta": {"n": 3}})).await),
            (Self::Update, _) | (Self::UpdateEdit | Self::UpdateDelete, 1) => {
                world.edit("one", &json!({"meta": {"n": 2}, "ratelimits": limits(20)})).await;
            }
            (Self::Recreate | Self::Replaced, _) => {
                assert!(world.workspace.delete("user"));
                if self == Self::Replaced {
                    world.seed("user", &json!({"meta": {"n": 1}}));
                }
                world.ask_for_check("one", "look").await;
            }
            (Self::AdoptionFlip, _) => drop(world.edit("one", &json!({"adoptionPolicy": "Always"})).await),
            (Self::DeletionFlip, 1) => drop(world.edit("one", &json!({"deletionPolicy": "Orphan"})).await),
            (Self::TwoObjects, _) => {
                let all = world.list().await;
                let owner = all.iter().find(|object| condition(object, "Ready")["status"] == "True").unwrap();
                world.delete(owner["metadata"]["name"].as_str().unwrap()).await;
            }
            _ => world.delete("one").await,
        }
    }
}
