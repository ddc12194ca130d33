//! What an edit takes from callers: rate limits that leave a spec, and those that apply no longer by themselves. A request to verify a key that names a limit
//! which neither key nor identity has is answered with HTTP 412; whoever names none is no longer limited by one without `autoApply`.

use std::collections::BTreeSet;

use super::content::Limits;

/// Names of rate limits.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct VanishedLimits {
    /// They left the spec.
    pub removed: BTreeSet<String>,
    /// `autoApply` was turned off.
    pub unapplied: BTreeSet<String>,
}

impl VanishedLimits {
    /// From one spec to the next. `None` of a spec: it does not manage limits, so it takes none away.
    pub fn between(before: Option<&Limits>, now: Option<&Limits>) -> Self {
        let (Some(before), Some(now)) = (before, now) else { return Self::default() };
        let mut vanished = Self::default();
        for (name, limit) in before.as_map() {
            match now.as_map().get(name) {
                None => drop(vanished.removed.insert(name.clone())),
                Some(kept) if limit.auto_apply && !kept.auto_apply => drop(vanished.unapplied.insert(name.clone())),
                Some(_) => {}
            }
        }
        vanished
    }

    /// The same after one more edit, whose spec is `now`: what came back did not vanish.
    #[must_use]
    pub fn and(mut self, later: Self, now: Option<&Limits>) -> Self {
        self.removed.extend(later.removed);
        self.unapplied.extend(later.unapplied);
        let Some(now) = now else { return Self::default() };
        self.removed.retain(|name| !now.as_map().contains_key(name));
        self.unapplied.retain(|name| now.as_map().get(name).is_some_and(|limit| !limit.auto_apply));
        self
    }

    /// Nothing vanished.
    pub fn is_empty(&self) -> bool {
        self.removed.is_empty() && self.unapplied.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::super::content::Limit;
    use super::*;

    fn limits(named: &[(&str, bool)]) -> Limits {
        let limit =
            |&(name, auto_apply): &(&str, bool)| (name.to_owned(), Limit { limit: 1, duration: 1_000, auto_apply });
        Limits::new(named.iter().map(limit).collect())
    }

    fn between(before: &[(&str, bool)], now: &[(&str, bool)]) -> VanishedLimits {
        VanishedLimits::between(Some(&limits(before)), Some(&limits(now)))
    }

    fn names(of: &BTreeSet<String>) -> Vec<&str> {
        of.iter().map(String::as_str).collect()
    }

    #[test]
    fn what_leaves_or_applies_no_more_is_named() {
        let vanished = between(
            &[("a", true), ("b", true), ("c", false), ("d", false)],
            &[("b", false), ("c", true), ("e", false)],
        );
        assert_eq!((names(&vanished.removed), names(&vanished.unapplied)), (vec!["a", "d"], vec!["b"]));
        assert!(between(&[("a", true)], &[("a", true), ("b", true)]).is_empty());
    }

    #[test]
    fn a_spec_that_does_not_manage_limits_takes_none_away() {
        let some = limits(&[("a", true)]);
        assert!(VanishedLimits::between(None, Some(&some)).is_empty());
        assert!(VanishedLimits::between(Some(&some), None).is_empty());
    }

    #[test]
    fn what_comes_back_before_it_was_carried_out_did_not_vanish() {
        let first = between(&[("a", true), ("b", true)], &[("b", false)]);
        let now = limits(&[("a", true), ("b", false)]);
        let both = first.clone().and(between(&[("b", false)], &[("a", true), ("b", false)]), Some(&now));
        assert_eq!((names(&both.removed), names(&both.unapplied)), (vec![], vec!["b"]));
        assert!(first.and(VanishedLimits::default(), None).is_empty(), "released");
    }
}
