//! What the annotation `unkey.com/deletion-approved` says.

/// Whether the deletion of an object may go without being counted.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub enum Approval {
    /// Nobody says so.
    #[default]
    None,
    /// It may: by an annotation that still holds, or by its namespace.
    Given,
    /// The annotation named a time that has passed.
    Past(String),
    /// The annotation is neither a time nor `always`.
    Unreadable(String),
}
