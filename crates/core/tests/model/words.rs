//! The few words that the model needs, made once: uids, ids, contents, wishes. Small numbers stand for them in the state.

use std::sync::LazyLock;

use unkey_operator_api::{AdoptionPolicy, DeletionPolicy, ManagementPolicy};
use unkey_operator_core::{
    Confirmed, Content, Controls, Desired, ExternalId, IdentityId, Limits, Meta, Spec, SpecError, Uid, lossless,
};

/// The one externalId of the model: reconciles over different ones share nothing but the root key.
pub const EXTERNAL_ID: &str = "e";

/// Uids and ids that a history can use up; the budgets keep it far below.
const MANY: u8 = 32;

static UIDS: LazyLock<Vec<Uid>> = LazyLock::new(|| (0..MANY).map(|n| Uid::new(&format!("u{n}"))).collect());
static IDS: LazyLock<Vec<String>> = LazyLock::new(|| (0..MANY).map(|n| format!("id{n}")).collect());
static NAME: LazyLock<ExternalId> = LazyLock::new(|| ExternalId::new(EXTERNAL_ID));
static DESIRED: LazyLock<Vec<Desired>> = LazyLock::new(|| Fill::ALL.iter().map(|fill| fill.read()).collect());
static CONTENTS: LazyLock<Vec<Content>> = LazyLock::new(|| {
    let metas = [Fill::Empty, Fill::A, Fill::B].map(|fill| fill.read().meta.unwrap_or_default());
    let limits = [Fill::Empty, Fill::X, Fill::Y, Fill::Xy].map(|fill| fill.read().limits.unwrap_or_default());
    metas.iter().flat_map(|meta| limits.iter().map(|limits| (meta.clone(), limits.clone()))).map(held).collect()
});

fn held((meta, limits): (Meta, Limits)) -> Content {
    Content { meta, limits }
}

pub fn external_id() -> ExternalId {
    NAME.clone()
}

pub fn uid(n: u8) -> Uid {
    UIDS[usize::from(n)].clone()
}

pub fn id(n: u8) -> &'static str {
    &IDS[usize::from(n)]
}

/// The number of an id of the model.
pub fn number_of(id: &IdentityId) -> u8 {
    id.as_str().trim_start_matches("id").parse().expect("an id of the model")
}

pub fn confirmed(n: u8) -> Confirmed {
    Confirmed::from_create(&external_id(), id(n)).expect("an id")
}

/// The content that a spec asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Fill {
    /// Neither meta nor rate limits.
    Empty,
    A,
    B,
    X,
    Y,
    /// Only to make contents of.
    Xy,
    /// Both A and X.
    Ax,
}

impl Fill {
    const ALL: [Self; 7] = [Self::Empty, Self::A, Self::B, Self::X, Self::Y, Self::Xy, Self::Ax];

