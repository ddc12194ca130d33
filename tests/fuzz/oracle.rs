//! What has to be true of an object and its identity, told from the specs alone. It shares no code with the operator.

use std::collections::BTreeMap;

use serde_json::{Map, Value};
use unkey_emulator::{IdentityView, RatelimitView, Seed};

use super::chain::{Spec, short};
use super::values::Fate;

/// How an accepted spec has to be reported.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Ready, and Unkey holds it.
    Synced,
    /// Told to do nothing.
    Suspended,
    /// It cannot be sent.
    Invalid,
    /// An identity is there that the policy leaves alone.
    Exists,
    /// A field that the spec begins to name holds what the policy leaves alone.
    Loses,
    /// Only observed (R21), and this is what Enforce would do.
    Observes(Outlook),
}

/// What Enforce would do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outlook {
    /// Nothing.
    Nothing,
    /// An update.
    Update,
    /// A create.
    Create,
    /// It would write nothing, and report this reason.
    Refuse(&'static str),
}

impl Verdict {
    /// The reason of the conditions.
    pub fn reason(self) -> &'static str {
        match self {
            Self::Synced => "Synced",
            Self::Suspended => "Suspended",
            Self::Invalid => "InvalidSpec",
            Self::Exists => "AlreadyExists",
            Self::Loses => "WouldLose",
            Self::Observes(Outlook::Nothing) => "Observed",
            Self::Observes(Outlook::Update) => "Differs",
            Self::Observes(Outlook::Create) => "NotInUnkey",
            Self::Observes(Outlook::Refuse(_)) => "WouldRefuse",
        }
    }

    /// Ready is true: Unkey holds what the spec asks for.
    pub fn is_ready(self) -> bool {
        matches!(self, Self::Synced | Self::Observes(Outlook::Nothing))
    }

    /// A condition besides Ready that is true.
    pub fn beside_ready(self) -> Option<&'static str> {
        match self {
            Self::Synced | Self::Observes(_) => None,
            Self::Suspended => Some("Suspended"),
            Self::Invalid | Self::Exists | Self::Loses => Some("Stalled"),
        }
    }
}

/// What an identity holds, numbers of meta as doubles.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Content {
    meta: Map<String, Value>,
    limits: BTreeMap<String, (i64, i64, bool)>,
}

/// An object and its identity as they have to be.
#[derive(Clone)]
pub struct Model {
    /// The last spec that the API server took.
    pub spec: Spec,
    /// The identity under its externalId.
    pub content: Option<Content>,
    /// Whether the object owns it.
    pub owned: bool,
    /// Which fields it manages.
    managed: Names,
}

/// Fields by whether they are meant.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Names {
    meta: bool,
    limits: bool,
}

impl Model {
    /// An object that is about to be made, and what is in Unkey.
    pub fn new(spec: Spec, prior: Option<&[String; 2]>) -> Self {
        let content = prior.map(|[meta, limits]| Content { meta: meta_of(meta), limits: limits_of(limits) });
        Self { spec, content, owned: false, managed: Names::default() }
    }

    /// The text of a property; null is nothing.
    fn text(&self, property: &str) -> Option<&str> {
        self.spec.get(property).map(|held| &*held.text).filter(|text| *text != "null")
    }

    /// True if the spec says that nothing is to be done.
    pub fn suspended(&self) -> bool {
        self.text("suspend") == Some("true")
    }

    /// True if the spec says that nothing is to be written.
    fn observed(&self) -> bool {
        self.text("managementPolicy") == Some("\"Observe\"")
    }

    /// How the spec has to be reported.
    pub fn verdict(&self) -> Verdict {
        if self.suspended() {
            return Verdict::Suspended;
        }
        match (self.observed(), self.enforced()) {
            (false, enforced) => enforced,
            (true, Verdict::Synced) => Verdict::Observes(self.outlook()),
            (true, refused) => Verdict::Observes(Outlook::Refuse(refused.reason())),
        }
    }

    /// What Enforce would do that refuses nothing.
    fn outlook(&self) -> Outlook {
        let wanted = self.wanted();
        match &self.content {
            None => Outlook::Create,
            Some(there) if wanted.is(there) => Outlook::Nothing,
            Some(_) => Outlook::Update,
        }
    }

    /// How many keys of meta and rate limits there are that the spec does not name.
    pub fn others(&self) -> usize {
        let (wanted, there) = (self.wanted(), self.content.clone().unwrap_or_default());
        let named = |key: &String| wanted.meta.as_ref().is_some_and(|meta| meta.contains_key(key));
        let meta = there.meta.keys().filter(|key| !named(key)).count();
        let named = |name: &String| wanted.limits.as_ref().is_some_and(|limits| limits.contains_key(name));
        meta + there.limits.keys().filter(|name| !named(name)).count()
    }

    /// How it has to be reported under Enforce.
    fn enforced(&self) -> Verdict {
        if self.spec.values().any(|held| held.fate == Fate::Stalled) {
            Verdict::Invalid
        } else if self.content.as_ref().is_some_and(|there| !self.owned && !self.adopts(there)) {
            Verdict::Exists
        } else if self.content.as_ref().is_some_and(|there| self.owned && !self.may_begin(there)) {
            Verdict::Loses
        } else {
            Verdict::Synced
        }
    }

    fn adopts(&self, there: &Content) -> bool {
        match self.text("adoptionPolicy") {
            Some("\"Never\"") => false,
            Some("\"Always\"") => true,
            _ => self.keeps(there, Names::default()),
        }
    }

    /// The fields that the spec begins to name take nothing from what is there, or may.
    fn may_begin(&self, there: &Content) -> bool {
        self.text("adoptionPolicy") == Some("\"Always\"") || self.keeps(there, self.managed)
    }

