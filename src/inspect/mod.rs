//! What the everyday commands say of resources and identities: states, tables and sentences, made of what was gathered. It asks nobody and
//! writes nothing.
//!
//! | module | does |
//! |---|---|
//! | `owners` | who owns a field of an object |
//! | `row` | the rows of `list` |
//! | `state` | what is the matter with an Identity, in words to choose by |
//! | `table` | lays out columns, and tells ages |
//! | `verdict` | what the operator says of an Identity |
//! | `version` | program and operators in the cluster: are they of one version? |

mod owners;
mod row;
mod state;
mod table;
mod verdict;
mod version;

pub use owners::owners;
pub use row::{Row, rows};
pub use state::{State, Upstream, differences, read};
pub use verdict::{Verdict, named_few};
pub use version::Versions;
