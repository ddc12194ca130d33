//! The five identity operations on one workspace, in the server's order of checks: which read goes to the replica, which to the primary,
//! and what each leaves in the rows. It must not authenticate, count or word answers.

use std::sync::Arc;

use serde::Serialize;

use super::Operation;
use super::answer::{Meta, Problem, Response, Shown};
use super::bind::{Body, Ratelimit};
use super::go::Encoded;
use super::keys::Permissions;
use super::random::Random;
use super::rows::{Identity, Rows, StoredLimit};

/// The server's limit on the encoded meta.
const MAX_META_BYTES: usize = 1_048_576;
/// The database's limits on a JSON document.
const MAX_META_DEPTH: usize = 100;
const MAX_KEY_BYTES: usize = 65_535;
/// The column's width.
const MAX_EXTERNAL_ID: usize = 256;
/// From this size on a row does not fit the database's sort buffer, which fails every list that reads it.
const UNSORTABLE_META_BYTES: usize = 261_992;

/// What a handler works with.
pub struct Context<'a> {
    pub rows: &'a mut Rows,
    pub random: &'a mut Random,
    pub workspace: &'a str,
    pub permissions: Permissions,
    /// The time of the commit.
    pub now: u64,
    /// The past that the replica shows.
    pub replica: u64,
    pub lag: u64,
    /// A missing permission looks like a missing identity.
    pub masks: bool,
    pub request_id: &'a str,
}

#[derive(Serialize)]
struct Success<'a, T> {
    #[serde(skip_serializing_if = "Option::is_none")]
    data: Option<T>,
    meta: Meta<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pagination: Option<Pagination>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Pagination {
    #[serde(skip_serializing_if = "Option::is_none")]
    cursor: Option<String>,
    has_more: bool,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Created<'a> {
    identity_id: &'a str,
}