    /// Nothing would be lost in what the spec names, but for `managed`, which is the object's own.
    fn keeps(&self, there: &Content, managed: Names) -> bool {
        let wanted = self.wanted();
        let meta = wanted.meta.filter(|_| !managed.meta);
        let limits = wanted.limits.filter(|_| !managed.limits);
        meta.is_none_or(|wanted| there.meta.iter().all(|(key, value)| wanted.get(key) == Some(value)))
            && limits.is_none_or(|wanted| there.limits.iter().all(|(name, limit)| wanted.get(name) == Some(limit)))
    }

    fn named(&self) -> Names {
        Names { meta: self.text("meta").is_some(), limits: self.text("ratelimits").is_some() }
    }

    fn wanted(&self) -> Wanted {
        Wanted { meta: self.text("meta").map(meta_of), limits: self.text("ratelimits").map(limits_of) }
    }

    /// Carries the spec out.
    pub fn settle(&mut self) -> Verdict {
        if self.observed() && !self.suspended() {
            // Enforce looks at each field anew before it writes.
            self.managed = Names::default();
        }
        let verdict = self.verdict();
        if verdict == Verdict::Synced {
            let wanted = self.wanted();
            let there = self.content.get_or_insert_default();
            if let Some(meta) = wanted.meta {
                there.meta = meta;
            }
            if let Some(limits) = wanted.limits {
                there.limits = limits;
            }
            self.owned = true;
            self.managed = self.named();
        } else if self.spec.values().all(|held| held.fate != Fate::Stalled) {
            // What is named no more is released, whatever else stands in the way.
            let named = self.named();
            self.managed = Names { meta: self.managed.meta && named.meta, limits: self.managed.limits && named.limits };
        }
        verdict
    }

    /// The object is deleted.
    pub fn delete(&mut self) {
        if self.owned && !self.observed() && self.text("deletionPolicy") != Some("\"Orphan\"") {
            self.content = None;
        }
        (self.owned, self.managed) = (false, Names::default());
    }

    /// What is not as it has to be in Unkey.
    pub fn compare(&self, found: Option<&IdentityView>) -> Result<(), String> {
        let found = found.map(Content::of);
        if found == self.content {
            return Ok(());
        }
        let show = |content: &Option<Content>| short(&format!("{content:?}"));
        Err(format!("Unkey holds {} and not {}", show(&found), show(&self.content)))
    }

    /// Whether all that `before` held in the fields managed here is there again, to the id.
    pub fn restored(&self, before: Option<&IdentityView>, now: Option<&IdentityView>) -> bool {
        let (Some(before), Some(now)) = (before, now) else { return before.is_none() && now.is_none() };
        let (left, right) = (Content::of(before), Content::of(now));
        before.id == now.id
            && (self.text("meta").is_none() || left.meta == right.meta)
            && (self.text("ratelimits").is_none() || left.limits == right.limits)
    }
}

struct Wanted {
    meta: Option<Map<String, Value>>,
    limits: Option<BTreeMap<String, (i64, i64, bool)>>,
}

impl Wanted {
    fn is(&self, there: &Content) -> bool {
        self.meta.as_ref().is_none_or(|meta| *meta == there.meta)
            && self.limits.as_ref().is_none_or(|limits| *limits == there.limits)
    }
}

impl Content {
    /// As another client would make it.
    pub fn seed(&self, external_id: &str) -> Seed {
        let limits = self.limits.iter().map(|(name, (limit, duration, auto_apply))| RatelimitView {
            id: String::new(),
            name: name.clone(),
            limit: *limit,
            duration: *duration,
            auto_apply: *auto_apply,
        });
        Seed { external_id: external_id.to_owned(), meta: Some(self.meta.clone()), ratelimits: Some(limits.collect()) }
    }

    fn of(view: &IdentityView) -> Self {
        let limits = view.ratelimits.iter();
        Self {
            meta: view.meta.as_object().cloned().map(doubles).unwrap_or_default(),
            limits: limits.map(|it| (it.name.clone(), (it.limit, it.duration, it.auto_apply))).collect(),
        }
    }
}

fn meta_of(text: &str) -> Map<String, Value> {
    // Half of a pair is no character: the API server stores the replacement in its place, as Go does.
    doubles(serde_json::from_str(&text.replace("\\ud800", "\u{fffd}")).expect("a meta that is taken"))
}

/// Unkey keeps every number as a double, and no sign of zero.
fn doubles(object: Map<String, Value>) -> Map<String, Value> {
    object.into_iter().map(|(key, value)| (key, double(value))).collect()
}

fn double(value: Value) -> Value {
    match value {
        Value::Number(number) => (number.as_f64().expect("a number that is taken") + 0.0).into(),
        Value::Array(items) => items.into_iter().map(double).collect(),
        Value::Object(object) => Value::Object(doubles(object)),
        other => other,
    }
}

fn limits_of(text: &str) -> BTreeMap<String, (i64, i64, bool)> {
    let items: Vec<Value> = serde_json::from_str(text).expect("limits that are taken");
    let whole = |number: &Value| {
        let exact = number.as_i64();
        // The API server stores 6e4 and 60000.0 as 60000.
        exact.unwrap_or_else(|| format!("{:.0}", number.as_f64().unwrap()).parse().unwrap())
    };
    items
        .iter()
        .map(|item| {
            let auto_apply = item["autoApply"] == true;
            (item["name"].as_str().unwrap().to_owned(), (whole(&item["limit"]), whole(&item["duration"]), auto_apply))
        })
        .collect()
}
