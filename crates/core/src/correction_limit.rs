//! A difference that comes back after it was set right (R16). `fight` counts.

use super::content::Applied;
use super::ids::Mono;
use super::object::Object;

/// A difference that comes back after it was set right.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CorrectionLimit {
    /// The generation that is fought for.
    pub generation: i64,
    /// What stands in Unkey each time, of the managed fields; `None`: known only from a status, which does not say.
    pub found: Option<Applied>,
    /// How often it was set right.
    pub corrections: u32,
    /// When it was last set right.
    pub last: Mono,
}

impl CorrectionLimit {
    pub(super) fn is_about(&self, object: &Object, found: &Applied) -> bool {
        self.generation == object.generation && self.found.as_ref().is_none_or(|before| before == found)
    }
}
