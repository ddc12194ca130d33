//! One play: the same load on the operator or on the floor, watched from outside. It measures, and judges nothing.

use std::collections::HashMap;
use std::fmt;
use std::ops::Range;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::task::JoinSet;

use crate::cost::Cost;
use crate::floor::{self, Floor};
use crate::load::{self, Accepted, Act};
use crate::operator::{self, Operator, Pace};
use crate::report::{count, percentile};
use crate::stage::{Scene, Stage};
use crate::watch::{Wanted, Watch};

/// Who does the work.
pub enum Worker {
    Operator(Operator),
    Floor(Arc<Floor>),
}

impl Worker {
    fn agent(&self) -> &'static str {
        match self {
            Self::Operator(_) => operator::AGENT,
            Self::Floor(_) => floor::AGENT,
        }
    }

    /// Processor time so far, of an operator.
    fn cpu(&self) -> Duration {
        match self {
            Self::Operator(operator) => operator.usage().cpu,
            Self::Floor(_) => Duration::ZERO,
        }
    }
}

impl fmt::Display for Worker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if matches!(self, Self::Operator(_)) { "operator" } else { "floor" })
    }
}

/// Where and who.
pub struct Play {
    pub scene: Arc<Scene>,
    pub worker: Worker,
}

/// What a load on many objects took.
pub struct Timing {
    pub objects: usize,
    /// From the first request of the load to the last object being as it should.
    pub took: Duration,
    /// For each object, from the API server's answer to its being as it should; in milliseconds.
    pub waits: Vec<f64>,
    /// What the worker asked for.
    pub cost: Cost,
    pub cpu: Duration,
}

impl Timing {
    pub fn per_second(&self) -> f64 {
        count(self.objects) / self.took.as_secs_f64()
    }

    pub fn wait(&self, share: f64) -> f64 {
        percentile(&self.waits, share)
    }
}

impl Play {
    /// The floor in a scene of its own.
    pub async fn of_floor(stage: &Arc<Stage>) -> Self {
        let scene = stage.scene().await;
        let worker = Worker::Floor(Floor::new(&scene).await);
        Self { scene, worker }
    }

    /// A new operator in a scene of its own.
    pub async fn of_operator(stage: &Arc<Stage>, pace: Pace, args: &[&str]) -> Self {
        Self::begin(stage.scene().await, pace, args).await
    }

    /// A new operator where something may be already.
    pub async fn begin(scene: Arc<Scene>, pace: Pace, args: &[&str]) -> Self {
        let worker = Worker::Operator(Operator::start(&scene, pace, args).await);
        Self { scene, worker }
    }

    /// The same scene with another operator, after the one before has ended.
    pub async fn restart(self, pace: Pace, args: &[&str]) -> Self {
        Self::begin(self.end().await, pace, args).await
    }

    /// Ends the worker; what it has made stays.
    pub async fn end(self) -> Arc<Scene> {
        if let Worker::Operator(operator) = self.worker {
            operator.stop().await;
        }
        self.scene
    }

    pub fn operator(&mut self) -> &mut Operator {
        match &mut self.worker {
            Worker::Operator(operator) => operator,
            Worker::Floor(_) => panic!("the floor is no operator"),
        }
    }

    /// What the worker has asked for so far.
    pub async fn cost(&self) -> Cost {
        self.scene.cost(self.worker.agent()).await
    }

    /// Does the same to all these objects at once, and waits until all are as they should be.
    pub async fn all(&self, act: Act, numbers: Range<usize>) -> Timing {
        let patience = patience(numbers.len());
        self.all_within(patience, act, numbers).await
    }

    /// The same for what is meant to be slow.
    pub async fn all_within(&self, patience: Duration, act: Act, numbers: Range<usize>) -> Timing {
        let objects = numbers.len();
        let (wanted, writes) = match act {
            Act::Create | Act::Apply => (Wanted::Ready(1), 2),
            Act::Edit(revision) => (Wanted::Ready(1 + i64::try_from(revision).unwrap_or(i64::MAX)), 1),
            Act::Delete => (Wanted::Gone, 1),
            Act::Label(_) => panic!("a label leads to nothing that could be waited for"),
        };
        let mut watch = Watch::start(self.scene.objects()).await;
        let (before, cpu) = (self.cost().await, self.worker.cpu());
        let (queue, workers) = match &self.worker {
            Worker::Floor(floor) => {
                let (queue, workers) = floor.work(act);
                (Some(queue), Some(workers))
            }
            Worker::Operator(_) => (None, None),
        };
        let begun = Instant::now();
        let scene = Arc::clone(&self.scene);
        // In a set, which ends with this play.
        let mut load = JoinSet::new();
        let loaded = numbers.clone();
        load.spawn(async move { load::all_at_once(&scene, act, loaded, queue).await });
        let met = watch.until(wanted, numbers, patience).await;
        let accepted = load.join_all().await.concat();
        if let Some(workers) = workers {
            workers.join_all().await;
        }
        let cpu = self.worker.cpu().saturating_sub(cpu);
        let last = met.values().max().copied().unwrap_or(begun);
        let writes = writes * u64::try_from(objects).unwrap_or(u64::MAX);
        let cost = self.scene.cost_since(self.worker.agent(), before, writes).await;
        Timing { objects, took: last.duration_since(begun), waits: waits(&accepted, &met), cost, cpu }
    }

    /// Applies these objects one after the other, each when the one before is Ready; how long each took, in milliseconds.
    pub async fn one_by_one(&self, numbers: Range<usize>) -> Vec<f64> {
        let mut watch = Watch::start(self.scene.objects()).await;
        let floor = match &self.worker {
            Worker::Floor(floor) => Some(floor.work(Act::Apply)),
            Worker::Operator(_) => None,
        };
        let mut waits = Vec::new();
        for number in numbers {
            let accepted = load::act(&self.scene, Act::Apply, number).await;
            if let Some((queue, _)) = &floor {
                queue.send(accepted.clone()).expect("the floor works until its queue ends");
            }
            let ready = watch.until_one(&accepted.name, Wanted::Ready(1), Duration::from_secs(60)).await;
            waits.push(millis(ready.saturating_duration_since(accepted.at)));
        }
        waits
    }
}

fn waits(accepted: &[Accepted], met: &HashMap<String, Instant>) -> Vec<f64> {
    let wait = |it: &Accepted| met.get(&it.name).map(|at| millis(at.saturating_duration_since(it.at)));
    accepted.iter().filter_map(wait).collect()
}

pub fn millis(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1000.0
}

/// Far more than it takes, so that only what never comes about fails a bench.
pub fn patience(objects: usize) -> Duration {
    Duration::from_secs(120) + Duration::from_millis(200) * u32::try_from(objects).unwrap_or(u32::MAX)
}
