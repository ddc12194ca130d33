//! What is sent and what is read. Names and shapes are those of the Unkey API reference.
//!
//! Unknown reply fields are ignored, because the server may grow; a known field of the wrong type is not, because a reply that is
//! half understood must not pass for an answer.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The metadata of an identity: a JSON object.
///
/// Unkey keeps numbers as doubles; compare them so. In requests, nesting is bounded by the caller (the server refuses more than
/// 100 levels); in replies, `serde_json` refuses more than 128 instead of overflowing the stack.
pub type Meta = serde_json::Map<String, serde_json::Value>;

/// One of the five operations this client speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Operation {
    /// `identities.createIdentity`
    Create,
    /// `identities.getIdentity`
    Get,
    /// `identities.updateIdentity`
    Update,
    /// `identities.deleteIdentity`
    Delete,
    /// `identities.listIdentities`
    List,
}

impl Operation {
    /// Every operation, for tables and tests.
    pub const ALL: [Self; 5] = [Self::Create, Self::Get, Self::Update, Self::Delete, Self::List];

    /// A short stable word, fit for a metric label: `create`, `get`, `update`, `delete`, `list`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Get => "get",
            Self::Update => "update",
            Self::Delete => "delete",
            Self::List => "list",
        }
    }

    /// Whether it changes anything in Unkey.
    pub const fn is_write(self) -> bool {
        matches!(self, Self::Create | Self::Update | Self::Delete)
    }

    /// Path below the base URL. All operations are `POST`.
    pub(crate) const fn path(self) -> &'static str {
        match self {
            Self::Create => "/v2/identities.createIdentity",
            Self::Get => "/v2/identities.getIdentity",
            Self::Update => "/v2/identities.updateIdentity",
            Self::Delete => "/v2/identities.deleteIdentity",
            Self::List => "/v2/identities.listIdentities",
        }
    }

    /// Bytes of a reply that are read at most. One identity holds up to 1 MiB of meta; a page holds up to 100 identities, so the
    /// caller must expect a page over this cap and ask for fewer.
    pub(crate) const fn body_cap(self) -> usize {
        match self {
            Self::List => 16 << 20,
            _ => 4 << 20,
        }
    }
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Body of `createIdentity`. `None` leaves a field out; the server then stores nothing for it.
#[derive(Clone, Copy, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct CreateIdentity<'a> {
    /// The caller's name of the identity, unique among the live identities of the workspace.
    pub external_id: &'a str,
    /// Metadata to store.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub meta: Option<&'a Meta>,
    /// Rate limits to store. Names must differ: on create the server silently keeps the last of two.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ratelimits: Option<&'a [RatelimitSpec]>,
}

/// Body of `updateIdentity`. `None` leaves a field as it is; an empty value clears it.
#[derive(Clone, Copy, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct UpdateIdentity<'a> {
    /// Internal id (`id_…`) or external id. The server looks both up, so a write should name the internal id.
    pub identity: &'a str,
    /// Replaces the whole metadata.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub meta: Option<&'a Meta>,
    /// Replaces the whole list, matched by name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ratelimits: Option<&'a [RatelimitSpec]>,
}

/// A rate limit as it is sent. `autoApply` is always written: the server refuses a limit without it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RatelimitSpec {
    /// Name, unique within the identity; 3 to 128 characters.
    pub name: String,
    /// Requests allowed per window; at least 1.
    pub limit: i64,
    /// Length of the window in milliseconds; at least 1000.
    pub duration: i64,
    /// Whether the limit applies to every verification without being named in it.
    pub auto_apply: bool,
}

/// Body of `getIdentity` and `deleteIdentity`.
#[derive(Serialize)]
pub(crate) struct ByIdentity<'a> {
    pub identity: &'a str,
}

/// Body of `listIdentities`.
#[derive(Serialize)]
pub(crate) struct ListIdentities<'a> {
    pub limit: u8,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cursor: Option<&'a str>,
}

/// An identity as Unkey shows it.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Identity {
    /// Internal id, `id_…`.
    pub id: String,
    /// External id, as stored. Check it: the server looks identities up by either id.
    pub external_id: String,
    /// Metadata. The server leaves an empty object out of its replies, so absent reads as empty.
    #[serde(default, deserialize_with = "null_as_default")]
    pub meta: Meta,
    /// Rate limits, in no order that means anything; absent reads as empty.
    #[serde(default, deserialize_with = "null_as_default")]
    pub ratelimits: Vec<Ratelimit>,
}

/// A rate limit as Unkey shows it. The bounds of [`RatelimitSpec`] do not hold here: other clients can store smaller values.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Ratelimit {
    /// Internal id, `rl_…`.
    pub id: String,
    /// Name, unique within the identity.
    pub name: String,
    /// Requests allowed per window.
    pub limit: i64,
    /// Length of the window in milliseconds.
    pub duration: i64,
    /// Whether the limit applies to every verification without being named in it.
    pub auto_apply: bool,
}

/// What `createIdentity` tells. The server repeats neither the external id nor the content.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Created {
    /// Internal id of the new identity.
    pub identity_id: String,
    /// For logs and for Unkey's support.
    pub request_id: String,
}

/// What may be believed of the reply to `updateIdentity`.
///
/// The server fills `meta` from the request, not from the store, and may list rate limits it did not store, so neither is here:
/// read the identity back to see its content.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Updated {
    /// Internal id of the identity that was changed.
    pub id: String,
    /// Its external id. Check it.
    pub external_id: String,
    /// For logs and for Unkey's support.
    pub request_id: String,
}

/// What `deleteIdentity` tells: nothing but that it was accepted.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Deleted {
    /// For logs and for Unkey's support.
    pub request_id: String,
}

/// One page of `listIdentities`.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Page {
    /// The identities, ordered by internal id under the server's collation.
    pub identities: Vec<Identity>,
    /// Where the next page begins; `None` only if the server said that there is none.
    pub next_cursor: Option<String>,
}

fn null_as_default<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: serde::Deserializer<'de>,
    T: Default + Deserialize<'de>,
{
    Option::deserialize(deserializer).map(Option::unwrap_or_default)
}
