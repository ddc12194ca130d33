//! The configurations: who takes part, what may go wrong and how often. Each is explored exhaustively within these bounds.

use std::sync::Arc;

use unkey_operator::api::AdoptionPolicy::{Always, Never};

use unkey_operator::domain::Crd;

use crate::faults::Seeded;
use crate::kube::Kube;
use crate::liveness;
use crate::operator::Operator;
use crate::state::{Budget, State};
use crate::step::Fate;
use crate::unkey::Unkey;
use crate::user::Stranger;
use crate::words::{Fill, Stored, Wish};

/// What users may do, besides edits.
#[derive(Clone, Copy, Debug, Default)]
pub struct May {
    pub create: bool,
    pub restore: bool,
    pub delete: bool,
    pub poke: bool,
    pub strip: bool,
}

/// How it begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Start {
    /// The objects are there and nobody has visited them.
    New,
    /// They are at rest.
    Settled,
    /// Another client's identity is there.
    Taken(Stored),
}

#[derive(Clone, Debug)]
pub struct Config {
    pub name: &'static str,
    pub operators: usize,
    pub slots: usize,
    /// What the first objects ask for.
    pub first: &'static [Wish],
    /// What users may ask for later.
    pub wishes: &'static [Wish],
    pub start: Start,
    pub may: May,
    pub fates: &'static [Fate],
    pub strangers: &'static [Stranger],
    pub budget: Budget,
    pub lag: bool,
    /// The CustomResourceDefinition is watched over (R10), and a user may remove it.
    pub guarded: bool,
    /// The second root key leads to another workspace, where there is nothing (R15).
    pub elsewhere: bool,
    pub stale_start: bool,
    pub seeded: Option<Seeded>,
}

const NONE: Budget = Budget { user: 0, faults: 0, strangers: 0, crashes: 0, cuts: 0, keys: 0 };
const STILL: May = May { create: false, restore: false, delete: false, poke: false, strip: false };
const A: Wish = Wish::of(Fill::A);
const B: Wish = Wish::of(Fill::B);
const A_NEVER: Wish = A.adoption(Never);
const A_ALWAYS: Wish = A.adoption(Always);
const A_SUSPENDED: Wish = A.suspended();
const A_ORPHAN: Wish = A.orphan();
const A_INVALID: Wish = A.invalid();
const EMPTY_NEVER: Wish = EMPTY.adoption(Never);
const HOLDS_A: Stored = Stored { meta: 1, limits: 0 };
const HOLDS_B: Stored = Stored { meta: 2, limits: 0 };
const EMPTY: Wish = Wish::of(Fill::Empty);
const X: Wish = Wish::of(Fill::X);
const Y: Wish = Wish::of(Fill::Y);

impl Config {
    const BASE: Self = Self {
        name: "",
        operators: 1,
        slots: 1,
        first: &[A],
        wishes: &[],
        start: Start::New,
        may: STILL,
        fates: &[],
        strangers: &[],
        budget: NONE,
        lag: false,
        guarded: false,
        elsewhere: false,
        stale_start: false,
        seeded: None,
    };

    /// What a pass begins with.
    pub fn crd(&self) -> Crd {
        if self.guarded { Crd::Unseen } else { Crd::Unguarded }
    }

    pub fn leads_here(&self, key: u8) -> bool {
        !self.elsewhere || key != 1
    }

    pub fn start(&self) -> State {
        let now = 100;
        let mut kube = Kube::default();
        for (slot, wish) in self.first.iter().enumerate() {
            kube.create(slot, *wish);
        }
        let mut unkey = Unkey::default();
        if let Start::Taken(stored) = self.start {
            unkey.make(now - 50, false, stored, None);
        }
        let mut state = State {
            now,
            kube,
            unkey,
            ops: (0..self.operators).map(|_| Arc::new(Operator::start(now - 50, [None, None], 0))).collect(),
            left: NONE,
            excused: 0,
            deleted: 0,
            going: false,
            disturbed: matches!(self.start, Start::Taken(_)),
            broken: None,
            alone: false,
            past: Vec::new(),
            calls: 0,
            sent: 0,
            writes: 0,
        };
        if self.start == Start::Settled {
            state = liveness::settled(&Self { seeded: None, ..self.clone() }, state);
        }
        state.left = self.budget;
        state
    }
}

