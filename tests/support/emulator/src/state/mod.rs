//! The identities API as a pure state machine: a request and the time in, an answer out. No clock, no IO, no tasks; the same seed, times and
//! requests give the same answers. Everything is checked in the server's order: path, security, content type, body, schema, root key,
//! workspace limit, handler.

mod answer;
mod bind;
mod collation;
mod control;
mod go;
mod handlers;
mod json;
mod keys;
pub mod limiter;
mod random;
mod rows;
mod scan;
mod schema;

use std::collections::{BTreeMap, HashMap};

use serde::{Deserialize, Serialize};

pub use self::answer::Response;
use self::answer::{JSON, Meta, Problem};
pub use self::control::{IdentityView, RatelimitView, Seed, Snapshot};
use self::handlers::Context;
use self::json::Document;
pub use self::keys::{KeyStatus, Permissions, RootKey};
use self::limiter::Window;
use self::random::Random;
use self::rows::Rows;

/// The server reads no longer body; a longer one looks empty to its validator.
pub const MAX_BODY_BYTES: usize = 10 * 1024 * 1024;

/// An operation on identities.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Operation {
    /// `identities.createIdentity`
    #[serde(alias = "createIdentity")]
    Create,
    /// `identities.getIdentity`
    #[serde(alias = "getIdentity")]
    Get,
    /// `identities.updateIdentity`
    #[serde(alias = "updateIdentity")]
    Update,
    /// `identities.deleteIdentity`
    #[serde(alias = "deleteIdentity")]
    Delete,
    /// `identities.listIdentities`
    #[serde(alias = "listIdentities")]
    List,
}

impl Operation {
    /// By the path of a request.
    pub fn of_path(path: &str) -> Option<Self> {
        Some(match path {
            "/v2/identities.createIdentity" => Self::Create,
            "/v2/identities.getIdentity" => Self::Get,
            "/v2/identities.updateIdentity" => Self::Update,
            "/v2/identities.deleteIdentity" => Self::Delete,
            "/v2/identities.listIdentities" => Self::List,
            _ => return None,
        })
    }
}

/// One request as the server's router sees it.
#[derive(Debug, Clone, Copy)]
pub struct Request<'a> {
    /// GET, POST, …
    pub method: &'a str,
    /// The path, undecoded.
    pub path: &'a str,
    /// Behind the question mark.
    pub query: Option<&'a str>,
    /// The Authorization header.
    pub authorization: Option<&'a str>,
    /// The Content-Type header.
    pub content_type: Option<&'a str>,
    /// The Accept header.
    pub accept: Option<&'a str>,
    /// The body.
    pub body: &'a [u8],
    /// When it reads; not after it commits. The replica shows the state of that moment, minus its lag.
    pub read_at_ms: u64,
}

/// What can be set per workspace.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
pub struct Settings {
    /// How far the read replica is behind.
    pub replica_lag_ms: u64,
    /// The workspace limit; none by default.
    pub limit_per_minute: Option<u64>,
    /// Whether the workspace is disabled.
    pub disabled: bool,
    /// How long an operation takes: it reads when it comes in and commits that much later.
    pub latency_ms: u64,
    /// Whether get, update and delete without permission answer as if the identity did not exist, and lists leave out what the key may
    /// not read; else both answer 403. Unkey's pull request 6926.
    pub mask_permissions: bool,
}

#[derive(Default)]
struct Workspace {
    rows: Rows,
    window: Window,
    settings: Settings,
}

/// All workspaces and root keys.
pub struct State {
    workspaces: BTreeMap<String, Workspace>,
    keys: HashMap<String, RootKey>,
    random: Random,
}

impl State {
    /// Nothing in it; ids follow from the seed.
    pub fn new(seed: u64) -> Self {
        Self { workspaces: BTreeMap::new(), keys: HashMap::new(), random: Random::new(seed) }
    }

    /// Answers a request and commits what it does at `now_ms`.
    pub fn handle(&mut self, now_ms: u64, request: &Request<'_>) -> Response {
        let cleaned = clean(request.path);
        if cleaned != request.path {
            let location = request.query.map_or(cleaned.clone(), |query| format!("{cleaned}?{query}"));
            let headers = vec![("Location".to_owned(), location)];
            return Response { status: 307, content_type: String::new(), headers, body: Vec::new() };
        }
        let request_id = self.random.id("req");
        let Some(operation) = Operation::of_path(request.path) else { return probe(request, &request_id) };
        if request.method != "POST" {
            return not_allowed("POST");
        }
        let document = match validate(operation, request) {
            Ok(document) => document,
            Err(problem) => return problem.answer(&request_id, request.accept),
        };
        let mut headers = Vec::new();
        let answer = self.authenticated(now_ms, operation, request, &document, &request_id, &mut headers);
        let mut response = answer.unwrap_or_else(|problem| problem.answer(&request_id, request.accept));
        response.headers = headers;
        response
    }

