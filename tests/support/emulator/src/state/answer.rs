//! Answers as the server words them: the success envelope, the error envelope with its stable `type`, and the content type of each.
//! It must not decide which answer is due.

use std::sync::Arc;

use serde::Serialize;
use serde_json::value::RawValue;

use super::rows::{Identity, StoredLimit};
use super::schema::Violation;

const DOCS: &str = "https://unkey.com/docs/errors/";
/// The media type of everything that went well, and of what the schema refused.
pub const JSON: &str = "application/json";

/// An HTTP answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Response {
    /// The HTTP status.
    pub status: u16,
    /// The media type; empty for none.
    pub content_type: String,
    /// Further headers.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
}

impl Response {
    /// A plain-text answer of Go's own router.
    pub fn text(status: u16, body: &str) -> Self {
        let content_type = "text/plain; charset=utf-8".to_owned();
        Self { status, content_type, headers: Vec::new(), body: body.as_bytes().to_vec() }
    }

    /// 200 with a JSON body.
    pub fn json<T: Serialize>(body: &T) -> Self {
        // Strings, numbers and text that was JSON before: serializing them does not fail.
        let body = serde_json::to_vec(body).unwrap_or_default();
        Self { status: 200, content_type: JSON.to_owned(), headers: Vec::new(), body }
    }
}

/// An error before it has a request id.
#[derive(Debug, Clone)]
pub struct Problem {
    status: u16,
    title: &'static str,
    kind: &'static str,
    detail: String,
    violations: Vec<Violation>,
    by_validator: bool,
}

impl Problem {
    fn new(status: u16, title: &'static str, kind: &'static str, detail: impl Into<String>) -> Self {
        Self { status, title, kind, detail: detail.into(), violations: Vec::new(), by_validator: false }
    }

    /// Refused by the `OpenAPI` validator, before any handler.
    pub fn schema(detail: impl Into<String>, violations: Vec<Violation>) -> Self {
        Self { violations, by_validator: true, ..Self::invalid(detail) }
    }

    /// The same with a single violation.
    pub fn validator(location: &str, message: &str) -> Self {
        let violation = Violation { location: location.to_owned(), message: message.to_owned() };
        Self::schema(message, vec![violation])
    }

    /// Refused by a handler.
    pub fn invalid(detail: impl Into<String>) -> Self {
        Self::new(400, "Bad Request", "unkey/application/invalid_input", detail)
    }

    /// An Authorization header that is not `Bearer <key>`.
    pub fn malformed() -> Self {
        let detail = "Authorization header must be in the format 'Bearer <token>'.";
        Self::new(400, "Bad Request", "unkey/authentication/malformed", detail)
    }

    /// No such root key.
    pub fn key_not_found() -> Self {
        let detail = "The provided root key is invalid. Please check that you are using a valid root key.";
        Self::new(401, "Unauthorized", "unkey/authentication/key_not_found", detail)
    }

    /// The root key has expired.
    pub fn key_expired() -> Self {
        Self::new(403, "Forbidden", "unkey/authorization/forbidden", "The key has expired.")
    }

    /// The root key is disabled.
    pub fn key_disabled() -> Self {
        Self::new(403, "Key is disabled", "unkey/authorization/key_disabled", "The key is disabled.")
    }

    /// The workspace is disabled.
    pub fn workspace_disabled() -> Self {
        let kind = "unkey/authorization/workspace_disabled";
        Self::new(403, "Workspace is disabled", kind, "The workspace is disabled.")
    }

    /// The root key's workspace is gone.
    pub fn workspace_not_found() -> Self {
        Self::new(404, "Not Found", "unkey/data/workspace_not_found", "The requested workspace does not exist.")
    }

    /// A permission is missing.
    pub fn forbidden(workspace: &str, action: &str, id: Option<&str>) -> Self {
        let one = id.map(|id| format!(", identity.{id}.{action}")).unwrap_or_default();
        let detail = format!(
            "Missing one of these permissions: identity.*.{action}{one} or unkey:v1:{workspace}:projects/*/identities/*#{action}"
        );
        Self::new(403, "Insufficient Permissions", "unkey/authorization/insufficient_permissions", detail)
    }

    /// The only 404 that means that an identity is absent.
    pub fn identity_not_found() -> Self {
        Self::new(404, "Not Found", "unkey/data/identity_not_found", "This identity does not exist.")
    }

    /// A live identity has that externalId.
    pub fn already_exists(external_id: &str) -> Self {
        let detail = format!("Identity with externalId \"{external_id}\" already exists in this workspace.");
        Self::new(409, "Conflicting Resource", "unkey/data/identity_already_exists", detail)
    }

    /// The workspace limit.
    pub fn rate_limited() -> Self {
        let kind = "user/too_many_requests/workspace_rate_limited";
        Self::new(429, "Too Many Requests", kind, "The workspace has exceeded its rate limit. Please try again later.")
    }

    /// Every failure of the database.
    pub fn unexpected() -> Self {
        let kind = "unkey/application/unexpected_error";
        Self::new(500, "Internal Server Error", kind, "An unexpected error occurred. Please try again later.")
    }

    /// The answer to a request with that id and Accept header.
    pub fn answer(self, request_id: &str, accept: Option<&str>) -> Response {
        #[derive(Serialize)]
        struct Body<'a> {
            error: Error<'a>,
            meta: Meta<'a>,
        }
        #[derive(Serialize)]
        struct Error<'a> {
            detail: &'a str,
            #[serde(skip_serializing_if = "Option::is_none")]
            errors: Option<&'a [Violation]>,
            status: u16,
            title: &'a str,
            r#type: String,
        }
        let error = Error {
            detail: &self.detail,
            errors: (self.status == 400).then_some(&self.violations[..]),
            status: self.status,
            title: self.title,
            r#type: format!("{DOCS}{}", self.kind),
        };
        let wanted = ["*/*", "application/*", "application/problem+json"];
        let problem = !self.by_validator && accept.is_some_and(|accept| wanted.iter().any(|w| accept.contains(w)));
        let content_type = if problem { "application/problem+json" } else { JSON };
        let body = Response::json(&Body { error, meta: Meta { request_id } }).body;
        Response { status: self.status, content_type: content_type.to_owned(), headers: Vec::new(), body }
    }
}

/// `meta` of every envelope.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Meta<'a> {
    /// The only place the request id is in.
    pub request_id: &'a str,
}

/// An identity as answered: empty meta and empty rate limits are absent.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Shown {
    external_id: String,
    id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    meta: Option<Box<RawValue>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    ratelimits: Vec<ShownLimit>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ShownLimit {
    auto_apply: bool,
    duration: i64,
    id: String,
    limit: i64,
    name: String,
}

impl Shown {
    /// With the given meta text instead of the stored one, if any; `limits` in the order to be shown.
    pub fn new(identity: &Identity, meta: Option<&str>, limits: &[StoredLimit]) -> Self {
        let shown = |limit: &StoredLimit| ShownLimit {
            auto_apply: limit.auto_apply,
            duration: limit.duration,
            id: limit.id.clone(),
            limit: limit.limit,
            name: limit.name.clone(),
        };
        Self {
            external_id: identity.external_id.clone(),
            id: identity.id.clone(),
            meta: meta.filter(|text| *text != "{}").and_then(|text| RawValue::from_string(text.to_owned()).ok()),
            ratelimits: limits.iter().map(shown).collect(),
        }
    }

    /// As stored.
    pub fn stored(identity: &Arc<Identity>) -> Self {
        Self::new(identity, Some(&identity.meta), &identity.limits)
    }
}
