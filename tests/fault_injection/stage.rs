//! Where one case plays: a world whose operator reaches Kubernetes through a cutting proxy, the faults of the case, and the wait for quiet.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use cutting_proxy::{Fault, FaultKind, Proxy};
use tokio::time::timeout;
use unkey_emulator::{Fault as UnkeyFault, FaultKind as UnkeyFaultKind, Operation};

use crate::harness::{Operator, World};
use crate::invariants::Invariants;
use crate::name::{Channel, Cut, Harm, Refusal};
use crate::workflow::{Workflow, bystander, objects};

/// As short as a busy machine allows.
const ARGS: [&str; 4] = ["--consistency-window", "300ms", "--request-timeout", "1s"];
/// Nothing asked for four windows: nothing will be asked.
const QUIET: Duration = Duration::from_millis(1200);
/// Nothing asked for longer than a window: the workflow does not depend on how long its preparation took.
const PAUSE: Duration = Duration::from_millis(400);
const POLL: Duration = Duration::from_millis(40);
/// A cut waits that long, so that the fault after it can be ordered before the operator goes on.
const HESITATION: Duration = Duration::from_millis(40);
/// Far more than any case takes.
const PATIENCE: Duration = Duration::from_secs(120);
/// A request that is given up on a silent connection is tried again after 32 s, and then after a wait that grows.
const STRIKES_WITHIN: Duration = Duration::from_secs(150);

/// How far the books had come at some moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mark {
    pub kube: u64,
    pub unkey: u64,
}

pub struct Stage {
    pub world: World,
    pub proxy: Arc<Proxy>,
    pub invariants: Invariants,
    workflow: Workflow,
    operator: Mutex<Option<Operator>>,
    starts: Mutex<u32>,
}

/// The answer in which a refusal comes.
fn answer(refusal: Refusal) -> FaultKind {
    match refusal {
        Refusal::Forbidden => FaultKind::forbidden(),
        Refusal::Conflict => FaultKind::refusal(409, "Conflict"),
        Refusal::Unprocessable => FaultKind::refusal(422, "Invalid"),
        Refusal::Invalid => FaultKind::invalid("spec.meta", "refused by order of a test"),
        Refusal::TooMany => FaultKind::too_many(Some("1")),
        Refusal::Internal => FaultKind::internal_error(),
    }
}

/// A fault that was ordered.
struct Armed {
    id: u64,
    cut: Cut,
}

impl Stage {
    pub async fn new(workflow: Workflow) -> Self {
        let plane = controlplane::shared().await.unwrap();
        let proxy = Arc::new(Proxy::start(&plane.kubeconfig()).await.unwrap());
        let kubeconfig = proxy.kubeconfig();
        let world = World::new(&format!("cut-{}", workflow.name())).await;
        let world = world
            .with_args(&ARGS)
            .with_args(workflow.args())
            .with_args(&["--kubeconfig", kubeconfig.to_str().unwrap()]);
        bystander(&world);
        let invariants = Invariants::post(&proxy, &world.workspace, workflow);
        Self { world, proxy, invariants, workflow, operator: Mutex::default(), starts: Mutex::default() }
    }

    fn operator(&self) -> std::sync::MutexGuard<'_, Option<Operator>> {
        self.operator.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Starts the operator with a log of its own; [`Stage::is_up`] tells when it works.
    pub fn start(&self) {
        let mut starts = self.starts.lock().unwrap_or_else(PoisonError::into_inner);
        *starts += 1;
        let log = self.world.files.path().join(format!("operator-{starts}.log"));
        *self.operator() = Some(Operator::start(log, &self.world.args(), &[]));
    }

