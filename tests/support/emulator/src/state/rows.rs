//! The identities of one workspace as rows with a short history, so that the read replica can be asked for the past. At most one live and
//! one soft-deleted row per externalId. It must not know requests, permissions or answers.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use super::bind::Ratelimit;
use super::collation::{SortKey, sort_key};

/// History is kept at least this long, or as long as the replica lags.
const HISTORY_MS: u64 = 60_000;

/// A stored rate limit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredLimit {
    /// `rl_…`
    pub id: String,
    /// Unique per identity under the collation.
    pub name: String,
    /// Calls per duration.
    pub limit: i64,
    /// Milliseconds.
    pub duration: i64,
    /// Whether verification applies it unasked.
    pub auto_apply: bool,
}

impl StoredLimit {
    /// What was sent, under an id.
    pub fn new(id: String, sent: Ratelimit) -> Self {
        let Ratelimit { name, limit, duration, auto_apply } = sent;
        Self { id, name, limit, duration, auto_apply }
    }
}

/// A stored identity.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// `id_…`
    pub id: String,
    /// As created.
    pub external_id: String,
    /// The JSON text of the meta object.
    pub meta: Arc<str>,
    /// By name, in the order of the collation.
    pub limits: Vec<StoredLimit>,
    /// Soft-deleted.
    pub deleted: bool,
}

impl Identity {
    /// Inserts, or overwrites the row of an equal name, which keeps its id.
    pub fn upsert(&mut self, limit: StoredLimit) {
        let key = sort_key(&limit.name);
        match self.limits.binary_search_by(|held| sort_key(&held.name).cmp(&key)) {
            Ok(place) => {
                let id = std::mem::take(&mut self.limits[place].id);
                self.limits[place] = StoredLimit { id, ..limit };
            }
            Err(place) => self.limits.insert(place, limit),
        }
    }
}

/// What one row was, by the time it became so; `None`: no row.
#[derive(Default)]
struct Row {
    versions: Vec<(u64, Option<Arc<Identity>>)>,
}

impl Row {
    fn at(&self, time: u64) -> Option<&Arc<Identity>> {
        let version = self.versions.iter().rev().find(|(since, _)| *since <= time)?;
        version.1.as_ref()
    }

    fn latest(&self) -> Option<&Arc<Identity>> {
        self.versions.last()?.1.as_ref()
    }
}

/// All rows.
#[derive(Default)]
pub struct Rows {
    by_id: BTreeMap<SortKey, Row>,
    by_external_id: HashMap<SortKey, Vec<SortKey>>,
}

impl Rows {
    /// The live identity that `name` meant at `time`: the internal id wins over the externalId.
    pub fn find(&self, name: &str, time: u64) -> Option<Arc<Identity>> {
        let key = sort_key(name);
        let live = |row: &SortKey| self.by_id.get(row)?.at(time).filter(|identity| !identity.deleted).cloned();
        live(&key).or_else(|| self.by_external_id.get(&key)?.iter().find_map(live))
    }

    /// The row of that id as it is now, dead or alive.
    pub fn current(&self, id: &str) -> Option<&Arc<Identity>> {
        self.by_id.get(&sort_key(id))?.latest()
    }

    /// The rows of that externalId as they are now: the live one and the soft-deleted one.
    pub fn current_of(&self, external_id: &str) -> impl Iterator<Item = &Arc<Identity>> {
        let ids = self.by_external_id.get(&sort_key(external_id));
        ids.into_iter().flatten().filter_map(|id| self.by_id.get(id)?.latest())
    }

    /// The live identities at `time` whose id is not before `cursor`, by id.
    pub fn live_from(&self, cursor: &str, time: u64) -> impl Iterator<Item = &Arc<Identity>> {
        let from = if cursor.is_empty() { SortKey::new() } else { sort_key(cursor) };
        self.by_id.range(from..).filter_map(move |(_, row)| row.at(time)).filter(|identity| !identity.deleted)
    }

    /// Every row as it is now, dead ones too, by id.
    pub fn all(&self) -> impl Iterator<Item = &Arc<Identity>> {
        self.by_id.values().filter_map(Row::latest)
    }

    /// Writes a row.
    pub fn put(&mut self, now: u64, lag: u64, identity: Identity) {
        let id = sort_key(&identity.id);
        let external_id = sort_key(&identity.external_id);
        self.write(now, lag, &id, Some(Arc::new(identity)));
        let horizon = horizon(now, lag);
        let ids = self.by_external_id.entry(external_id).or_default();
        if !ids.contains(&id) {
            ids.push(id);
            // Rows that no replica's past shows any more; else an identity made and deleted over and over would grow for ever.
            ids.retain(|id| {
                let gone = self.by_id.get(id).is_none_or(|row| row.latest().is_none() && row.at(horizon).is_none());
                if gone {
                    self.by_id.remove(id);
                }
                !gone
            });
        }
    }

    /// Marks a row as deleted; an older dead row of the same externalId makes room for it.
    pub fn soft_delete(&mut self, now: u64, lag: u64, row: &Identity) {
        let older: Vec<_> =
            self.current_of(&row.external_id).filter(|old| old.deleted).map(|old| sort_key(&old.id)).collect();
        for id in older {
            self.write(now, lag, &id, None);
        }
        self.put(now, lag, Identity { deleted: true, ..row.clone() });
    }

    fn write(&mut self, now: u64, lag: u64, id: &SortKey, identity: Option<Arc<Identity>>) {
        let versions = &mut self.by_id.entry(id.clone()).or_default().versions;
        let horizon = horizon(now, lag);
        // The newest version at the horizon is still what a reader of that time sees.
        let first = versions.iter().rposition(|(since, _)| *since <= horizon).unwrap_or(0);
        versions.drain(..first);
        versions.push((now, identity));
    }
}

fn horizon(now: u64, lag: u64) -> u64 {
    now.saturating_sub(lag.max(HISTORY_MS))
}
