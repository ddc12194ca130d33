//! planned: what a plan of N Identities over N identities costs, first as they are and then with a limit of each tightened by manifests. No
//! operator runs: each Identity would be adopted, which is the most that a plan has to think about.

use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::bench::Bench;
use crate::load::{self, Act};
use crate::object;
use crate::process::{self, Usage};
use crate::program::PROGRAM;
use crate::report::Goal::{AtMost, Exactly, Stated};
use crate::report::{count, number};
use crate::stage::Scene;

/// How often the program is looked at while it runs.
const POLL: Duration = Duration::from_millis(20);

/// `n` objects and as many identities.
pub async fn planned(bench: Arc<Bench>, n: usize) {
    let scene = bench.stage().await.scene().await;
    println!("  storing {n} identities, and as many Identities");
    for at in 0..n {
        scene.workspace().seed(&object::spec(&object::name(at), 0)).await;
    }
    drop(load::all_at_once(&scene, Act::Create, 0..n, None).await);
    for (what, with_manifests) in [("planned", false), ("planned, with manifests", true)] {
        println!("  {what}: {n}");
        let manifests = scene.stage().file("manifests.json");
        let mut args = Vec::new();
        if with_manifests {
            std::fs::write(&manifests, tightened(scene.namespace(), n)).expect("manifests");
            args.extend(["-f", manifests.to_str().expect("a path in UTF-8")]);
        }
        scene.workspace().forget().await;
        let begun = Instant::now();
        let (usage, report) = plan(&scene, &args).await;
        let took = begun.elapsed();
        let calls = scene.workspace().counts().await.total;
        let add = |measure: &str, goal, value| bench.add(what, n, measure, goal, value);
        // One page for each hundred; goals for N = 50,000 hold for fewer as well.
        add("requests to Unkey", AtMost(count(n.div_ceil(100) + 10)), number(calls));
        add("processor (s)", AtMost(15.0), usage.cpu.as_secs_f64());
        add("peak (MiB)", AtMost(300.0), usage.peak_mib());
        add("took (s)", Stated, took.as_secs_f64());
        let group = |change: &Value| change["group"].as_u64().unwrap_or(0);
        let changes = report["changes"].as_array().cloned().unwrap_or_default();
        assert_eq!(changes.len(), n, "one for each");
        add("lines of text for all", Exactly(1.0), number(changes.iter().map(group).max().unwrap_or(0)));
    }
    load::all_at_once(&scene, Act::Delete, 0..n, None).await;
}

fn tightened(namespace: &str, n: usize) -> String {
    let items = (0..n).map(|at| {
        let mut manifest = object::manifest(&object::name(at));
        manifest["metadata"]["namespace"] = json!(namespace);
        manifest["spec"]["ratelimits"][0]["limit"] = json!(10);
        manifest["spec"]["adoptionPolicy"] = json!("Always");
        manifest
    });
    json!({"apiVersion": "v1", "kind": "List", "items": items.collect::<Vec<_>>()}).to_string()
}

/// Runs `plan`. What it used, as far as looks at it tell, and the plan.
async fn plan(scene: &Scene, args: &[&str]) -> (Usage, Value) {
    let stage = scene.stage();
    let out = stage.file("plan.json");
    let key = stage.file("root-key");
    std::fs::write(&key, scene.workspace().root_key()).expect("a file for the root key");
    let mut command = Command::new(PROGRAM);
    command.args(["plan", "--output", "json", "--max-requests-per-second", "0"]);
    command.args(["--api-url", stage.unkey().base_url()]).arg("--root-key-file").arg(key);
    command.arg("--kubeconfig").arg(stage.plane().kubeconfig()).args(args).args(["--", "run"]);
    command.stdin(Stdio::null()).stdout(std::fs::File::create(&out).expect("a file"));
    let child = command.spawn().expect("the program");
    let usage = tokio::task::spawn_blocking(move || watched(child)).await.expect("the program");
    let text = std::fs::read_to_string(&out).expect("a plan");
    (usage, serde_json::from_str(&text).expect("a plan"))
}

/// What the program had used when it was last seen to run.
fn watched(mut child: Child) -> Usage {
    let mut last = Usage::default();
    loop {
        if let Some(seen) = process::usage_if_there(child.id()) {
            last = seen;
        }
        match child.try_wait().expect("a process of ours") {
            Some(status) => {
                assert!(status.success(), "plan: {status}");
                return last;
            }
            None => std::thread::sleep(POLL),
        }
    }
}
