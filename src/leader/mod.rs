//! Leader election on a `coordination.k8s.io/v1` Lease: of several operators one acts, and the others are warm.
//!
//! It saves work, it does not keep anything safe: two operators at once are safe too (R11). Still a leader stops acting well before anyone
//! can take its lease, and asks before every write whether it may.
//!
//! | module | does |
//! |---|---|
//! | `election` | decides what to ask and who leads: pure |
//! | this one | asks, and tells |

mod election;
#[cfg(test)]
mod tests;

use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use k8s_openapi::api::coordination::v1::{Lease, LeaseSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{MicroTime, ObjectMeta};
use k8s_openapi::jiff::Timestamp;
use kube::api::PostParams;
use kube::{Api, Client};
use tokio::sync::SetOnce;

pub use self::election::Timing;
use self::election::{Answer, Ask, Election, Record};
use crate::api::proves_absence;
use crate::apiserver;
use crate::telemetry::LogOnce;

/// Whether this process may act. Cheap to ask, so ask before every write.
#[derive(Clone, Debug)]
pub struct Leadership(Arc<LeaseTerm>);

#[derive(Debug)]
struct LeaseTerm {
    origin: Instant,
    /// In ms since `origin`; `u64::MAX`: for ever.
    until: AtomicU64,
    won: SetOnce<()>,
}

impl Leadership {
    /// Of a process that has no rivals.
    pub fn unrivalled() -> Self {
        Self::new(u64::MAX)
    }

    /// Of one that has to be elected first.
    pub fn to_be_won() -> Self {
        Self::new(0)
    }

    fn new(until: u64) -> Self {
        let won = SetOnce::new_with((until > 0).then_some(()));
        Self(Arc::new(LeaseTerm { origin: Instant::now(), until: AtomicU64::new(until), won }))
    }

    /// Resolves when this process has come to lead. It leads once: its end as a leader is its end. Ask [`Leadership::holds`] before a write.
    pub async fn won(&self) {
        self.0.won.wait().await;
    }

    /// True while this process may act. After it has stood still, the very first question is answered by the time that passed.
    pub fn holds(&self) -> bool {
        let until = self.0.until.load(Ordering::SeqCst);
        until == u64::MAX || self.0.origin.elapsed() < Duration::from_millis(until)
    }

    fn now(&self) -> Duration {
        self.0.origin.elapsed()
    }

    fn set(&self, until: Option<Duration>) {
        let ms = until.map_or(0, |until| u64::try_from(until.as_millis()).unwrap_or(u64::MAX - 1));
        self.0.until.store(ms, Ordering::SeqCst);
        if until.is_some() {
            // An error means that it was won before.
            let _ = self.0.won.set(());
        }
    }
}

/// Why a leader has to end.
#[derive(Debug, thiserror::Error)]
pub enum LeaderError {
    /// The API server shows another holder, or no lease.
    #[error("the lease is gone or held by another operator; exiting to restart")]
    Taken,
    /// It could not be renewed in time.
    #[error("the lease could not be renewed within {:.1} s; exiting to restart", .0.as_secs_f64())]
    NotRenewed(Duration),
}

/// Which lease, and who asks.
#[derive(Clone, Debug)]
pub struct LeaseRef {
    /// `metadata.namespace`
    pub namespace: String,
    /// `metadata.name`
    pub name: String,
    /// The name that a person knows this process by, such as that of its Pod.
    pub holder: String,
}

/// A candidate for one lease.
#[derive(Debug)]
pub struct LeaderElector {
    api: Api<Lease>,
    name: String,
    me: String,
    timing: Timing,
    lead: Leadership,
    election: Election,
    /// As it was last read or written: labels and the like stay as they are.
    lease: Option<Lease>,
    told: LogOnce,
    jitter: RandomState,
}

impl LeaderElector {
    /// For the lease of that name. `client` should serve nothing else, so that no queue holds up a renewal.
    pub fn new(client: Client, place: &LeaseRef, timing: Timing, lead: Leadership) -> Self {
        let jitter = RandomState::new();
        let LeaseRef { namespace, name, holder } = place;
        // Of this process alone: a restarted container must not take its predecessor's lease for its own.
        let me = format!("{holder}_{:016x}", jitter.hash_one(std::process::id()));
        Self {
            api: Api::namespaced(client, namespace),
            name: name.clone(),
            election: Election::new(me.clone(), timing),
            me,
            timing,
            lead,
            lease: None,
            told: LogOnce::default(),
            jitter,
        }
    }

    /// Stands until it leads, and leads until it must not any more: that is the error.
    pub async fn run(&mut self) -> LeaderError {
        let mut led = false;
        loop {
            let sent = self.lead.now();
            let ask = self.election.next(sent);
            // A renewal that hangs leaves time for another one.
            let answer = tokio::time::timeout(self.timing.retry * 2, self.ask(&ask)).await;
            let answer = answer.unwrap_or_else(|_| self.fails("the API server did not answer in time"));
            // A term that ended meanwhile is not taken up again: reconciles have ended on that, and nothing would begin them.
            let lapsed = led && !self.lead.holds();
            let now = self.lead.now();
            let has_heard = matches!(answer, Answer::Is(_));
            self.election.answered(&ask, answer, sent, now);
            let until = self.election.until().filter(|until| now < *until && !lapsed);
            self.lead.set(until);
            match until {
                Some(_) if !led => {
                    led = true;
                    tracing::info!(lease = self.name, me = self.me, "leading");
                }
                None if led && self.election.until().is_some() => return LeaderError::NotRenewed(self.timing.renew),
                None if led => return LeaderError::Taken,
                // Who leads is known by an answer alone: told after each failure too, it would make each failure news again.
                None if has_heard => self.stands_by(),
                Some(_) | None => {}
            }
            let pace = match (until, &ask, self.election.next(now)) {
                // Another's, or a renewal that came to nothing.
                (_, _, Ask::Get) => self.timing.look,
                (Some(_), Ask::Create | Ask::Hold(_), _) => self.timing.retry,
                // There for the taking, or still ours though a renewal came to nothing.
                _ => Duration::ZERO,
            };
            // No longer than the term, ours or another's: its end is to be noticed when it comes.
            let end = until.or_else(|| self.election.free_from());
            let wait = self.jittered(pace, sent);
            tokio::time::sleep(end.map_or(wait, |end| wait.min(end.saturating_sub(now)))).await;
        }
    }

    /// Lets another one lead at once. Call it when nothing is written any more.
    pub async fn release(mut self) {
        self.lead.set(None);
        let deadline = self.timing.retry;
        let release = async {
            if !matches!(self.ask(&Ask::Get).await, Answer::Is(record) if record.holder.as_ref() == Some(&self.me)) {
                return false;
            }
            let Some(mut lease) = self.lease.take() else { return false };
            if let Some(spec) = &mut lease.spec {
                spec.holder_identity = None;
                spec.lease_duration_seconds = Some(1);
            }
            self.api.replace(&self.name, &PostParams::default(), &lease).await.is_ok()
        };
        match tokio::time::timeout(deadline, release).await {
            Ok(true) => tracing::info!("released the lease"),
            Ok(false) => {}
            Err(_) => tracing::warn!("the lease could not be released; it expires on its own"),
        }
    }

    async fn ask(&mut self, ask: &Ask) -> Answer {
        let params = PostParams::default();
        let answer = match ask {
            Ask::Get => self.api.get(&self.name).await,
            Ask::Create => self.api.create(&params, &self.held(None)).await,
            Ask::Hold(version) => {
                let mut lease = self.held(self.lease.as_ref());
                lease.metadata.resource_version = Some(version.clone());
                self.api.replace(&self.name, &params, &lease).await
            }
        };
        match answer {
            Ok(lease) => {
                let record = record(&lease);
                self.lease = Some(lease);
                Answer::Is(record)
            }
            Err(kube::Error::Api(status)) if status.code == 409 => Answer::Conflict,
            // Any other 404 is a proxy's, or an API server's that does not serve leases at the moment.
            Err(kube::Error::Api(status)) if proves_absence(&status, "coordination.k8s.io", "leases", &self.name) => {
                Answer::Absent
            }
            // It names the right that is missing.
            Err(kube::Error::Api(status)) => self.fails(&status.message),
            Err(error) => self.fails(&apiserver::unreached(&error)),
        }
    }

    /// The lease with our name, in place of what was.
    fn held(&self, before: Option<&Lease>) -> Lease {
        let now = MicroTime(Timestamp::now());
        let metadata = before.map_or_else(
            || ObjectMeta { name: Some(self.name.clone()), ..ObjectMeta::default() },
            |before| before.metadata.clone(),
        );
        let spec = before.and_then(|before| before.spec.clone()).unwrap_or_default();
        let renewed = spec.holder_identity.as_ref() == Some(&self.me);
        let spec = LeaseSpec {
            holder_identity: Some(self.me.clone()),
            lease_duration_seconds: i32::try_from(self.timing.lease.as_secs().max(1)).ok(),
            acquire_time: if renewed { spec.acquire_time } else { Some(now.clone()) },
            renew_time: Some(now),
            lease_transitions: Some(
                spec.lease_transitions.unwrap_or(0).saturating_add(i32::from(!renewed && before.is_some())),
            ),
            ..spec
        };
        Lease { metadata, spec: Some(spec) }
    }

    /// What goes wrong is told once, until something else does.
    fn fails(&mut self, why: &str) -> Answer {
        if self.told.is_news(why) {
            tracing::warn!(lease = self.name, %why, "the lease cannot be read or written; retrying");
        }
        Answer::Unknown
    }

    fn stands_by(&mut self) {
        let holder = self.lease.as_ref().and_then(|lease| lease.spec.as_ref()?.holder_identity.clone());
        let Some(holder) = holder.filter(|holder| *holder != self.me) else { return };
        if self.told.is_news(&format!("{holder} leads")) {
            tracing::info!(lease = self.name, leader = holder, "standing by");
        }
    }

    /// Up to a fifth more, so that candidates do not ask in step.
    fn jittered(&self, wait: Duration, seed: Duration) -> Duration {
        let part = u32::try_from(self.jitter.hash_one(seed) % 200).unwrap_or(0);
        wait + wait * part / 1_000
    }
}

fn record(lease: &Lease) -> Record {
    let spec = lease.spec.as_ref();
    let holder = spec.and_then(|spec| spec.holder_identity.clone()).filter(|holder| !holder.is_empty());
    let seconds = spec.and_then(|spec| spec.lease_duration_seconds).and_then(|seconds| u64::try_from(seconds).ok());
    Record {
        version: lease.metadata.resource_version.clone().unwrap_or_default(),
        holder,
        lease: Duration::from_secs(seconds.unwrap_or(0)),
    }
}
