//! Unkey for one externalId: a primary, replicas that lag by less than the window, and requests that take effect late, twice or
//! never. Time is a number of ticks.

use std::time::Duration;

use unkey_operator_core::{Call, Cause, Effect, Fault, Operation, Reply};

use crate::words::{EXTERNAL_ID, LIMITS, META, Stored, id, limits_code, meta_code, named, number_of};

/// The consistency window and the longest attempt, in ticks.
pub const WINDOW: u32 = 2;
pub const ATTEMPT: u32 = 2;
/// What a tick is for the domain.
pub const TICK: Duration = Duration::from_secs(10);

/// A live identity.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Identity {
    pub id: u8,
    pub stored: Stored,
    /// The object whose create made it; `None`: somebody else did.
    pub maker: Option<u8>,
    /// Somebody else has changed it since.
    pub touched: bool,
}

/// What a create makes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Made {
    pub stored: Stored,
    /// The fields that the spec names, by bit (`words::META`, `words::LIMITS`).
    pub named: u8,
}

/// A permission of the root key. Unkey has one for get and list; here they go apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Right {
    Get,
    List,
    Update,
    Delete,
    /// All of them, and that to create.
    All,
    /// All of them, but that to create.
    Blind,
}

impl Right {
    /// What `call` needs, if that is lost with this.
    pub fn denies(self, call: &Call) -> Option<Operation> {
        let (alone, operation) = match call {
            Call::Read(_) => (Some(Self::Get), Operation::Read),
            Call::Update { .. } => (Some(Self::Update), Operation::Update),
            Call::Delete(_) => (Some(Self::Delete), Operation::Delete),
            Call::Create(_) => (None, Operation::Create),
        };
        let blind = self == Self::Blind && operation != Operation::Create;
        (self == Self::All || blind || alone == Some(self)).then_some(operation)
    }
}

/// A write as it travels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Wire {
    Create(Made),
    Update { id: u8, meta: Option<u8>, limits: Option<u8> },
    Delete(u8),
}

/// A write that may still take effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Pending {
    pub op: u8,
    pub uid: u8,
    pub wire: Wire,
    pub deadline: u32,
}

#[derive(Clone, Debug, Default)]
pub struct Unkey {
    pub live: Option<Identity>,
    /// What a replica may still show, and the tick at which the primary changed.
    pub past: Vec<(u32, Option<Identity>)>,
    pub pending: Vec<Pending>,
    /// Who made each id.
    pub makers: Vec<Option<u8>>,
    /// Fields that the object of each uid has written, or found as it wants them, and not released since (R17, R18): two bits for a uid.
    pub taken: u64,
}

impl Wire {
    /// `None` for a read.
    pub fn of(call: &Call) -> Option<Self> {
        Some(match call {
            Call::Read(_) => return None,
            Call::Create(desired) => Self::Create(Made {
                stored: Stored {
                    meta: desired.meta.as_ref().map_or(0, meta_code),
                    limits: desired.limits.as_ref().map_or(0, limits_code),
                },
                named: named(desired),
            }),
            Call::Update { to, patch, .. } => Self::Update {
                id: number_of(to.id()),
                meta: patch.meta.as_ref().map(meta_code),
                limits: patch.limits.as_ref().map(limits_code),
            },
            Call::Delete(identity) => Self::Delete(number_of(identity.id())),
        })
    }
}

/// An error of Unkey or of the way there.
pub fn failed(effect: Effect, cause: Cause) -> Reply {
    Reply::Failed(Fault { effect, cause, retry_after: None })
}

impl Unkey {
    /// What is there counts as written by somebody else.
    pub fn touch(&mut self) {
        if let Some(identity) = &mut self.live {
            identity.touched = true;
        }
    }

    /// What reads may show now: the primary first, then what a replica that lags may still hold.
    pub fn visible(&self, now: u32) -> Vec<Option<Identity>> {
        let mut all = vec![self.live];
        for (until, shown) in self.past.iter().rev() {
            if now - until < WINDOW && !all.contains(shown) {
                all.push(*shown);
            }
        }
        all
    }

