//! What the chart renders of each set of values in `values/`, and the index of values in its README. `make generate` writes both anew.

use serde_json::Value;

use super::described;
use super::generated::matches;
use super::harness::{NAMESPACE, chart, file, helms, objects, read, value_sets};

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
fn the_reference_page_lists_the_values() {
    matches("docs/reference/chart-values.md", &described::page());
}

#[test]
fn helm_has_no_complaint() {
    for helm in helms() {
        for set in value_sets() {
            let values = file("tests/chart/values").join(format!("{set}.yaml"));
            let args = ["lint", "--strict", "--kube-version", "1.37.0", "--values", values.to_str().unwrap()];
            helm.succeeds(None, &[&args[..], &[&chart()]].concat());
        }
    }
}
