//! Judges what is seen of operators: their Pods, who leads, of which version they are, and what none of them takes in.

use std::collections::BTreeMap;

use super::finding::{Finding, Id, Verdict};
use crate::domain::ObjectKey;
use crate::gather::{LeaseSight, OperatorPod};

/// So many of a kind are named.
const NAMED: usize = 3;
/// By so much the clocks of two machines may differ.
const SKEW: i64 = 5;

/// The Pods. `pre`: before an installation.
pub fn pods(pods: &[OperatorPod], pre: bool) -> Finding {
    let say = |verdict, message: String| Finding::new(Id::Operator, verdict, message);
    let (ready, not): (Vec<_>, Vec<_>) = pods.iter().partition(|pod| pod.is_ready);
    let names = |pods: &[&OperatorPod]| {
        named(&pods.iter().map(|pod| format!("{}/{}", pod.namespace, pod.name)).collect::<Vec<_>>())
    };
    let all = pods.len();
    let counted = format!("{} of {all} {} ready", ready.len(), if all == 1 { "Pod is" } else { "Pods are" });
    match (ready.as_slice(), not.as_slice()) {
        ([], []) if pre => say(Verdict::Ok, "No operator runs yet; the installation brings it".to_owned()),
        ([], []) => say(
            Verdict::Fail,
            "No Pod of the operator is found by the chart's labels, so nobody acts on Identities; install the chart, or scale its Deployment up".to_owned(),
        ),
        ([], not) => say(
            Verdict::Fail,
            format!("{counted}: {}; read why in its log and its events: kubectl describe pod", names(not)),
        ),
        (_, []) => say(Verdict::Ok, format!("{counted}: {}", names(&ready))),
        (_, not) => say(
            Verdict::Warn,
            format!("{counted}, {} not; read why in its log and its events: kubectl describe pod", names(not)),
        ),
    }
}

/// What is known of one operator's lease.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LeaseSeen {
    /// This operator elects no leader.
    NotElected,
    /// It was read; `None`: there is none.
    Read(Option<LeaseSight>),
    /// It cannot be read, for this reason.
    Hidden(String),
}

/// Who leads. `place`: namespace and name of the lease; `now`: by the clock of the API server, in seconds since 1970.
pub fn leader(place: &str, seen: &LeaseSeen, now: i64, pre: bool) -> Finding {
    let say = |verdict, message: String| Finding::new(Id::Leader, verdict, message);
    let lease = match seen {
        LeaseSeen::NotElected => {
            return say(Verdict::Ok, "The operator elects no leader: it must be the only one".to_owned());
        }
        LeaseSeen::Hidden(why) => return say(Verdict::CannotTell, format!("Lease {place} cannot be read: {why}")),
        LeaseSeen::Read(None) if pre => return say(Verdict::Ok, format!("Lease {place} does not exist yet")),
        LeaseSeen::Read(None) => {
            return say(
                Verdict::Fail,
                format!("Lease {place} does not exist, so no operator leads; read the log of the operator's Pods"),
            );
        }
        LeaseSeen::Read(Some(lease)) => lease,
    };
    let (Some(holder), Some(renewed)) = (&lease.holder, lease.renewed) else {
        return say(
            Verdict::Fail,
            format!("Nobody holds lease {place}, so no operator leads; read the log of the operator's Pods"),
        );
    };
    let (holder, age) = (lease.pod().unwrap_or(holder), now.saturating_sub(renewed));
    if age > lease.seconds.saturating_add(SKEW) {
        let seconds = lease.seconds;
        let message = format!(
            "{holder} holds lease {place} but has not renewed it for {age} s, longer than its {seconds} s, so no operator leads; read the log of the operator's Pods"
        );
        return say(Verdict::Fail, message);
    }
    say(Verdict::Ok, format!("{holder} leads: it renewed lease {place} {} s ago", age.max(0)))
}

/// The version that an image's tag names; `None`: it names none, or is known by its digest.
pub fn image_version(image: &str) -> Option<&str> {
    let (name, digest) = image.split_once('@').map_or((image, None), |(name, digest)| (name, Some(digest)));
    let (_, tag) = name.rsplit('/').next()?.split_once(':')?;
    let tag = tag.strip_prefix('v').unwrap_or(tag);
    (digest.is_none() && tag.starts_with(|c: char| c.is_ascii_digit())).then_some(tag)
}

/// Whether Pods are of this program's version. `None`: there is none to compare.
pub fn version(pods: &[OperatorPod], own: &str) -> Option<Finding> {
    let say = |verdict, message: String| Some(Finding::new(Id::Version, verdict, message));
    let mut others: BTreeMap<&str, usize> = BTreeMap::new();
    let mut untold = None;
    for pod in pods {
        match image_version(&pod.image) {
            Some(version) if version == own => {}
            Some(version) => *others.entry(version).or_default() += 1,
            None => untold = Some(&pod.image),
        }
    }
    if !others.is_empty() {
        let others: Vec<&str> = others.into_keys().collect();
        let others = others.join(", ");
        return say(
            Verdict::Warn,
            format!(
                "The operator is of version {others} and this program of {own}, so they may judge differently; use the program of the operator's version"
            ),
        );
    }
    match untold {
        Some(image) => say(
            Verdict::CannotTell,
            format!(
                "The image {image} does not name a version to compare with this program's {own}; run this command in the operator's Pod to be sure"
            ),
        ),
        None if pods.is_empty() => None,
        None => say(Verdict::Ok, format!("The operator is of this program's version {own}")),
    }
}

/// What is known of who takes an Identity in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Taken {
    /// So many Identities there are, and these are taken in by no operator.
    Known(usize, Vec<ObjectKey>),
    /// That cannot be seen, for this reason.
    Hidden(String),
    /// There is nothing to look at, for this reason.
    Skipped(String),
}

/// Identities that no operator takes in.
pub fn unwatched(taken: &Taken) -> Finding {
    let say = |verdict, message: String| Finding::new(Id::Unwatched, verdict, message);
    match taken {
        Taken::Known(0, _) => say(Verdict::Ok, "There are no Identities yet".to_owned()),
        Taken::Known(all, none) if none.is_empty() => {
            let (all, are) = (*all, if *all == 1 { "Identity is" } else { "Identities are" });
            say(Verdict::Ok, format!("All of {all} {are} taken in by an operator"))
        }
        Taken::Known(all, none) => {
            let names: Vec<String> = none.iter().map(|key| format!("{}/{}", key.namespace, key.name)).collect();
            say(
                Verdict::Warn,
                format!(
                    "{} of {all} Identities are taken in by no operator: {}. Their namespaces are not watched, or they have not the labels of --selector; see watchNamespaces and config.selector of the chart",
                    none.len(),
                    named(&names)
                ),
            )
        }
        Taken::Hidden(why) => say(Verdict::CannotTell, format!("Which Identities are taken in cannot be seen: {why}")),
        Taken::Skipped(why) => say(Verdict::Skipped, why.clone()),
    }
}

/// Names the first ones.
fn named(all: &[String]) -> String {
    let names = all.iter().take(NAMED).map(String::as_str).collect::<Vec<_>>().join(", ");
    if all.len() > NAMED { format!("{names} and {} more", all.len() - NAMED) } else { names }
}
