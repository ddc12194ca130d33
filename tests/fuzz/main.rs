//! A campaign of bad input (after Acto): chains of specs, generated from the CRD's schema, put one after the other into a real API server
//! while the operator works against the emulator. After each it must have refused, carried out or explained the change, and nothing else.
//!
//! Set by environment: `FUZZ_SEED`, `FUZZ_CHAINS` and, to run one again, `FUZZ_ONLY=<number>`.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)] // a failed step of a test ends the test

mod chain;
mod dice;
mod drive;
#[allow(dead_code, unused_imports)] // the tests of `cluster` use the rest of it
#[path = "../cluster/harness/mod.rs"]
mod harness;
#[path = "../gitops/kstatus.rs"]
mod kstatus;
mod oracle;
mod schema;
mod values;
mod view;

use std::str::FromStr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use futures::StreamExt as _;

use chain::{Chain, Deck};
use drive::{Ground, Tally, Wrong};
use harness::{World, say};
use view::{Log, View};

const CRD: &str = include_str!("../../crds/identities.unkey.com.yaml");
/// Objects that are worked on at a time.
const AT_A_TIME: usize = 48;
/// After so many failures the rest is not begun.
const FAILURES: usize = 5;

#[allow(clippy::disallowed_methods)] // a test's own variables
fn environment<T: FromStr>(name: &str) -> Option<T> {
    let text = std::env::var(name).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{name}={text} is no number")))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_spec_is_refused_carried_out_or_explained() {
    let seed = environment("FUZZ_SEED").unwrap_or(20_261_121);
    let chains = environment("FUZZ_CHAINS").unwrap_or(300);
    let only: Option<usize> = environment("FUZZ_ONLY");
    say(&format!("campaign: FUZZ_SEED={seed} FUZZ_CHAINS={chains}"));
    let cases = values::domain(&schema::of_spec(CRD).unwrap()).unwrap();
    let deck = Deck::new(seed, &cases);
    say(&format!("campaign: {} cases, all of them dealt after {} chains", cases.len(), deck.enough()));

    let world = World::new("campaign").await.with_args(&[
        "--consistency-window",
        "300ms",
        "--request-timeout",
        "20s",
        // Scans go on beside it, and find nothing.
        "--scan-interval",
        "5s",
        // Ten thousand chains are more than the defaults let through in a quarter of an hour.
        "--max-requests-per-second",
        "0",
        "--log-level",
        "info",
    ]);
    let _operator = world.start().await;
    let ground = Arc::new(Ground {
        client: world.client.clone(),
        path: format!("/apis/unkey.com/v1alpha1/namespaces/{}/identities", world.namespace),
        workspace: world.workspace.clone(),
        view: View::new(),
        log: Log::new(world.files.path().join("operator.log")),
    });
    // To be sure of an absence takes an identity to be seen (R19), and the first chains would wait for one another.
    world.seed("witness", &serde_json::json!({}));
    let looking = Arc::clone(&ground);
    let watch = tokio::spawn(async move { looking.view.follow(&looking.client, &looking.path).await });

    let begun = Instant::now();
    let failures = AtomicUsize::new(0);
    let numbers = only.map_or(0..chains, |only| only..only + 1);
    let all = futures::stream::iter(numbers).map(|number| {
        let (deck, ground, failures) = (&deck, &ground, &failures);
        async move {
            if failures.load(Ordering::Relaxed) >= FAILURES {
                return None;
            }
            let chain = deck.chain(number);
            let result = drive::run(&chain, ground).await;
            failures.fetch_add(usize::from(result.is_err()), Ordering::Relaxed);
            Some((chain, result))
        }
    });
    let all: Vec<(Chain, Result<Tally, Wrong>)> =
        all.buffer_unordered(AT_A_TIME).filter_map(futures::future::ready).collect().await;

    let (mut tally, mut wrong) = (Tally::default(), Vec::new());
    for (chain, result) in &all {
        match result {
            Ok(done) => tally += *done,
            Err(Wrong { at, what }) => wrong.push(format!(
                "chain {} fails at {at}: {what}\n{chain}\n  again: FUZZ_SEED={seed} FUZZ_ONLY={} cargo test --test fuzz\n",
                chain.number, chain.number
            )),
        }
    }
    say(&format!(
        "campaign: {} chains, {} transitions: {} refused at admission, {} stalled ({} over what would be lost), {} suspended, {} observed, {} synced; {} s",
        all.len(),
        tally.transitions,
        tally.refused,
        tally.stalled,
        tally.would_lose,
        tally.suspended,
        tally.observed,
        tally.synced,
        begun.elapsed().as_secs()
    ));
    assert!(!watch.is_finished(), "the watch ended: {}", watch.await.unwrap());
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(world.workspace.delete("witness"), "the witness is there to the end");
    // Nothing is left over that belongs to no object.
    let left = world.workspace.snapshot().live;
    assert!(left.is_empty() && world.list().await.is_empty(), "left over: {left:?}");
    if only.is_none() && chains >= 300 {
        assert!(deck.enough() <= chains, "{chains} chains do not deal every case");
        assert!(tally.would_lose > 0, "no chain began to manage what others had stored");
        assert!(tally.observed > 0, "no chain was only observed");
    }
    watch.abort();
}

/// A property, a bound or a rule that the generator does not know fails the campaign before it begins.
#[test]
fn what_is_new_in_the_schema_is_noticed() {
    let known = |crd: &str| schema::of_spec(crd).and_then(|all| values::domain(&all));
    assert!(known(CRD).is_ok());
    let changes = [
        ("              suspend:\n", "              owner:\n                type: boolean\n              suspend:\n"),
        (
            "                    name:\n",
            "                    burst:\n                      type: boolean\n                    name:\n",
        ),
        ("                maxItems: 50\n", "                minItems: 1\n                maxItems: 50\n"),
        ("minimum: 1000.0", "multipleOf: 5.0"),
        ("self == oldSelf", "self == oldSelf || true"),
        ("'^[ -~]+$'", "'^[a-z]+$'"),
        ("^[a-zA-Z0-9_.-]+$\n", "^[a-z]+$\n"),
        ("format: int64", "format: int32"),
    ];
    for (from, to) in changes {
        let spec = CRD.find("          spec:\n").unwrap();
        let at = spec + CRD[spec..].find(from).unwrap_or_else(|| panic!("{from} is not in the CRD"));
        let other = format!("{}{to}{}", &CRD[..at], &CRD[at + from.len()..]);
        assert!(known(&other).is_err(), "{to} is not noticed");
    }
}
