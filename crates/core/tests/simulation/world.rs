//! A model of Unkey for one externalId: a primary, a replica that lags, and calls whose answers get lost.

use std::time::Duration;

use unkey_operator_core::{
    Call, Cause, Confirmed, Content, Effect, ExternalId, Fault, Limits, Operation, Patch, Reply, Uid,
};

/// So many milliseconds.
pub const fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

/// No attempt outlives this, nor does the replica lag longer than [`WINDOW`].
pub const DEADLINE: Duration = ms(30_000);
pub const WINDOW: Duration = ms(30_000);
pub const EXTERNAL_ID: &str = "customer-1";

#[derive(Clone, Debug, PartialEq)]
pub enum Maker {
    Object(Uid),
    Stranger,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Identity {
    pub id: String,
    pub content: Content,
    pub maker: Maker,
}

/// What becomes of a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fate {
    Fine,
    /// The connection breaks; nothing happened.
    LostBefore,
    /// It took effect; the answer is lost.
    LostAfter,
    /// The connection breaks; it takes effect so long after it was sent.
    Late(Duration),
    /// A 5xx in Unkey's envelope; nothing happened.
    EndedBefore,
    /// A 5xx in Unkey's envelope; it took effect.
    EndedAfter,
    /// Unkey repeats the transaction though it had committed; the answer is the second one's.
    Repeated,
    /// Refused or not sent, for this reason.
    Refused(Cause),
}

/// What the root key may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(clippy::struct_excessive_bools)] // as many permissions
pub struct Rights {
    pub create: bool,
    pub get: bool,
    pub list: bool,
    pub update: bool,
    pub delete: bool,
}

impl Rights {
    pub const ALL: Self = Self { create: true, get: true, list: true, update: true, delete: true };
    pub const NONE: Self = Self { create: false, get: false, list: false, update: false, delete: false };

    fn lacks(self, call: &Call) -> Option<Operation> {
        let (has, operation) = match call {
            Call::Create(_) => (self.create, Operation::Create),
            Call::Read(_) => (self.get, Operation::Read),
            Call::Update { .. } => (self.update, Operation::Update),
            Call::Delete(_) => (self.delete, Operation::Delete),
        };
        (!has).then_some(operation)
    }
}

#[derive(Debug)]
#[allow(clippy::struct_excessive_bools)] // independent circumstances
pub struct Unkey {
    pub live: Option<Identity>,
    /// By so much reads, and the lookups of update and delete, are behind.
    pub lag: Duration,
    /// Reads answer with an identity of another externalId.
    pub foreign: bool,
    pub rights: Rights,
    /// A missing permission to get, update or delete is answered as if there were nothing, and lists leave out what may not be read.
    pub masks: bool,
    /// The workspace holds identities of others.
    pub others: bool,
    /// A stranger wrote to it since an operator last did.
    pub touched: bool,
    /// The object of today.
    pub lives: Option<Uid>,
    pub accepted_creates: usize,
    pub accepted_updates: usize,
    /// What accepted updates sent, in order.
    pub updates: Vec<Patch>,
    /// What the last read was shown.
    pub shown: Option<Identity>,
    past: Vec<(Duration, Option<Identity>)>,
    pending: Vec<(Duration, Uid, Call)>,
    made: u32,
}

pub fn external_id() -> ExternalId {
    ExternalId::new(EXTERNAL_ID)
}

impl Unkey {
    pub fn new() -> Self {
        Self {
            live: None,
            lag: Duration::ZERO,
            foreign: false,
            rights: Rights::ALL,
            masks: true,
            others: true,
            touched: false,
            lives: None,
            accepted_creates: 0,
            accepted_updates: 0,
            updates: Vec::new(),
            shown: None,
            past: vec![(Duration::ZERO, None)],
            pending: Vec::new(),
            made: 0,
        }
    }

    /// Lets what is under way take effect.
    pub fn advance(&mut self, now: Duration) {
        self.pending.sort_by_key(|(at, ..)| *at);
        while self.pending.first().is_some_and(|(at, ..)| *at <= now) {
            let (at, uid, call) = self.pending.remove(0);
            // It was allowed when it was sent.
            let rights = std::mem::replace(&mut self.rights, Rights::ALL);
            self.apply(at, &uid, &call);
            self.rights = rights;
            // What an earlier life of the object left under way is a stranger's to this one.
            self.touched |= self.lives.as_ref() != Some(&uid);
        }
    }

    /// A write of this object, of the given kind, that has yet to take effect.
    pub fn under_way(&self, uid: &Uid, creates_only: bool) -> bool {
        self.pending.iter().any(|(_, of, call)| of == uid && (!creates_only || matches!(call, Call::Create(_))))
    }

    pub fn stranger_makes(&mut self, now: Duration, content: Content) {
        if self.live.is_none() {
            let id = self.next_id();
            self.put(now, Some(Identity { id, content, maker: Maker::Stranger }));
        }
    }

    pub fn stranger_deletes(&mut self, now: Duration) {
        self.put(now, None);
    }

    /// What was gone shows again, as after a replica's breakdown.
    pub fn shows_again(&mut self, now: Duration, identity: Identity) {
        self.put(now, Some(identity));
    }

    pub fn stranger_writes(&mut self, now: Duration, content: Content) {
        if let Some(mut identity) = self.live.clone() {
            identity.content = content;
            self.touched = true;
            self.put(now, Some(identity));
        }
    }