    fn authenticated(
        &mut self,
        now: u64,
        operation: Operation,
        request: &Request<'_>,
        document: &Document,
        request_id: &str,
        headers: &mut Vec<(String, String)>,
    ) -> Result<Response, Problem> {
        let token = request.authorization.and_then(bearer).ok_or_else(Problem::malformed)?;
        let key = self.keys.get(token).ok_or_else(Problem::key_not_found)?;
        let Some(workspace) = self.workspaces.get_mut(&key.workspace) else {
            return Err(Problem::workspace_not_found());
        };
        match key.status {
            KeyStatus::Active if workspace.settings.disabled => return Err(Problem::workspace_disabled()),
            KeyStatus::Active => {}
            KeyStatus::Disabled => return Err(Problem::key_disabled()),
            KeyStatus::Expired => return Err(Problem::key_expired()),
        }
        if let Some(limit) = workspace.settings.limit_per_minute {
            let verdict = workspace.window.take(now, limit);
            let mut add = |name: &str, value: u64| headers.push((name.to_owned(), value.to_string()));
            // A limit of 0 means "blocked" and tells nothing.
            if limit > 0 {
                add("RateLimit-Limit", limit);
                add("RateLimit-Remaining", verdict.remaining);
                add("RateLimit-Reset", verdict.reset);
                if !verdict.allowed {
                    add("Retry-After", verdict.reset);
                }
            }
            if !verdict.allowed {
                return Err(Problem::rate_limited());
            }
        }
        let body = bind::bind(operation, document.root())
            .map_err(|_| Problem::invalid("The request body is invalid. Please check the types of its fields."))?;
        let lag = workspace.settings.replica_lag_ms;
        let mut context = Context {
            rows: &mut workspace.rows,
            random: &mut self.random,
            workspace: &key.workspace,
            permissions: key.permissions,
            now,
            replica: request.read_at_ms.min(now).saturating_sub(lag),
            lag,
            masks: workspace.settings.mask_permissions,
            request_id,
        };
        context.run(operation, body)
    }
}

/// The token of a header in the only form the server knows.
pub(crate) fn bearer(header: &str) -> Option<&str> {
    header.strip_prefix("Bearer ").map(str::trim).filter(|token| !token.is_empty())
}

/// What the `OpenAPI` validator refuses, before anyone looks at the root key.
fn validate(operation: Operation, request: &Request<'_>) -> Result<Document, Problem> {
    if request.authorization.is_none_or(|header| header.trim().is_empty()) {
        return Err(Problem::validator("security", "Authorization header for 'bearer' scheme"));
    }
    let media_type = request.content_type.unwrap_or_default().split(';').next().unwrap_or_default().trim();
    if !media_type.eq_ignore_ascii_case(JSON) {
        return Err(Problem::validator("requestBody", "The Content-Type header must be application/json"));
    }
    if request.body.is_empty() || request.body.len() > MAX_BODY_BYTES {
        let message = format!("POST request body is empty for '{}'", request.path);
        return Err(Problem::validator("requestBody", &message));
    }
    let document =
        Document::parse(request.body).map_err(|error| Problem::validator("requestBody", &error.to_string()))?;
    let violations = schema::check(operation, document.root());
    if violations.is_empty() {
        return Ok(document);
    }
    Err(Problem::schema(format!("POST request body for '{}' failed to validate schema", request.path), violations))
}

/// Everything that is not an operation on identities.
fn probe(request: &Request<'_>, request_id: &str) -> Response {
    #[derive(Serialize)]
    struct Alive<'a> {
        data: BTreeMap<&'a str, &'a str>,
        meta: Meta<'a>,
    }
    let known = ["/v2/liveness", "/health/live", "/health/ready", "/health/startup"];
    if !known.contains(&request.path) {
        return Response::text(404, "404 page not found\n");
    }
    match request.method {
        "GET" | "HEAD" if request.path == "/v2/liveness" => {
            Response::json(&Alive { data: BTreeMap::from([("message", "we're cooking")]), meta: Meta { request_id } })
        }
        "GET" | "HEAD" => Response::json(&BTreeMap::from([("status", "ok")])),
        _ => not_allowed("GET, HEAD"),
    }
}

fn not_allowed(methods: &str) -> Response {
    let mut response = Response::text(405, "Method Not Allowed\n");
    response.headers.push(("Allow".to_owned(), methods.to_owned()));
    response
}

/// The path that Go's router would redirect to: no doubled slashes, no dots.
fn clean(path: &str) -> String {
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop();
            }
            _ => parts.push(part),
        }
    }
    let slash = if path.ends_with('/') && !parts.is_empty() { "/" } else { "" };
    format!("/{}{slash}", parts.join("/"))
}

/// The `identity` or `externalId` that a body names, for logs and faults; not for decisions of the API.
pub fn target(body: &[u8]) -> Option<String> {
    let document = Document::parse(body).ok()?;
    let root = document.root();
    root.member("identity").or_else(|| root.member("externalId"))?.text().map(ToOwned::to_owned)
}
