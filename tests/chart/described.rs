//! Every value is described in values.yaml, shown in the README and known to the schema, and the schema knows no other.

use serde_json::Value;

use super::harness::read;

const VALUES: &str = "charts/unkey-operator/values.yaml";

/// A value with a comment that begins with `--`.
struct Row {
    path: String,
    about: String,
}

/// Reads the comments. Keys are told by their indentation of two, as the file has it.
fn rows() -> Vec<Row> {
    let (mut rows, mut path, mut about) = (Vec::new(), Vec::<String>::new(), None::<String>);
    for line in read(VALUES).lines() {
        let text = line.trim_start();
        if let Some(comment) = text.strip_prefix('#') {
            let comment = comment.trim();
            match (comment.strip_prefix("--"), &mut about) {
                (Some(begun), _) => about = Some(begun.trim().to_owned()),
                (None, Some(about)) => *about = format!("{about} {comment}"),
                (None, None) => {}
            }
            continue;
        }
        let key = text.split_once(':').map(|(key, _)| key).filter(|key| key.chars().all(char::is_alphanumeric));
        if let Some(key) = key.filter(|_| !text.starts_with('-')) {
            path.truncate((line.len() - text.len()) / 2);
            path.push(key.to_owned());
            if let Some(about) = about.take() {
                rows.push(Row { path: path.join("."), about });
            }
        }
        assert!(about.is_none(), "a comment that describes nothing, before: {line}");
    }
    rows
}

fn values() -> Value {
    serde_yaml::from_str(&read(VALUES)).unwrap()
}

fn at<'a>(values: &'a Value, path: &str) -> &'a Value {
    path.split('.').fold(values, |value, key| &value[key])
}

/// The table for the README.
pub fn table() -> String {
    let values = values();
    let mut lines = vec!["| value | | default |".to_owned(), "|---|---|---|".to_owned()];
    lines.extend(rows().into_iter().map(|Row { path, about }| {
        let default = at(&values, &path);
        format!("| `{path}` | {} | `{default}` |", about.replace('|', "\\|"))
    }));
    lines.join("\n") + "\n"
}

/// All maps that hold other values, and all values that no map divides further or that are described as a whole.
fn walk(value: &Value, path: &str, described: &[String], sections: &mut Vec<String>, leaves: &mut Vec<String>) {
    let map = value.as_object().filter(|map| !map.is_empty() && !described.iter().any(|row| row == path));
    let Some(map) = map else { return leaves.push(path.to_owned()) };
    sections.push(path.to_owned());
    for (key, value) in map {
        let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
        walk(value, &path, described, sections, leaves);
    }
}

/// The part of the schema that speaks of this path.
fn schema_of<'a>(schema: &'a Value, path: &str) -> &'a Value {
    let follow = |part: &'a Value| match part["$ref"].as_str() {
        Some(to) => &schema["definitions"][to.strip_prefix("#/definitions/").unwrap()],
        None => part,
    };
    path.split('.').filter(|key| !key.is_empty()).fold(schema, |part, key| follow(&part["properties"][key]))
}

/// All sections and all leaves.
fn walked(described: &[String]) -> (Vec<String>, Vec<String>) {
    let (mut sections, mut leaves) = (Vec::new(), Vec::new());
    walk(&values(), "", described, &mut sections, &mut leaves);
    (sections, leaves)
}

/// The paths of all values, and of what holds them.
pub fn paths() -> Vec<String> {
    let described: Vec<String> = rows().into_iter().map(|row| row.path).collect();
    let (sections, leaves) = walked(&described);
    sections.into_iter().filter(|path| !path.is_empty()).chain(leaves).collect()
}

#[test]
fn every_value_is_described_and_in_the_schema() {
    let described: Vec<String> = rows().into_iter().map(|row| row.path).collect();
    let (sections, leaves) = walked(&described);
    let mut sorted = (described.clone(), leaves.clone());
    sorted.0.sort();
    sorted.1.sort();
    assert_eq!(sorted.0, sorted.1, "left: described in {VALUES}; right: its values");
    assert!(leaves.len() > 80, "{}", leaves.len());

    let schema: Value = serde_json::from_str(&read("charts/unkey-operator/values.schema.json")).unwrap();
    for section in &sections {
        let part = schema_of(&schema, section);
        assert_eq!(part["additionalProperties"], false, "'{section}' takes anything");
        let known: Vec<&String> = part["properties"].as_object().unwrap().keys().collect();
        let values = values();
        let map = if section.is_empty() { &values } else { at(&values, section) };
        // `global` is Helm's.
        let unknown: Vec<_> = known.iter().filter(|key| **key != "global" && map.get(key.as_str()).is_none()).collect();
        assert!(unknown.is_empty(), "the schema knows in '{section}' what values.yaml does not: {unknown:?}");
    }
    for leaf in &leaves {
        assert!(schema_of(&schema, leaf).is_object(), "'{leaf}' is not in the schema");
    }
}

/// The schema says of every map whether it takes what it does not know: only what Kubernetes defines is open.
#[test]
fn the_schema_is_closed_where_it_can_be() {
    fn open(part: &Value, path: &str, found: &mut Vec<String>) {
        match part {
            Value::Object(map) => {
                if part["type"] == "object" && part.get("additionalProperties").is_none() {
                    found.push(path.to_owned());
                }
                map.iter().for_each(|(key, value)| open(value, &format!("{path}/{key}"), found));
            }
            Value::Array(list) => list.iter().for_each(|value| open(value, path, found)),
            _ => {}
        }
    }
    let schema: Value = serde_json::from_str(&read("charts/unkey-operator/values.schema.json")).unwrap();
    let mut found = Vec::new();
    open(&schema, "", &mut found);
    let kubernetes = ["Affinity", "items", "Ref", "valueFrom", "odSelector", "namespaceSelector", "/properties/global"];
    found.retain(|path| !kubernetes.iter().any(|end| path.ends_with(end)));
    assert!(found.is_empty(), "{found:?}");
}
