//! What writing a spec over what Unkey stores would lose (R3, R18): by path, never by value.

use super::content::{Content, Limit, Limits, META, Meta, RATELIMITS, same};
use std::collections::BTreeSet;
use std::fmt;

/// So many paths are named; the rest is a number.
const MAX_PATHS: usize = 10;
/// So many characters of a key or a name are shown.
const MAX_NAME: usize = 64;

/// The paths of what would be removed or changed, fit for a message: bounded, escaped, in one order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Losses {
    paths: BTreeSet<String>,
    more: usize,
    /// Keys and limits that are not named, since the spec does not name them.
    unnamed: usize,
}

/// True if writing the managed fields of `desired` over `stored` loses nothing: every stored top-level meta key is
/// desired with an equal value, and every stored limit name with equal values. An unmanaged field is never a loss.
pub fn lossless(meta: Option<&Meta>, limits: Option<&Limits>, stored: &Content) -> bool {
    let meta_kept = meta.is_none_or(|wanted| lost_of_meta(wanted, &stored.meta).next().is_none());
    let limits_kept = limits.is_none_or(|wanted| lost_of_limits(wanted, &stored.limits).next().is_none());
    meta_kept && limits_kept
}

/// Top-level keys that are not wanted with an equal value.
fn lost_of_meta<'a>(wanted: &'a Meta, stored: &'a Meta) -> impl Iterator<Item = &'a str> {
    let kept = |key: &str, value| wanted.as_map().get(key).is_some_and(|wanted| same(wanted, value));
    stored.as_map().iter().filter(move |(key, value)| !kept(key, value)).map(|(key, _)| key.as_str())
}

/// Limits that are not wanted with equal values, each with what is wanted in its place.
fn lost_of_limits<'a>(
    wanted: &'a Limits,
    stored: &'a Limits,
) -> impl Iterator<Item = (&'a str, &'a Limit, Option<&'a Limit>)> {
    let beside = |(name, limit): (&'a String, &'a Limit)| (name.as_str(), limit, wanted.as_map().get(name));
    stored.as_map().iter().map(beside).filter(|(_, limit, wanted)| *wanted != Some(*limit))
}

impl Losses {
    /// What writing these managed fields over somebody else's identity would remove or change. Only what the spec itself names is named: who
    /// may create an `Identity` must not read the keys of another tenant's meta there.
    pub fn of_foreign(meta: Option<&Meta>, limits: Option<&Limits>, stored: &Content) -> Self {
        let mut losses = Self::default();
        if let Some(meta) = meta {
            for key in lost_of_meta(meta, &stored.meta) {
                losses.add_if(meta.as_map().contains_key(key), || vec![meta_path(key)]);
            }
        }
        if let Some(limits) = limits {
            for (name, limit, wanted) in lost_of_limits(limits, &stored.limits) {
                losses.add_if(wanted.is_some(), || limit_paths(name, limit, wanted));
            }
        }
        losses
    }

    fn add_if(&mut self, is_named: bool, paths: impl FnOnce() -> Vec<String>) {
        if is_named {
            for path in paths() {
                self.add(path);
            }
        } else {
            self.unnamed += 1;
        }
    }

    /// What writing `wanted` over `stored` removes or changes.
    pub fn of_meta(wanted: &Meta, stored: &Meta) -> Self {
        let mut losses = Self::default();
        for key in lost_of_meta(wanted, stored) {
            losses.add(meta_path(key));
        }
        losses
    }

    /// The same of rate limits: a limit that goes by its name, one that changes by what changes of it.
    pub fn of_limits(wanted: &Limits, stored: &Limits) -> Self {
        let mut losses = Self::default();
        for (name, limit, wanted) in lost_of_limits(wanted, stored) {
            for path in limit_paths(name, limit, wanted) {
                losses.add(path);
            }
        }
        losses
    }

    /// Both.
    #[must_use]
    pub fn and(mut self, other: Self) -> Self {
        self.more += other.more;
        self.unnamed += other.unnamed;
        other.paths.into_iter().for_each(|path| self.add(path));
        self
    }

    /// True if nothing would be lost.
    pub fn is_empty(&self) -> bool {
        self.paths.is_empty() && self.unnamed == 0
    }

    fn add(&mut self, path: String) {
        self.paths.insert(path);
        if self.paths.len() > MAX_PATHS {
            self.paths.pop_last();
            self.more += 1;
        }
    }
}

impl fmt::Display for Losses {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, path) in self.paths.iter().enumerate() {
            write!(f, "{}{path}", if at > 0 { ", " } else { "" })?;
        }
        if self.more > 0 {
            write!(f, " and {} more", self.more)?;
        }
        let and = if self.paths.is_empty() { "" } else { " and " };
        match self.unnamed {
            0 => Ok(()),
            1 => write!(f, "{and}1 value that the spec does not name"),
            unnamed => write!(f, "{and}{unnamed} values that the spec does not name"),
        }
    }
}

/// The path of a key of meta.
pub(super) fn meta_path(key: &str) -> String {
    if is_plain(key) { format!("{META}.{key}") } else { format!("{META}[{}]", quoted(key)) }
}

/// The path of a rate limit.
pub(super) fn limit_path(name: &str) -> String {
    let name = if is_plain(name) { name.to_owned() } else { quoted(name) };
    format!("{RATELIMITS}[{name}]")
}

/// The paths of what differs between two rate limits of one name; that of the whole limit if there is no other.
pub(super) fn limit_paths(name: &str, one: &Limit, other: Option<&Limit>) -> Vec<String> {
    let path = limit_path(name);
    let Some(other) = other else { return vec![path] };
    let parts = [
        ("limit", one.limit != other.limit),
        ("duration", one.duration != other.duration),
        ("autoApply", one.auto_apply != other.auto_apply),
    ];
    let changed = parts.into_iter().filter(|(_, changes)| *changes);
    changed.map(|(part, _)| format!("{path}.{part}")).collect()
}

/// It can stand in a path as it is.
fn is_plain(name: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
    (1..=MAX_NAME).contains(&name.len()) && name.chars().all(plain)
}

/// In quotes, shortened, and with whatever does not print escaped.
fn quoted(name: &str) -> String {
    let shown: String = name.chars().take(MAX_NAME).collect();
    let cut = if shown.len() < name.len() { "…" } else { "" };
    format!("\"{}{cut}\"", shown.escape_debug())
}
