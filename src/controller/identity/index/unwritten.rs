//! What Kubernetes refuses at the moment, over all objects (R25).

use super::Index;
use crate::domain::{self, KubeWrite, Uid};

/// Writes that are refused.
#[derive(Debug)]
pub struct Unwritten {
    /// How many objects wait for each.
    pub refused: [(KubeWrite, usize); 3],
    /// Objects of which neither a status nor an event tells, and the API server's words; in order.
    pub untold: Vec<(String, String)>,
}

impl Index {
    /// What the API server did not keep may be written again.
    pub fn forget_unkept(&self) {
        for memory in self.state.lock().object_memories.values_mut() {
            domain::definition_changed(&mut memory.object_state);
        }
    }

    /// True if Kubernetes refuses a write to the object at the moment.
    pub fn is_refused(&self, uid: &Uid) -> bool {
        let state = self.state.lock();
        state.object_memories.get(uid).is_some_and(|memory| !memory.object_state.refusals.is_empty())
    }

    /// What is refused at the moment.
    pub fn unwritten(&self) -> Unwritten {
        let state = self.state.lock();
        let mut refused = KubeWrite::ALL.map(|write| (write, 0));
        let mut untold: Vec<(Uid, String)> = Vec::new();
        for (uid, memory) in state.object_memories.iter() {
            let refusals = &memory.object_state.refusals;
            for (write, count) in &mut refused {
                *count += usize::from(refusals.of(*write).is_some());
            }
            untold.extend(refusals.untold().map(|refusal| (uid.clone(), refusal.words.clone())));
        }
        // No place is looked up unless there is something to tell.
        let place = |uid: &Uid| {
            let found = state.claims().find(|(_, entry)| entry.claimant.uid == *uid);
            found.map(|(_, entry)| entry.extra.at.0.to_string())
        };
        let mut untold: Vec<_> = untold.into_iter().filter_map(|(uid, words)| Some((place(&uid)?, words))).collect();
        untold.sort_unstable();
        Unwritten { refused, untold }
    }
}
