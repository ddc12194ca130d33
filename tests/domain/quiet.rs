//! R12 and R3 where they save a call: stalls over a restart, and verdicts that need no look.

use unkey_operator::domain::Cause;

use super::sim::{Act, End, Script, Sim, content, wish};
use super::world::Fate;

const A: &str = r#""meta":{"plan":"free"}"#;

/// S29: what only a person can mend costs nothing at restart, though its claim says that a create was sent.
#[test]
fn s29_a_rejected_object_is_quiet_over_a_restart() {
    let mut sim = Sim::new();
    sim.apply(wish(A));
    let refused = Script { fates: vec![Fate::Refused(Cause::Rejected("too much".to_owned()))], ..Script::default() };
    sim.pass_with(&refused);
    assert_eq!(sim.taken(), ["Claim", "Create", "Status Rejected"]);
    sim.restart();
    sim.pass();
    assert!(sim.taken().is_empty());
    // Its deletion still looks for what an earlier process may have made.
    sim.act(&Act::Delete);
    assert_eq!(sim.settle(), End::Done);
    assert_eq!(sim.taken(), ["Read", "Release Gone"]);
}

/// A definite 409 to a first send is never ours, and `Never` takes nothing: no read, and the claim is off at once.
#[test]
fn never_and_a_definite_409_need_no_look() {
    let mut sim = Sim::new();
    sim.apply(wish(&format!(r#"{A},"adoptionPolicy":"Never""#)));
    let script = Script { meanwhile: Some((2, Act::StrangerMakes(content(A)))), ..Script::default() };
    sim.pass_with(&script);
    assert_eq!(sim.taken(), ["Read", "Claim", "Create", "Release NotOurs", "Status AlreadyExists"]);
}

/// The next accepted update settles one that a 5xx ended, but only for the fields that it sends itself.
#[test]
fn a_field_whose_update_ended_in_a_5xx_is_sent_again_with_the_next() {
    let mut sim = Sim::new();
    sim.apply(wish(A));
    sim.settle();
    sim.apply(wish(r#""meta":{"plan":"pro"}"#));
    sim.pass_with(&Script { fates: vec![Fate::EndedAfter], ..Script::default() });
    // Back to what the status says was accepted, and something new besides.
    sim.apply(wish(&format!(r#"{A},"ratelimits":[{{"name":"req","limit":1,"duration":1000}}]"#)));
    assert_eq!(sim.settle(), End::Done);
    assert!(sim.ready());
    let live = sim.unkey.live.clone().unwrap();
    assert_eq!(live.content.meta.as_map()["plan"], "free");
}
