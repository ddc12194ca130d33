//! Kubeconfigs for tests of the way to the API server: the administrator's, changed.

use std::path::PathBuf;

use serde_json::{Value, json};

use super::harness::World;

/// One with these properties of the cluster in place of the administrator's (`null` removes), and that user if there is one.
pub fn write(world: &World, name: &str, cluster: &Value, user: Option<&Value>) -> PathBuf {
    let mut all: Value = serde_yaml::from_slice(&std::fs::read(world.plane.kubeconfig()).unwrap()).unwrap();
    for (key, value) in cluster.as_object().unwrap() {
        let properties = all["clusters"][0]["cluster"].as_object_mut().unwrap();
        match value {
            Value::Null => properties.remove(key),
            value => properties.insert(key.clone(), value.clone()),
        };
    }
    if let Some(user) = user {
        all["users"][0]["user"] = user.clone();
    }
    let path = world.files.path().join(name);
    std::fs::write(&path, all.to_string()).unwrap();
    path
}

/// The cluster at `server`, known by this authority.
pub fn cluster(server: &str, authority: &std::path::Path) -> Value {
    json!({"server": server, "certificate-authority": authority})
}
