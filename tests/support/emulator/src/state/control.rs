//! What a test may do to the state besides requests: add and change workspaces and root keys, act as another client, read what is stored.
//! All of it works on the primary. It must not answer requests.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::keys::{KeyStatus, RootKey};
use super::rows::{Identity, StoredLimit};
use super::{Document, Settings, State, Workspace, bind, go, json};

/// A stored rate limit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RatelimitView {
    /// `rl_…`; ignored when given.
    #[serde(default)]
    pub id: String,
    /// The name.
    pub name: String,
    /// Calls per duration.
    pub limit: i64,
    /// Milliseconds.
    pub duration: i64,
    /// Whether verification applies it unasked.
    #[serde(default)]
    pub auto_apply: bool,
}

/// A stored identity.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct IdentityView {
    /// `id_…`
    pub id: String,
    /// The externalId.
    pub external_id: String,
    /// The meta as stored; `{}` when empty.
    pub meta: Value,
    /// The rate limits by name.
    pub ratelimits: Vec<RatelimitView>,
}

/// All of a workspace's rows on the primary, by id.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Snapshot {
    /// Those that requests see.
    pub live: Vec<IdentityView>,
    /// Those that were soft-deleted and are still there.
    pub dead: Vec<IdentityView>,
}

/// What another client writes; fields that are left out stay, or are empty in a new identity. Not validated.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
pub struct Seed {
    /// Only for a new identity.
    pub external_id: String,
    /// Replaces the meta.
    pub meta: Option<Map<String, Value>>,
    /// Replaces the rate limits.
    pub ratelimits: Option<Vec<RatelimitView>>,
}

impl State {
    /// Adds a workspace; false if it was there.
    pub fn add_workspace(&mut self, name: &str, settings: Settings) -> bool {
        if self.workspaces.contains_key(name) {
            return false;
        }
        self.workspaces.insert(name.to_owned(), Workspace { settings, ..Workspace::default() });
        true
    }

    /// Removes a workspace with all identities; its root keys stay and answer `workspace_not_found`.
    pub fn remove_workspace(&mut self, name: &str) -> bool {
        self.workspaces.remove(name).is_some()
    }

    /// Removes all identities of a workspace and its rate-limit window.
    pub fn clear_workspace(&mut self, name: &str) {
        if let Some(workspace) = self.workspaces.get_mut(name) {
            let settings = std::mem::take(&mut workspace.settings);
            *workspace = Workspace { settings, ..Workspace::default() };
        }
    }

    /// The names of all workspaces.
    pub fn workspaces(&self) -> Vec<String> {
        self.workspaces.keys().cloned().collect()
    }

    /// The settings of a workspace.
    pub fn settings(&self, workspace: &str) -> Option<&Settings> {
        self.workspaces.get(workspace).map(|workspace| &workspace.settings)
    }

    /// The settings of a workspace, to change.
    pub fn settings_mut(&mut self, workspace: &str) -> Option<&mut Settings> {
        self.workspaces.get_mut(workspace).map(|workspace| &mut workspace.settings)
    }

    /// Adds or replaces a root key.
    pub fn add_key(&mut self, key: &str, root_key: RootKey) {
        self.keys.insert(key.to_owned(), root_key);
    }

    /// Makes a root key good or bad; false if it is unknown.
    pub fn set_key_status(&mut self, key: &str, status: KeyStatus) -> bool {
        self.keys.get_mut(key).map(|held| held.status = status).is_some()
    }

    /// Deletes a root key.
    pub fn remove_key(&mut self, key: &str) -> bool {
        self.keys.remove(key).is_some()
    }

    /// The workspace that an Authorization header opens, be it there or not.
    pub fn workspace_of(&self, authorization: Option<&str>) -> Option<String> {
        let key = authorization.and_then(super::bearer)?;
        self.keys.get(key).map(|held| held.workspace.clone())
    }

