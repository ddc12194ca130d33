//! A plan of a cluster: lists Identities, the workspace, and Identities again, so that what changed meanwhile is not judged.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;
use std::time::Instant;

use super::super::connect::{Cluster, Upstream};
use super::super::setup::{self, Setup};
use super::args::{DryRun, Failure, PlanArgs};
use super::dry_run;
use super::present::{add, millis, passed_over, report};
use crate::api::Reason;
use crate::controller::{Approvals, Scope, WallClocks};
use crate::domain::plan::{Action, Change, Identity, Plan, World, plan};
use crate::domain::{ExternalId, ObjectKey, Policy, Uid};
use crate::gather::{
    ListedIdentity, WorkspaceListing, list_identities, list_versions, list_workspace, planned_identity,
};
use crate::plan::{ListedObject, Manifest, Manifests, Overlaid, Overlay, Read, Report, UnmanagedReport};

/// What was read of the cluster and of Unkey.
struct Gathered {
    listed: Vec<ListedIdentity>,
    workspace: WorkspaceListing<Identity>,
    /// Objects that changed while the workspace was listed, or were written to so lately that Unkey may not show it yet.
    young: HashSet<Uid>,
    /// The objects that `--selector` selects; `None`: all.
    selected: Option<BTreeSet<ObjectKey>>,
    read: Read,
}

pub(super) async fn with_cluster(args: &PlanArgs) -> Result<Report, Failure> {
    let mut upstream = args.unkey.connect()?.ok_or(Failure::NoKey)?;
    let cluster = args.cluster.connect().await?;
    let namespace = args.namespace.as_deref().unwrap_or(&cluster.namespace);
    let manifests = if args.file.is_empty() {
        Manifests::default()
    } else {
        Manifests::read(&args.file, args.recursive, namespace)?
    };
    let setup = if args.run.is_empty() {
        setup::found(&cluster.client, args.operator.as_deref()).await?
    } else {
        setup::given(&args.run)?
    };
    let mut overlay = Overlay { manifests, namespaces: setup.options.namespaces.clone(), ..Overlay::default() };
    let gathered = gathered(args, &cluster, &mut upstream, &setup, &mut overlay).await?;
    proves_workspace(&gathered, &upstream, &setup)?;
    if args.dry_run == DryRun::Server {
        overlay.served = dry_run::served(&cluster.client, &overlay.manifests, &gathered.listed).await?;
    }
    planned(args, &cluster, &upstream, &setup, &overlay, gathered)
}

async fn gathered(
    args: &PlanArgs,
    cluster: &Cluster,
    upstream: &mut Upstream,
    setup: &Setup,
    overlay: &mut Overlay,
) -> Result<Gathered, Failure> {
    let begun = Instant::now();
    let (scope, is_narrow) = listable(args, cluster, setup.options.scope()).await?;
    let selected = match &args.selector {
        Some(selector) => Some(list_versions(&cluster.client, &selecting(&scope, selector)).await?),
        None => None,
    };
    let selected = selected.map(|all| all.into_values().map(|(key, _)| key).collect::<BTreeSet<_>>());
    if args.prune {
        let touched: BTreeSet<&String> = overlay.manifests.all.keys().map(|key| &key.namespace).collect();
        let goes = |key: &&ObjectKey| touched.contains(&key.namespace) && !overlay.manifests.all.contains_key(*key);
        overlay.pruned = selected.iter().flatten().filter(goes).cloned().collect();
    }
    let listed = list_identities(&cluster.client, &scope, |key| overlay.names(key)).await?;
    let names = || {
        let of_manifests = overlay.manifests.all.values().filter_map(Manifest::external_id);
        let of_objects = listed.iter().map(|it| it.raw.external_id().as_str().to_owned());
        of_manifests.chain(of_objects).filter(|it| !it.is_empty()).collect()
    };
    if scope.selector.is_some() && !overlay.manifests.all.is_empty() {
        let everything = list_versions(&cluster.client, &Scope { selector: None, ..scope.clone() }).await?;
        let listed: BTreeSet<ObjectKey> = listed.iter().map(|it| it.raw.key()).collect();
        overlay.unselected = everything.into_values().map(|(key, _)| key).filter(|key| !listed.contains(key)).collect();
    }
    let workspace = list_workspace(&upstream.client, &mut upstream.pace, names, |it| planned_identity(&it)).await?;
    let again = list_versions(&cluster.client, &scope).await?;
    // managedFields tell whole seconds.
    let window = i64::try_from(setup.options.consistency_window.as_millis().div_ceil(1_000)).unwrap_or(i64::MAX);
    let since = cluster.time.seconds().map_or(i64::MIN, |now| now.saturating_sub(window));
    let is_young = |it: &&ListedIdentity| {
        let moved = again.get(it.raw.uid()).is_none_or(|(_, version)| *version != it.raw.version());
        moved || it.written.is_some_and(|written| written >= since)
    };
    let young = listed.iter().filter(is_young).map(|it| it.raw.uid().clone()).collect();
    let read = Read {
        only_namespace: is_narrow.then(|| args.namespace.clone()).flatten(),
        resources: Some(listed.len()),
        manifests: overlay.manifests.all.len(),
        identities: Some(workspace.identities.len()),
        requests: upstream.pace.sent(),
        took_ms: millis(begun),
    };
    Ok(Gathered { listed, workspace, young, selected, read })
}

