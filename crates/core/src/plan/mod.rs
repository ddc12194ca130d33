//! What the operator would do, told before it does it. Pure: it drives the shipped [`Session`](crate::session::Session) over objects and identities
//! as they were listed, answers it from that listing, and notes what it asks for.
//!
//! No rule is here. Who owns what, adoption, policies, the brake and all the rest come out of the session, or a plan would be a second operator that
//! may disagree with the first. It may not make a request, and it knows no clock: waits are skipped.
//!
//! | module | is |
//! |---|---|
//! | `world` | what was listed |
//! | `run` | who is looked at when: at the beginning, after a wait, after another's write, by the scan |
//! | `scan` | what rests and is not as its status says |
//! | `reconcile` | one session over one object, and what becomes of its requests |
//! | `packed` | a content that is not looked at |
//! | `unkey` | the identities as they would stand |
//! | `difference` | what a write changes, field by field |
//! | `change` | what becomes of one object |

mod change;
mod difference;
mod packed;
mod reconcile;
mod run;
mod scan;
#[cfg(test)]
mod tests;
mod unkey;
mod world;

pub use self::change::{Action, Change};
pub use self::difference::{Effect, FieldChange, FieldValue, difference};
pub use self::packed::Packed;
pub use self::run::{Plan, plan};
pub use self::world::{Identity, Listed, World};
