//! What an operator, or the floor, has asked of the API server and of Unkey so far, by the audit log and by Unkey's own counts.

use std::cell::Cell;
use std::ops::Sub;
use std::time::{Duration, Instant};

use unkey_emulator::Operation;

use crate::stage::Scene;

/// How long the audit log may lag behind what a watch has shown.
const LAG: Duration = Duration::from_secs(30);

/// Counts of requests.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cost {
    /// Writes to Identities and their status.
    pub writes: u64,
    /// Uncached reads of single Identities and of their definition.
    pub reads: u64,
    /// Events written.
    pub events: u64,
    pub creates: u64,
    pub gets: u64,
    pub updates: u64,
    pub deletes: u64,
    pub lists: u64,
}

impl Cost {
    /// Calls to Unkey on single identities.
    pub fn calls(&self) -> u64 {
        self.creates + self.gets + self.updates + self.deletes
    }
}

impl Sub for Cost {
    type Output = Self;

    fn sub(self, before: Self) -> Self {
        Self {
            writes: self.writes - before.writes,
            reads: self.reads - before.reads,
            events: self.events - before.events,
            creates: self.creates - before.creates,
            gets: self.gets - before.gets,
            updates: self.updates - before.updates,
            deletes: self.deletes - before.deletes,
            lists: self.lists - before.lists,
        }
    }
}

impl Scene {
    /// What the client that calls itself `agent` has asked for in this scene.
    pub async fn cost(&self, agent: &str) -> Cost {
        let counts = self.workspace().counts().await;
        let (writes, reads, events) = self.asked(agent);
        Cost {
            writes,
            reads,
            events,
            creates: counts.of(Operation::Create),
            gets: counts.of(Operation::Get),
            updates: counts.of(Operation::Update),
            deletes: counts.of(Operation::Delete),
            lists: counts.of(Operation::List),
        }
    }

    /// The same once `writes` more have been logged than there were `before`: what a watch shows may not have reached the log yet.
    pub async fn cost_since(&self, agent: &str, before: Cost, writes: u64) -> Cost {
        let deadline = Instant::now() + LAG;
        let mut ticks = tokio::time::interval(Duration::from_millis(50));
        while self.asked(agent).0 < before.writes + writes {
            assert!(Instant::now() < deadline, "in vain: waited for {writes} writes of {agent} in the audit log");
            ticks.tick().await;
        }
        self.cost(agent).await - before
    }

    /// Writes, reads and events.
    fn asked(&self, agent: &str) -> (u64, u64, u64) {
        let counts = Cell::new((0, 0, 0));
        // It only counts: the log may be long, and copies of it are large.
        let counted = self.stage().plane().audit(|event| {
            let here = event.namespace == self.namespace() || event.resource == "customresourcedefinitions";
            if !here || !event.user_agent.starts_with(agent) {
                return false;
            }
            let (writes, reads, events) = counts.get();
            counts.set(match (event.resource.as_str(), event.verb.as_str()) {
                ("events", _) => (writes, reads, events + 1),
                (_, "get") => (writes, reads + 1, events),
                _ if event.is_write() => (writes + 1, reads, events),
                _ => (writes, reads, events),
            });
            false
        });
        counted.expect("an audit log");
        counts.get()
    }
}
