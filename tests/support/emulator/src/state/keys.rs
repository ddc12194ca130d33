//! Root keys: the workspace each opens, what it may do and what is wrong with it. It must not know HTTP or identities.

use serde::{Deserialize, Serialize};

/// What a root key may do, for all identities of its workspace.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
// Four independent yes-or-no grants are what this is.
#[allow(clippy::struct_excessive_bools)]
pub struct Permissions {
    /// `identity.*.read_identity`
    pub read: bool,
    /// `identity.*.create_identity`
    pub create: bool,
    /// `identity.*.update_identity`
    pub update: bool,
    /// `identity.*.delete_identity`
    pub delete: bool,
}

impl Permissions {
    /// All four.
    pub const ALL: Self = Self { read: true, create: true, update: true, delete: true };
    /// None.
    pub const NONE: Self = Self { read: false, create: false, update: false, delete: false };
    /// get and list only.
    pub const READ_ONLY: Self = Self { read: true, ..Self::NONE };
}

impl Default for Permissions {
    fn default() -> Self {
        Self::NONE
    }
}

impl std::str::FromStr for Permissions {
    type Err = String;

    /// Reads `read,create,…`.
    fn from_str(list: &str) -> Result<Self, String> {
        let mut permissions = Self::NONE;
        for name in list.split(',') {
            match name.trim() {
                "read" => permissions.read = true,
                "create" => permissions.create = true,
                "update" => permissions.update = true,
                "delete" => permissions.delete = true,
                other => return Err(format!("unknown permission {other:?}: use read, create, update and delete")),
            }
        }
        Ok(permissions)
    }
}

/// Whether a root key is good.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum KeyStatus {
    /// Works.
    #[default]
    Active,
    /// 403 `key_disabled`.
    Disabled,
    /// 403 `forbidden`.
    Expired,
}

/// One root key.
#[derive(Debug, Clone)]
pub struct RootKey {
    /// The workspace it opens, which may be gone.
    pub workspace: String,
    /// What it may do.
    pub permissions: Permissions,
    /// Whether it is good.
    pub status: KeyStatus,
}
