//! The chart's values are the program's flags: it takes what the chart gives it, and it has no flag that the chart does not know.

use std::collections::BTreeSet;
use std::process::{Command, Stdio};

use super::harness::{NAMESPACE, OPERATOR, args, helms, objects, read};

/// What has no meaning in a Pod, or is given in another way than by an argument.
const NOT_GIVEN: &[&str] = &["--kubeconfig", "--context", "--help", "--version", "--lease-holder"];

fn rendered(set: &str) -> Vec<String> {
    args(&objects(&helms()[0].render(set, NAMESPACE)))
}

/// Exit code and what the program says to these arguments, where it finds no cluster.
fn started(args: &[String]) -> (Option<i32>, String) {
    let mut command = Command::new(OPERATOR);
    command.args(args).stdin(Stdio::null()).env_clear().env("HOME", "/nonexistent");
    let output = command.output().unwrap();
    (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
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
        let (code, said) = started(&rendered(set));
        assert_eq!(code, Some(2), "{set}: {said}");
        assert!(said.contains("kubeconfig can"), "{set}: {said}");
    }
}

/// A value, how its argument begins and ends, what both take, and what both refuse.
type Bounds = (&'static str, [&'static str; 2], &'static [&'static str], &'static [&'static str]);

/// What the schema lets through the program takes, and what the program refuses the schema does not let through.
#[test]
fn the_schema_and_the_program_have_the_same_bounds() {
    let rows: [Bounds; 4] = [
        (
            "leaderElection.leaseDuration",
            ["--lease-duration=", ""],
            &["1s", "90s", "999s", "2999s", "3599s", "3600s", "1m", "60m", "1h"],
            &["0s", "500ms", "3601s", "4000s", "61m", "100m", "2h"],
        ),
        (
            "config.adminAddress",
            ["--admin-address=", ":8080"],
            &["0.0.0.0", "127.0.0.1", "255.249.199.10", "[::]", "[fd00::1]"],
            &["0", "1.2.3", "256.0.0.1", "1.2.3.4.5", "localhost"],
        ),
        // Helm makes a text of a fraction that `--set` gives.
        (
            "config.rateLimitShare",
            ["--rate-limit-share=", ""],
            &["0.25", "0.05", ".5", "1", "1.0", "0.999"],
            &["0", "0.0", "1.5", "2", "50%", "half"],
        ),
        (
            "deletion.maxDeletionsShare",
            ["--max-deletions-share=", ""],
            &["0", "0.0", ".5", "0.05", "1", "1.0", "0.999"],
            &["1.5", "2", "50%", "half"],
        ),
    ];
    let usual = rendered("default");
    for (value, [flag, end], taken, refused) in rows {
        let with = |text: &str| -> Vec<String> {
            let others = usual.iter().filter(|arg| !arg.starts_with(flag)).cloned();
            others.chain([format!("{flag}{text}{end}")]).collect()
        };
        for text in taken {
            let set = format!("{value}={text}");
            let arguments = args(&objects(&helms()[0].template(NAMESPACE, &["--set-string", &set])));
            assert!(arguments.contains(&format!("{flag}{text}{end}")), "{set}: {arguments:?}");
            let (_, said) = started(&with(text));
            assert!(said.contains("kubeconfig can"), "{set}: {said}");
        }
        for text in refused {
            let set = format!("{value}={text}");
            let said = helms()[0].refuses(&["--set-string", &set]);
            assert!(said.contains(&format!("/{}", value.replace('.', "/"))), "{set}: {said}");
            let (code, said) = started(&with(text));
            assert!(code == Some(2) && said.contains(flag.trim_end_matches('=')), "{set}: {said}");
        }
    }
}

/// The runbook tells to set flags, and names the chart's value beside each: that value sets that flag.
#[test]
fn the_runbook_names_the_value_of_each_flag() {
    const SETS: [(&str, &str); 11] = [
        ("--accept-workspace-change", "config.acceptWorkspaceChange=true"),
        ("--api-proxy", "config.apiProxy=http://proxy.example.com:3128"),
        ("--api-url", "config.apiUrl=http://unkey.example.com"),
        ("--deletion-approved-namespaces", "deletion.approvedNamespaces={pr-*}"),
        ("--leader-elect", "leaderElection.enabled=false,replicaCount=1"),
        ("--lease-name", "leaderElection.leaseName=another"),
        ("--max-deletions", "deletion.maxDeletions=100"),
        ("--max-deletions-share", "deletion.maxDeletionsShare=1"),
        ("--namespace", "watchNamespaces={team-a}"),
        ("--rate-limit-share", "config.rateLimitShare=1"),
        ("--selector", "config.selector=shard=a"),
    ];
    let runbook = read("docs/operations/runbook.md").replace('\n', " ");
    let mut named: Vec<(&str, &str)> = runbook
        .match_indices("`--")
        .map(|(at, _)| {
            let (flag, rest) = runbook[at + 1..].split_once('`').unwrap();
            let value = rest.strip_prefix(" (chart: `").and_then(|rest| rest.split('`').next());
            (flag, value.unwrap_or_else(|| panic!("{flag}: no value of the chart beside it")))
        })
        .collect();
    named.sort_unstable();
    named.dedup();
    let known: Vec<(&str, &str)> = SETS.iter().map(|(flag, set)| (*flag, set.split('=').next().unwrap())).collect();
    assert_eq!(named, known);
    let given = |flags: &[&str], flag: &str| -> Vec<String> {
        let all = args(&objects(&helms()[0].template(NAMESPACE, flags)));
        all.into_iter().filter(|arg| arg.split('=').next() == Some(flag)).collect()
    };
    for (flag, set) in SETS {
        assert_ne!(given(&["--set", set], flag), given(&[], flag), "{set} does not change {flag}");
    }
}
