//! What the everyday commands say of resources and identities: states, tables and sentences, made of what was gathered. It asks nobody and
//! writes nothing.
//!
//! | module | does |
//! |---|---|
//! | `row` | the rows of `list` |
//! | `state` | what is the matter with an Identity, in words to choose by |
//! | `table` | lays out columns, and tells ages |
//! | `version` | program and operators in the cluster: are they of one version? |

mod row;
mod state;
mod table;
mod version;

pub use row::{Row, rows};
pub use state::{State, Upstream};
pub use version::Versions;
