//! Workflows in which the root key loses permissions, Unkey answers as if the identities did not exist, and the permissions come back (R19).
//! What waits for them says which are missing, and goes on when they are back. Nothing here knows of faults.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::timeout;
use unkey_emulator::Permissions;

use crate::harness::{ROOT_KEY, World, condition};

/// Nothing asked of Unkey for longer than from a read to its witness: no absence that was read without the permission waits for a witness.
/// A permission that comes back between the two is not promised to be noticed.
const PAUSE: Duration = Duration::from_millis(400);
/// Far more than it takes.
const PATIENCE: Duration = Duration::from_secs(180);

/// What the user does while the permissions are missing.
enum Deed {
    Delete,
    Edit,
    RequestReconcile,
}

/// What the root key may still do, what is done with the object, and what it then says that it lacks.
pub struct Lost {
    left: Permissions,
    deed: Deed,
    permission: &'static str,
}

const EACH: Permissions = Permissions::ALL;
pub const DELETE: Lost =
    Lost { left: Permissions { delete: false, ..EACH }, deed: Deed::Delete, permission: "identity.*.delete_identity" };
pub const UPDATE: Lost =
    Lost { left: Permissions { update: false, ..EACH }, deed: Deed::Edit, permission: "identity.*.update_identity" };
pub const READ: Lost = Lost {
    left: Permissions { read: false, ..EACH },
    deed: Deed::RequestReconcile,
    permission: "identity.*.read_identity",
};
pub const ALL: Lost = Lost { left: Permissions::NONE, deed: Deed::Delete, permission: "identity.*." };

/// Takes the permissions away under what the user does, and gives them back when the object has said what it lacks.
pub async fn act(world: &World, lost: &Lost) {
    world.workspace.set_mask_permissions(true);
    world.workspace.add_root_key(ROOT_KEY, lost.left);
    let reason = match lost.deed {
        Deed::Delete => {
            world.delete("a").await;
            "DeletionBlocked"
        }
        Deed::Edit => {
            world.edit("a", &json!({"meta": {"revision": 2}})).await;
            "PermissionDenied"
        }
        Deed::RequestReconcile => {
            world.ask_for_check("a", "lost").await;
            "PermissionDenied"
        }
    };
    let permission = lost.permission;
    // A write on a connection that has fallen silent is given up after 32 s, and there may be two of them.
    let told = async || match world.get("a").await {
        Some(object) => lacks(&object, reason, permission).then_some(true),
        None => Some(false),
    };
    let is_told = async {
        let mut ticks = tokio::time::interval(PAUSE / 10);
        loop {
            ticks.tick().await;
            if let Some(told) = told().await {
                return told;
            }
        }
    };
    let told =
        timeout(PATIENCE, is_told).await.unwrap_or_else(|_| panic!("a says nothing of {reason} for {permission}"));
    assert!(told, "it was let go without {permission}");
    timeout(PATIENCE, unasked(world)).await.expect("a pause");
    world.workspace.add_root_key(ROOT_KEY, Permissions::ALL);
    world.ask_for_check_if_there("a", "look").await;
}

fn lacks(object: &Value, reason: &str, permission: &str) -> bool {
    let ready = condition(object, "Ready");
    ready["reason"] == reason
        && ready["observedGeneration"] == object["metadata"]["generation"]
        && ready["message"].as_str().is_some_and(|message| {
            // `make nonsense`: then no message names anything.
            message.contains(permission) || message.starts_with("nonsense ")
        })
}

async fn unasked(world: &World) {
    let last = || world.workspace.requests().last().map_or((0, true), |it| (it.number, it.done));
    loop {
        let seen = last();
        let more = timeout(PAUSE, world.workspace.wait_until(|_| last() != seen)).await;
        if more.is_err() && seen.1 {
            return;
        }
    }
}
