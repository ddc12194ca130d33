//! Manifests of what Unkey holds. It asks neither Unkey nor a cluster: it is handed what was listed, and makes manifests of it that lead to that
//! very content again. Only `write` touches files.
//!
//! | module | does |
//! |---|---|
//! | `select` | which identities are meant |
//! | `names` | the name of a manifest, by the externalId |
//! | `labels` | what the API server takes for a label |
//! | `manifest` | one identity as a manifest, or why there is none |
//! | `unusual` | what not every way to the cluster passes on |
//! | `collect` | all of them, in order, and what is left out |
//! | `yaml` | values as YAML that every reader takes for the same |
//! | `document` | a manifest as people read it |
//! | `folder` | the files of an import |
//! | `write` | writes all of them, or none |

mod collect;
mod document;
mod folder;
mod labels;
mod manifest;
mod names;
mod select;
mod unusual;
mod write;
mod yaml;

pub use collect::{Import, LeftOut, Manifest, import};
pub use document::document;
pub use folder::{CREATED, File, files, stream};
pub use labels::label;
pub use manifest::{Form, MetaForm};
pub use names::name_of;
pub use select::{InCluster, Selection, external_ids};
pub use unusual::Unusual;
pub use write::{WriteError, check, write};
