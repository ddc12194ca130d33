//! What goes wrong around the objects: root keys and permissions, the type, the API server, the end of the process.

use super::*;

/// All of these.
pub const OUTSIDE: &[Config] = &[
    Config {
        name: "root key swapped",
        wishes: &[B],
        may: DELETE,
        fates: &[Fate::Lost, Fate::Unauthorized, Fate::Rejected],
        budget: Budget { user: 1, faults: 1, keys: 1, ..NONE },
        deep: Budget { user: 2, faults: 1, keys: 1, crashes: 1, ..NONE },
        ..BASE
    },
    Config {
        name: "another workspace's key",
        wishes: &[B],
        may: ASK,
        start: Start::Settled,
        elsewhere: true,
        fates: &[Fate::Lost],
        budget: Budget { user: 1, keys: 2, ..NONE },
        deep: Budget { user: 2, keys: 2, faults: 1, ..NONE },
        ..BASE
    },
    Config {
        name: "a right is lost",
        wishes: &[B],
        may: ASK,
        fates: &[Fate::Lost],
        rights: &[Right::Get, Right::Update, Right::Delete, Right::All],
        budget: Budget { user: 1, rights: 1, denials: 2, ..NONE },
        deep: Budget { user: 2, faults: 1, rights: 1, denials: 3, ..NONE },
        ..BASE
    },
    Config {
        name: "a key that may only create",
        wishes: &[B],
        may: ASK,
        fates: &[Fate::Lost],
        rights: &[Right::Blind],
        budget: Budget { user: 1, rights: 1, denials: 2, ..NONE },
        // Without answers that are lost: see docs/contributing/rules.md, what is not promised.
        deep: Budget { user: 2, rights: 1, denials: 3, ..NONE },
        ..BASE
    },
    Config {
        name: "a right is lost, never adopts",
        first: &[A_NEVER],
        wishes: &[B_NEVER],
        may: DELETE,
        fates: &[Fate::Lost],
        rights: &[Right::Get],
        budget: Budget { user: 1, faults: 1, rights: 1, denials: 1, ..NONE },
        deep: Budget { user: 2, faults: 1, rights: 1, denials: 2, ..NONE },
        ..BASE
    },
    Config {
        name: "a right is refused",
        wishes: &[B],
        may: ASK,
        fates: &[Fate::Lost],
        rights: &[Right::Get, Right::Update, Right::Delete, Right::All],
        masks: false,
        budget: Budget { user: 1, rights: 1, denials: 2, ..NONE },
        deep: Budget { user: 2, faults: 1, rights: 1, denials: 2, ..NONE },
        ..BASE
    },
    Config {
        name: "a right is lost, nothing else there",
        wishes: &[B],
        may: ASK,
        strangers: &[Stranger::Deletes],
        fates: &[Fate::Lost],
        // Without the permission to read alone it cannot be told from an empty workspace (docs/contributing/rules.md, not promised).
        rights: &[Right::List, Right::Update, Right::Delete, Right::All],
        alone: true,
        budget: Budget { user: 1, strangers: 1, rights: 1, denials: 2, ..NONE },
        deep: Budget { user: 2, strangers: 1, faults: 1, rights: 1, denials: 3, ..NONE },
        ..BASE
    },
    Config {
        name: "the type is removed",
        slots: 2,
        first: &[A, B],
        may: DELETE,
        guarded: true,
        fates: &[Fate::Lost],
        budget: Budget { user: 1, faults: 1, ..NONE },
        deep: Budget { user: 2, faults: 1, crashes: 1, ..NONE },
        ..BASE
    },
    Config {
        name: "the type is removed after a restart",
        wishes: &[A_INVALID],
        may: DELETE,
        start: Start::Settled,
        guarded: true,
        budget: Budget { user: 2, crashes: 1, cuts: 1, ..NONE },
        deep: Budget { user: 3, crashes: 1, cuts: 2, ..NONE },
        ..BASE
    },
    Config {
        name: "an API server that answers wrongly",
        wishes: &[A, B],
        may: DELETE,
        fates: &[Fate::Lost],
        budget: Budget { user: 1, lies: 2, ..NONE },
        deep: Budget { user: 2, lies: 2, faults: 1, cuts: 1, ..NONE },
        ..BASE
    },
    Config {
        name: "a definition that seems to be gone",
        may: DELETE,
        guarded: true,
        start: Start::Settled,
        budget: Budget { user: 1, lies: 2, cuts: 1, ..NONE },
        deep: Budget { user: 1, lies: 3, crashes: 1, cuts: 2, ..NONE },
        ..BASE
    },
    Config {
        name: "etcd is restored",
        wishes: &[A, B],
        may: DELETE,
        fates: &[Fate::Lost],
        start: Start::Settled,
        budget: Budget { user: 2, rewinds: 1, ..NONE },
        deep: Budget { user: 2, rewinds: 1, faults: 1, ..NONE },
        ..BASE
    },
    Config {
        name: "Kubernetes refuses",
        wishes: &[B, A_NEVER],
        may: DELETE,
        fates: &[Fate::Lost],
        budget: Budget { user: 1, refusals: 2, ..NONE },
        deep: Budget { user: 2, faults: 1, refusals: 3, crashes: 1, ..NONE },
        ..BASE
    },
    Config {
        name: "late answers",
        may: DELETE,
        fates: &[Fate::Lost, Fate::Twice, Fate::Slow],
        lag: true,
        budget: Budget { user: 1, faults: 2, ..NONE },
        deep: Budget { user: 1, faults: 3, cuts: 1, ..NONE },
        ..BASE
    },
    Config {
        name: "permits run out",
        permits: true,
        wishes: &[B],
        may: DELETE,
        start: Start::Taken(Stored { meta: 0, limits: 0 }),
        fates: &[Fate::Lost],
        strangers: &[Stranger::Deletes],
        budget: Budget { user: 1, cuts: 1, ..NONE },
        deep: Budget { user: 2, faults: 1, strangers: 1, cuts: 1, ..NONE },
        ..BASE
    },
    Config {
        name: "told to end",
        drains: true,
        wishes: &[B],
        may: DELETE,
        fates: &[Fate::Lost],
        budget: Budget { user: 1, crashes: 1, ..NONE },
        deep: Budget { user: 2, faults: 1, crashes: 2, ..NONE },
        ..BASE
    },
];
