//! The shipped `decide` and `apply_reply` under a model checker: every history within stated bounds, every property in every state.
//! See docs/contributing/model.md.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)] // a test says what it expects by failing
#![allow(clippy::disallowed_types, clippy::disallowed_methods)] // it tells how long it takes

mod configs;
mod environment;
mod faults;
mod fingerprint;
mod kube;
mod liveness;
mod model;
mod operator;
mod properties;
mod scenes;
mod seeded;
mod state;
mod step;
mod telling;
mod trace;
mod unkey;
mod user;
mod words;

use std::time::{Duration, Instant};

use stateright::{Checker, HasDiscoveries, Model};

use crate::configs::Config;
use crate::model::World;

/// Tells it past the test runner, which keeps to itself what a test prints. Nobody is there to read it if that fails.
macro_rules! say {
    ($($text:tt)*) => {{
        use std::io::Write as _;
        let _ = writeln!(std::io::stderr(), $($text)*);
    }};
}

/// How often an exploration says how far it is.
const PROGRESS: Duration = Duration::from_secs(30);

/// Explores one configuration and tells how it went; what does not hold comes back as a trace.
fn explore(config: &Config) -> (usize, Option<String>) {
    let begun = Instant::now();
    let world = World::new(config.clone());
    let checker = world.checker().threads(2).finish_when(HasDiscoveries::AnyFailures).spawn_dfs();
    let mut told = Instant::now();
    while !checker.is_done() {
        // The checker cannot be waited for and asked at once.
        std::thread::sleep(Duration::from_millis(5));
        if told.elapsed() > PROGRESS {
            told = Instant::now();
            say!("{:<28} {:>9} states so far, {:?}", config.name, checker.unique_state_count(), begun.elapsed());
        }
    }
    let checker = checker.join();
    let seconds = begun.elapsed().as_secs_f64();
    let (states, found) = (checker.unique_state_count(), checker.discoveries());
    say!(
        "{:<28} {states:>9} states {:>10} transitions, depth {:>3}, {:>8} at rest, {seconds:.1} s; {:?}",
        config.name,
        checker.state_count(),
        checker.max_depth(),
        checker.model().memo.len(),
        config.budget
    );
    if found.is_empty() {
        return (states, None);
    }
    // Depth first finds it, breadth first finds the shortest way there.
    let world = World::new(config.clone());
    let shortest = world.checker().threads(2).finish_when(HasDiscoveries::AnyFailures).spawn_bfs().join();
    let (name, path) = shortest.discoveries().into_iter().chain(found).next().expect("found before");
    (
        states,
        Some(format!("in \"{}\" it does not hold that {name}:\n{}", config.name, trace::tell(shortest.model(), path))),
    )
}

/// `MODEL_BOUNDS=deep` takes the bounds of `make model`; `MODEL_ONLY=lag` only configurations whose names hold that word.
#[allow(clippy::disallowed_methods)] // knobs for whoever searches; the operator reads no environment here
fn chosen() -> Vec<Config> {
    let deep = std::env::var("MODEL_BOUNDS").is_ok_and(|bounds| bounds == "deep");
    let only = std::env::var("MODEL_ONLY").unwrap_or_default();
    let bounded = |config: &Config| Config { budget: if deep { config.deep } else { config.budget }, ..config.clone() };
    scenes::all().filter(|config| config.name.contains(&only)).map(bounded).collect()
}

#[test]
fn every_history_within_the_bounds() {
    let (mut states, mut failures) = (0, Vec::new());
    for config in chosen() {
        let (explored, failure) = explore(&config);
        states += explored;
        failures.extend(failure);
    }
    say!("{states} states in all");
    assert!(failures.is_empty(), "{}", failures.join("\n\n"));
}

/// Every seeded fault is caught by its property, in a quick configuration.
#[test]
fn seeded_faults_are_caught() {
    let mut missed = Vec::new();
    let names: Vec<_> = chosen().into_iter().map(|config| config.name).collect();
    for (seeded, property, name) in seeded::TABLE.iter().filter(|(.., name)| names.contains(name)) {
        let config = scenes::all().find(|config| config.name == *name).expect("a configuration").clone();
        let mut world = World::new(Config { seeded: Some(*seeded), ..config });
        world.safety_only = !property.is_liveness();
        let wanted = HasDiscoveries::AnyOf([property.name()].into());
        let begun = Instant::now();
        let checker = world.checker().threads(2).finish_when(wanted).spawn_dfs().join();
        let caught = checker.discoveries().contains_key(property.name());
        println!(
            "{:<18} {} by \"{}\" in \"{name}\", {} states, {:.1} s",
            format!("{seeded:?}"),
            if caught { "caught" } else { "NOT CAUGHT" },
            property.name(),
            checker.unique_state_count(),
            begun.elapsed().as_secs_f64()
        );
        if !caught {
            let others: Vec<_> = checker.discoveries().into_keys().collect();
            missed.push(format!("{seeded:?} by \"{}\" in \"{name}\"; found: {others:?}", property.name()));
        }
    }
    assert!(missed.is_empty(), "not caught:\n{}", missed.join("\n"));
}
