//! What counts as the same process: its fingerprint.

use std::hash::{Hash, Hasher};

use unkey_operator::domain::{Knowledge, LastWrite, Mono, Seen, Visits};

use crate::kube::{Kube, Thing};
use crate::operator::Operator;
use crate::unkey::{ATTEMPT, TICK_MS, WINDOW};
use crate::words::{limits_code, meta_code};

/// Times further back than this are alike: no rule looks back more than a window and an attempt.
const LONG_AGO: u32 = WINDOW + ATTEMPT + 1;

/// Times are hashed relative to now, and those long past are alike, so that the state space is finite without a bound on time.
pub struct Print<'a> {
    pub op: &'a Operator,
    pub kube: &'a Kube,
    pub now: u32,
}

impl Print<'_> {
    fn time(&self, at: Mono) -> i64 {
        let now = self.op.mono(self.now).0;
        let ago = i64::try_from(at.0).expect("a time") - i64::try_from(now).expect("a time");
        ago.max(-i64::from(LONG_AGO) * i64::try_from(TICK_MS).expect("small"))
    }

    /// Versions matter only by which is the newest.
    fn thing<H: Hasher>(&self, thing: &Thing, h: &mut H) {
        let newest = self.kube.slots.iter().flatten().any(|newest| newest.version == thing.version);
        (thing.uid, newest, thing.print()).hash(h);
    }

    fn known<H: Hasher>(&self, known: &Knowledge, h: &mut H) {
        match &known.last {
            LastWrite::None => 0_u8.hash(h),
            LastWrite::Created { uid, identity, applied, credential, noted } => {
                (1_u8, uid, identity, applied, credential, noted).hash(h);
            }
            LastWrite::Updated { uid, identity, applied, noted } => (2_u8, uid, identity, applied, noted).hash(h),
            LastWrite::Deleted { uid, identity } => (3_u8, uid, identity).hash(h),
            LastWrite::Exists { uid } => (4_u8, uid).hash(h),
        }
        self.time(known.evidence_from).hash(h);
        (known.doubt.is_some(), known.in_flight.is_some()).hash(h);
        if let Some(doubt) = &known.doubt {
            (self.time(doubt.over), doubt.ended, &doubt.creates).hash(h);
        }
        if let Some(sent) = &known.in_flight {
            (&sent.uid, sent.what, self.time(sent.deadline), &sent.fields, sent.sent_before).hash(h);
        }
        (&known.unsure, known.limits_sent.map(|at| self.time(at))).hash(h);
        let window = u64::from(WINDOW) * TICK_MS;
        let settled = known.settled(window).is_some();
        match &known.seen {
            Seen::Nothing => 0_u8.hash(h),
            Seen::Absent { first, last, of } => {
                let row = *last >= first.after(window);
                let first_settled = *first >= known.settles_at(window);
                (1_u8, settled, first_settled, row, self.time(*first), self.time(*last), of).hash(h);
            }
            Seen::Ours { identity, content, .. } => {
                (2_u8, settled, identity, meta_code(&content.meta), limits_code(&content.limits)).hash(h);
            }
            Seen::Foreign { .. } => (3_u8, settled).hash(h),
        }
    }

    fn visits<H: Hasher>(&self, visits: &Visits, h: &mut H) {
        (visits.seen_before, visits.met_deleting, visits.claimed_here, visits.claim_met).hash(h);
        (visits.undone_met, visits.sent, visits.met_exists, visits.drifted, visits.suspicion, &visits.maybe_own)
            .hash(h);
        if let Some(fight) = &visits.fight {
            (fight.generation, &fight.found, fight.corrections, self.time(fight.last)).hash(h);
        }
        (&visits.rejudge, &visits.credential, &visits.judged, visits.failures).hash(h);
        visits.trouble.is_some().hash(h);
        if let Some(trouble) = &visits.trouble {
            // What is due is due.
            let retry = trouble.retry_at.map(|at| self.time(at).max(0));
            (&trouble.cause, retry, trouble.lasting, trouble.generation, trouble.write).hash(h);
            (&trouble.poke, &trouble.credential).hash(h);
        }
    }
}

impl Hash for Print<'_> {
    fn hash<H: Hasher>(&self, h: &mut H) {
        let op = self.op;
        (self.now - op.since).min(LONG_AGO).hash(h);
        for cached in &op.cache {
            cached.is_some().hash(h);
            if let Some(thing) = cached {
                self.thing(thing, h);
            }
        }
        (op.stale, op.behind, op.key, op.visits.len(), op.strays.len(), op.pass.is_some()).hash(h);
        let workspace = &op.workspace;
        for key in 0..=op.key {
            workspace.gate(Some(&Operator::policy(key).credential)).hash(h);
        }
        self.time(workspace.settles_at(0)).hash(h);
        self.known(&op.known, h);
        for (uid, visits) in &op.visits {
            uid.hash(h);
            self.visits(visits, h);
        }
        for thing in &op.strays {
            self.thing(thing, h);
        }
        if let Some(pass) = &op.pass {
            (1_u8, pass.slot, pass.fresh, pass.gone, pass.stray, pass.key, pass.crd, pass.read).hash(h);
            self.thing(&pass.thing, h);
            pass.waiting.is_some().hash(h);
            if let Some(waiting) = &pass.waiting {
                (2_u8, self.now - waiting.begun, format!("{:?}{:?}", waiting.call, waiting.reply)).hash(h);
            }
        }
    }
}
