//! Who takes part in each configuration, what may go wrong and how often: in every test run, and in `make model`.

mod outside;

use unkey_operator_api::AdoptionPolicy::{Always, Never};

use crate::configs::{Config, May, NONE, STILL, Start};
use crate::state::Budget;
use crate::step::Fate;
use crate::unkey::Right;
use crate::user::Stranger;
use crate::words::{Fill, Stored, Wish};

const A: Wish = Wish::of(Fill::A);
const B: Wish = Wish::of(Fill::B);
const X: Wish = Wish::of(Fill::X);
const Y: Wish = Wish::of(Fill::Y);
const A_NEVER: Wish = A.adoption(Never);
const B_NEVER: Wish = B.adoption(Never);
const A_ALWAYS: Wish = A.adoption(Always);
const A_SUSPENDED: Wish = A.suspended();
const B_SUSPENDED: Wish = B.suspended();
const A_ORPHAN: Wish = A.orphan();
const A_OBSERVED: Wish = A.observed();
const B_OBSERVED: Wish = B.observed();
const A_INVALID: Wish = A.invalid();
const EMPTY: Wish = Wish::of(Fill::Empty);
const AX: Wish = Wish::of(Fill::Ax);
const EMPTY_NEVER: Wish = Wish::of(Fill::Empty).adoption(Never);
const HOLDS_A: Stored = Stored { meta: 1, limits: 0 };
const HOLDS_B: Stored = Stored { meta: 2, limits: 0 };

const DELETE: May = May { delete: true, ..STILL };
const ASK: May = May { reconcile_request: true, ..DELETE };
const REPLACE: May = May { create: true, strip: true, ..DELETE };
const BASE: Config = Config::BASE;

/// All of them.
pub fn all() -> impl Iterator<Item = &'static Config> {
    OBJECTS.iter().chain(outside::OUTSIDE)
}