    fn read(self) -> Desired {
        let limit = |name: &str| format!(r#"{{"name":"{name}","limit":1,"duration":1000}}"#);
        let text = match self {
            Self::Empty => String::new(),
            Self::A => r#","meta":{"plan":"a"}"#.to_owned(),
            Self::B => r#","meta":{"plan":"b"}"#.to_owned(),
            Self::X => format!(r#","ratelimits":[{}]"#, limit("xxx")),
            Self::Y => format!(r#","ratelimits":[{}]"#, limit("yyy")),
            Self::Xy => format!(r#","ratelimits":[{},{}]"#, limit("xxx"), limit("yyy")),
            Self::Ax => format!(r#","meta":{{"plan":"a"}},"ratelimits":[{}]"#, limit("xxx")),
        };
        Spec::read(&format!(r#"{{"externalId":"{EXTERNAL_ID}"{text}}}"#)).desired.expect("a valid spec")
    }

    pub fn desired(self) -> &'static Desired {
        &DESIRED[self as usize]
    }

    /// What a create of it stores.
    pub fn stored(self) -> Stored {
        let desired = self.desired();
        Stored {
            meta: desired.meta.as_ref().map_or(0, meta_code),
            limits: desired.limits.as_ref().map_or(0, limits_code),
        }
    }
}

/// A content as Unkey holds it: which meta, which rate limits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Stored {
    /// 0: `{}`; 1: A; 2: B.
    pub meta: u8,
    /// Bit 0: X; bit 1: Y.
    pub limits: u8,
}

impl Stored {
    pub const EMPTY: Self = Self { meta: 0, limits: 0 };

    pub fn content(self) -> &'static Content {
        &CONTENTS[usize::from(self.meta * 4 + self.limits)]
    }

    pub fn is_empty(self) -> bool {
        self == Self::EMPTY
    }
}

/// The fields, as bits.
pub const META: u8 = 1;
pub const LIMITS: u8 = 2;

/// The fields that a spec names.
pub fn named(desired: &Desired) -> u8 {
    (if desired.meta.is_some() { META } else { 0 }) | (if desired.limits.is_some() { LIMITS } else { 0 })
}

pub fn meta_code(meta: &Meta) -> u8 {
    match meta.as_map().get("plan").and_then(|plan| plan.as_str()) {
        None => 0,
        Some("a") => 1,
        Some(_) => 2,
    }
}

pub fn limits_code(limits: &Limits) -> u8 {
    let has = |name: &str| u8::from(limits.as_map().contains_key(name));
    has("xxx") + 2 * has("yyy")
}

/// What a user asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Wish {
    pub fill: Fill,
    pub controls: Controls,
    pub invalid: bool,
}

impl Wish {
    pub const fn of(fill: Fill) -> Self {
        Self {
            fill,
            controls: Controls { adoption: None, deletion: None, management: None, suspend: false },
            invalid: false,
        }
    }

    pub const fn adoption(mut self, policy: AdoptionPolicy) -> Self {
        self.controls.adoption = Some(policy);
        self
    }

    pub const fn orphan(mut self) -> Self {
        self.controls.deletion = Some(DeletionPolicy::Orphan);
        self
    }

    pub const fn observed(mut self) -> Self {
        self.controls.management = Some(ManagementPolicy::Observe);
        self
    }

    /// It is only observed (R21).
    pub fn observes(self) -> bool {
        self.controls.management == Some(ManagementPolicy::Observe)
    }

    pub const fn suspended(mut self) -> Self {
        self.controls.suspend = true;
        self
    }

    pub const fn invalid(mut self) -> Self {
        self.invalid = true;
        self
    }

    pub fn spec(self) -> Result<Desired, SpecError> {
        if self.invalid { Err(SpecError::MetaTooDeep { levels: 101 }) } else { Ok(self.fill.desired().clone()) }
    }

    /// True if `stored` is what this asks for, in the managed fields.
    pub fn holds(self, stored: Stored) -> bool {
        let desired = self.fill.desired();
        desired.missing_from(&desired.managed_of(stored.content())).is_none()
    }

    /// True if the adoption policy lets an object with this wish take an identity that holds `stored` (R3).
    pub fn may_take(self, stored: Stored) -> bool {
        match self.controls.adoption.unwrap_or(AdoptionPolicy::IfLossless) {
            AdoptionPolicy::Never => false,
            AdoptionPolicy::Always => true,
            AdoptionPolicy::IfLossless => self.fill.desired().keeps(stored.content()),
        }
    }

    /// The fields that it names.
    pub fn named(self) -> u8 {
        if self.invalid { 0 } else { named(self.fill.desired()) }
    }

    /// True if writing these fields over `stored` loses nothing, or may (R18).
    pub fn may_write(self, fields: u8, stored: Stored) -> bool {
        let desired = self.fill.desired();
        let meta = desired.meta.as_ref().filter(|_| fields & META != 0);
        let limits = desired.limits.as_ref().filter(|_| fields & LIMITS != 0);
        self.controls.adoption == Some(AdoptionPolicy::Always) || lossless(meta, limits, stored.content())
    }

    /// The fields of `stored` that are as this asks for.
    pub fn finds(self, stored: Stored) -> u8 {
        let wants = self.fill.stored();
        let same = |bit: u8, equal: bool| if equal { bit } else { 0 };
        self.named() & (same(META, wants.meta == stored.meta) | same(LIMITS, wants.limits == stored.limits))
    }

    pub fn adopts(self) -> bool {
        self.controls.adoption != Some(AdoptionPolicy::Never)
    }

    pub fn keeps_on_delete(self) -> bool {
        self.controls.deletion == Some(DeletionPolicy::Orphan)
    }
}
