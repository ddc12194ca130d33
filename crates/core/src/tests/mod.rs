//! Tests of single parts, by table and by property. How the parts work together is tested from outside, in
//! `crates/core/tests/simulation`.

mod any;
mod apply_reply;
mod backoff;
mod braked;
mod claim;
mod claims;
mod content;
mod crd;
mod decide;
mod desired;
mod drift_scan;
mod existing;
mod fields;
mod fight;
mod knowledge;
mod layers;
mod leaving;
mod losses;
mod maintain;
mod message;
mod object_state;
mod outdated;
mod overdue;
mod ownership;
mod reads;
mod record;
mod refusal;
mod rewound;
mod session;
mod situation;
mod steps;
mod sync_object;
mod witness;
mod workspace;

use std::time::Duration;

use super::*;
use serde_json::Value;

fn json(text: &str) -> Value {
    serde_json::from_str(text).expect("JSON")
}

fn meta(text: &str) -> Meta {
    Meta::new(json(text).as_object().expect("an object").clone())
}

fn limits(named: &[(&str, i64, i64, bool)]) -> Limits {
    let limit = |&(name, limit, duration, auto_apply): &(&str, i64, i64, bool)| {
        (name.to_owned(), Limit { limit, duration, auto_apply })
    };
    Limits::new(named.iter().map(limit).collect())
}

const fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

fn uid(text: &str) -> Uid {
    Uid::new(text)
}
