//! A status that says that work waits (R24), as `controller::overdue` writes it: by who holds the lock, at any moment between two reconciles or while
//! one waits for an answer. When is the controller's affair; here it may be at every moment.

use std::sync::Arc;

use unkey_operator_core::session::{Records, Session, waiting};
use unkey_operator_core::{DeletionLimits, Deletions, StatusUpdate};

use crate::configs::Config;
use crate::environment::ModelEnvironment;
use crate::kube::{Patched, Thing};
use crate::operator::{Operator, Reconcile};
use crate::state::State;
use crate::words::uid;

impl State {
    /// What a process would say of the object in this slot, and the version that it has in view.
    pub fn overdue(&self, config: &Config, op: &Operator, slot: usize) -> Option<(Arc<Thing>, StatusUpdate)> {
        let (thing, key) = match &op.reconcile {
            None => (op.cache[slot].clone()?, op.key),
            Some(reconcile)
                if reconcile.waiting.is_some() && reconcile.slot == slot && can_tell(&reconcile.session) =>
            {
                (Arc::clone(&reconcile.thing), reconcile.key)
            }
            Some(_) => return None,
        };
        let now = op.mono(self.now);
        let object = thing.view(now, self.now);
        let mut known = op.known.clone();
        let object_state =
            op.object_state.iter().find(|(uid, _)| *uid == thing.uid).map(|(_, object_state)| object_state.clone());
        let mut object_state = object_state.unwrap_or_default();
        let environment = ModelEnvironment {
            now,
            role: op.role(thing.uid),
            ownership_gate: self.ownership_gate(op),
            workspace: &op.workspace,
            cache: &op.cache,
            thing: &thing,
            key_in_use: &Operator::policy(op.key).credential,
            drains: false,
            permitted: true,
            seeded: None,
            deletions: Deletions::new(DeletionLimits::NONE),
        };
        let memory = Records { known: &mut known, object_state: &mut object_state };
        let report = waiting(&object, memory, &environment, (Operator::policy(key), config.crd()), None);
        let report = match config.seeded {
            None => report,
            Some(seeded) => seeded.overdue(report, &object),
        };
        report.map(|report| (thing, report))
    }

    /// Says it.
    pub fn tell(&mut self, config: &Config, at: usize, slot: usize) {
        let mut op = Operator::clone(&self.ops[at]);
        let Some((thing, report)) = self.overdue(config, &op, slot) else { return };
        let before = self.kube.slots[slot].clone();
        let fenced = !config.seeded.is_some_and(crate::seeded::Seeded::drops_fences);
        let (Patched::Done(after), Some(before)) = (self.kube.status(slot, &thing, &report, fenced), before) else {
            return;
        };
        self.writes += 1;
        let mut known = op.known.clone();
        let policy = Arc::clone(Operator::policy(op.key));
        let view = Reconcile {
            slot,
            thing: Arc::clone(&thing),
            session: Session::start(uid(thing.uid), policy, config.crd(), &mut known),
            key: op.key,
            permitted: false,
            waiting: None,
            read: None,
            saw: false,
        };
        self.check_status(&view, &before, &report);
        self.check_telling(&before, &report);
        self.supersede(config, slot, &before);
        if after.uid == thing.uid {
            op.shown(slot, &after);
            if let Some(reconcile) = &mut op.reconcile {
                reconcile.thing = after;
            }
        }
        self.ops[at] = Arc::new(op);
    }
}

/// The object has a status to say it in.
fn can_tell(session: &Session) -> bool {
    !session.clears_up() && session.gone().is_none()
}
