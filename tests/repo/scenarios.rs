//! The table of scenarios and the threat model name tests that exist, and every scenario has a row.

use std::collections::BTreeMap;
use std::path::Path;

use super::tree::{ROOT, files};

const TABLE: &str = "docs/contributing/scenarios.md";
const RULES: &str = "docs/contributing/rules.md";
const THREATS: &str = "docs/concepts/threat-model.md";
/// There were so many; a new one is added at the end.
const AT_LEAST: usize = 52;

/// The last cell of each row, by the number of its scenario.
fn rows(table: &str) -> Vec<(u32, &str)> {
    table
        .lines()
        .filter_map(|line| {
            let mut cells = line.trim_matches('|').split('|').map(str::trim);
            let number = cells.next()?.strip_prefix('S')?.parse().ok()?;
            Some((number, cells.next_back()?))
        })
        .collect()
}

/// `cluster/crash::s33_x` is a test in `tests/cluster/crash.rs`; one that begins with `src/` or `crates/` lies there.
fn tests_in(cell: &str) -> Vec<(String, &str)> {
    let spans = cell.split('`').skip(1).step_by(2);
    spans
        .map(|span| {
            let (file, name) = span.split_once("::").unwrap_or((span, ""));
            let folder = if file.starts_with("src/") || file.starts_with("crates/") { "" } else { "tests/" };
            (format!("{folder}{file}.rs"), name)
        })
        .collect()
}

/// True if `source` has a test of that name: the attribute, perhaps more of them, and the function.
fn has_test(source: &str, name: &str) -> bool {
    let lines: Vec<&str> = source.lines().map(str::trim).collect();
    let is_it = |line: &str| {
        line.trim_start_matches("async ").strip_prefix("fn ").is_some_and(|rest| rest.starts_with(&format!("{name}(")))
    };
    lines.iter().enumerate().any(|(at, line)| {
        let attributes = lines[..at].iter().rev().take_while(|line| line.starts_with("#["));
        !name.is_empty()
            && is_it(line)
            && attributes.clone().any(|line| line.starts_with("#[test]") || line.starts_with("#[tokio::test"))
    })
}

/// Those of `named` that are not there.
fn missing<'a>(named: impl IntoIterator<Item = (String, &'a str)>) -> Vec<String> {
    let source = |file: &str| std::fs::read_to_string(Path::new(ROOT).join(file)).unwrap_or_default();
    let missing = named.into_iter().filter(|(file, name)| !has_test(&source(file), name));
    missing.map(|(file, name)| format!("no test '{name}' in {file}")).collect()
}

#[test]
fn every_scenario_has_a_row_and_a_test_that_exists() {
    let table = std::fs::read_to_string(Path::new(ROOT).join(TABLE)).unwrap();
    let rows = rows(&table);
    let numbers: Vec<u32> = rows.iter().map(|(number, _)| *number).collect();
    assert!(numbers.len() >= AT_LEAST, "only {} scenarios", numbers.len());
    let last = u32::try_from(numbers.len()).unwrap();
    assert_eq!(numbers, (1..=last).collect::<Vec<_>>(), "each scenario once, in order");
    let mut wrong = Vec::new();
    for (number, cell) in rows {
        let tests = tests_in(cell);
        if tests.is_empty() {
            wrong.push(format!("S{number}: no test"));
        }
        wrong.extend(missing(tests).into_iter().map(|why| format!("S{number}: {why}")));
    }
    assert!(wrong.is_empty(), "{TABLE}:\n{}", wrong.join("\n"));
}

/// Each answer of the threat model is shown by a test.
#[test]
fn the_threat_model_names_tests_that_exist() {
    let model = std::fs::read_to_string(Path::new(ROOT).join(THREATS)).unwrap();
    let named: Vec<_> = model.lines().flat_map(tests_in).filter(|(_, name)| !name.is_empty()).collect();
    assert!(named.len() > 30, "only {} tests were found", named.len());
    let wrong = missing(named);
    assert!(wrong.is_empty(), "{THREATS}:\n{}", wrong.join("\n"));
}

/// Where the rules say that a test is: `unit/…` and `simulation/…` are those of the core.
fn named_by_rules(span: &str) -> Option<(String, &str)> {
    let (file, name) = span.split_once("::")?;
    let (suite, rest) = file.split_once('/')?;
    let folder = match suite {
        "unit" => "crates/core/src/tests",
        "simulation" => "crates/core/tests/simulation",
        "cluster" => "tests/cluster",
        _ => return None,
    };
    Some((format!("{folder}/{rest}.rs"), name))
}

/// The statements of the rules are shown by tests that exist.
#[test]
fn the_rules_name_tests_that_exist() {
    let rules = std::fs::read_to_string(Path::new(ROOT).join(RULES)).unwrap();
    let named = rules.split('`').skip(1).step_by(2).filter_map(named_by_rules);
    // One letter: the page says where to find them.
    let named: Vec<_> = named.filter(|(_, name)| name.len() > 1).collect();
    assert!(named.len() > 100, "only {} tests were found", named.len());
    let wrong = missing(named);
    assert!(wrong.is_empty(), "{RULES}:\n{}", wrong.join("\n"));
}

/// A test that says by its name what it shows is found from there too.
#[test]
fn every_test_named_after_a_scenario_is_in_its_row() {
    let table = std::fs::read_to_string(Path::new(ROOT).join(TABLE)).unwrap();
    let rows: BTreeMap<u32, &str> = rows(&table).into_iter().collect();
    let mut wrong = Vec::new();
    for file in ["crates", "src", "tests"].into_iter().flat_map(|folder| files(&Path::new(ROOT).join(folder))) {
        let Ok(source) = std::fs::read_to_string(&file) else { continue };
        for line in source.lines() {
            let name =
                line.trim().trim_start_matches("async ").strip_prefix("fn s").and_then(|rest| rest.split('(').next());
            let number = name.and_then(|name| name.split_once('_')).and_then(|(number, _)| number.parse().ok());
            if let (Some(name), Some(number)) = (name, number)
                && has_test(&source, &format!("s{name}"))
                && !rows.get(&number).is_some_and(|cell| cell.contains(&format!("::s{name}`")))
            {
                wrong.push(format!("S{number} does not name s{name} ({})", file.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{TABLE}:\n{}", wrong.join("\n"));
}

#[test]
fn a_missing_test_is_noticed() {
    let source =
        "#[test]\nfn one() {}\n\n#[tokio::test]\n#[cfg(unix)]\nasync fn two() {}\n\nfn three() {}\n// fn four()\n";
    assert!(has_test(source, "one") && has_test(source, "two"));
    for name in ["three", "four", "on", ""] {
        assert!(!has_test(source, name), "{name}");
    }
    assert_eq!(
        tests_in("`cluster/crash::a`, `src/x/y::b`, `crates/x/src/y::c`"),
        [("tests/cluster/crash.rs".into(), "a"), ("src/x/y.rs".into(), "b"), ("crates/x/src/y.rs".into(), "c")]
    );
    assert_eq!(rows("| id | a |\n|---|---|\n| S1 | x | `y` |\n| S2 | z |"), [(1, "`y`"), (2, "z")]);
}
