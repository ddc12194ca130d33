//! What the operator would do, for people and for programs. It gathers nothing and writes nothing: it is handed what was listed, and makes a
//! [`Report`] of it. Which call follows from what is decided by the session that the operator runs too ([`crate::domain::plan`]).
//!
//! | module | does |
//! |---|---|
//! | `manifests` | reads manifests |
//! | `merge` | what an object would be once a manifest is applied |
//! | `admission` | what the API server would refuse, by the committed schema |
//! | `overlay` | all objects as if the manifests were applied |
//! | `listed` | an object as the plan is handed it |
//! | `alone` | a plan without a cluster |
//! | `report` | the plan as data, with its schema |
//! | `text` | the plan as people read it |

mod admission;
mod alone;
mod listed;
pub mod manifests;
mod merge;
mod overlay;
mod report;
mod text;

pub use admission::{normalised, problems};
pub use alone::{Stored, asked_for, plan_alone};
pub use listed::ListedObject;
pub use manifests::{Manifest, ManifestError, Manifests};
pub use merge::{applier, merged};
pub use overlay::{Overlaid, Overlay};
pub use report::{ChangeReport, FailOn, FieldReport, PolicyReport, Read, Report, UnmanagedReport, schema};
pub use text::{Style, field_line, limit, text};