    pub fn read(found: Option<Identity>) -> Reply {
        match found {
            Some(found) => Reply::Found {
                external_id: EXTERNAL_ID.to_owned(),
                id: id(found.id).to_owned(),
                content: found.stored.content().clone(),
            },
            None => Reply::Absent,
        }
    }

    /// A write takes effect. `seen` is what the server's own look-up, on a replica, shows of update and delete.
    pub fn write(&mut self, now: u32, lag: bool, uid: u8, wire: Wire, seen: Option<Identity>) -> Reply {
        match wire {
            Wire::Create(made) => {
                if self.live.is_some() {
                    return Reply::Exists;
                }
                let new = self.make(now, lag, made.stored, Some(uid));
                self.take(uid, made.named);
                Reply::Created { id: id(new).to_owned() }
            }
            Wire::Update { id: to, meta, limits } => match seen.filter(|seen| seen.id == to) {
                Some(stale) => {
                    self.take(uid, if meta.is_some() { META } else { 0 } | if limits.is_some() { LIMITS } else { 0 });
                    if let Some(live) = self.live.filter(|live| live.id == to) {
                        // Limits that the replica does not show are not taken away.
                        let kept = live.stored.limits & !stale.stored.limits;
                        let limits = limits.map_or(live.stored.limits, |wanted| wanted | kept);
                        let stored = Stored { meta: meta.unwrap_or(live.stored.meta), limits };
                        self.put(now, lag, Some(Identity { stored, ..live }));
                    }
                    Reply::Updated { external_id: EXTERNAL_ID.to_owned(), id: id(to).to_owned() }
                }
                None => Reply::Absent,
            },
            Wire::Delete(to) => {
                if seen.is_none_or(|seen| seen.id != to) {
                    return Reply::Absent;
                }
                if self.live.is_some_and(|live| live.id == to) {
                    self.put(now, lag, None);
                }
                Reply::Deleted
            }
        }
    }

    /// Makes an identity; nothing must live.
    pub fn make(&mut self, now: u32, lag: bool, stored: Stored, maker: Option<u8>) -> u8 {
        let id = u8::try_from(self.makers.len()).expect("few ids");
        self.makers.push(maker);
        self.put(now, lag, Some(Identity { id, stored, maker, touched: false }));
        id
    }

    pub fn put(&mut self, now: u32, lag: bool, identity: Option<Identity>) {
        if identity == self.live {
            return;
        }
        if lag {
            self.past.push((now, self.live));
        }
        self.live = identity;
    }

    /// These fields are the object's own from now on.
    pub fn take(&mut self, uid: u8, fields: u8) {
        self.taken |= u64::from(fields) << (2 * uid);
    }

    /// These fields are nobody's from now on.
    pub fn release(&mut self, uid: u8, fields: u8) {
        self.taken &= !(u64::from(fields) << (2 * uid));
    }

    /// The fields that are the object's own.
    pub fn taken_by(&self, uid: u8) -> u8 {
        u8::try_from(self.taken >> (2 * uid) & u64::from(META | LIMITS)).expect("two bits")
    }

    /// Time passes: replicas catch up.
    pub fn tick(&mut self, now: u32) {
        self.past.retain(|(until, _)| now - until < WINDOW);
    }

    pub fn send(&mut self, pending: Pending) {
        self.pending.push(pending);
        // The order in which they were sent says nothing about the order in which they land.
        self.pending.sort_by_key(|pending| (pending.deadline, pending.op, pending.uid, pending.wire.order()));
    }

    /// A create of `uid` may still land.
    pub fn creates_for(&self, uid: u8) -> bool {
        self.pending.iter().any(|pending| pending.uid == uid && matches!(pending.wire, Wire::Create(_)))
    }
}

impl Wire {
    fn order(self) -> (u8, u8, u8, u8) {
        let code = |field: Option<u8>| field.map_or(0, |code| code + 1);
        match self {
            Self::Create(made) => (0, made.stored.meta, made.stored.limits, made.named),
            Self::Update { id, meta, limits } => (1, id, code(meta), code(limits)),
            Self::Delete(id) => (2, id, 0, 0),
        }
    }
}