const OBJECTS: &[Config] = &[
    Config {
        name: "lost requests",
        tells: true,
        wishes: &[A, B],
        may: DELETE,
        fates: &[Fate::Lost, Fate::EndedBefore, Fate::EndedAfter],
        budget: Budget { user: 1, faults: 1, cuts: 1, ..NONE },
        deep: Budget { user: 2, faults: 2, cuts: 1, ..NONE },
        ..BASE
    },
    Config {
        name: "lost requests, never adopts",
        first: &[A_NEVER],
        wishes: &[B_NEVER],
        may: DELETE,
        fates: &[Fate::Lost],
        budget: Budget { user: 1, faults: 1, cuts: 1, ..NONE },
        deep: Budget { user: 2, faults: 2, cuts: 1, ..NONE },
        ..BASE
    },
    Config {
        name: "restart everywhere",
        tells: true,
        wishes: &[A, B],
        may: DELETE,
        fates: &[Fate::Lost],
        stale_start: true,
        budget: Budget { user: 1, faults: 1, crashes: 1, ..NONE },
        deep: Budget { user: 2, faults: 1, crashes: 1, ..NONE },
        ..BASE
    },
    Config {
        name: "replica lag",
        wishes: &[A, B],
        may: ASK,
        strangers: &[Stranger::Deletes],
        fates: &[Fate::Lost],
        lag: true,
        budget: Budget { user: 2, strangers: 1, ..NONE },
        deep: Budget { user: 2, strangers: 1, faults: 1, ..NONE },
        ..BASE
    },
    Config {
        name: "strangers and adoption",
        wishes: &[A_NEVER, A_ALWAYS],
        may: ASK,
        strangers: &[Stranger::Makes(Stored::EMPTY), Stranger::Deletes, Stranger::Writes(HOLDS_B)],
        fates: &[Fate::Lost],
        budget: Budget { user: 1, strangers: 2, ..NONE },
        deep: Budget { user: 2, strangers: 2, faults: 1, ..NONE },
        ..BASE
    },
    Config {
        name: "never adopts",
        first: &[A_NEVER],
        wishes: &[EMPTY_NEVER],
        may: DELETE,
        strangers: &[Stranger::Makes(Stored::EMPTY), Stranger::Makes(HOLDS_A)],
        fates: &[Fate::Lost],
        budget: Budget { user: 1, strangers: 1, faults: 1, ..NONE },
        deep: Budget { user: 2, strangers: 2, faults: 1, ..NONE },
        ..BASE
    },
    Config {
        name: "met, then edited",
        wishes: &[B, B_NEVER],
        may: DELETE,
        strangers: &[Stranger::Makes(HOLDS_A), Stranger::Makes(Stored::EMPTY)],
        fates: &[Fate::Twice, Fate::Lost],
        budget: Budget { user: 1, strangers: 1, faults: 1, ..NONE },
        deep: Budget { user: 2, strangers: 1, faults: 2, cuts: 1, ..NONE },
        ..BASE
    },
    Config {
        name: "suspend, orphan, policy",
        tells: true,
        wishes: &[A, A_SUSPENDED, A_ORPHAN, A_INVALID],
        may: DELETE,
        fates: &[Fate::Lost],
        budget: Budget { user: 2, faults: 1, ..NONE },
        deep: Budget { user: 3, faults: 2, ..NONE },
        ..BASE
    },
    Config {
        name: "orphaned after a restart",
        wishes: &[A_INVALID, A_ORPHAN],
        may: DELETE,
        start: Start::Settled,
        fates: &[Fate::Refused],
        budget: Budget { user: 3, crashes: 1, ..NONE },
        deep: Budget { user: 3, crashes: 1, cuts: 1, refusals: 1, ..NONE },
        ..BASE
    },
    Config {
        name: "observed and enforced",
        wishes: &[A, A_OBSERVED, B],
        may: DELETE,
        fates: &[Fate::Lost],
        strangers: &[Stranger::Writes(HOLDS_B)],
        budget: Budget { user: 2, faults: 1, ..NONE },
        deep: Budget { user: 3, faults: 1, cuts: 1, strangers: 1, ..NONE },
        ..BASE
    },
    Config {
        name: "observed, then enforced over others",
        first: &[A_OBSERVED],
        wishes: &[A, B_OBSERVED],
        may: DELETE,
        strangers: &[Stranger::Makes(HOLDS_B), Stranger::Writes(HOLDS_A), Stranger::Deletes],
        budget: Budget { user: 2, strangers: 1, crashes: 1, ..NONE },
        deep: Budget { user: 3, strangers: 2, crashes: 1, cuts: 1, ..NONE },
        ..BASE
    },
    Config {
        name: "two objects, one externalId",
        slots: 2,
        first: &[A, B],
        wishes: &[A],
        may: DELETE,
        fates: &[Fate::Lost],
        budget: Budget { user: 1, faults: 1, ..NONE },
        deep: Budget { user: 2, faults: 1, crashes: 1, ..NONE },
        ..BASE
    },
    Config {
        name: "two objects, one observed",
        slots: 2,
        first: &[A, A_OBSERVED],
        wishes: &[A, A_OBSERVED],
        may: DELETE,
        fates: &[Fate::Lost],
        budget: Budget { user: 2, ..NONE },
        deep: Budget { user: 3, faults: 1, crashes: 1, ..NONE },
        ..BASE
    },
    Config {
        name: "a namespace is unknown",
        slots: 2,
        first: &[A, A],
        wishes: &[B],
        start: Start::Settled,
        may: DELETE,
        fates: &[Fate::Lost],
        blind_start: true,
        budget: Budget { user: 1, crashes: 1, ..NONE },
        deep: Budget { user: 2, crashes: 1, faults: 1, ..NONE },
        ..BASE
    },
    Config {
        name: "an older definition",
        wishes: &[A, B],
        may: DELETE,
        strangers: &[Stranger::Makes(HOLDS_A), Stranger::Deletes],
        fates: &[Fate::Lost],
        outdated: true,
        budget: Budget { user: 2, strangers: 1, ..NONE },
        deep: Budget { user: 2, strangers: 1, faults: 1, crashes: 1, ..NONE },
        ..BASE
    },
    Config {
        name: "two operators",
        operators: 2,
        wishes: &[A, B],
        may: DELETE,
        fates: &[Fate::Lost],
        budget: Budget { ..NONE },
        deep: Budget { user: 1, ..NONE },
        ..BASE
    },
    Config {
        name: "recreate and replace",
        wishes: &[A, B],
        may: REPLACE,
        fates: &[Fate::Lost],
        start: Start::Settled,
        budget: Budget { user: 3, faults: 1, ..NONE },
        deep: Budget { user: 4, faults: 1, ..NONE },
        ..BASE
    },
    Config {
        name: "replaced in the middle",
        wishes: &[A],
        may: REPLACE,
        fates: &[Fate::Lost],
        budget: Budget { user: 3, ..NONE },
        deep: Budget { user: 4, faults: 1, ..NONE },
        ..BASE
    },
    Config {
        name: "orphaned and made anew",
        first: &[A_ORPHAN],
        wishes: &[A_ORPHAN, B],
        may: May { create: true, ..DELETE },
        fates: &[Fate::Lost],
        start: Start::Settled,
        budget: Budget { user: 3, faults: 1, ..NONE },
        deep: Budget { user: 4, faults: 2, ..NONE },
        ..BASE
    },
    Config {
        name: "restore",
        first: &[],
        wishes: &[A, A_NEVER],
        may: May { restore: true, ..DELETE },
        start: Start::Taken(HOLDS_B),
        fates: &[Fate::Lost],
        budget: Budget { user: 2, ..NONE },
        deep: Budget { user: 3, faults: 1, crashes: 1, ..NONE },
        ..BASE
    },
    Config {
        name: "becomes managed",
        first: &[EMPTY],
        wishes: &[EMPTY, A, AX],
        may: ASK,
        start: Start::Taken(HOLDS_B),
        strangers: &[Stranger::Writes(Stored::EMPTY), Stranger::Deletes],
        fates: &[Fate::Lost],
        budget: Budget { user: 2, strangers: 1, ..NONE },
        deep: Budget { user: 2, strangers: 1, faults: 1, cuts: 1, ..NONE },
        ..BASE
    },
    Config {
        name: "managed late, lost, edited",
        first: &[EMPTY],
        wishes: &[EMPTY, A, B],
        start: Start::Settled,
        fates: &[Fate::Lost, Fate::EndedAfter],
        budget: Budget { user: 2, faults: 1, crashes: 1, ..NONE },
        deep: Budget { user: 3, faults: 1, crashes: 1, cuts: 1, ..NONE },
        ..BASE
    },
    Config {
        name: "managed, released, managed again",
        first: &[EMPTY],
        wishes: &[EMPTY, A, B],
        start: Start::Settled,
        budget: Budget { user: 3, cuts: 1, ..NONE },
        fates: &[Fate::Lost],
        deep: Budget { user: 4, faults: 1, crashes: 1, cuts: 2, ..NONE },
        ..BASE
    },
    Config {
        name: "changed, looked at, and back",
        wishes: &[A, B],
        start: Start::Settled,
        fates: &[Fate::EndedAfter, Fate::Lost],
        budget: Budget { user: 2, faults: 1, cuts: 1, ..NONE },
        deep: Budget { user: 3, faults: 2, cuts: 2, ..NONE },
        ..BASE
    },
    Config {
        name: "unanswered, then suspended",
        wishes: &[B, B_SUSPENDED],
        start: Start::Settled,
        fates: &[Fate::Lost],
        budget: Budget { user: 3, faults: 1, ..NONE },
        deep: Budget { user: 3, faults: 1, crashes: 1, cuts: 1, ..NONE },
        ..BASE
    },
    Config {
        name: "rate limits",
        first: &[X],
        wishes: &[X, Y],
        lag: true,
        fates: &[Fate::EndedAfter, Fate::Lost],
        budget: Budget { user: 2, faults: 1, ..NONE },
        deep: Budget { user: 3, faults: 1, crashes: 1, ..NONE },
        ..BASE
    },
    Config {
        name: "twice and slow",
        tells: true,
        wishes: &[B],
        may: DELETE,
        fates: &[Fate::Twice, Fate::Slow, Fate::Unauthorized, Fate::Rejected],
        budget: Budget { user: 2, faults: 1, ..NONE },
        deep: Budget { user: 3, faults: 3, cuts: 1, ..NONE },
        ..BASE
    },
];
