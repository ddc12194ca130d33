//! Argo CD's interpreter, as far as a health check and an action get to see it: Lua 5.1 with the base and table libraries, and of `os` the
//! clock. It runs what `examples/argocd/argocd-cm.yaml` holds.

use mlua::{Lua, LuaOptions, StdLib, Table, Value as LuaValue};
use serde::Deserialize;
use serde_json::{Map, Value, json};

const CONFIG: &str = include_str!("../../examples/argocd/argocd-cm.yaml");

/// What Argo CD shows of an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Health {
    pub status: String,
    pub message: String,
}

#[derive(Deserialize)]
struct Actions {
    #[serde(rename = "discovery.lua")]
    discovery: String,
    definitions: Vec<Definition>,
}

#[derive(Deserialize)]
struct Definition {
    name: String,
    #[serde(rename = "action.lua")]
    action: String,
}

pub struct Argo {
    health: String,
    actions: Actions,
}

impl Argo {
    /// Set up as the example says.
    pub fn set_up() -> Self {
        let config: Value = serde_yaml::from_str(CONFIG).unwrap();
        let data = config["data"].as_object().unwrap();
        assert_eq!(data.len(), 2, "a key that nobody reads: {:?}", data.keys());
        let text = |key: &str| data[key].as_str().unwrap();
        Self {
            health: text("resource.customizations.health.unkey.com_Identity").to_owned(),
            actions: serde_yaml::from_str(text("resource.customizations.actions.unkey.com_Identity")).unwrap(),
        }
    }

    pub fn health(&self, object: &Value) -> Health {
        run(&self.health, object, |answer: Table| Health {
            status: answer.get("status").unwrap(),
            message: answer.get("message").unwrap(),
        })
    }

    /// The actions offered for an object, and whether each may be used.
    pub fn actions(&self, object: &Value) -> Vec<(String, bool)> {
        let named = |pair: mlua::Result<(String, Table)>| {
            let (name, action) = pair.unwrap();
            let disabled: bool = action.get("disabled").unwrap();
            (name, !disabled)
        };
        run(&self.actions.discovery, object, |offered: Table| offered.pairs().map(named).collect())
    }

    /// The object as an action leaves it.
    pub fn act(&self, action: &str, object: &Value) -> Value {
        let definition = self.actions.definitions.iter().find(|it| it.name == action).unwrap();
        run(&definition.action, object, |left: LuaValue| json(&left))
    }
}

/// Runs a script over an object and reads what it returns, which lives no longer than its interpreter.
fn run<T: mlua::FromLua, R>(script: &str, object: &Value, read: impl FnOnce(T) -> R) -> R {
    let lua = Lua::new_with(StdLib::TABLE | StdLib::PACKAGE | StdLib::OS, LuaOptions::default()).unwrap();
    let globals = lua.globals();
    let os: Table = globals.get("os").unwrap();
    let safe = lua.create_table().unwrap();
    for name in ["time", "date"] {
        safe.set(name, os.get::<LuaValue>(name).unwrap()).unwrap();
    }
    globals.set("os", &safe).unwrap();
    let loaded: Table = globals.get::<Table>("package").unwrap().get("loaded").unwrap();
    loaded.set("os", safe).unwrap();
    globals.set("obj", lua_value(&lua, object)).unwrap();
    read(lua.load(script).eval().unwrap_or_else(|error| panic!("{error}\nof {object}")))
}

fn lua_value(lua: &Lua, value: &Value) -> LuaValue {
    match value {
        Value::Null => LuaValue::Nil,
        Value::Bool(is) => LuaValue::Boolean(*is),
        Value::Number(number) => LuaValue::Number(number.as_f64().unwrap()),
        Value::String(text) => LuaValue::String(lua.create_string(text).unwrap()),
        Value::Array(items) => {
            let table = lua.create_table().unwrap();
            for item in items {
                table.push(lua_value(lua, item)).unwrap();
            }
            LuaValue::Table(table)
        }
        Value::Object(fields) => {
            let table = lua.create_table().unwrap();
            for (name, field) in fields {
                table.set(name.as_str(), lua_value(lua, field)).unwrap();
            }
            LuaValue::Table(table)
        }
    }
}

/// Back again. An empty table is taken for an object: Lua cannot tell.
fn json(value: &LuaValue) -> Value {
    match value {
        LuaValue::Nil => Value::Null,
        LuaValue::Boolean(is) => json!(is),
        LuaValue::Integer(number) => json!(number),
        #[allow(clippy::cast_possible_truncation)] // whole numbers only
        LuaValue::Number(number) if number.fract() == 0.0 => json!(*number as i64),
        LuaValue::Number(number) => json!(number),
        LuaValue::String(text) => json!(text.to_string_lossy()),
        LuaValue::Table(table) if table.raw_len() > 0 => {
            table.sequence_values::<LuaValue>().map(|item| json(&item.unwrap())).collect()
        }
        LuaValue::Table(table) => {
            let fields: Map<String, Value> = table
                .pairs::<String, LuaValue>()
                .map(|pair| pair.map(|(name, field)| (name, json(&field))).unwrap())
                .collect();
            Value::Object(fields)
        }
        other => panic!("no JSON: {other:?}"),
    }
}
