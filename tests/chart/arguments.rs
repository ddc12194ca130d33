//! The chart's values are the program's flags: it takes what the chart gives it, and it has no flag that the chart does not know.

use std::collections::BTreeSet;
use std::process::{Command, Stdio};

use super::harness::{NAMESPACE, OPERATOR, args, helms, objects};

/// What has no meaning in a Pod, or is given in another way than by an argument.
const NOT_GIVEN: &[&str] = &["--kubeconfig", "--context", "--help", "--version", "--lease-holder"];

fn rendered(set: &str) -> Vec<String> {
    args(&objects(&helms()[0].render(set, NAMESPACE)))
}

/// What the program says of its flags.
fn help() -> String {
    let output = Command::new(OPERATOR).args(["run", "--help"]).output().unwrap();
    String::from_utf8(output.stdout).unwrap()
}

fn flags(args: &[String]) -> BTreeSet<String> {
    let flags = args.iter().filter(|arg| arg.starts_with("--"));
    flags.map(|arg| arg.split('=').next().unwrap().to_owned()).collect()
}

#[test]
fn every_flag_can_be_set() {
    let mut given = flags(&rendered("everything"));
    given.extend(flags(&rendered("namespaced")));
    let known = help()
        .lines()
        .filter_map(|line| {
            let line = line.trim_start();
            // The short form stands before the long one.
            let flag = line.split_whitespace().find(|word| word.starts_with("--"))?;
            line.starts_with('-').then(|| flag.trim_end_matches(',').to_owned())
        })
        .collect::<BTreeSet<String>>();
    assert!(known.len() > 15, "{known:?}");
    let missing: Vec<_> = known.difference(&given).filter(|flag| !NOT_GIVEN.contains(&flag.as_str())).collect();
    assert!(missing.is_empty(), "no value of the chart sets {missing:?}");
}

/// It gets as far as looking for a cluster: everything it was told before made sense.
#[test]
fn the_program_takes_what_it_is_given() {
    for set in ["default", "minimal", "namespaced", "everything"] {
        let mut command = Command::new(OPERATOR);
        command.args(rendered(set)).stdin(Stdio::null()).env_clear().env("HOME", "/nonexistent");
        let output = command.output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(2), "{set}: {said}");
        assert!(said.contains("kubeconfig can"), "{set}: {said}");
    }
}
