//! What every test of this binary stands on. Starts things and waits for conditions; asserts nothing about the operator.

mod admin;
mod books;
mod cost;
#[path = "../../support/eventually.rs"]
mod eventually;
mod look;
mod operator;
mod promtool;
#[path = "../../support/rights.rs"]
mod rights;
mod statuses;
mod table;
mod versions;
mod world;

pub use admin::{Exposition, Sample};
pub use books::refusal;
pub use cost::Cost;
pub use eventually::eventually;
pub use operator::Operator;
pub use promtool::{Scrape, firing, firing_once, lint, promtool, shown};
pub use rights::{Right, Setup, is_granted};
pub use statuses::Statuses;
pub use table::table;
pub use versions::lacks;
pub use world::{ROOT_KEY, World, condition, identity, succeeded};

/// Tells how much was tried, past the test runner, which keeps to itself what a test prints.
pub fn say(text: &str) {
    use std::io::Write as _;
    // Nobody is there to read it if that fails.
    let _ = writeln!(std::io::stderr(), "{text}");
}
