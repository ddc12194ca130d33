//! What the operator costs, on the real parts: a real etcd and kube-apiserver, the Unkey emulator over HTTP with 20 ms latency, and the
//! operator, each as a process of its own. `make bench` plays what fits into a quarter of an hour, `make bench-full` every row.
//!
//! Speed is told against a floor: the same requests in a bare loop, in the same run and with the same load ([`floor`]). That ratio is the
//! result; absolute times say as much of the machine as of the operator. Counts are those of the API server's audit log and of Unkey.
//!
//! A bench may not fail for being slow: goals are met or missed, and the index says so. It does fail if something does not come about
//! within a deadline far longer than it takes, or if Unkey does not hold at the end what the specs say.
//!
//! | module | does |
//! |---|---|
//! | `rows` | one module a row of the index, with its goals |
//! | `play` | the same load on operator or floor, watched from outside |
//! | `load`, `floor`, `operator` | who acts: users, the bare loop, the operator |
//! | `watch`, `cost`, `process` | who looks: a watch of its own, the audit log and Unkey's counts, `/proc` |
//! | `stage`, `unkey`, `program` | what it plays on, and what is measured |
//! | `bench`, `report` | the run, and what it found |
//!
//! Linux only, by `/proc`.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)] // a failed step of a row ends the row

mod bench;
mod cost;
mod floor;
mod load;
mod object;
mod operator;
mod plan;
mod play;
mod process;
mod program;
mod report;
mod rows;
mod stage;
mod unkey;
mod watch;

use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use tokio::signal::unix::{SignalKind, signal};

use crate::bench::Bench;
use crate::plan::Arguments;

fn main() -> ExitCode {
    // The TLS libraries panic without a provider; that one was set before is as good.
    let _ = rustls::crypto::ring::default_provider().install_default();
    if std::env::args().nth(1).as_deref() == Some(unkey::SERVE) {
        return unkey::serve();
    }
    let arguments = Arguments::parse();
    if !arguments.is_asked_for() {
        println!("measures for minutes: run it by `make bench` or `cargo bench --bench cluster`");
        return ExitCode::SUCCESS;
    }
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let passed = runtime.block_on(async {
        let mut terminate = signal(SignalKind::terminate()).expect("signals");
        tokio::select! {
            passed = run(&arguments) => passed,
            _ = tokio::signal::ctrl_c() => false,
            _ = terminate.recv() => false,
        }
    });
    // Drops what still runs, and so ends every process that was started.
    runtime.shutdown_timeout(Duration::from_secs(30));
    if passed { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

async fn run(arguments: &Arguments) -> bool {
    let bench = Bench::new().await;
    plan::play(&bench, arguments).await;
    bench.finish().await
}
