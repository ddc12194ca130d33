//! What the chart renders of each set of values in `values/`, and the index of values in its README. `UPDATE_GOLDEN=1`, as in
//! `make generate`, writes both anew.

use serde_json::Value;

use super::described;
use super::harness::{NAMESPACE, chart, file, helms, objects, read, value_sets};

#[allow(clippy::disallowed_methods)] // a test's own variable
fn update() -> bool {
    std::env::var("UPDATE_GOLDEN").is_ok_and(|value| value == "1")
}

/// Compares a file of this repository with what it should hold, or writes it.
fn matches(path: &str, text: &str) {
    if update() {
        std::fs::write(file(path), text).unwrap();
    }
    let there = std::fs::read_to_string(file(path)).unwrap_or_default();
    let differs = there.lines().zip(text.lines()).position(|(there, now)| there != now);
    let at = differs.unwrap_or_else(|| there.lines().count().min(text.lines().count()));
    let line = |text: &str| text.lines().nth(at).unwrap_or("(the end)").to_owned();
    assert!(
        there == text,
        "{path} differs in line {}: it has\n    {}\nand now it is\n    {}\nIf that is meant, run: make generate",
        at + 1,
        line(&there),
        line(text)
    );
}

/// Without the files that are rendered as they are, which have tests of their own and would be most of the text: the definition of
/// Identity, and what stands in one of the lines of the others.
fn abridged(rendered: &str) -> String {
    let documents = rendered.split("---\n").map(str::trim).filter(|document| !document.is_empty());
    let others = documents.filter(|document| !document.contains("\nkind: CustomResourceDefinition\n"));
    let text = format!("---\n{}\n", others.collect::<Vec<_>>().join("\n---\n"));
    [("alerts.yaml", "  "), ("dashboard.json", "    ")].iter().fold(text, |text, (name, indent)| {
        let lines = read(&format!("charts/unkey-operator/files/{name}"));
        let lines: Vec<String> = lines.lines().map(|line| format!("{indent}{line}")).collect();
        text.replace(&lines.join("\n"), &format!("{indent}(files/{name})"))
    })
}

#[test]
fn renders_are_as_committed() {
    for set in value_sets() {
        matches(&format!("tests/chart/golden/{set}.yaml"), &abridged(&helms()[0].render(&set, NAMESPACE)));
    }
}

#[test]
fn both_helms_render_the_same() {
    let sorted = |text: &str| {
        let mut texts: Vec<String> = objects(text).iter().map(Value::to_string).collect();
        texts.sort();
        texts
    };
    for set in value_sets() {
        let [four, three] = helms().each_ref().map(|helm| sorted(&helm.render(&set, NAMESPACE)));
        assert_eq!(four, three, "{set}");
    }
}

#[test]
fn the_readme_lists_the_values() {
    let path = "charts/unkey-operator/README.md";
    let readme = read(path);
    let (before, rest) = readme.split_once("<!-- values -->\n").expect("the place of the table");
    let (_, after) = rest.split_once("<!-- end of values -->").expect("the end of the table");
    matches(path, &format!("{before}<!-- values -->\n{}<!-- end of values -->{after}", described::table()));
}

#[test]
fn helm_has_no_complaint() {
    for helm in helms() {
        for set in value_sets() {
            let values = file("tests/chart/values").join(format!("{set}.yaml"));
            let args = ["lint", "--strict", "--kube-version", "1.36.0", "--values", values.to_str().unwrap()];
            helm.succeeds(None, &[&args[..], &[&chart()]].concat());
        }
    }
}
