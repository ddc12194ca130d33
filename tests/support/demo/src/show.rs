//! What the demo shows, step by step.

use demo::StageError;
use demo::print::say;
use unkey_operator::unkey::Identity;

use crate::stage::Stage;

const CRD: &str = "crds/identities.unkey.com.yaml";
const IMPORTED: &str = "imported";
const QUICKSTART: &str = "examples/quickstart.yaml";
/// Customers that are in Unkey before the operator comes, of an emulator only: nobody's real workspace is to be filled.
const EXISTING: [(&str, &str); 2] = [("quickstart-initech", "pro"), ("quickstart-umbrella", "free")];
/// The externalIds of `examples/quickstart.yaml`.
const EXTERNAL_IDS: [&str; 3] = ["quickstart-minimal", "quickstart-acme", "quickstart-globex"];
const READY_REASON: &str = r#"jsonpath={.status.conditions[?(@.type=="Ready")].reason}"#;
const MESSAGE: &str = r#"jsonpath={.status.conditions[?(@.type=="Ready")].message}"#;

/// Shows everything; with `keep` it stops before the deletion.
pub async fn everything(stage: &Stage, keep: bool) -> Result<(), StageError> {
    say("the operator waits for its CustomResourceDefinition");
    stage.kubectl(&["apply", "-f", CRD]).await?;
    stage.kubectl(&["wait", "--for=condition=Established", "crd/identities.unkey.com", "--timeout=60s"]).await?;

    println!();
    say("three Identities: minimal; a plan in meta; shared rate limits");
    stage.kubectl(&["apply", "-f", QUICKSTART]).await?;
    stage.kubectl(&["wait", "--for=condition=Ready", "identities", "--all", "--timeout=60s"]).await?;
    stage.kubectl(&["get", "identities", "-o", "wide"]).await?;
    what_unkey_holds(stage).await?;

    if stage.seed(&EXISTING) {
        println!();
        say(
            "two more customers are in Unkey already: they become manifests, and a plan says what applying those would do",
        );
        let prefixes = ["--external-id-prefix", "quickstart-i", "--external-id-prefix", "quickstart-u"];
        let import = ["import", "--namespace", "default", "--output-dir", IMPORTED];
        stage.operator(&[&import[..], &prefixes].concat()).await?;
        stage.operator(&["plan", "-f", IMPORTED, "--", "run"]).await?;
        stage.kubectl_there(&["apply", "--server-side", "-k", IMPORTED]).await?;
        stage.kubectl(&["wait", "--for=condition=Ready", "identities", "--all", "--timeout=60s"]).await?;
    }

    println!();
    say("an edit: the customer acme goes from 'free' to 'pro'");
    stage.kubectl(&["patch", "identity", "acme", "--type=merge", "-p", r#"{"spec":{"meta":{"plan":"pro"}}}"#]).await?;
    stage.kubectl(&["wait", "--for=condition=Ready", "identity/acme", "--timeout=60s"]).await?;
    what_unkey_holds(stage).await?;

    println!();
    say("something breaks: the root key is revoked, and acme is edited all the same");
    stage.swap_root_key(Some("unkey_revoked_key\n"))?;
    stage.kubectl(&["patch", "identity", "acme", "--type=merge", "-p", r#"{"spec":{"meta":{"seats":25}}}"#]).await?;
    stage.until(&["get", "identity", "acme", "-o", READY_REASON], "Unauthorized").await?;
    stage.kubectl(&["get", "identities"]).await?;
    let message = stage.ask(&["get", "identity", "acme", "-o", MESSAGE]).await?;
    println!("\nThe condition says:\n  {message}");
    println!();
    say("the right key is put back; nothing is restarted");
    stage.swap_root_key(None)?;
    stage.until(&["get", "identity", "acme", "-o", READY_REASON], "Synced").await?;
    stage.kubectl(&["get", "identities"]).await?;
    what_unkey_holds(stage).await?;
    if keep {
        return Ok(());
    }

    println!();
    say("deletion: after a hold of 2 s (10 s by default) the identity goes, and then its resource");
    stage.kubectl(&["delete", "-f", QUICKSTART, "--timeout=60s"]).await?;
    if stage.is_emulated() {
        println!();
        say("what was imported has deletionPolicy Orphan: its identities stay in Unkey");
        stage.kubectl_there(&["delete", "-k", IMPORTED, "--timeout=60s"]).await?;
    }
    what_unkey_holds(stage).await?;
    println!();
    say("done; everything that ran is being stopped");
    Ok(())
}

async fn what_unkey_holds(stage: &Stage) -> Result<(), StageError> {
    let existing = EXISTING.iter().map(|(external_id, _)| *external_id);
    let all: Vec<&str> = EXTERNAL_IDS.into_iter().chain(existing).collect();
    let held = stage.held(&all).await?;
    println!("\n{}", if held.is_empty() { "Unkey holds none of the identities any more." } else { "Unkey holds:" });
    for identity in &held {
        println!("  {}", line(identity));
    }
    Ok(())
}

fn line(identity: &Identity) -> String {
    let meta = serde_json::Value::Object(identity.meta.clone());
    let mut limits: Vec<String> = identity
        .ratelimits
        .iter()
        .map(|limit| format!("{} {} per {} ms", limit.name, limit.limit, limit.duration))
        .collect();
    limits.sort_unstable();
    let limits = if limits.is_empty() { "no rate limits".to_owned() } else { limits.join(", ") };
    format!("{:<19} {}  meta {meta}  {limits}", identity.external_id, identity.id)
}
