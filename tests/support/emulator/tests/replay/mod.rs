//! Replays recorded cases against any server that speaks the API, and compares answers as the recording masks them
//! (tests/contract/README.md). It must not know which server it talks to.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Value, json};

use crate::client::{Answer, Client};

/// One recorded sequence.
#[derive(Deserialize)]
pub struct Case {
    pub name: String,
    /// Needs a workspace without identities.
    pub clean: bool,
    steps: Vec<Value>,
}

/// Where a case runs.
#[derive(Clone)]
pub struct Target {
    pub base_url: String,
    pub key: String,
    pub readonly: String,
}

/// Reads the recording.
pub fn cases() -> Vec<Case> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../contract/recorded.json");
    serde_json::from_slice(&std::fs::read(path).expect("the recording is in tests/contract")).expect("it is JSON")
}

/// Runs a case; what differed, step by step. `number` makes the prefix of its names unique within `run`.
pub async fn replay(client: &Client, target: &Target, case: &Case, run: u32, number: usize) -> Vec<String> {
    let mut variables = BTreeMap::from([
        ("run".to_owned(), format!("c{run:06x}{number:04x}")),
        ("key".to_owned(), target.key.clone()),
        ("readonly".to_owned(), target.readonly.clone()),
    ]);
    let mut differences = Vec::new();
    for (index, step) in case.steps.iter().enumerate() {
        let answer = match send(client, target, step, &variables).await {
            Ok(answer) => answer,
            Err(error) => {
                differences.push(format!("{} step {}: no answer: {error}", case.name, index + 1));
                return differences;
            }
        };
        let body = answer.json();
        for (variable, pointer) in step["save"].as_object().into_iter().flatten() {
            let value = body.pointer(pointer.as_str().unwrap_or_default()).and_then(Value::as_str);
            variables.insert(variable.clone(), value.unwrap_or("<not answered>").to_owned());
        }
        let got = normal(doubles(masked(step, &answer, &body, &variables)));
        let expected = normal(doubles(fill_all(&step["answer"], &variables, false)));
        if got != expected {
            let what = step["op"].as_str().or(step["path"].as_str()).unwrap_or_default();
            differences.push(format!(
                "{} step {} ({what})\n  expected {}\n  got      {}",
                case.name,
                index + 1,
                short(&expected),
                short(&got)
            ));
        }
    }
    differences
}

fn short(value: &Value) -> String {
    let text = value.to_string();
    if text.len() > 1500 { format!("{}…", text.chars().take(1500).collect::<String>()) } else { text }
}

async fn send(
    client: &Client,
    target: &Target,
    step: &Value,
    variables: &BTreeMap<String, String>,
) -> Result<Answer, hyper_util::client::legacy::Error> {
    let path = match step["op"].as_str() {
        Some(operation) => format!("/v2/identities.{operation}"),
        None => step["path"].as_str().expect("a step has an op or a path").to_owned(),
    };
    let key = fill(step["key"].as_str().unwrap_or("${key}"), variables);
    let mut headers = BTreeMap::from([
        ("authorization".to_owned(), format!("Bearer {key}")),
        ("content-type".to_owned(), "application/json".to_owned()),
    ]);
    for (name, value) in step["headers"].as_object().into_iter().flatten() {
        match value.as_str() {
            Some(value) => headers.insert(name.to_lowercase(), fill(value, variables)),
            None => headers.remove(&name.to_lowercase()),
        };
    }
    let body = match step["raw"].as_str() {
        Some(raw) => fill(raw, variables),
        None => step.get("body").map(|body| fill_all(body, variables, true).to_string()).unwrap_or_default(),
    };
    client.send(step["method"].as_str().unwrap_or("POST"), &format!("{}{path}", target.base_url), headers, body).await
}

/// Fills the placeholders of a text.
fn fill(text: &str, variables: &BTreeMap<String, String>) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some(start) = rest.find("${") {
        let Some(length) = rest[start..].find('}') else { break };
        out.push_str(&rest[..start]);
        let name = &rest[start + 2..start + length];
        let run = &variables["run"];
        match name.split_once(':') {
            Some(("pad", size)) => {
                out.extend(run.chars().chain(std::iter::repeat('p')).take(size.parse().expect("a size")));
            }
            Some(("fill", size)) => out.push_str(&"x".repeat(size.parse().expect("a size"))),
            _ => out.push_str(variables.get(name).map_or(&rest[start..=start + length], String::as_str)),
        }
        rest = &rest[start + length + 1..];
    }
    out + rest
}