/// The operator's scope; only the namespace that is asked about, if no more may be listed (`true`).
async fn listable(args: &PlanArgs, cluster: &Cluster, scope: Scope) -> Result<(Scope, bool), Failure> {
    let Some(namespace) = args.namespace.clone() else { return Ok((scope, false)) };
    let all = list_versions(&cluster.client, &Scope { selector: Some(NOBODY.to_owned()), ..scope.clone() }).await;
    match all {
        Err(error) if error.is_forbidden() => Ok((Scope { namespaces: vec![namespace], ..scope }, true)),
        all => all.map(|_| (scope, false)).map_err(Failure::from),
    }
}

/// Selects nothing, so that a right to list can be tried for free.
const NOBODY: &str = "unkey.com/nobody,!unkey.com/nobody";

/// The operator's scope, narrowed.
fn selecting(scope: &Scope, selector: &str) -> Scope {
    let selectors = scope.selector.iter().map(String::as_str).chain([selector]);
    Scope { namespaces: scope.namespaces.clone(), selector: Some(selectors.collect::<Vec<_>>().join(",")) }
}

/// A key that shows none of what is recorded would have everything created again.
fn proves_workspace(gathered: &Gathered, upstream: &Upstream, setup: &Setup) -> Result<(), Failure> {
    if setup.options.accept_workspace_change {
        return Ok(());
    }
    let ids: HashSet<&str> = gathered.workspace.identities.iter().map(|it| it.id.as_str()).collect();
    let claimants = gathered.listed.iter().map(|it| it.raw.claimant(it.raw.read_status().as_ref()));
    let recorded: Vec<_> = claimants.filter(|it| !it.leaving).filter_map(|it| it.recorded).collect();
    if recorded.is_empty() || recorded.iter().any(|id| ids.contains(id.as_str())) {
        return Ok(());
    }
    Err(Failure::OtherWorkspace(recorded.len(), upstream.from.clone()))
}

/// Why the operator's settings hide what nobody manages.
const NOT_EVERYTHING: &str = "which identities no Identity names is not known: by its settings the operator watches only some of the resources, and another may watch the rest";