    /// Performs a call. The second part is how long it took.
    pub fn call(&mut self, now: Duration, uid: &Uid, call: &Call, fate: &Fate) -> (Reply, Duration) {
        let failed = |effect, cause| Reply::Failed(Fault { effect, cause, retry_after: None });
        match fate {
            Fate::Fine => (self.apply(now, uid, call), ms(20)),
            Fate::LostBefore => (failed(Effect::Unknown, Cause::Unavailable), DEADLINE),
            Fate::LostAfter => {
                self.apply(now, uid, call);
                (failed(Effect::Unknown, Cause::Unavailable), ms(100))
            }
            Fate::Late(wait) => {
                if !matches!(call, Call::Read(_)) && self.rights.lacks(call).is_none() {
                    self.pending.push((now + DEADLINE.saturating_sub(ms(1)).min(*wait), uid.clone(), call.clone()));
                }
                (failed(Effect::Unknown, Cause::Unavailable), ms(100))
            }
            Fate::EndedBefore => (failed(Effect::Ended, Cause::Unavailable), ms(20)),
            Fate::EndedAfter => {
                self.apply(now, uid, call);
                (failed(Effect::Ended, Cause::Unavailable), ms(20))
            }
            Fate::Repeated => {
                self.apply(now, uid, call);
                (self.apply(now, uid, call), ms(20))
            }
            Fate::Refused(cause) => (failed(Effect::None, cause.clone()), ms(20)),
        }
    }

    /// What a look for a witness comes to: a recorded identity is asked for, then a page of the list, then the right to create.
    pub fn witness(&self, now: Duration) -> Result<(), Cause> {
        let there = self.others || self.replica(now).is_some();
        let Rights { create, get, list, .. } = self.rights;
        match (there, self.masks) {
            (true, _) if get => Ok(()),
            (true, false) => Err(Cause::PermissionDenied(Operation::Read)),
            (true, true) if list => Err(Cause::PermissionDenied(Operation::Read)),
            _ if create => Ok(()),
            _ => Err(Cause::Unwitnessed),
        }
    }

    fn apply(&mut self, now: Duration, uid: &Uid, call: &Call) -> Reply {
        if let Some(operation) = self.rights.lacks(call) {
            if self.masks && operation != Operation::Create {
                return Reply::Absent;
            }
            let cause = Cause::PermissionDenied(operation);
            return Reply::Failed(Fault { effect: Effect::None, cause, retry_after: None });
        }
        let seen = self.replica(now);
        match call {
            Call::Read(_) => {
                self.shown.clone_from(&seen);
                match seen {
                    Some(found) => Reply::Found {
                        external_id: if self.foreign { "Customer-1".to_owned() } else { EXTERNAL_ID.to_owned() },
                        id: found.id,
                        content: found.content,
                    },
                    None => Reply::Absent,
                }
            }
            Call::Create(desired) => {
                if self.live.is_some() {
                    return Reply::Exists;
                }
                let id = self.next_id();
                let content = Content {
                    meta: desired.meta.clone().unwrap_or_default(),
                    limits: desired.limits.clone().unwrap_or_default(),
                };
                self.accepted_creates += 1;
                self.touched = false;
                self.put(now, Some(Identity { id: id.clone(), content, maker: Maker::Object(uid.clone()) }));
                Reply::Created { id }
            }
            Call::Update { to, patch, .. } => match seen.filter(|found| same_id(found, to)) {
                Some(stale) => {
                    if let Some(identity) = self.live.clone().filter(|live| same_id(live, to)) {
                        self.accepted_updates += 1;
                        self.updates.push(patch.clone());
                        let content = patched(&identity.content, &stale.content, patch);
                        self.put(now, Some(Identity { content, ..identity }));
                    }
                    Reply::Updated { external_id: EXTERNAL_ID.to_owned(), id: to.id().as_str().to_owned() }
                }
                None => Reply::Absent,
            },
            Call::Delete(identity) => {
                if !seen.is_some_and(|found| same_id(&found, identity)) {
                    return Reply::Absent;
                }
                if self.live.as_ref().is_some_and(|live| same_id(live, identity)) {
                    self.put(now, None);
                }
                Reply::Deleted
            }
        }
    }

    /// What a listing shows; nothing without the permission.
    pub fn listed(&self, now: Duration) -> Option<Identity> {
        self.replica(now).filter(|_| self.rights.list && !self.foreign)
    }

    fn replica(&self, now: Duration) -> Option<Identity> {
        let then = now.saturating_sub(self.lag);
        self.past.iter().rev().find(|(at, _)| *at <= then).and_then(|(_, identity)| identity.clone())
    }

    fn put(&mut self, now: Duration, identity: Option<Identity>) {
        self.live.clone_from(&identity);
        self.past.push((now, identity));
    }

    fn next_id(&mut self) -> String {
        self.made += 1;
        format!("id_{:09}", self.made)
    }
}

fn same_id(identity: &Identity, to: &Confirmed) -> bool {
    identity.id == to.id().as_str()
}

/// Limits that the replica does not show are not taken away.
fn patched(live: &Content, stale: &Content, patch: &Patch) -> Content {
    let limits = patch.limits.as_ref().map(|wanted| {
        let mut all = wanted.as_map().clone();
        for (name, limit) in live.limits.as_map() {
            if !stale.limits.as_map().contains_key(name) {
                all.entry(name.clone()).or_insert(*limit);
            }
        }
        Limits::new(all)
    });
    Content {
        meta: patch.meta.clone().unwrap_or_else(|| live.meta.clone()),
        limits: limits.unwrap_or_else(|| live.limits.clone()),
    }
}
