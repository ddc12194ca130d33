//! What Unkey shows. It only reads, but for the probes of permissions, which change nothing.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use k8s_openapi::jiff::Timestamp;

use super::super::connect::Upstream;
use super::cluster::ClusterSide;
use super::probes;
use crate::check::{Finding, Id, Listed, Looked, MarkSeen, Verdict, permissions, rate_limit, unkey, workspace};
use crate::domain::PROBES;
use crate::gather::{ListedIdentity, seconds_of_date};
use crate::unkey::{Class, Error, PROBE, QuotaObserver};

/// What Unkey shows.
#[derive(Default)]
pub(super) struct UnkeySide {
    pub findings: Vec<Finding>,
    /// Its clock, in seconds before this machine's.
    pub clock: Option<i64>,
}

pub(super) async fn look(with_permissions: bool, upstream: &mut Upstream, side: &ClusterSide) -> UnkeySide {
    let (listed, observed) = listed(upstream).await;
    let here = Timestamp::now().as_second();
    let clock = observed.date().and_then(seconds_of_date).map(|there| there - here);
    let mut findings = unkey(&listed, upstream.client.base_url(), &upstream.from).to_vec();
    let is_answered = match &listed {
        Listed::Page(..) | Listed::OnlyGet(_) => true,
        Listed::Failed(error) => matches!(error.class(), Class::Permission { .. }),
    };
    if !is_answered {
        findings.extend(Finding::skipped(
            &[Id::RateLimit, Id::Workspace],
            "Unkey does not answer, or not to this root key",
        ));
        return UnkeySide { findings, clock };
    }
    findings.push(rate_limit(observed.report()));
    let seen = match &side.listed {
        Some(listed) => Some(looked(upstream, listed).await),
        None => None,
    };
    let why = "No Identities could be listed, so there is no workspace to compare with";
    findings.push(match &seen {
        Some(seen) => workspace(seen, &upstream.mark, &upstream.from),
        None => Finding::new(Id::Workspace, Verdict::Skipped, why),
    });
    if with_permissions {
        let shown = seen.iter().flatten().any(|it| it.looked == Looked::Hit);
        findings.extend(permissions(&probes::send(upstream, listed, shown).await, side.observes));
    }
    UnkeySide { findings, clock }
}

/// Asks for the first page of the list; if that fails by itself, for an identity that does not exist.
async fn listed(upstream: &mut Upstream) -> (Listed, QuotaObserver) {
    let client = upstream.client.clone();
    let mut seen = (QuotaObserver::default(), Duration::ZERO);
    let answer = upstream
        .pace
        .ask(async || {
            let begun = Instant::now();
            seen.0 = QuotaObserver::default();
            let answer = client.observed_by(&seen.0).list(1, None).await;
            seen.1 = begun.elapsed();
            answer
        })
        .await;
    let (observed, took) = seen;
    match answer {
        Ok(page) => (Listed::Page(took, page.identities.into_iter().next().map(|first| first.id)), observed),
        Err(error) if error.may_be_too_much() => {
            let begun = Instant::now();
            let observed = QuotaObserver::default();
            match client.observed_by(&observed).get(PROBE).await {
                Err(other) if other.class() != Class::NotFound => (Listed::Failed(error), observed),
                _ => (Listed::OnlyGet(begun.elapsed()), observed),
            }
        }
        Err(error) => (Listed::Failed(error), observed),
    }
}

/// Asks for a few identities that are recorded under each root key: those that stay before those that leave, old before young.
async fn looked(upstream: &mut Upstream, listed: &[ListedIdentity]) -> Vec<MarkSeen> {
    let mut by_mark: BTreeMap<Option<String>, Vec<_>> = BTreeMap::new();
    for it in listed {
        let claimant = it.raw.claimant(it.raw.read_status().as_ref());
        let Some(id) = claimant.recorded else { continue };
        let mark = claimant.credential.map(|mark| mark.to_string());
        by_mark.entry(mark).or_default().push(((claimant.leaving, claimant.born), it.raw.external_id(), id));
    }
    let mut seen = Vec::new();
    for (mark, mut recorded) in by_mark {
        recorded.sort_by_key(|(rank, ..)| *rank);
        let mut looked = Looked::Missed;
        for (_, external_id, id) in recorded.iter().take(PROBES) {
            match shows(upstream, external_id.as_str(), id.as_str()).await {
                Ok(true) => looked = Looked::Hit,
                Ok(false) => continue,
                Err(error) => looked = Looked::Failed(error.to_string()),
            }
            if looked == Looked::Hit {
                break;
            }
        }
        seen.push(MarkSeen { mark, recorded: recorded.len(), asked: recorded.len().min(PROBES), looked });
    }
    seen
}

async fn shows(upstream: &mut Upstream, external_id: &str, id: &str) -> Result<bool, Error> {
    let client = &upstream.client;
    match upstream.pace.ask(async || client.get(external_id).await).await {
        Ok(found) => Ok(found.external_id == external_id && found.id == id),
        Err(error) if error.class() == Class::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}
