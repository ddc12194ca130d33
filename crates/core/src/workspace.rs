//! Whether the root key in use reaches the workspace that was worked in so far (R15). Pure: the controller makes the reads.
//!
//! In another workspace every identity is absent: what looks like "gone" would be created again, and what is to be
//! deleted would be let go. Each recorded id says under which root key it was recorded (its *mark*). As long as that is
//! the key in use there is nothing to ask. Under another key, one identity that shows the recorded id proves that the
//! workspace is the same.

use super::call::Call;
use super::cause::Cause;
use super::ids::{KeyMark, Mono};
use super::object::Object;
use super::reply::Reply;
use super::witness::Witness;
use std::collections::BTreeMap;
use std::hash::{Hash, Hasher};
use std::time::Duration;

/// How many identities of one mark are looked for before it counts as another workspace's.
pub const PROBES: usize = 3;

/// What an object may do under the root key in use.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub enum Gate {
    /// Everything.
    #[default]
    Open,
    /// Nothing that rests on absence, until an identity of an earlier key has been looked for.
    Unproven {
        /// Why that look fails, if it does.
        cause: Option<Cause>,
    },
    /// No write: the identities of an earlier key are not there.
    Wrong,
}

/// What is known of the workspaces behind the keys that statuses name. Counts come from the index of objects.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Workspace {
    accepted: bool,
    current: KeyMark,
    since: Mono,
    recorded: BTreeMap<KeyMark, usize>,
    standing: BTreeMap<KeyMark, Standing>,
    witness: Witness,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Standing {
    Proven,
    Wrong,
    Failing(Cause),
}

/// What one look for a mark's identities came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Look {
    /// One showed its recorded id.
    Hit,
    /// None did. `begun`: when the first of these reads began.
    Missed {
        /// When the first of these reads began.
        begun: Mono,
    },
    /// A read failed.
    Failed(Cause),
}

impl Workspace {
    /// Of a process that begins with the key `current`. `accepted`: the user says that every change of workspace is meant.
    pub fn new(current: KeyMark, accepted: bool) -> Self {
        Self { accepted, current, ..Self::default() }
    }

    /// Another key is in use: what was found out was found out with the one before.
    pub fn key_changed(&mut self, current: KeyMark, now: Mono) {
        self.current = current;
        self.since = now;
        self.standing.clear();
        self.witness = Witness::default();
    }

    /// When the key in use came into use.
    pub fn since(&self) -> Mono {
        self.since
    }

    /// Of an object that is shown, or gone: the key that it comes to name, and the one that it names no longer.
    pub fn moves(&mut self, comes: Option<KeyMark>, goes: Option<KeyMark>) {
        if comes == goes {
            return;
        }
        if let Some(comes) = comes {
            self.recorded(&comes);
        }
        if let Some(goes) = goes {
            self.dropped(&goes);
        }
    }

    /// An id recorded under `mark` appeared in the index.
    pub fn recorded(&mut self, mark: &KeyMark) {
        match self.recorded.get_mut(mark) {
            Some(count) => *count += 1,
            None => drop(self.recorded.insert(mark.clone(), 1)),
        }
    }

    /// An id recorded under `mark` is no longer in the index.
    pub fn dropped(&mut self, mark: &KeyMark) {
        if let Some(count) = self.recorded.get_mut(mark) {
            *count -= 1;
            if *count == 0 {
                self.recorded.remove(mark);
                self.standing.remove(mark);
            }
        }
    }

    /// The marks under which ids are recorded that the key in use has to show: its own, and those that are proven to be of this workspace.
    pub fn marks_to_show(&self) -> Vec<KeyMark> {
        let shows =
            |mark: &&KeyMark| **mark == self.current || matches!(self.standing.get(*mark), Some(Standing::Proven));
        self.recorded.keys().filter(shows).cloned().collect()
    }

    /// Whether the key in use shows anything at all (R19).
    pub fn witness(&self) -> &Witness {
        &self.witness
    }

    /// A read under the key `current` that began then has shown an identity.
    pub fn showed(&mut self, current: &KeyMark, begun: Mono) {
        if *current == self.current {
            self.witness.shown(begun);
        }
    }

