//! Judges what Unkey shows: whether it answers and accepts the root key, what it allows, whether it is the workspace that is recorded; and clocks.

use std::time::Duration;

use super::finding::{Finding, Id, Verdict};
use crate::unkey::{Class, Error, Fault, QuotaReport};

/// Clocks may differ by so many seconds.
const SKEW: i64 = 5;

/// There is no root key.
pub fn no_key() -> Vec<Finding> {
    let how = "There is no root key to ask Unkey with; name a file with --root-key-file, set UNKEY_ROOT_KEY, or run this command in the operator's Pod";
    let mut findings = Finding::skipped(&[Id::RootKey], how);
    let others: Vec<Id> = Id::OF_UNKEY.into_iter().filter(|id| *id != Id::RootKey).collect();
    findings.extend(Finding::skipped(&others, "Unkey was not asked: there is no root key"));
    findings
}

/// What came of asking for the first page of the list.
#[derive(Debug)]
pub enum Listed {
    /// A page, after so long; the id of its first identity.
    Page(Duration, Option<String>),
    /// It failed, but another question was answered after so long: one large identity can make every page fail.
    OnlyGet(Duration),
    /// It failed.
    Failed(Error),
}

/// Whether Unkey answers, and whether it accepts the root key. `from`: where the root key is from.
pub fn unkey(listed: &Listed, url: &str, from: &str) -> [Finding; 2] {
    let says = |verdict, message: String| Finding::new(Id::Unkey, verdict, message);
    let key = |verdict, message: String| Finding::new(Id::RootKey, verdict, message);
    let accepted = || key(Verdict::Ok, format!("Unkey accepts the root key from {from}"));
    let answers = |took: &Duration| format!("Unkey answers at {url} (took {} ms)", took.as_millis());
    let error = match listed {
        Listed::Page(took, _) => return [says(Verdict::Ok, answers(took)), accepted()],
        Listed::OnlyGet(took) => {
            let message = format!(
                "{}, but cannot list the workspace: one identity with a meta of 256 KiB or more has that effect; the operator then asks for each identity by itself",
                answers(took)
            );
            return [says(Verdict::Warn, message), accepted()];
        }
        Listed::Failed(error) => error,
    };
    let told = told(error);
    match error.class() {
        Class::Credential if matches!(error.fault(), Fault::Answered { .. }) => [
            says(Verdict::Ok, format!("Unkey answers at {url}")),
            key(
                Verdict::Fail,
                format!(
                    "Unkey does not accept the root key from {from}: {told}; create a root key in Unkey's dashboard, and put it in the key's place"
                ),
            ),
        ],
        Class::Credential => [
            says(Verdict::Skipped, "Unkey was not asked, because the root key cannot be used".to_owned()),
            key(Verdict::Fail, format!("The root key from {from} cannot be used: {told}")),
        ],
        Class::Permission { which } => [
            says(Verdict::Ok, format!("Unkey answers at {url}")),
            key(
                Verdict::Fail,
                format!(
                    "Unkey accepts the root key from {from}, but the key lacks the permission '{}'; grant it in Unkey's dashboard",
                    which.name()
                ),
            ),
        ],
        Class::RateLimited { .. } => [
            says(
                Verdict::Warn,
                format!(
                    "Unkey answers at {url}, but refuses requests for now: {told}; run this command again in a minute"
                ),
            ),
            accepted(),
        ],
        _ => [
            says(Verdict::Fail, format!("{told}; check --api-url ({url}), the network, and any proxy on the way")),
            key(Verdict::Skipped, "Unkey gave no answer that says whether it accepts the root key".to_owned()),
        ],
    }
}

/// The fault, and Unkey's id of the request.
pub(super) fn told(error: &Error) -> String {
    let fault = error.fault().to_string();
    let fault = fault.trim_end_matches('.');
    match error.request_id() {
        Some(id) => format!("{fault} ({id})"),
        None => fault.to_owned(),
    }
}

