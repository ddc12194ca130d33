//! The report of a plan, begun and filled in.

use std::collections::BTreeMap;
use std::time::Instant;

use k8s_openapi::jiff::{Timestamp, Unit};

use super::super::setup::Setup;
use super::args::PlanArgs;
use crate::domain::plan::Change;
use crate::plan::{Manifests, PolicyReport, Read, Report, UnmanagedReport};

pub(super) fn millis(begun: Instant) -> u64 {
    u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX)
}

pub(super) fn report(
    setup: &Setup,
    read: Read,
    root_key_from: Option<String>,
    unmanaged: Option<Vec<UnmanagedReport>>,
) -> Report {
    let options = &setup.options;
    let scope = (options.namespaces.as_slice(), options.selector.as_deref());
    Report {
        as_of: Timestamp::now().round(Unit::Second).unwrap_or_else(|_| Timestamp::now()).to_string(),
        read,
        policy: PolicyReport::new(setup.from.clone(), scope, &options.policy(), &options.deletions),
        root_key_from,
        summary: BTreeMap::new(),
        changes: Vec::new(),
        unmanaged,
        notes: Vec::new(),
    }
}

/// Adds what is to be printed of the changes.
pub(super) fn add(report: &mut Report, changes: Vec<Change>, args: &PlanArgs, selects: impl Fn(&Change) -> bool) {
    let of_namespace = |change: &Change| args.namespace.as_ref().is_none_or(|it| *it == change.key.namespace);
    let shown = changes.into_iter().filter(|change| of_namespace(change) && selects(change)).collect();
    report.add(shown, args.show_meta);
}

pub(super) fn passed_over(report: &mut Report, manifests: &Manifests) {
    match manifests.others {
        0 => {}
        1 => report.notes.push("1 other resource in the manifests was passed over".to_owned()),
        others => report.notes.push(format!("{others} other resources in the manifests were passed over")),
    }
    if let Some(first) = manifests.doubtful.first() {
        let more = if manifests.doubtful.len() > 1 { " and others" } else { "" };
        report.notes.push(format!(
            "{first}{more}: without quotes, kubectl reads a word such as on, no, 017, 1_000 or << as a boolean, a number or a merge, and this plan reads it as text; put it in quotes, or write true or 1000"
        ));
    }
}