    /// The id and externalId of the row that `identity` means on the primary; a dead one if there is no live one.
    pub fn names(&self, workspace: &str, identity: &str) -> Option<(String, String)> {
        let rows = &self.workspaces.get(workspace)?.rows;
        let row = rows.current(identity).or_else(|| rows.current_of(identity).min_by_key(|row| row.deleted))?;
        Some((row.id.clone(), row.external_id.clone()))
    }

    /// What is stored.
    pub fn snapshot(&self, workspace: &str) -> Snapshot {
        let mut snapshot = Snapshot::default();
        for row in self.workspaces.get(workspace).into_iter().flat_map(|workspace| workspace.rows.all()) {
            let list = if row.deleted { &mut snapshot.dead } else { &mut snapshot.live };
            list.push(view(row));
        }
        snapshot
    }

    /// The live identity of that externalId.
    pub fn live(&self, workspace: &str, external_id: &str) -> Option<IdentityView> {
        let rows = &self.workspaces.get(workspace)?.rows;
        rows.current_of(external_id).find(|row| !row.deleted && row.external_id == external_id).map(view)
    }

    /// Creates an identity as another client would; `None` if the workspace is unknown or the externalId is taken.
    pub fn seed(&mut self, now: u64, workspace: &str, seed: Seed) -> Option<String> {
        let held = self.workspaces.get(workspace)?;
        if held.rows.current_of(&seed.external_id).any(|row| !row.deleted) {
            return None;
        }
        let identity = Identity {
            id: self.random.id("id"),
            external_id: seed.external_id.clone(),
            meta: Arc::from("{}"),
            limits: Vec::new(),
            deleted: false,
        };
        let id = identity.id.clone();
        self.write(now, workspace, identity, seed)?;
        Some(id)
    }

    /// Changes a live identity as another client would; false if there is none of that id or externalId.
    pub fn mutate(&mut self, now: u64, workspace: &str, identity: &str, seed: Seed) -> bool {
        let found = self.workspaces.get(workspace).and_then(|held| held.rows.find(identity, u64::MAX));
        found.and_then(|row| self.write(now, workspace, Identity::clone(&row), seed)).is_some()
    }

    fn write(&mut self, now: u64, workspace: &str, mut identity: Identity, seed: Seed) -> Option<()> {
        if let Some(meta) = seed.meta {
            // Through the server's own encoding, so that what is stored looks as if it had come by a request.
            let document = Document::parse(Value::Object(meta).to_string().as_bytes()).ok()?;
            let json::Kind::Object(members) = document.root().kind() else { return None };
            identity.meta = Arc::from(go::encode(&members.into_iter().collect()).stored.as_str());
        }
        if let Some(ratelimits) = seed.ratelimits {
            identity.limits.clear();
            for RatelimitView { name, limit, duration, auto_apply, .. } in ratelimits {
                let sent = bind::Ratelimit { name, limit, duration, auto_apply };
                identity.upsert(StoredLimit::new(self.random.id("rl"), sent));
            }
        }
        let held = self.workspaces.get_mut(workspace)?;
        held.rows.put(now, held.settings.replica_lag_ms, identity);
        Some(())
    }

    /// Deletes a live identity as another client would; false if there is none.
    pub fn delete(&mut self, now: u64, workspace: &str, identity: &str) -> bool {
        let Some(held) = self.workspaces.get_mut(workspace) else { return false };
        let Some(row) = held.rows.find(identity, u64::MAX) else { return false };
        held.rows.soft_delete(now, held.settings.replica_lag_ms, &row);
        true
    }
}

fn view(row: &Arc<Identity>) -> IdentityView {
    let ratelimit = |limit: &StoredLimit| RatelimitView {
        id: limit.id.clone(),
        name: limit.name.clone(),
        limit: limit.limit,
        duration: limit.duration,
        auto_apply: limit.auto_apply,
    };
    IdentityView {
        id: row.id.clone(),
        external_id: row.external_id.clone(),
        meta: serde_json::from_str(&row.meta).unwrap_or_default(),
        ratelimits: row.limits.iter().map(ratelimit).collect(),
    }
}
