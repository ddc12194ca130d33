//! What Unkey holds of one externalId, and what the operator would do next: a plan over its whole scope, of which one entry is shown.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::super::connect::{Cluster, Upstream};
use super::super::setup::Setup;
use crate::controller::{Approvals, RawIdentity, WallClocks};
use crate::domain::plan::{Action, Change, Identity, World, plan};
use crate::domain::{ExternalId, Policy};
use crate::gather::{GatherError, ListedIdentity, list_workspace, planned_identity, read_identities};
use crate::plan::ListedObject;

/// What was learnt.
#[derive(Debug, Default)]
pub(super) struct Outlook {
    /// What Unkey holds.
    pub found: Option<Identity>,
    /// What would be done next; `None`: that is not known.
    pub next: Option<Change>,
}

/// `setup`: without it nothing is planned, and one request is enough.
pub(super) async fn outlook(
    cluster: &Cluster,
    mut upstream: Upstream,
    setup: Option<&Setup>,
    listed: Vec<ListedIdentity>,
    (external_id, meant): (&ExternalId, Option<&RawIdentity>),
) -> Result<Outlook, GatherError> {
    let is_seen = |meant: &&RawIdentity| listed.iter().any(|it| it.raw.uid() == meant.uid());
    let (Some(setup), Some(meant)) = (setup, meant.filter(is_seen)) else {
        let names = BTreeSet::from([external_id.as_str().to_owned()]);
        let found = read_identities(&upstream.client, &mut upstream.pace, names).await?;
        let found = found.iter().map(planned_identity).find(|it| it.external_id == *external_id);
        return Ok(Outlook { found, next: None });
    };
    let all = || {
        let names = listed.iter().map(|it| it.raw.external_id().as_str()).filter(|it| !it.is_empty());
        names.map(str::to_owned).collect()
    };
    let keep = |it| planned_identity(&it);
    let identities = list_workspace(&upstream.client, &mut upstream.pace, all, keep).await?.identities;
    let found = identities.iter().find(|it| it.external_id == *external_id).cloned();
    let written = listed.iter().find(|it| it.raw.uid() == meant.uid()).and_then(|it| it.written);
    let changes = plan::<ListedObject>(world(cluster, &upstream, setup, listed, identities)).changes;
    let mut next = changes.into_iter().find(|change| change.uid == *meant.uid());
    if let Some(next) = next.as_mut().filter(|it| it.action != Action::Unchanged && is_young(cluster, setup, written)) {
        next.action = Action::Settling;
        next.fields.clear();
        "The operator wrote to the resource within the last consistency window, so Unkey may not show it yet. Run this command again."
            .clone_into(&mut next.message);
    }
    Ok(Outlook { found, next })
}

fn world(
    cluster: &Cluster,
    upstream: &Upstream,
    setup: &Setup,
    listed: Vec<ListedIdentity>,
    identities: Vec<Identity>,
) -> World<ListedObject> {
    let walls = WallClocks(cluster.time.clone());
    let an_hour_ahead = walls.an_hour_ahead();
    let approvals = Arc::new(Approvals { walls, namespaces: setup.options.approved_namespaces.clone() });
    World {
        objects: listed.into_iter().map(|it| ListedObject::new(it.raw, Arc::clone(&approvals))).collect(),
        identities,
        policy: Policy { credential: Some(upstream.mark.clone()), ..setup.options.policy() },
        deletions: setup.options.deletions,
        accepts_workspace_change: setup.options.accept_workspace_change,
        an_hour_ahead,
    }
}

/// Written to so lately that Unkey may not show it yet.
fn is_young(cluster: &Cluster, setup: &Setup, written: Option<i64>) -> bool {
    let window = i64::try_from(setup.options.consistency_window.as_secs()).unwrap_or(i64::MAX);
    let since = cluster.time.seconds().map_or(i64::MAX, |now| now.saturating_sub(window));
    written.is_some_and(|written| written > since)
}
