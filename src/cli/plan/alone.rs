//! A plan without a cluster: manifests against Unkey, or against other manifests.

use std::path::PathBuf;
use std::time::Instant;

use super::super::setup;
use super::args::{Failure, PlanArgs};
use super::present::{add, millis, passed_over, report};
use crate::domain::plan::Identity;
use crate::gather::{list_workspace, planned_identity};
use crate::plan::{Manifests, Read, Report, Stored, UnmanagedReport, asked_for, plan_alone};

/// Manifests against Unkey, or against other manifests.
pub(super) async fn without_cluster(args: &PlanArgs) -> Result<Report, Failure> {
    let namespace = args.namespace.as_deref().unwrap_or("default");
    // Of a comparison, one side may be empty: the first identity is added, or the last one removed.
    let manifests = if args.base.is_empty() {
        Manifests::read(&args.file, args.recursive, namespace)?
    } else {
        Manifests::read_any(&there(&args.file), args.recursive, namespace)?
    };
    let setup = if args.run.is_empty() { setup::given(&["run".to_owned()])? } else { setup::given(&args.run)? };
    let begun = Instant::now();
    let mut read = Read { manifests: manifests.all.len(), ..Read::default() };
    let (changes, key_from, unmanaged) = if args.base.is_empty() {
        let mut upstream = args.unkey.connect()?.ok_or(Failure::NoKey)?;
        let names = || asked_for(&manifests).keys().map(|it| it.as_str().to_owned()).collect();
        let listing = list_workspace(&upstream.client, &mut upstream.pace, names, |it| planned_identity(&it)).await?;
        (read.identities, read.requests) = (Some(listing.identities.len()), upstream.pace.sent());
        let stored = stored(&listing.identities);
        let changes = plan_alone(&manifests, &stored, None, &setup.options.policy());
        let asked = asked_for(&manifests);
        let unmanaged = listing.is_whole.then(|| {
            let others = listing.identities.iter().filter(|it| !asked.contains_key(&it.external_id));
            others
                .map(|it| UnmanagedReport { external_id: it.external_id.to_string(), identity_id: it.id.to_string() })
                .collect()
        });
        (changes, Some(upstream.from), unmanaged)
    } else {
        let base = Manifests::read_any(&there(&args.base), args.recursive, namespace)?;
        (plan_alone(&manifests, &asked_for(&base), Some(&base), &setup.options.policy()), None, None)
    };
    read.took_ms = millis(begun);
    let mut report = report(&setup, read, key_from, unmanaged);
    passed_over(&mut report, &manifests);
    add(&mut report, changes, args, |_| true);
    Ok(report)
}

/// What is there of them: a folder that one branch has and the other has not is an empty one.
fn there(paths: &[PathBuf]) -> Vec<PathBuf> {
    paths.iter().filter(|path| path.as_os_str() == "-" || path.exists()).cloned().collect()
}

fn stored(identities: &[Identity]) -> Stored {
    identities.iter().map(|it| (it.external_id.clone(), (Some(it.id.clone()), it.content.clone()))).collect()
}