fn planned(
    args: &PlanArgs,
    cluster: &Cluster,
    upstream: &Upstream,
    setup: &Setup,
    overlay: &Overlay,
    gathered: Gathered,
) -> Result<Report, Failure> {
    let walls = WallClocks(cluster.time.clone());
    let an_hour_ahead = walls.an_hour_ahead();
    let approvals = Arc::new(Approvals { walls, namespaces: setup.options.approved_namespaces.clone() });
    let Gathered { listed, workspace, young, selected, read } = gathered;
    let Overlaid { objects, refused, gone, unwatched } = overlay.over(listed, &approvals)?;
    // What other namespaces name is not known.
    let (is_whole, is_narrow) = (workspace.is_whole, read.only_namespace.is_some());
    let world = World {
        objects,
        identities: workspace.identities,
        policy: Policy { credential: Some(upstream.mark.clone()), ..setup.options.policy() },
        deletions: setup.options.deletions,
        accepts_workspace_change: setup.options.accept_workspace_change,
        an_hour_ahead,
    };
    let Plan { mut changes, unmanaged, withheld } = plan::<ListedObject>(world);
    let refused: HashMap<ObjectKey, (String, String)> =
        refused.into_iter().map(|(key, external_id, why)| (key, (external_id, why))).collect();
    for change in &mut changes {
        if young.contains(&change.uid) && change.action != Action::Unchanged {
            settles(change);
        }
    }
    changes.retain(|change| !refused.contains_key(&change.key));
    changes.extend(refused.into_iter().map(|(key, (external_id, why))| invalid(key, &external_id, &why)));
    changes.extend(gone.into_iter().map(goes));
    // Another operator may watch the rest.
    let is_everything = setup.options.namespaces.is_empty() && setup.options.selector.is_none();
    let unmanaged = (is_whole && !is_narrow && is_everything).then(|| {
        let each = unmanaged.into_iter();
        each.map(|(name, id)| UnmanagedReport { external_id: name.to_string(), identity_id: id.to_string() }).collect()
    });
    let mut report = report(setup, read, Some(upstream.from.clone()), unmanaged);
    passed_over(&mut report, &overlay.manifests);
    notes(&mut report, &changes, (withheld, is_whole), &unwatched, setup);
    if args.unmanaged && !is_everything {
        report.notes.push(NOT_EVERYTHING.to_owned());
    }
    let shows = |change: &Change| {
        let key = &change.key;
        selected.as_ref().is_none_or(|it| it.contains(key) || overlay.manifests.all.contains_key(key))
    };
    add(&mut report, changes, args, shows);
    Ok(report)
}

/// Too young to judge.
fn settles(change: &mut Change) {
    change.action = Action::Settling;
    change.fields.clear();
    change.drift = false;
    (change.reason, change.cause) = (None, None);
    "The resource changed while this plan was made, or within the last consistency window, so Unkey may not show it yet. Run this command again."
        .clone_into(&mut change.message);
}

fn bare(key: ObjectKey, action: Action, message: String) -> Change {
    Change {
        key,
        uid: Uid::new(""),
        external_id: None,
        action,
        identity: None,
        fields: Vec::new(),
        drift: false,
        reason: None,
        cause: None,
        message,
    }
}

fn invalid(key: ObjectKey, external_id: &str, why: &str) -> Change {
    let external_id = (!external_id.is_empty()).then(|| ExternalId::new(external_id));
    Change {
        external_id,
        reason: Some(Reason::InvalidSpec),
        ..bare(key, Action::Invalid, format!("The API server refuses this manifest: {why}."))
    }
}

fn goes(key: ObjectKey) -> Change {
    bare(key, Action::Release, "The resource goes. Nothing of the operator is on it, so Unkey is not asked.".to_owned())
}

fn notes(
    report: &mut Report,
    changes: &[Change],
    (withheld, is_whole): (usize, bool),
    unwatched: &[ObjectKey],
    setup: &Setup,
) {
    if withheld > 0 {
        report.notes.push(format!(
            "{withheld} recorded identities are not in Unkey. Those are too many to believe it: the operator creates none of them again, and logs an error"
        ));
    }
    if !is_whole {
        report.notes.push(
            "the workspace could not be listed to its end, so what no Identity names is not known; each identity that counts was asked for by itself".to_owned(),
        );
    }
    if let Some(namespace) = &report.read.only_namespace {
        report.notes.push(format!(
            "only namespace '{namespace}' may be listed: an Identity of another namespace may own an externalId of this plan, and deletions elsewhere are not counted"
        ));
    }
    if !unwatched.is_empty() {
        let namespaces: BTreeSet<&str> = unwatched.iter().map(|key| key.namespace.as_str()).collect();
        let namespaces = namespaces.into_iter().collect::<Vec<_>>().join(", ");
        report.notes.push(format!(
            "{} of the manifests are of resources that the operator does not watch (in {namespaces})",
            unwatched.len()
        ));
    }
    if let Some(selector) = &setup.options.selector
        && report.read.manifests > 0
    {
        report.notes.push(format!(
            "the operator watches resources with the labels '{selector}'; new manifests count as having them"
        ));
    }
    if changes.iter().any(|change| matches!(change.action, Action::Delete | Action::Hold)) {
        report.notes.push(
            "the operator counts deletions in its memory; this plan takes it that none were counted within the deletion window".to_owned(),
        );
    }
}
