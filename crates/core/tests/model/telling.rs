//! A status that says that work waits (R24), as `controller::overdue` writes it: by who has the turn, at any moment between two passes or while
//! one waits for an answer. When is the controller's affair; here it may be at every moment.

use std::sync::Arc;

use unkey_operator_core::{Report, Situation, begin_pass, observe, overdue};

use crate::configs::Config;
use crate::kube::{Patched, Thing};
use crate::operator::{Operator, Pass};
use crate::state::State;

impl State {
    /// What a process would say of the object in this slot, and the version that it has in view.
    pub fn overdue(&self, config: &Config, op: &Operator, slot: usize) -> Option<(Arc<Thing>, Report)> {
        let (thing, key) = match &op.pass {
            None => (op.cache[slot].clone()?, op.key),
            Some(pass) if pass.waiting.is_some() && pass.slot == slot && !pass.stray && pass.gone.is_none() => {
                (Arc::clone(&pass.thing), pass.key)
            }
            Some(_) => return None,
        };
        let now = op.mono(self.now);
        let policy = Operator::policy(key);
        let object = thing.view(false, None, now, self.now);
        let mut known = op.known.clone();
        begin_pass(&mut known);
        let visits = op.visits.iter().find(|(uid, _)| *uid == thing.uid).map(|(_, visits)| visits.clone());
        let mut visits = visits.unwrap_or_default();
        observe(&object, &mut known, &mut visits, policy, now);
        let gate = &op.workspace.gate(object.held().map(|held| &held.credential));
        let role = op.role(thing.uid);
        let witness = op.workspace.witness();
        known.hear_witness(witness, policy.window, object.is_leaving());
        let (known, visits, crd, entry) = (&known, &visits, config.crd(), self.entry(op));
        let situation = Situation { object: &object, role, known, visits, gate, witness, crd, entry, policy, now };
        let report = overdue(&situation, None);
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
        let view = Pass {
            slot,
            thing: Arc::clone(&thing),
            fresh: false,
            gone: None,
            stray: false,
            key: op.key,
            crd: config.crd(),
            waiting: None,
            read: None,
        };
        self.check_status(&view, &before, &report);
        self.check_telling(&before, &report);
        self.supersede(config, slot, &before);
        if after.uid == thing.uid {
            op.shown(slot, &after);
            if let Some(pass) = &mut op.pass {
                pass.thing = after;
            }
        }
        self.ops[at] = Arc::new(op);
    }
}
