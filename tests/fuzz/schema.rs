//! Reads the spec's properties from the CRD as it is committed. It understands every keyword that it meets or fails: a bound that nobody
//! tries, or a property that nobody knows, must not slip in. It knows no values.

use serde_json::{Map, Value};

/// A property of the spec, or of an item of one of its lists.
#[derive(Clone, Debug)]
pub struct Property {
    /// `ratelimits`, `ratelimits[].name`.
    pub path: String,
    /// Its own name.
    pub name: String,
    /// Whether it may not be left out.
    pub required: bool,
    /// What it holds.
    pub node: Node,
    /// CEL rules on it.
    pub rules: Vec<String>,
}

/// What a property holds.
#[derive(Clone, Debug)]
pub enum Node {
    /// Text of so many characters, perhaps of a pattern.
    Text { shortest: usize, longest: usize, pattern: Option<String> },
    /// One of these words.
    Words(Vec<String>),
    /// A 64-bit integer, at least this.
    Integer { least: i64 },
    /// True or false.
    Flag,
    /// Any JSON object of at most so many keys, stored as it is and owned as a whole.
    Free { most: usize },
    /// At most so many objects, told apart by this one of their properties.
    List { most: usize, key: String, item: Vec<Property> },
}

/// The properties of `spec` in the CRD's served version.
pub fn of_spec(crd: &str) -> Result<Vec<Property>, String> {
    let crd: Value = serde_yaml::from_str(crd).map_err(|error| format!("the CRD cannot be read: {error}"))?;
    let versions = crd["spec"]["versions"].as_array().ok_or("the CRD has no versions")?;
    let [version] = &versions[..] else { return Err("the CRD has several versions: which one is tried?".to_owned()) };
    let spec = version["schema"]["openAPIV3Schema"]["properties"]["spec"].as_object().ok_or("the CRD has no spec")?;
    properties("", &mut spec.clone())
}

/// The properties of an object's schema, which has nothing else.
fn properties(prefix: &str, schema: &mut Map<String, Value>) -> Result<Vec<Property>, String> {
    let required: Vec<String> = take(schema, "required").map_or(Ok(Vec::new()), |all| words(prefix, &all))?;
    let Some(Value::Object(all)) = take(schema, "properties") else { return Err(format!("{prefix}: no properties")) };
    take(schema, "description");
    expect(prefix, schema, "type", "object")?;
    nothing_left(prefix, schema)?;
    all.into_iter().map(|(name, schema)| property(prefix, name, &required, schema)).collect()
}

fn property(prefix: &str, name: String, required: &[String], schema: Value) -> Result<Property, String> {
    let path = format!("{prefix}{name}");
    let Value::Object(mut schema) = schema else { return Err(format!("{path}: no schema")) };
    take(&mut schema, "description");
    let rules = match take(&mut schema, "x-kubernetes-validations") {
        None => Vec::new(),
        Some(Value::Array(all)) => all.iter().map(|rule| rule["rule"].as_str().unwrap_or("?").to_owned()).collect(),
        Some(other) => return Err(format!("{path}: rules: {other}")),
    };
    let Some(Value::String(kind)) = take(&mut schema, "type") else { return Err(format!("{path}: no type")) };
    let node = match kind.as_str() {
        "string" if schema.contains_key("enum") => {
            Node::Words(words(&path, &take(&mut schema, "enum").unwrap_or_default())?)
        }
        "string" => Node::Text {
            shortest: count(&path, &mut schema, "minLength")?,
            longest: count(&path, &mut schema, "maxLength")?,
            pattern: take(&mut schema, "pattern").and_then(|pattern| pattern.as_str().map(ToOwned::to_owned)),
        },
        "integer" => {
            expect(&path, &mut schema, "format", "int64")?;
            Node::Integer { least: i64::try_from(count(&path, &mut schema, "minimum")?).map_err(|e| e.to_string())? }
        }
        "boolean" => Node::Flag,
        "object" => {
            expect(&path, &mut schema, "x-kubernetes-map-type", "atomic")?;
            match take(&mut schema, "x-kubernetes-preserve-unknown-fields") {
                Some(Value::Bool(true)) => Node::Free { most: count(&path, &mut schema, "maxProperties")? },
                _ => return Err(format!("{path}: an object of known properties")),
            }
        }
        "array" => {
            expect(&path, &mut schema, "x-kubernetes-list-type", "map")?;
            let keys = words(&path, &take(&mut schema, "x-kubernetes-list-map-keys").unwrap_or_default())?;
            let [key] = &keys[..] else { return Err(format!("{path}: keys {keys:?}")) };
            let Some(Value::Object(mut item)) = take(&mut schema, "items") else {
                return Err(format!("{path}: items"));
            };
            let item = properties(&format!("{path}[]."), &mut item)?;
            Node::List { most: count(&path, &mut schema, "maxItems")?, key: key.clone(), item }
        }
        other => return Err(format!("{path}: a type that nobody tries: {other}")),
    };
    nothing_left(&path, &schema)?;
    Ok(Property { required: required.contains(&name), path, name, node, rules })
}

fn take(schema: &mut Map<String, Value>, keyword: &str) -> Option<Value> {
    schema.remove(keyword)
}

fn expect(path: &str, schema: &mut Map<String, Value>, keyword: &str, value: &str) -> Result<(), String> {
    match take(schema, keyword) {
        Some(Value::String(found)) if found == value => Ok(()),
        other => Err(format!("{path}: {keyword} is {other:?} and not {value}")),
    }
}

/// A bound; the CRD writes some as `1.0`.
fn count(path: &str, schema: &mut Map<String, Value>, keyword: &str) -> Result<usize, String> {
    let found = take(schema, keyword).ok_or_else(|| format!("{path}: without {keyword}"))?;
    let text = found.to_string();
    text.strip_suffix(".0").unwrap_or(&text).parse().map_err(|_| format!("{path}: {keyword} is {found}"))
}

fn words(path: &str, all: &Value) -> Result<Vec<String>, String> {
    let words = all.as_array().and_then(|all| all.iter().map(|word| word.as_str().map(ToOwned::to_owned)).collect());
    words.ok_or_else(|| format!("{path}: {all} is no list of words"))
}

fn nothing_left(path: &str, schema: &Map<String, Value>) -> Result<(), String> {
    let left: Vec<&String> = schema.keys().collect();
    if left.is_empty() { Ok(()) } else { Err(format!("{path}: keywords that nobody tries: {left:?}")) }
}
