//! What Kubernetes refuses at the moment, over all objects (R25).

use super::Index;
use crate::domain::{KubeWrite, Uid};

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
        self.object_memories.forget_unkept();
    }

    /// True if Kubernetes refuses a write to the object at the moment.
    pub fn is_refused(&self, uid: &Uid) -> bool {
        self.object_memories.peek(uid, |memory| !memory.object_state.refusals.is_empty())
    }

    /// What is refused at the moment.
    pub fn unwritten(&self) -> Unwritten {
        let mut refused = KubeWrite::ALL.map(|write| (write, 0));
        let mut untold: Vec<(Uid, String)> = Vec::new();
        self.object_memories.each(|uid, memory| {
            let refusals = &memory.object_state.refusals;
            for (write, count) in &mut refused {
                *count += usize::from(refusals.of(*write).is_some());
            }
            untold.extend(refusals.untold().map(|refusal| (uid.clone(), refusal.words.clone())));
        });
        // No place is looked up unless there is something to tell.
        let place = |uid: &Uid| {
            let entries = self.entries.lock();
            let entries = entries.values().flat_map(|indexed| indexed.claims.entries());
            entries.into_iter().find(|entry| entry.claimant.uid == *uid).map(|entry| entry.extra.at.0.to_string())
        };
        let mut untold: Vec<_> = untold.into_iter().filter_map(|(uid, words)| Some((place(&uid)?, words))).collect();
        untold.sort_unstable();
        Unwritten { refused, untold }
    }
}
