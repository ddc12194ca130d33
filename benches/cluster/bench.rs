//! What all rows share: the report, and the stage they play on. A row that fails is told and the next one gets a fresh stage.

use std::future::Future;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::load::Act;
use crate::play::Play;
use crate::process;
use crate::report::{Goal, Report};
use crate::stage::Stage;

/// Where the lines go: `bench.jsonl` in the target folder, whose `tmp` cargo names.
fn lines() -> &'static Path {
    let tmp = Path::new(env!("CARGO_TARGET_TMPDIR"));
    tmp.parent().unwrap_or(tmp)
}

/// A run of the benches.
pub struct Bench {
    report: Mutex<Report>,
    stage: tokio::sync::Mutex<Option<Arc<Stage>>>,
}

impl Bench {
    /// Sets the first stage, and says what runs where.
    pub async fn new() -> Arc<Self> {
        let stage = Stage::set().await;
        let (machine, versions) = (process::machine(), stage.versions().await);
        let report = Report::new(&lines().join("bench.jsonl"), &machine, &versions);
        println!("load average at the start: {}", process::load());
        if !stage.can_be_unbounded() {
            println!("this operator knows no --max-requests-per-second: it runs without");
        }
        Arc::new(Self { report: Mutex::new(report), stage: tokio::sync::Mutex::new(Some(stage)) })
    }

    /// The stage that is up, or a new one.
    pub async fn stage(&self) -> Arc<Stage> {
        let mut stage = self.stage.lock().await;
        if let Some(stage) = &*stage {
            return Arc::clone(stage);
        }
        Arc::clone(stage.insert(Stage::set().await))
    }

    /// A new one, warm.
    pub async fn fresh_stage(&self) -> Arc<Stage> {
        self.strike().await;
        self.warm_stage().await
    }

    /// The stage that is up, or a new one, warm: the first requests of an API server are slow.
    pub async fn warm_stage(&self) -> Arc<Stage> {
        let stage = self.stage().await;
        let floor = Play::of_floor(&stage).await;
        for act in [Act::Create, Act::Edit(1), Act::Delete] {
            floor.all(act, 0..100).await;
        }
        stage
    }

    /// What comes next gets a new one.
    pub async fn strike(&self) {
        let stage = self.stage.lock().await.take();
        if let Some(stage) = stage {
            stage.strike().await;
        }
    }

    /// Notes a figure.
    pub fn add(&self, bench: &str, n: usize, measure: &str, goal: Goal, value: f64) {
        self.report().add(bench, n, measure, goal, value);
    }

    /// Plays a row. One that panics, because something did not come about, takes the stage with it.
    pub async fn play(self: &Arc<Self>, what: &str, row: impl Future<Output = ()> + Send + 'static) {
        println!("{what}");
        let Err(error) = tokio::spawn(row).await else { return };
        if error.is_panic() {
            let panic = error.into_panic();
            let words = panic.downcast_ref::<String>().map(String::as_str).or_else(|| panic.downcast_ref().copied());
            self.report().fail(&format!("{what}: {}", words.unwrap_or("a panic")));
        }
        self.strike().await;
    }

    /// Prints the index; false if a row failed.
    pub async fn finish(&self) -> bool {
        self.strike().await;
        println!("load average at the end: {}", process::load());
        self.report().finish()
    }

    fn report(&self) -> MutexGuard<'_, Report> {
        // A panic while it was held left a line half written at worst.
        self.report.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