/// What the workspace allows.
pub fn rate_limit(quota: QuotaReport) -> Finding {
    let say = |verdict, message: String| Finding::new(Id::RateLimit, verdict, message);
    match quota {
        QuotaReport::Limited(told) if told.remaining == 0 => say(
            Verdict::Warn,
            format!(
                "All {} requests that the workspace allows a minute are used up, so the operator has to wait; find who else uses the workspace, or have the limit raised",
                told.limit
            ),
        ),
        QuotaReport::Limited(told) => say(
            Verdict::Ok,
            format!("The workspace allows {} requests a minute; {} are left of them", told.limit, told.remaining),
        ),
        QuotaReport::Unlimited => say(Verdict::Ok, "The workspace has no limit of requests".to_owned()),
        QuotaReport::Unknown => {
            say(Verdict::CannotTell, "Unkey's answer does not say what the workspace allows".to_owned())
        }
    }
}

/// The clocks of the API server and of Unkey, as seconds before this machine's; `None`: not known.
pub fn clock(api_server: Option<i64>, unkey: Option<i64>) -> Finding {
    let say = |verdict, message: String| Finding::new(Id::Clock, verdict, message);
    let known = [("the API server", api_server), ("Unkey", unkey)];
    let known: Vec<(&str, i64)> = known.into_iter().filter_map(|(who, skew)| Some((who, skew?))).collect();
    let off: Vec<String> = known
        .iter()
        .filter(|(_, skew)| skew.abs() > SKEW)
        .map(|(who, skew)| format!("{} s {} that of {who}", skew.abs(), if *skew > 0 { "behind" } else { "ahead of" }))
        .collect();
    if known.is_empty() {
        return say(Verdict::Skipped, "No answer told the time".to_owned());
    }
    if !off.is_empty() {
        return say(
            Verdict::Warn,
            format!(
                "This machine's clock is {}; let NTP set the clocks: holds of deletions and the age of leases are read by them",
                off.join(" and ")
            ),
        );
    }
    let who: Vec<&str> = known.iter().map(|(who, _)| *who).collect();
    say(Verdict::Ok, format!("This machine's clock agrees with {} to {SKEW} s", who.join(" and ")))
}

/// What asking for a few recorded identities came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Looked {
    /// One showed its recorded id.
    Hit,
    /// None did.
    Missed,
    /// They could not be asked for, for this reason.
    Failed(String),
}

/// The identities that are recorded under one root key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MarkSeen {
    /// The fingerprint of that root key; `None`: it was not recorded.
    pub mark: Option<String>,
    /// How many are recorded.
    pub recorded: usize,
    /// How many were asked for.
    pub asked: usize,
    /// What came of it.
    pub looked: Looked,
}

/// Whether the root key leads to the workspace that is recorded (R15). `current`: its fingerprint; `from`: where it is from.
pub fn workspace(seen: &[MarkSeen], current: &str, from: &str) -> Finding {
    let say = |verdict, message: String| Finding::new(Id::Workspace, verdict, message);
    if seen.is_empty() {
        return say(
            Verdict::Skipped,
            "No Identity has recorded an identity yet, so there is no workspace to compare with".to_owned(),
        );
    }
    if let Some(missed) = seen.iter().find(|it| it.looked == Looked::Missed) {
        let MarkSeen { mark, recorded, asked, .. } = missed;
        let which = format!("none of {asked} identities, of {recorded} recorded ones");
        return if mark.as_deref() == Some(current) {
            say(
                Verdict::Fail,
                format!(
                    "The root key from {from} shows {which}, although they were recorded under this very key: they were deleted, or the key may no longer read; look at one in Unkey's dashboard"
                ),
            )
        } else {
            say(
                Verdict::Fail,
                format!(
                    "The root key from {from} leads to another workspace, or may not read: it shows {which}; put the right root key in place"
                ),
            )
        };
    }
    for it in seen {
        if let Looked::Failed(why) = &it.looked {
            return say(Verdict::CannotTell, format!("The recorded identities cannot be asked for: {why}"));
        }
    }
    say(Verdict::Ok, "The root key leads to the workspace that is recorded".to_owned())
}
