//! Who may be deleted without being counted (R20): objects with an annotation that says so, and all of some namespaces.

use k8s_openapi::jiff::Timestamp;
use wildmatch::WildMatch;

use crate::controller::runtime::clock::WallClocks;
use crate::domain::Approval;

/// An annotation with this value approves whenever the object is deleted.
const ALWAYS: &str = "always";
/// What [`until`] makes of [`ALWAYS`].
const FOREVER: u32 = u32::MAX;

/// What is read of an object beside what it says itself.
#[derive(Debug, Default)]
pub struct Approvals {
    /// For how long it has been leaving.
    pub walls: WallClocks,
    /// Namespaces whose objects need no approval, as patterns.
    pub namespaces: Vec<WildMatch>,
}

impl Approvals {
    /// Whether the deletion of an object of `namespace` may go without being counted. `annotation`: what it says of that.
    pub fn of(&self, namespace: &str, annotation: Option<&str>) -> Approval {
        if self.namespaces.iter().any(|pattern| pattern.matches(namespace)) {
            return Approval::Given;
        }
        let Some(text) = annotation else { return Approval::None };
        match until(text) {
            None => Approval::Unreadable(text.to_owned()),
            // A clock that is behind would let pass what has ended.
            Some(until) if until == FOREVER || i64::from(until) > self.walls.latest() => Approval::Given,
            Some(_) => Approval::Past(text.to_owned()),
        }
    }
}

/// The second of 1970's count until which an annotation approves; `None`: it says neither a time nor `always`.
pub fn until(text: &str) -> Option<u32> {
    if text == ALWAYS {
        return Some(FOREVER);
    }
    let seconds = text.parse::<Timestamp>().ok()?.as_second();
    Some(u32::try_from(seconds.max(0)).unwrap_or(FOREVER - 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(approved: Option<&str>, patterns: &[&str]) -> Approval {
        let namespaces = patterns.iter().map(|pattern| WildMatch::new(pattern)).collect();
        Approvals { walls: WallClocks::default(), namespaces }.of("pr-7", approved)
    }

    #[test]
    fn r20_an_annotation_approves_until_its_time_or_always() {
        let hour = Timestamp::now() + k8s_openapi::jiff::SignedDuration::from_hours(1);
        let past = "2026-01-01T00:00:00Z";
        assert_eq!(of(None, &[]), Approval::None);
        assert_eq!(of(Some(&hour.to_string()), &[]), Approval::Given);
        assert_eq!(of(Some("2999-01-01T00:00:00+02:00"), &[]), Approval::Given);
        assert_eq!(of(Some("always"), &[]), Approval::Given);
        assert_eq!(of(Some(past), &[]), Approval::Past(past.to_owned()));
        for unreadable in ["", "yes", "Always", "2999-01-01", "1h"] {
            assert_eq!(of(Some(unreadable), &[]), Approval::Unreadable(unreadable.to_owned()), "{unreadable}");
        }
    }

    #[test]
    fn r20_a_namespace_approves_by_its_name() {
        assert_eq!(of(None, &["shop", "pr-*"]), Approval::Given);
        assert_eq!(of(None, &["shop", "pr", "r-7", "pr-?7"]), Approval::None);
    }
}
