//! Kubernetes was restored from a backup: what is remembered of an object is judged as after a restart.

use super::any::windows;
use super::*;

fn confirmed(id: &str) -> Confirmed {
    Confirmed::from_reply(&ExternalId::new("e"), "e", id).expect("an id")
}

fn deleted(of: &str) -> LastWrite {
    LastWrite::Deleted { uid: uid(of), identity: confirmed("id_1") }
}

fn created(noted: bool) -> LastWrite {
    LastWrite::Created {
        uid: uid("u"),
        identity: confirmed("id_1"),
        applied: Applied::default(),
        credential: None,
        noted,
    }
}

#[test]
fn what_happened_to_it_after_the_backup_is_forgotten_but_for_an_id_that_nobody_else_knows() {
    let rest = |last: LastWrite| {
        let mut known = Knowledge { last, ..Knowledge::default() };
        let mut object_state = ObjectState { sent: true, claimed_here: true, ..ObjectState::default() };
        rewound(&uid("u"), &mut known, &mut object_state, windows(1));
        assert_eq!(object_state, ObjectState { suspicion: true, ..ObjectState::default() }, "a settled look follows");
        assert_eq!(known.evidence_from, Evidence::Since(windows(1)));
        known.last
    };
    assert_eq!(rest(deleted("u")), LastWrite::None);
    assert_eq!(rest(deleted("v")), deleted("v"), "of another object");
    assert_eq!(rest(created(true)), LastWrite::None);
    assert_eq!(rest(created(false)), created(false));
}

#[test]
fn what_only_grows_tells_that_time_went_back() {
    let at = |generation, observed, leaving| Progress { generation, observed, leaving };
    let before = at(2, Some(2), true);
    for undone in [at(1, Some(2), true), at(3, Some(1), true), at(3, None, true), at(9, Some(9), false)] {
        assert!(before.is_undone(&undone), "{undone:?}");
    }
    for forward in [before, at(3, Some(2), true), at(3, Some(3), true)] {
        assert!(!before.is_undone(&forward), "{forward:?}");
    }
    assert!(!at(1, None, false).is_undone(&at(1, None, false)));
}
