//! How it ends, while it leads and while it stands by: by the end of the process, or by a task beside it that panics.

use super::*;
use crate::controller::testing::{Process, scans};
use crate::leader::Leadership;

/// When it is to end: by then a leader has scanned several times.
const END: Duration = Duration::from_secs(7_200);

/// How it ended, and how many scans there were until then.
async fn run_to_the_end(lead: Leadership, panics: bool) -> (Result<(), RunError>, u32) {
    let Process { context, woken, settings, metrics } = Process::new(lead);
    let stop = settings.stop.clone();
    let mut beside = JoinSet::new();
    // One that has come to its end is nothing to worry about.
    beside.spawn(async {});
    beside.spawn(async move {
        tokio::time::sleep(END).await;
        assert!(!panics, "a bug");
        stop.cancel();
    });
    let ended = run_beside(Arc::clone(&context), woken, &settings, || {}, beside).await;
    (ended, scans(&context, &metrics))
}

// The clock is virtual: it moves on when nothing else is left to do.

#[tokio::test(start_paused = true)]
async fn a_task_that_panics_ends_a_process_that_leads() {
    let (ended, scans) = run_to_the_end(Leadership::unrivalled(), true).await;
    assert!(matches!(ended, Err(RunError::Panicked)), "{ended:?}");
    assert!(scans > 5, "it led: {scans}");
}

#[tokio::test(start_paused = true)]
async fn a_task_that_panics_ends_a_process_that_stands_by() {
    let (ended, scans) = run_to_the_end(Leadership::to_be_won(), true).await;
    assert!(matches!(ended, Err(RunError::Panicked)), "{ended:?}");
    assert_eq!(scans, 0, "only who leads scans");
}

#[tokio::test(start_paused = true)]
async fn it_ends_well_when_the_process_is_to_end() {
    for lead in [Leadership::unrivalled(), Leadership::to_be_won()] {
        let led = lead.holds();
        let (ended, scans) = run_to_the_end(lead, false).await;
        assert!(ended.is_ok(), "{ended:?}");
        assert_eq!(scans > 5, led, "{scans}");
    }
}
