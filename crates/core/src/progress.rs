//! What of an object only grows, as long as time goes forward: by this a restore of etcd from a backup is noticed although new writes have brought the
//! resource versions beyond those of before.

/// How far an object has come. Of two sights of one uid, the later one has come at least as far.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// `metadata.generation`
    pub generation: i64,
    /// `status.observedGeneration` of its own status; `None`: it has none.
    pub observed: Option<i64>,
    /// It has a deletionTimestamp.
    pub leaving: bool,
}

impl Progress {
    /// True if `now` has not come as far as this: what was seen since was undone.
    pub fn is_undone(&self, now: &Self) -> bool {
        now.generation < self.generation || now.observed < self.observed || (self.leaving && !now.leaving)
    }
}
