//! What an event is called, and which of them is one with an earlier one. No clock, no IO.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use crate::domain::Uid;

/// The API server's limit of a name, in bytes.
const MAX_NAME: usize = 253;
/// A full stop and sixteen hexadecimal digits.
const NUMBER: usize = 17;
/// What was last told longer ago than this begins a series of its own.
const KEPT: Duration = Duration::from_secs(360);
/// How often what is older is forgotten.
const SWEEP: Duration = Duration::from_secs(60);

/// What is told. Two events that do not differ in it are one, told twice.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Said {
    /// The object it is told of.
    pub uid: Uid,
    /// A person must act.
    pub is_warning: bool,
    /// One word.
    pub reason: String,
    /// What it is about.
    pub action: String,
}

#[derive(Debug)]
struct Published {
    name: String,
    count: i32,
    last: Instant,
}

/// The events that were told a short while ago.
#[derive(Debug, Default)]
pub struct Series {
    published: HashMap<Said, Published>,
    swept: Option<Instant>,
    /// The last number given out.
    number: u64,
}

impl Series {
    /// The event that said the same a short while ago, and how often it will have been told with this time.
    pub fn again(&self, said: &Said, now: Instant) -> Option<(String, i32)> {
        let published = self.published.get(said).filter(|it| it.is_kept(now))?;
        Some((published.name.clone(), published.count.saturating_add(1)))
    }

    /// A name for a new event about the object called `object`, given out by this process only once. `nanos`: since 1970.
    pub fn name(&mut self, object: &str, nanos: u64) -> String {
        self.number = nanos.max(self.number.saturating_add(1));
        format!("{}.{:016x}", beginning(object), self.number)
    }

    /// The event called `name` has been told `count` times.
    pub fn told(&mut self, said: Said, name: String, count: i32, now: Instant) {
        if self.swept.is_none_or(|swept| now.saturating_duration_since(swept) >= SWEEP) {
            self.swept = Some(now);
            self.published.retain(|_, published| published.is_kept(now));
        }
        self.published.insert(said, Published { name, count, last: now });
    }
}

impl Published {
    fn is_kept(&self, now: Instant) -> bool {
        now.saturating_duration_since(self.last) < KEPT
    }
}

/// As much of an object's name as leaves room for a number. What stands before a full stop has to end in a letter or digit.
fn beginning(object: &str) -> &str {
    let fits = object.get(..MAX_NAME - NUMBER).unwrap_or(object);
    fits.trim_end_matches(|last: char| !last.is_ascii_alphanumeric())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(about: &str) -> Said {
        Said { uid: Uid::new("u"), is_warning: false, reason: "Adopted".to_owned(), action: about.to_owned() }
    }

    /// As the API server checks it: labels of letters, digits and '-', which begin and end with a letter or digit.
    fn is_valid(name: &str) -> bool {
        let label = |label: &str| {
            let edge = |at: Option<char>| at.is_some_and(|it| it.is_ascii_lowercase() || it.is_ascii_digit());
            edge(label.chars().next())
                && edge(label.chars().last())
                && label.chars().all(|it| it.is_ascii_lowercase() || it.is_ascii_digit() || it == '-')
        };
        name.len() <= MAX_NAME && name.split('.').all(label)
    }

    #[test]
    fn every_valid_name_of_an_object_makes_valid_names_of_events() {
        let mut series = Series::default();
        for length in 1..=MAX_NAME {
            for joint in ["", "-", ".", "--", "-.-a-", "."] {
                // The joint stands wherever the name may be cut.
                for before in [length, 218, 233, 234, 235, 236] {
                    let head = "a".repeat(before.min(length).saturating_sub(joint.len() + 1));
                    let object =
                        format!("{head}{joint}{}", "b".repeat(length.saturating_sub(head.len() + joint.len())));
                    if object.len() != length || !is_valid(&object) {
                        continue;
                    }
                    let name = series.name(&object, u64::MAX / 2);
                    assert!(is_valid(&name), "{name} of {object}");
                    let kept = length.min(MAX_NAME - NUMBER - joint.len());
                    assert!(name.starts_with(&object[..kept]), "as much as can be is kept: {name} of {object}");
                }
            }
        }
    }

    #[test]
    fn no_name_is_given_out_twice_whatever_the_clock_says() {
        let mut series = Series::default();
        let long = "a".repeat(MAX_NAME);
        let mut names: Vec<String> = [5, 5, 5, 4, 0, 9, 6].map(|nanos| series.name(&long, nanos)).into_iter().collect();
        let count = names.len();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), count);
    }

    #[test]
    fn what_is_told_again_within_minutes_is_one_event() {
        let (mut series, now) = (Series::default(), Instant::now());
        assert_eq!(series.again(&said("a"), now), None);
        series.told(said("a"), "first".to_owned(), 1, now);
        assert_eq!(series.again(&said("a"), now), Some(("first".to_owned(), 2)));
        assert_eq!(series.again(&said("b"), now), None, "about something else");
        series.told(said("a"), "first".to_owned(), 2, now + KEPT / 2);
        assert_eq!(series.again(&said("a"), now + KEPT), Some(("first".to_owned(), 3)));
        assert_eq!(series.again(&said("a"), now + KEPT / 2 + KEPT), None, "too long ago");
        series.told(said("b"), "second".to_owned(), 1, now + KEPT * 3);
        assert_eq!(series.published.len(), 1, "what is over is forgotten");
    }
}
