//! What is shown, step by step.

use std::time::Instant;

use demo::StageError;
use demo::print::say;

use crate::stage::{NAMESPACE, RELEASE, Stage};

const CHART: &str = "charts/unkey-operator";
const QUICKSTART: &str = "examples/quickstart.yaml";
const WAIT: [&str; 3] = ["--wait", "--timeout", "2m"];

/// Shows everything.
pub async fn everything(stage: &Stage) -> Result<(), StageError> {
    install(stage).await?;
    declare(stage).await?;
    crash(stage).await?;
    upgrade(stage).await?;
    uninstall(stage).await?;
    println!();
    say("done; everything that ran is being stopped");
    Ok(())
}

async fn install(stage: &Stage) -> Result<(), StageError> {
    println!();
    say("a namespace that takes only Pods of the strictest standard, and the root key");
    stage.kubectl(&["create", "namespace", NAMESPACE]).await?;
    stage.kubectl(&["label", "namespace", NAMESPACE, "pod-security.kubernetes.io/enforce=restricted"]).await?;
    let key = format!("--from-file=root-key={}", stage.root_key().display());
    let secret = ["secret", "generic", "unkey-operator-root-key", &key];
    stage.kubectl(&[&["--namespace", NAMESPACE, "create"], &secret[..]].concat()).await?;

    println!();
    say("the chart; --wait returns when both replicas are ready");
    let values = stage.values();
    stage.helm(&[&["install", RELEASE, CHART, "--set", &values], &WAIT[..]].concat()).await?;
    replicas(stage).await
}

async fn declare(stage: &Stage) -> Result<(), StageError> {
    println!();
    say("three Identities; one replica acts, the other asks Unkey nothing");
    stage.kubectl(&["apply", "-f", QUICKSTART]).await?;
    stage.kubectl(&["wait", "--for=condition=Ready", "identities", "--all", "--timeout=60s"]).await?;
    stage.kubectl(&["get", "identities"]).await?;
    stage.print_what_unkey_holds();
    Ok(())
}

async fn crash(stage: &Stage) -> Result<(), StageError> {
    println!();
    let before = stage.holder("").await?;
    say(&format!("a crash: SIGKILL for the leader {}, and an edit at the same moment", before.pod()));
    let begun = Instant::now();
    stage.kill(before.pod())?;
    stage.kubectl(&["patch", "identity", "acme", "--type=merge", "-p", r#"{"spec":{"meta":{"plan":"pro"}}}"#]).await?;
    let after = stage.holder(&before.0).await?;
    println!("\n{} took over after {:.1} s.", after.process(&before), begun.elapsed().as_secs_f32());
    stage.kubectl(&["wait", "--for=condition=Ready", "identity/acme", "--timeout=60s"]).await?;
    stage.print_what_unkey_holds();
    stage.until_ready(2).await?;
    println!();
    say("the container was started again: see RESTARTS");
    replicas(stage).await
}

async fn upgrade(stage: &Stage) -> Result<(), StageError> {
    println!();
    say(
        "an upgrade, one replica after the other: a new one is ready before an old one goes, and the leader hands over",
    );
    let change = ["--reuse-values", "--set", "config.workers=8"];
    stage.helm(&[&["upgrade", RELEASE, CHART], &change[..], &WAIT].concat()).await?;
    stage.until_pods(2).await?;
    replicas(stage).await
}

async fn uninstall(stage: &Stage) -> Result<(), StageError> {
    println!();
    say("the end of the release, which is not the end of what it kept");
    stage.helm(&["uninstall", RELEASE]).await?;
    stage.until_pods(0).await?;
    stage.kubectl(&["get", "identities"]).await?;
    stage.print_what_unkey_holds();
    Ok(())
}

async fn replicas(stage: &Stage) -> Result<(), StageError> {
    stage.kubectl(&["--namespace", NAMESPACE, "get", "pods", "-o", "wide"]).await?;
    println!("\nThe lease is held by {}.", stage.holder("").await?.pod());
    Ok(())
}
