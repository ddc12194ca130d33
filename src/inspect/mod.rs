//! What the everyday commands say of resources and identities: states, tables and sentences, made of what was gathered. It asks nobody and
//! writes nothing.
//!
//! | module | does |
//! |---|---|
//! | `facts` | all that is known of one externalId |
//! | `facts_text` | the same as people read it |
//! | `leaving` | deletions that have not gone through yet |
//! | `owners` | who owns a field of an object |
//! | `row` | the rows of `list` |
//! | `state` | what is the matter with an Identity, in words to choose by |
//! | `table` | lays out columns, and tells ages |
//! | `verdict` | what the operator says of an Identity |
//! | `version` | program and operators in the cluster: are they of one version? |

mod facts;
mod facts_text;
mod leaving;
mod owners;
mod row;
mod state;
mod table;
mod verdict;
mod version;

pub use facts::{ContentFacts, Facts, Gathered, HeldFacts, PolicyFact, ResourceFacts, owner_of};
pub use facts_text::facts_text;
pub use leaving::{Delay, Departures, Leaving, Numbers};
pub use owners::owners;
pub use row::{Row, rows};
pub use state::{State, Upstream, differences, read};
pub use verdict::{Verdict, named_few};
pub use version::Versions;