/// Small enough for every test run.
pub fn quick() -> Vec<Config> {
    let base = Config::BASE;
    vec![
        Config {
            name: "lost requests",
            wishes: &[A, B],
            may: May { delete: true, ..STILL },
            fates: &[Fate::Lost, Fate::EndedBefore, Fate::EndedAfter],
            budget: Budget { user: 1, faults: 1, cuts: 1, ..NONE },
            ..base.clone()
        },
        Config {
            name: "restart everywhere",
            wishes: &[A, B],
            may: May { delete: true, ..STILL },
            fates: &[Fate::Lost],
            budget: Budget { user: 2, faults: 1, crashes: 1, ..NONE },
            stale_start: true,
            ..base.clone()
        },
        Config {
            name: "replica lag",
            wishes: &[A, B],
            may: May { delete: true, poke: true, ..STILL },
            budget: Budget { user: 2, strangers: 1, ..NONE },
            strangers: &[Stranger::Deletes],
            lag: true,
            ..base.clone()
        },
        Config {
            name: "strangers and adoption",
            first: &[A],
            wishes: &[A_NEVER, A_ALWAYS],
            may: May { delete: true, poke: true, ..STILL },
            strangers: &[Stranger::Makes(Stored::EMPTY), Stranger::Deletes, Stranger::Writes(HOLDS_B)],
            budget: Budget { user: 1, strangers: 2, ..NONE },
            ..base.clone()
        },
        Config {
            name: "never adopts",
            first: &[A_NEVER],
            wishes: &[EMPTY_NEVER],
            may: May { delete: true, ..STILL },
            strangers: &[Stranger::Makes(Stored::EMPTY), Stranger::Makes(HOLDS_A)],
            fates: &[Fate::Lost],
            budget: Budget { user: 1, strangers: 1, faults: 1, ..NONE },
            ..base.clone()
        },
        Config {
            name: "suspend, orphan, policy",
            first: &[A],
            wishes: &[A, A_SUSPENDED, A_ORPHAN, A_INVALID],
            may: May { delete: true, ..STILL },
            fates: &[Fate::Lost],
            budget: Budget { user: 2, faults: 1, ..NONE },
            ..base.clone()
        },
        Config {
            name: "two objects, one externalId",
            slots: 2,
            first: &[A, B],
            wishes: &[A],
            may: May { delete: true, ..STILL },
            fates: &[Fate::Lost],
            budget: Budget { user: 1, faults: 1, ..NONE },
            ..base.clone()
        },
        Config {
            name: "two operators",
            operators: 2,
            wishes: &[A, B],
            may: May { delete: true, ..STILL },
            fates: &[Fate::Lost],
            budget: Budget { user: 1, ..NONE },
            ..base.clone()
        },
        Config {
            name: "recreate and replace",
            wishes: &[A, B],
            may: May { delete: true, create: true, strip: true, ..STILL },
            fates: &[Fate::Lost],
            budget: Budget { user: 3, faults: 1, ..NONE },
            start: Start::Settled,
            ..base.clone()
        },
        Config {
            name: "replaced in the middle",
            wishes: &[A],
            may: May { delete: true, create: true, strip: true, ..STILL },
            budget: Budget { user: 3, ..NONE },
            ..base.clone()
        },
        Config {
            name: "restore",
            first: &[],
            wishes: &[A, A_NEVER],
            may: May { delete: true, restore: true, ..STILL },
            start: Start::Taken(HOLDS_B),
            budget: Budget { user: 2, ..NONE },
            ..base.clone()
        },
        Config {
            name: "rate limits",
            first: &[X],
            wishes: &[X, Y],
            lag: true,
            budget: Budget { user: 2, faults: 1, ..NONE },
            fates: &[Fate::EndedAfter],
            ..base.clone()
        },
        Config {
            name: "twice and slow",
            wishes: &[B],
            may: May { delete: true, ..STILL },
            fates: &[Fate::Twice, Fate::Slow, Fate::Unauthorized, Fate::Rejected],
            budget: Budget { user: 1, faults: 1, ..NONE },
            ..base.clone()
        },
        Config {
            name: "root key swapped",
            wishes: &[B],
            may: May { delete: true, ..STILL },
            fates: &[Fate::Unauthorized, Fate::Rejected, Fate::Lost],
            budget: Budget { user: 1, faults: 1, keys: 1, ..NONE },
            ..base.clone()
        },
        Config {
            name: "another workspace's key",
            first: &[A],
            wishes: &[B],
            may: May { delete: true, poke: true, ..STILL },
            start: Start::Settled,
            elsewhere: true,
            budget: Budget { user: 2, keys: 2, ..NONE },
            ..base.clone()
        },
        Config {
            name: "the type is removed",
            slots: 2,
            first: &[A, B],
            may: May { delete: true, ..STILL },
            guarded: true,
            fates: &[Fate::Lost],
            budget: Budget { user: 1, faults: 1, ..NONE },
            ..base
        },
    ]
}
