//! Who claims one externalId, and who holds the lock (R8). Pure: the operator keeps one of these for each externalId, and so does the model checker.
//!
//! It knows objects as the watch and replies have shown them. What is known of the identity in Unkey is [`Knowledge`]'s business.

use std::time::Duration;

use super::ids::{IdentityId, Mono, Uid};
use super::knowledge::Knowledge;
use super::ownership::{Claimant, Role};
use super::ownership::{owner, role};
use super::workspace::Workspace;

/// Where a version of an object comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// A watch.
    Watch,
    /// A watch that lists anew. It is taken whatever its version says: versions are ordered within one watch only, and go back if etcd is
    /// restored from a backup.
    Listing,
    /// The reply to a request. Only the watch adds objects and removes them: a reply that is taken in after the watch has shown the object's end
    /// must not bring it back.
    Reply,
}

/// One object, and what whoever keeps the claims adds to it.
#[derive(Clone, Debug)]
pub struct Entry<E> {
    /// What it says for its right.
    pub claimant: Claimant,
    /// The newest version that was shown.
    pub version: u64,
    /// What else is kept of it.
    pub extra: E,
}

/// What became of a version that was shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Taken {
    /// A newer one is known; nothing was taken in.
    Older,
    /// There is no such object (any more); nothing was taken in.
    Unknown,
    /// It says the same for its right as before.
    Same,
    /// The object is new, or what it says for its right has changed: the others have to be looked at again.
    Changed,
}

/// What is needed no longer of an externalId.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Forgets {
    /// Nothing: all is needed still.
    Nothing,
    /// What is known of the identity makes no difference.
    Known,
    /// No object names it, and no read can be misled by what was done to it.
    All,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
enum KeyLock {
    #[default]
    Free,
    Taken,
    /// For moments: a status is being written.
    Telling,
}

/// All that claim one externalId.
#[derive(Clone, Debug)]
pub struct Claims<E> {
    entries: Vec<Entry<E>>,
    lock: KeyLock,
}

impl<E> Default for Claims<E> {
    fn default() -> Self {
        Self { entries: Vec::new(), lock: KeyLock::Free }
    }
}

impl<E> Claims<E> {
    /// Takes in a version of an object. `follow` puts the new extra in the place of the one that is kept. `workspace` keeps account of the keys under
    /// which ids are recorded (R15).
    pub fn put(
        &mut self,
        entry: Entry<E>,
        source: Source,
        workspace: &mut Workspace,
        follow: impl FnOnce(&mut E, E),
    ) -> Taken {
        let Entry { claimant, version, extra } = entry;
        match self.entries.iter_mut().find(|known| known.claimant.uid == claimant.uid) {
            Some(known) if known.version > version && source != Source::Listing => Taken::Older,
            Some(known) => {
                let same = known.claimant == claimant;
                if !same {
                    workspace.moves(claimant.mark(), known.claimant.mark());
                    known.claimant = claimant;
                }
                known.version = version;
                follow(&mut known.extra, extra);
                if same { Taken::Same } else { Taken::Changed }
            }
            None if source == Source::Reply => Taken::Unknown,
            None => {
                workspace.moves(claimant.mark(), None);
                // Almost always the only one, and a vector begins with room for four.
                self.entries.reserve_exact(1);
                self.entries.push(Entry { claimant, version, extra });
                Taken::Changed
            }
        }
    }

    /// Takes an object out that is gone. The others have to be looked at again.
    pub fn remove(&mut self, uid: &Uid, workspace: &mut Workspace) {
        self.entries.retain(|entry| {
            let stays = entry.claimant.uid != *uid;
            if !stays {
                workspace.moves(None, entry.claimant.mark());
            }
            stays
        });
    }

    /// All of them.
    pub fn entries(&self) -> &[Entry<E>] {
        &self.entries
    }

    /// All of them.
    pub fn entries_mut(&mut self) -> &mut [Entry<E>] {
        &mut self.entries
    }

    /// The object of that uid.
    pub fn get_mut(&mut self, uid: &Uid) -> Option<&mut Entry<E>> {
        self.entries.iter_mut().find(|entry| entry.claimant.uid == *uid)
    }

    /// True as long as the watch shows the object.
    pub fn knows(&self, uid: &Uid) -> bool {
        self.entries.iter().any(|entry| entry.claimant.uid == *uid)
    }

    /// True if an object records `id`.
    pub fn records(&self, id: &IdentityId) -> bool {
        self.entries.iter().any(|entry| entry.claimant.recorded.as_ref() == Some(id))
    }

    /// The role of `uid` (R8).
    pub fn role(&self, uid: &Uid) -> Role {
        role(uid, self.entries.iter().map(|entry| &entry.claimant))
    }

    /// The object that acts (R8).
    pub fn owner(&self) -> Option<&Entry<E>> {
        let uid = &owner(self.entries.iter().map(|entry| &entry.claimant))?.uid;
        self.entries.iter().find(|entry| entry.claimant.uid == *uid)
    }

    /// Nobody holds the lock.
    pub fn is_free(&self) -> bool {
        self.lock == KeyLock::Free
    }

    /// The lock is held only for a status to be written.
    pub fn is_telling(&self) -> bool {
        self.lock == KeyLock::Telling
    }

    /// Takes the lock if it is free. It is tried, never waited for. Until it ends no other session acts on the externalId.
    pub fn try_lock(&mut self) -> bool {
        let free = self.is_free();
        if free {
            self.lock = KeyLock::Taken;
        }
        free
    }

    /// The same, only for a status to be written.
    pub fn try_telling(&mut self) -> bool {
        let free = self.is_free();
        if free {
            self.lock = KeyLock::Telling;
        }
        free
    }

    /// The lock is released.
    pub fn unlock(&mut self) {
        self.lock = KeyLock::Free;
    }

    /// What is needed no longer, with `known` of the identity. `window`: the consistency window (R4).
    pub fn forgets(&self, known: Option<&Knowledge>, now: Mono, window: Duration) -> Forgets {
        if !self.is_free() {
            return Forgets::Nothing;
        }
        let Some(known) = known else {
            return if self.entries.is_empty() { Forgets::All } else { Forgets::Nothing };
        };
        let known_no_more = known.makes_no_difference(now, window);
        if self.entries.is_empty() && (known_no_more || known.is_spent(now, window)) {
            Forgets::All
        } else if known_no_more {
            Forgets::Known
        } else {
            Forgets::Nothing
        }
    }
}
