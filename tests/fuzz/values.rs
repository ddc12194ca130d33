//! What is tried on each property, and what has to become of it.
//!
//! Bounds, words and types come from the schema; what cannot be read from a schema (characters, depth, bytes, rules) is told here, property by
//! property. A property, a rule or a pattern that is not known here is an error.

mod limits;
mod meta;
mod scalars;
mod texts;

use std::fmt;
use std::sync::Arc;

use super::schema::{Node, Property};

pub use limits::{nudged as nudged_limits, random as random_limits};
pub use meta::{nudged as nudged_meta, random as random_meta};

/// What has to become of a spec that holds this value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It is stored and carried out.
    Taken,
    /// The API server refuses it.
    Refused,
    /// The API server stores it, and the operator says `InvalidSpec`.
    Stalled,
}

/// A value as JSON text.
#[derive(Clone)]
pub enum Text {
    /// The property is left out.
    Absent,
    /// This.
    Is(Arc<str>),
    /// One of its own for each chain, by its number.
    Of(fn(usize) -> String),
}

/// One value of one property.
#[derive(Clone)]
pub struct Case {
    /// The property of the spec that is set.
    pub property: String,
    /// What in it is tried.
    pub path: String,
    /// What it is, for people.
    pub label: String,
    /// The value of the whole property.
    pub text: Text,
    /// What has to become of it.
    pub fate: Fate,
    /// So large that it is tried seldom and not kept.
    pub heavy: bool,
}

impl Case {
    fn new(property: &Property, label: impl Into<String>, text: Text, fate: Fate) -> Self {
        let path = property.path.clone();
        let top = path.split(['.', '[']).next().unwrap_or_default().to_owned();
        Self { property: top, path, label: label.into(), text, fate, heavy: false }
    }

    /// A value that is taken and that no list of cases has.
    pub fn some(property: &str, label: &str, text: String) -> Self {
        let (path, label) = (property.to_owned(), label.to_owned());
        Self { property: path.clone(), path, label, text: is(text), fate: Fate::Taken, heavy: false }
    }

    /// The value for that chain; `None`: left out.
    pub fn text(&self, chain: usize) -> Option<Arc<str>> {
        match &self.text {
            Text::Absent => None,
            Text::Is(text) => Some(Arc::clone(text)),
            Text::Of(text) => Some(Arc::from(text(chain))),
        }
    }
}

impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {} ({:?})", self.path, self.label, self.fate)
    }
}

/// Everything to try on a spec of these properties.
pub fn domain(properties: &[Property]) -> Result<Vec<Case>, String> {
    let mut cases = Vec::new();
    for property in properties {
        cases.extend(match property.path.as_str() {
            "externalId" => scalars::external_id(property)?,
            "adoptionPolicy" | "deletionPolicy" | "managementPolicy" => scalars::words(property)?,
            "suspend" => scalars::flag(property)?,
            "meta" => meta::cases(property)?,
            "ratelimits" => limits::cases(property)?,
            path => return Err(unknown(path)),
        });
    }
    let stranger = Property {
        path: "workspaceRef".to_owned(),
        name: "workspaceRef".to_owned(),
        required: false,
        node: Node::Free { most: 0 },
        rules: Vec::new(),
    };
    cases.push(Case::new(&stranger, "a field that nobody knows", is("{}"), Fate::Refused));
    Ok(cases)
}

fn unknown(path: &str) -> String {
    format!("spec.{path} is not known: say in tests/fuzz/values.rs what to try on it and in oracle.rs what it leads to")
}

fn is(text: impl Into<Arc<str>>) -> Text {
    Text::Is(text.into())
}

/// A string as JSON text.
fn quoted(text: &str) -> String {
    serde_json::to_string(text).unwrap()
}

impl Property {
    /// Fails if the schema has rules that no case here is about.
    fn has_rules(&self, known: &[&str]) -> Result<(), String> {
        if self.rules == known {
            Ok(())
        } else {
            Err(format!("{}: rules that are not known: {:?}", self.path, self.rules))
        }
    }

    /// Values of every other type, and null: which is as if it were left out.
    fn confusions(&self) -> Vec<(&'static str, &'static str, Fate)> {
        let all = [
            ("null", "null"),
            ("a flag", "true"),
            ("zero", "0"),
            ("a number", "1"),
            ("a fraction", "1.5"),
            ("a text", "\"text\""),
            ("a number as text", "\"1\""),
            ("an empty list", "[]"),
            ("a list", "[1]"),
            ("an empty object", "{}"),
            ("an object", "{\"a\":1}"),
        ];
        let own = |text: &str| match &self.node {
            Node::Text { .. } => text.starts_with('"'),
            Node::Integer { .. } => text == "0" || text == "1",
            Node::Flag => text == "true",
            Node::Free { .. } => text.starts_with('{'),
            Node::List { .. } => text == "[]",
            Node::Words(_) => false,
        };
        let fate = |text: &str| if text == "null" && !self.required { Fate::Taken } else { Fate::Refused };
        all.into_iter().filter(|(_, text)| !own(text)).map(|(label, text)| (label, text, fate(text))).collect()
    }

    /// What every property is tried with: left out, and all that it is not.
    fn basics(&self) -> Vec<Case> {
        let absent = if self.required { Fate::Refused } else { Fate::Taken };
        let confusions = self.confusions().into_iter();
        let mut cases: Vec<Case> =
            confusions.map(|(label, text, fate)| Case::new(self, label, is(text), fate)).collect();
        cases.push(Case::new(self, "left out", Text::Absent, absent));
        cases
    }
}
