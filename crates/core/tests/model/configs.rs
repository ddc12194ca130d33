//! The configurations: who takes part, what may go wrong and how often. Each is explored exhaustively within these bounds.

use std::sync::Arc;

use unkey_operator_core::Crd;

use crate::kube::Kube;
use crate::liveness;
use crate::operator::Operator;
use crate::seeded::Seeded;
use crate::state::{Budget, State};
use crate::step::Fate;
use crate::unkey::{Right, Unkey};
use crate::user::Stranger;
use crate::words::{Fill, Stored, Wish};

/// What users may do, besides edits.
#[derive(Clone, Copy, Debug, Default)]
#[allow(clippy::struct_excessive_bools)] // a list of permissions
pub struct May {
    pub create: bool,
    pub restore: bool,
    pub delete: bool,
    pub reconcile_request: bool,
    pub strip: bool,
}

/// How it begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Start {
    /// The objects are there and nobody has reconciled them.
    New,
    /// They are at rest.
    Settled,
    /// Another client's identity is there.
    Taken(Stored),
}

#[derive(Clone, Debug)]
#[allow(clippy::struct_excessive_bools)] // independent circumstances
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
    /// The bounds of every test run; `deep`: of `make model`.
    pub budget: Budget,
    pub deep: Budget,
    pub lag: bool,
    /// The CustomResourceDefinition is watched over (R10), and a user may remove it.
    pub guarded: bool,
    /// The second root key leads to another workspace, where there is nothing (R15).
    pub elsewhere: bool,
    pub stale_start: bool,
    /// A process may start without knowing the objects of one slot.
    pub blind_start: bool,
    /// The definition in the cluster is older than the operators at first.
    pub outdated: bool,
    /// What the root key may lose, one at a time.
    pub rights: &'static [Right],
    /// A missing permission is answered as if there were nothing (R19); else with a 403.
    pub masks: bool,
    /// There is no other identity in the workspace.
    pub alone: bool,
    /// Statuses say that work waits (R24).
    pub tells: bool,
    /// A permit for a call is never there at once.
    pub permits: bool,
    /// A process may be told to end.
    pub drains: bool,
    pub seeded: Option<Seeded>,
}

pub const NONE: Budget = Budget {
    user: 0,
    faults: 0,
    strangers: 0,
    crashes: 0,
    cuts: 0,
    keys: 0,
    lies: 0,
    rewinds: 0,
    refusals: 0,
    rights: 0,
    denials: 0,
};
pub const STILL: May = May { create: false, restore: false, delete: false, reconcile_request: false, strip: false };
const A: Wish = Wish::of(Fill::A);

impl Config {
    pub const BASE: Self = Self {
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
        deep: NONE,
        lag: false,
        guarded: false,
        elsewhere: false,
        stale_start: false,
        blind_start: false,
        outdated: false,
        rights: &[],
        masks: true,
        alone: false,
        tells: false,
        permits: false,
        drains: false,
        seeded: None,
    };

    /// What a reconcile begins with.
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
            kept: 0,
            deleted: [0; 2],
            asked: 0,
            unanswered: 0,
            met: 0,
            going: false,
            denied_type: 0,
            backup: None,
            rewound: false,
            lost: None,
            was_blind: false,
            outdated: false,
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
        state.outdated = self.outdated;
        (state.asked, state.calls, state.sent, state.writes) = (0, 0, 0, 0);
        state
    }
}