    /// A look under the key `current` that began and ended then has shown none, and the permission to create stood in.
    pub fn stood_in(&mut self, current: &KeyMark, begun: Mono, ended: Mono) {
        if *current == self.current {
            self.witness.stands_in(begun, ended);
        }
    }

    /// A look under the key `current` that ended then has shown none.
    pub fn showed_nothing(&mut self, current: &KeyMark, ended: Mono, cause: Cause) {
        if *current == self.current {
            self.witness.missed(ended, cause);
        }
    }

    /// The gate for an object whose id was recorded under `mark`; the outer `None`: it has no id.
    pub fn gate(&self, mark: Option<&KeyMark>) -> Gate {
        if self.accepted || self.current.is_none() {
            return Gate::Open;
        }
        match mark {
            Some(mark) if *mark == self.current => Gate::Open,
            Some(mark) => match self.standing.get(mark) {
                Some(Standing::Proven) => Gate::Open,
                Some(Standing::Wrong) => Gate::Wrong,
                Some(Standing::Failing(cause)) => Gate::Unproven { cause: Some(cause.clone()) },
                None => Gate::Unproven { cause: None },
            },
            None => self.gate_for_new(),
        }
    }

    /// A new identity goes where this operator has worked before: one earlier key that leads there is enough, and so is
    /// an id recorded under this very key, which came about behind this gate.
    fn gate_for_new(&self) -> Gate {
        let mut gate = Gate::Open;
        for mark in self.recorded.keys() {
            match self.gate(Some(mark)) {
                Gate::Open => return Gate::Open,
                Gate::Wrong if gate == Gate::Open => gate = Gate::Wrong,
                Gate::Wrong => {}
                unproven @ Gate::Unproven { .. } => gate = unproven,
            }
        }
        gate
    }

    /// The marks to look for: recorded, not in use, and not looked for with success yet.
    pub fn unproven(&self) -> Vec<KeyMark> {
        if self.accepted || self.current.is_none() {
            return Vec::new();
        }
        let open = |mark: &&KeyMark| {
            **mark != self.current && !matches!(self.standing.get(*mark), Some(Standing::Proven | Standing::Wrong))
        };
        self.recorded.keys().filter(open).cloned().collect()
    }

    /// Takes in a look under the key `current`. A miss counts only if it began `window` after that key came into use:
    /// until then a replica may not yet show what the key before has made. Returns true if a gate has changed.
    pub fn looked(&mut self, current: &KeyMark, mark: &KeyMark, look: &Look, window: Duration) -> bool {
        if *current != self.current || !self.recorded.contains_key(mark) {
            return false;
        }
        let next = match look {
            Look::Hit => Standing::Proven,
            Look::Missed { begun } if *begun >= self.settles_at(window) => Standing::Wrong,
            Look::Missed { .. } => return false,
            Look::Failed(cause) => Standing::Failing(cause.clone()),
        };
        if self.standing.get(mark) == Some(&Standing::Proven) {
            return false;
        }
        self.standing.insert(mark.clone(), next.clone()) != Some(next)
    }

    /// From when on a look that misses counts.
    pub fn settles_at(&self, window: Duration) -> Mono {
        self.since.after(window)
    }

    /// Feeds all of it but the witness to `hasher`, each time as `time` tells it: for the model checker, to which moments long past are
    /// alike.
    pub fn fingerprint<H: Hasher>(&self, time: impl Fn(Mono) -> i64, hasher: &mut H) {
        let Self { accepted, current, since, recorded, standing, witness: _ } = self;
        (accepted, current, time(*since), recorded, standing).hash(hasher);
    }
}

/// The mark that `reply` proves to lead to the workspace in use: the recorded id was found there, or written to.
pub fn proven_by<'a>(object: &'a Object, call: &Call, reply: &Reply) -> Option<&'a KeyMark> {
    let held = object.held()?;
    let is_held = match (call, reply) {
        (Call::Read(_), Reply::Found { id, .. }) | (Call::Update { .. }, Reply::Updated { id, .. }) => {
            *id == held.identity.id().as_str()
        }
        (Call::Delete(identity), Reply::Deleted) => *identity == held.identity,
        _ => false,
    };
    is_held.then_some(&held.credential)
}