impl Context<'_> {
    pub fn run(&mut self, operation: Operation, body: Body) -> Result<Response, Problem> {
        match operation {
            Operation::Create => self.create(body),
            Operation::Get => self.get(&body),
            Operation::Update => self.update(body),
            Operation::Delete => self.delete(&body),
            Operation::List => self.list(&body),
        }
    }

    fn ok<T: Serialize>(&self, data: Option<T>, pagination: Option<Pagination>) -> Response {
        Response::json(&Success { data, meta: Meta { request_id: self.request_id }, pagination })
    }

    /// The same for what can be masked: all but create.
    fn authorize_or_mask(&self, granted: bool, action: &str, id: Option<&str>) -> Result<(), Problem> {
        if !granted && self.masks { Err(Problem::identity_not_found()) } else { self.authorize(granted, action, id) }
    }

    fn authorize(&self, granted: bool, action: &str, id: Option<&str>) -> Result<(), Problem> {
        if granted { Ok(()) } else { Err(Problem::forbidden(self.workspace, action, id)) }
    }

    fn look_up(&self, identity: &str) -> Result<Arc<Identity>, Problem> {
        self.rows.find(identity, self.replica).ok_or_else(Problem::identity_not_found)
    }

    fn limit(&mut self, sent: Ratelimit) -> StoredLimit {
        StoredLimit::new(self.random.id("rl"), sent)
    }

    fn create(&mut self, body: Body) -> Result<Response, Problem> {
        self.authorize(self.permissions.create, "create_identity", None)?;
        let meta = body.meta.as_ref();
        within_size(meta)?;
        storable(meta)?;
        if body.external_id.chars().count() > MAX_EXTERNAL_ID {
            return Err(Problem::unexpected());
        }
        if self.rows.current_of(&body.external_id).any(|held| !held.deleted) {
            return Err(Problem::already_exists(&body.external_id));
        }
        let id = loop {
            let id = self.random.id("id");
            if self.rows.current(&id).is_none() {
                break id;
            }
        };
        let meta = meta.map_or_else(|| Arc::from("{}"), |meta| Arc::from(meta.stored.as_str()));
        let mut identity =
            Identity { id: id.clone(), external_id: body.external_id, meta, limits: Vec::new(), deleted: false };
        for sent in body.ratelimits.unwrap_or_default() {
            identity.upsert(self.limit(sent));
        }
        self.rows.put(self.now, self.lag, identity);
        Ok(self.ok(Some(Created { identity_id: &id }), None))
    }

    fn get(&mut self, body: &Body) -> Result<Response, Problem> {
        let identity = self.look_up(&body.identity)?;
        self.authorize_or_mask(self.permissions.read, "read_identity", Some(&identity.id))?;
        Ok(self.ok(Some(Shown::stored(&identity)), None))
    }

    fn update(&mut self, body: Body) -> Result<Response, Problem> {
        // Who masks looks at the permission in the identity's own project, so it finds the identity first.
        if self.masks {
            self.look_up(&body.identity)?;
        }
        self.authorize_or_mask(self.permissions.update, "update_identity", None)?;
        if let Some(name) = body.ratelimits.as_deref().and_then(duplicate) {
            return Err(Problem::invalid(format!("Ratelimit with name '{name}' is already defined in the request")));
        }
        let meta = body.meta.as_ref();
        within_size(meta)?;
        let seen = self.look_up(&body.identity)?;
        // The row is locked by id on the primary: a hard-deleted one is an error, a soft-deleted one is not noticed.
        let Some(row) = self.rows.current(&seen.id) else { return Err(Problem::unexpected()) };
        let mut row = Identity::clone(row);
        storable(meta)?;
        if let Some(meta) = meta {
            row.meta = Arc::from(meta.stored.as_str());
        }
        let shown = match body.ratelimits {
            None => seen.limits.clone(),
            Some(sent) => self.replace_limits(&mut row, &seen, sent),
        };
        let meta = meta.map(|meta| meta.text.as_str());
        let shown = Shown::new(&row, meta, &shown);
        self.rows.put(self.now, self.lag, row);
        Ok(self.ok(Some(shown), None))
    }

    /// The difference is taken against what the replica showed, and written to the primary by row id: limits that the replica did not
    /// show stay, and one that is gone meanwhile is not made again. The answer tells what was meant, in the order of a Go map.
    fn replace_limits(&mut self, row: &mut Identity, seen: &Identity, sent: Vec<Ratelimit>) -> Vec<StoredLimit> {
        let dropped = |held: &StoredLimit| {
            seen.limits.iter().any(|limit| limit.id == held.id) && !sent.iter().any(|limit| limit.name == held.name)
        };
        row.limits.retain(|held| !dropped(held));
        let mut shown: Vec<StoredLimit> = Vec::with_capacity(sent.len());
        let mut inserts = Vec::new();
        for sent in sent {
            let mut limit = self.limit(sent);
            if let Some(known) = seen.limits.iter().find(|known| known.name == limit.name) {
                limit.id.clone_from(&known.id);
                if let Some(held) = row.limits.iter_mut().find(|held| held.id == known.id) {
                    held.clone_from(&limit);
                }
            } else {
                inserts.push(limit.clone());
            }
            shown.push(limit);
        }
        for limit in inserts {
            row.upsert(limit);
        }
        self.random.shuffle(&mut shown);
        shown
    }

    fn delete(&mut self, body: &Body) -> Result<Response, Problem> {
        self.authorize_or_mask(self.permissions.delete, "delete_identity", None)?;
        let seen = self.look_up(&body.identity)?;
        // A row that is dead or gone already: the statement hits nothing, and that is a success.
        if let Some(row) = self.rows.current(&seen.id).filter(|row| !row.deleted).cloned() {
            self.rows.soft_delete(self.now, self.lag, &row);
        }
        Ok(self.ok(None::<()>, None))
    }

    fn list(&mut self, body: &Body) -> Result<Response, Problem> {
        let limit = usize::try_from(body.limit.unwrap_or(100)).unwrap_or(0);
        let search = body.search.as_deref().unwrap_or_default().to_lowercase();
        let matches = |text: &str| text.to_lowercase().contains(&search);
        let mut rows: Vec<_> = Vec::new();
        for identity in self.rows.live_from(body.cursor.as_deref().unwrap_or_default(), self.replica) {
            if !search.is_empty() && !matches(&identity.id) && !matches(&identity.external_id) {
                continue;
            }
            if self.masks && !self.permissions.read {
                continue;
            }
            if identity.meta.len() >= UNSORTABLE_META_BYTES {
                return Err(Problem::unexpected());
            }
            // The scan goes on behind the page: one row that does not sort breaks every page before it.
            if rows.len() <= limit {
                rows.push(Arc::clone(identity));
            }
        }
        let cursor = rows.get(limit).map(|next| next.id.clone());
        rows.truncate(limit);
        if let Some(first) = rows.first() {
            self.authorize(self.permissions.read, "read_identity", Some(&first.id))?;
        }
        let page: Vec<_> = rows.iter().map(Shown::stored).collect();
        Ok(self.ok(Some(page), Some(Pagination { has_more: cursor.is_some(), cursor })))
    }
}

fn duplicate(sent: &[Ratelimit]) -> Option<&str> {
    let mut names = std::collections::HashSet::new();
    sent.iter().map(|limit| limit.name.as_str()).find(|name| !names.insert(*name))
}

fn within_size(meta: Option<&Encoded>) -> Result<(), Problem> {
    match meta.map(|meta| meta.text.len()) {
        Some(bytes) if bytes > MAX_META_BYTES => {
            Err(Problem::invalid(format!("Metadata is too large: it must be at most 1.0 MB, but is {bytes} bytes.")))
        }
        _ => Ok(()),
    }
}

/// What the database refuses to store comes out as an unexpected error, every time.
fn storable(meta: Option<&Encoded>) -> Result<(), Problem> {
    match meta {
        Some(meta) if meta.depth > MAX_META_DEPTH || meta.longest_key > MAX_KEY_BYTES => Err(Problem::unexpected()),
        _ => Ok(()),
    }
}