    /// Processes so far.
    pub fn starts(&self) -> u32 {
        *self.starts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn is_up(&self) -> bool {
        self.operator().as_ref().is_some_and(|it| it.log().contains("listed the Identities"))
    }

    pub fn mark(&self) -> Mark {
        let last = self.world.workspace.requests().last().map_or(0, |entry| entry.number);
        Mark { kube: self.proxy.last(), unkey: last }
    }

    /// Requests since then that are not watches or lists of Unkey's (unless the workflow is about those), nor the look at the definition, which
    /// comes by the clock: `(to Kubernetes, to Unkey)`.
    pub fn asked_since(&self, mark: Mark) -> (Vec<cutting_proxy::Entry>, Vec<unkey_emulator::Entry>) {
        let calls = self.world.workspace.requests().into_iter().filter(|it| it.number > mark.unkey);
        let mut asked = self.proxy.since(mark.kube);
        asked.retain(|it| !it.asked.resource.is_empty());
        let lists = self.workflow == Workflow::Listed;
        (asked, calls.filter(|it| lists || it.operation != Operation::List).collect())
    }

    /// Waits until it is up, the workflow over and nothing asked for a while.
    pub async fn quiet(&self, workflow: Option<Workflow>) {
        let (begun, mut still, mut seen) = (Instant::now(), Instant::now(), self.mark());
        let wanted = if workflow.is_some() { QUIET } else { PAUSE };
        let mut ticks = tokio::time::interval(POLL);
        loop {
            ticks.tick().await;
            let now = self.mark();
            if now != seen || !self.is_up() {
                (still, seen) = (Instant::now(), now);
            }
            // Asked once: a moment later it may be quiet for long enough, and nobody have looked whether the workflow is over.
            if still.elapsed() >= wanted {
                match workflow {
                    Some(it) if !it.is_over(&objects(&self.world).await) => still = Instant::now(),
                    Some(_) | None => return,
                }
            }
            assert!(begun.elapsed() < PATIENCE, "no end, or no quiet: {:#?}", objects(&self.world).await);
        }
    }

    fn order(&self, cut: Cut) -> Armed {
        let skip = cut.request - 1;
        let id = match cut.channel {
            Channel::Kube => {
                let (kind, delay) = match cut.harm {
                    Harm::Before => (FaultKind::DropBefore, HESITATION),
                    Harm::After => (FaultKind::DropAfter, HESITATION),
                    Harm::Kill => (FaultKind::HoldAnswer, Duration::ZERO),
                    Harm::Missing => (FaultKind::page_not_found(), HESITATION),
                    Harm::Silent => (FaultKind::SilentBefore, HESITATION),
                    Harm::SilentAfter => (FaultKind::SilentAfter, HESITATION),
                    Harm::Refused(refusal) => (answer(refusal), HESITATION),
                };
                self.proxy.order(Fault::new(kind).after(skip).once().delayed(delay))
            }
            Channel::Unkey => {
                let hesitation = u64::try_from(HESITATION.as_millis()).unwrap();
                let (kind, delay) = match cut.harm {
                    Harm::Before => (UnkeyFaultKind::DropBefore, hesitation),
                    Harm::After => (UnkeyFaultKind::DropAfter, hesitation),
                    Harm::Kill => (UnkeyFaultKind::HoldAnswer, 0),
                    Harm::Missing | Harm::Refused(_) | Harm::Silent | Harm::SilentAfter => {
                        panic!("{cut} is for Kubernetes only")
                    }
                };
                self.world.workspace.order(UnkeyFault::new(kind).after(skip).once().delayed(delay))
            }
        };
        Armed { id, cut }
    }

    /// Waits until the fault has met its request; before a kill, until that is carried out too.
    async fn struck(&self, armed: &Armed) {
        let carried_out = armed.cut.harm == Harm::Kill;
        match armed.cut.channel {
            Channel::Kube => {
                let done = |it: &cutting_proxy::Entry| it.fault == Some(armed.id) && it.handled.is_some();
                self.proxy
                    .wait_for(STRIKES_WITHIN, |it| {
                        it.hits(armed.id) > 0 && (!carried_out || it.requests().iter().any(done))
                    })
                    .await;
            }
            Channel::Unkey => {
                let hit =
                    |it: &unkey_emulator::Workspace| it.faults().iter().any(|it| it.id == armed.id && it.hits > 0);
                let held = |it: &unkey_emulator::Entry| it.fault.is_some() && !it.done && it.handled.is_some();
                self.world.workspace.wait_until(|it| hit(it) && (!carried_out || it.requests().iter().any(held))).await;
            }
        }
    }

    /// Does the case's harm, fault by fault; notes in `strikes` how far the books had come at each.
    pub async fn harm(&self, cuts: &[Cut], strikes: &Mutex<Vec<Mark>>) {
        let mut rest = cuts.iter().copied();
        let mut armed = rest.next().map(|cut| self.order(cut));
        while let Some(now) = armed {
            self.struck(&now).await;
            // Ordered while the operator waits for its answer, so that it counts from here.
            let mark = self.mark();
            armed = rest.next().map(|cut| self.order(cut));
            if now.cut.harm == Harm::Kill {
                if let Some(operator) = self.operator().take() {
                    operator.kill();
                }
                match now.cut.channel {
                    Channel::Kube => self.proxy.clear_fault(now.id),
                    Channel::Unkey => self.world.workspace.clear_fault(now.id),
                };
                self.start();
            }
            strikes.lock().unwrap_or_else(PoisonError::into_inner).push(mark);
        }
    }

    /// Waits for the operator of a fresh stage.
    pub async fn up(&self) {
        let up = async {
            let mut ticks = tokio::time::interval(POLL);
            while !self.is_up() {
                ticks.tick().await;
            }
        };
        timeout(PATIENCE, up).await.expect("the operator comes up");
    }
}
