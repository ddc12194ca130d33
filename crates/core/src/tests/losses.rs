//! What would be lost, by path: all of it, none of its values, and fit for a message.

use proptest::prelude::*;

use super::any::contents;
use super::*;

fn of_meta(wanted: &str, stored: &str) -> String {
    Losses::of_meta(&meta(wanted), &meta(stored)).to_string()
}

#[test]
fn top_level_keys_of_meta_are_named() {
    assert_eq!(
        of_meta(r#"{"plan":"pro"}"#, r#"{"stripeCustomerId":"cus","email":"e"}"#),
        "meta.email, meta.stripeCustomerId"
    );
    assert_eq!(of_meta(r#"{"a":{"b":1},"new":2}"#, r#"{"a":{"b":1,"c":2},"n":null}"#), "meta.a, meta.n");
    assert_eq!(of_meta(r#"{"a":1.0,"more":1}"#, r#"{"a":1}"#), "");
    assert!(Losses::of_meta(&meta(r#"{"a":1}"#), &meta("{}")).is_empty());
}

#[test]
fn limits_are_named_with_what_changes_of_them() {
    let stored = limits(&[("requests", 10, 1000, false), ("with space", 1, 1000, true), ("same", 1, 1000, true)]);
    let wanted = limits(&[("requests", 5, 2000, true), ("same", 1, 1000, true), ("new", 1, 1000, false)]);
    let losses = Losses::of_limits(&wanted, &stored);
    let expected = "ratelimits[\"with space\"], ratelimits[requests].autoApply, ratelimits[requests].duration, ratelimits[requests].limit";
    assert_eq!(losses.to_string(), expected);
    let both = Losses::of_meta(&meta("{}"), &meta(r#"{"a":1}"#)).and(losses);
    assert_eq!(both.to_string(), format!("meta.a, {expected}"));
}

/// Another client's keys are another client's text: bounded, and nothing that a terminal or a reader could fall for.
#[test]
fn names_are_bounded_and_escaped() {
    let keys: Vec<String> = (0..100).map(|n| format!("\"k{n:02}\":0")).collect();
    let many = of_meta("{}", &format!("{{{}}}", keys.join(",")));
    assert!(many.starts_with("meta.k00, ") && many.ends_with("meta.k09 and 90 more"), "{many}");
    let long = of_meta("{}", &format!(r#"{{"{}":1}}"#, "x".repeat(5_000)));
    assert_eq!(long, format!("meta[\"{}…\"]", "x".repeat(64)));
    let odd = of_meta("{}", r#"{"":1,"a.b":1,"\u001b[2J\n":1,"q\"uo":1,"\u202e":1,"日本":1}"#);
    assert!(!odd.chars().any(|c| c.is_control() || c == '\u{202e}'), "{odd:?}");
    for named in [r#"meta[""]"#, r#"meta["a.b"]"#, r#"meta["\u{1b}[2J\n"]"#, r#"meta["q\"uo"]"#, r#"meta["日本"]"#] {
        assert!(odd.contains(named), "{named} in {odd}");
    }
    // Both fields at their bounds together.
    let named: Vec<(String, i64, i64, bool)> = (0..50).map(|n| (format!("l{n:02}"), 1, 1000, false)).collect();
    let named: Vec<_> = named.iter().map(|(name, a, b, c)| (name.as_str(), *a, *b, *c)).collect();
    let stored = meta(&format!("{{{}}}", keys.join(",")));
    let all = Losses::of_meta(&Meta::default(), &stored).and(Losses::of_limits(&Limits::default(), &limits(&named)));
    assert!(all.to_string().ends_with(" and 140 more"), "{all}");
}

/// Somebody else's keys are not named to who only guesses: what the spec names is, the rest is a number.
#[test]
fn of_somebody_elses_identity_only_what_the_spec_names_is_named() {
    let stored = Content {
        meta: meta(r#"{"plan":"pro","secret":"s","email":"e"}"#),
        limits: limits(&[("requests", 10, 1000, false), ("theirs", 1, 1000, false)]),
    };
    let told = |wanted: Option<&str>, named: &[(&str, i64, i64, bool)]| {
        let (wanted, named) = (wanted.map(meta), limits(named));
        Losses::of_foreign(wanted.as_ref(), Some(&named), &stored).to_string()
    };
    assert_eq!(
        told(Some(r#"{"plan":"free"}"#), &[("requests", 5, 1000, false)]),
        "meta.plan, ratelimits[requests].limit and 3 values that the spec does not name"
    );
    assert_eq!(told(None, &[("requests", 10, 1000, false)]), "1 value that the spec does not name");
    assert_eq!(told(None, &[("requests", 10, 1000, false), ("theirs", 2, 1000, false)]), "ratelimits[theirs].limit");
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    /// The paths are empty exactly if the yes or no of R3 is yes.
    #[test]
    fn there_is_a_path_for_whatever_is_lost(wanted in contents(), stored in contents()) {
        let losses = Losses::of_meta(&wanted.meta, &stored.meta).and(Losses::of_limits(&wanted.limits, &stored.limits));
        let lossless = lossless(Some(&wanted.meta), Some(&wanted.limits), &stored);
        prop_assert_eq!(losses.is_empty(), lossless);
        let foreign = Losses::of_foreign(Some(&wanted.meta), Some(&wanted.limits), &stored);
        prop_assert_eq!(foreign.is_empty() && foreign.to_string().is_empty(), lossless);
    }
}