/// Fills the placeholders of a JSON value, in keys only if asked.
fn fill_all(value: &Value, variables: &BTreeMap<String, String>, keys: bool) -> Value {
    match value {
        Value::String(text) => fill(text, variables).into(),
        Value::Array(items) => items.iter().map(|item| fill_all(item, variables, keys)).collect(),
        Value::Object(members) => members
            .iter()
            .map(|(key, value)| {
                (if keys { fill(key, variables) } else { key.clone() }, fill_all(value, variables, keys))
            })
            .collect(),
        other => other.clone(),
    }
}

/// An answer in the form of the recording.
fn masked(step: &Value, answer: &Answer, body: &Value, variables: &BTreeMap<String, String>) -> Value {
    let mut answer = json!({"status": answer.status, "contentType": answer.content_type()});
    let Some(members) = body.as_object() else { return answer };
    answer["keys"] = members.keys().collect::<std::collections::BTreeSet<_>>().into_iter().cloned().collect();
    if let Some(data) = members.get("data") {
        let counted = !step["body"]["limit"].is_null() || !step["body"]["cursor"].is_null();
        answer["data"] = match data.as_array() {
            Some(items) if counted => items.len().into(),
            _ => mask(data, variables),
        };
    }
    if let Some(pagination) = members.get("pagination") {
        answer["pagination"] =
            json!({"hasMore": pagination["hasMore"], "cursor": pagination.get("cursor").is_some_and(|c| c != "")});
    }
    if let Some(error) = members.get("error") {
        let entries = error["errors"].as_array().into_iter().flatten();
        let locations: std::collections::BTreeSet<_> = entries.filter_map(|entry| entry["location"].as_str()).collect();
        answer["error"] = json!({
            "type": error["type"], "status": error["status"], "title": error["title"],
            "hasErrors": error["errors"].is_array(), "locations": locations,
        });
    }
    answer
}

/// Masks ids that no variable holds, and long strings.
fn mask(value: &Value, variables: &BTreeMap<String, String>) -> Value {
    match value {
        Value::String(text) if text.chars().count() > 300 => format!("<{} characters>", text.chars().count()).into(),
        Value::String(text) if !variables.values().any(|held| held == text) => {
            let masked = ["id", "rl", "req"].into_iter().find(|prefix| {
                let tail = text.strip_prefix(prefix).and_then(|tail| tail.strip_prefix('_'));
                tail.is_some_and(|tail| tail.len() >= 8 && tail.chars().all(|c| c.is_ascii_alphanumeric()))
            });
            masked.map_or_else(|| text.clone(), |prefix| format!("<{prefix}>")).into()
        }
        Value::Array(items) => items.iter().map(|item| mask(item, variables)).collect(),
        Value::Object(members) => members.iter().map(|(key, value)| (key.clone(), mask(value, variables))).collect(),
        other => other.clone(),
    }
}

/// Numbers as doubles, as on the server's way and the recorder's.
fn doubles(value: Value) -> Value {
    match value {
        Value::Number(number) => number.as_f64().map_or(Value::Null, Value::from),
        Value::Array(items) => items.into_iter().map(doubles).collect(),
        Value::Object(members) => members.into_iter().map(|(key, value)| (key, doubles(value))).collect(),
        other => other,
    }
}

/// Rate limits by name and a list's items by their JSON, since their order is not promised; ids then no longer tell the order.
fn normal(mut answer: Value) -> Value {
    let by_text = |items: &mut Vec<Value>| items.sort_by_key(ToString::to_string);
    match answer.get_mut("data") {
        Some(Value::Array(items)) => {
            items.iter_mut().filter_map(|item| item.get_mut("ratelimits")?.as_array_mut()).for_each(by_text);
            by_text(items);
        }
        Some(data) => {
            data.get_mut("ratelimits").and_then(Value::as_array_mut).map(by_text);
        }
        None => {}
    }
    answer
}
