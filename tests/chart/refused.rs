//! Mistakes in values are refused by name, by both helms, before anything reaches a cluster.

use serde_json::Value;

use super::described::paths;
use super::harness::{file, helms, objects};

/// Flags, and the words that must be in what helm says.
const MISTAKES: &[(&[&str], &[&str])] = &[
    (&["--set", "replicas=3"], &["replicas"]),
    (&["--set", "replicaCount=two"], &["/replicaCount", "integer"]),
    (&["--set", "replicaCount=-1"], &["/replicaCount"]),
    (&["--set", "image.name=x"], &["/image", "name"]),
    (&["--set", "image.digest=sha256:beef"], &["/image/digest"]),
    (&["--set", "image.pullPolicy=Sometimes"], &["/image/pullPolicy", "IfNotPresent"]),
    (&["--set", "image.repository="], &["/image/repository"]),
    (&["--set", "rootKey.secretName=x"], &["/rootKey", "secretName"]),
    (&["--set", "rootKey.existingSecret=Not_A_Name"], &["/rootKey/existingSecret"]),
    (&["--set", "watchNamespaces=team-a"], &["/watchNamespaces", "array"]),
    (&["--set", "watchNamespaces={Team}"], &["/watchNamespaces/0"]),
    (&["--set", "watchNamespaces={a,a}"], &["/watchNamespaces", "equal"]),
    (&["--set", "config.scan=1h"], &["/config", "scan"]),
    (&["--set", "config.scanInterval=10"], &["/config/scanInterval"]),
    (&["--set", "config.scanInterval=often"], &["/config/scanInterval"]),
    (&["--set", "config.consistencyWindow=0s"], &["/config/consistencyWindow"]),
    (&["--set", "config.apiUrl=api.unkey.com"], &["/config/apiUrl"]),
    (&["--set", "config.apiUrl=https://me:secret@api.unkey.com"], &["/config/apiUrl"]),
    (&["--set", "config.apiProxy=proxy.example:3128"], &["/config/apiProxy"]),
    (&["--set", "config.apiProxy=http://me:secret@proxy.example:3128"], &["/config/apiProxy"]),
    (&["--set", "caBundle.secret=x"], &["/caBundle", "secret"]),
    (&["--set", "caBundle.configMap=Not_A_Name"], &["/caBundle/configMap"]),
    (&["--set", "config.defaultDeletionPolicy=Retain"], &["/config/defaultDeletionPolicy", "Orphan"]),
    (&["--set", "config.defaultManagementPolicy=Ignore"], &["/config/defaultManagementPolicy", "Observe"]),
    (&["--set", "observe=yes"], &["/observe"]),
    (&["--set", "config.rateLimitShare=0"], &["/config/rateLimitShare"]),
    (&["--set", "config.rateLimitShare=50%"], &["/config/rateLimitShare", "match pattern"]),
    (&["--set", "deletion.holds=1s"], &["/deletion", "holds"]),
    (&["--set", "deletion.window=0s"], &["/deletion/window"]),
    (&["--set", "deletion.maxDeletions=-1"], &["/deletion/maxDeletions"]),
    (&["--set", "deletion.maxDeletionsShare=2"], &["/deletion/maxDeletionsShare"]),
    (&["--set", "deletion.approvedNamespaces={Pr_*}"], &["/deletion/approvedNamespaces/0"]),
    (&["--set", "config.workers=0"], &["/config/workers"]),
    (&["--set", "config.logFormat=xml"], &["/config/logFormat", "json"]),
    (&["--set", "config.adminPort=99999"], &["/config/adminPort"]),
    (&["--set", "resources.limit.memory=1Gi"], &["/resources", "limit"]),
    (&["--set", "resources.limits.memory=lots"], &["/resources/limits/memory"]),
    (&["--set", "livenessProbe.period=3"], &["/livenessProbe", "period"]),
    (&["--set", "terminationGracePeriodSeconds=5"], &["/terminationGracePeriodSeconds"]),
    (&["--set", "podLabels.a=1"], &["/podLabels/a", "string"]),
    (&["--set", "tolerations[0].effects=x"], &["/tolerations/0", "effects"]),
    (&["--set", "env.SSL_CERT_FILE=x"], &["/env", "array"]),
    (&["--set", "env[0].value=x"], &["/env/0", "name"]),
    (&["--set", "networkPolicy.enable=true"], &["/networkPolicy", "enable"]),
    (&["--set", "networkPolicy.unkey.to[0].cidr=10.0.0.0/8"], &["/networkPolicy/unkey/to/0", "cidr"]),
    (&["--set", "metrics.serviceMonitor.enabled=yes"], &["/metrics/serviceMonitor/enabled", "boolean"]),
    (&["--set", "metrics.dashboard.folder=x"], &["/metrics/dashboard", "folder"]),
    (&["--set", "podDisruptionBudget.minAvailable=half"], &["/podDisruptionBudget/minAvailable"]),
    (&["--set", "crds.install=true"], &["/crds", "install"]),
    (&["--set", "rbac.aggregate=true"], &["/rbac/aggregate", "object"]),
    (&["--set", "rbac.aggregate.admin=true"], &["/rbac/aggregate", "admin"]),
    (&["--set", "podSecurityContext.runAsNonRot=true"], &["/podSecurityContext", "runAsNonRot"]),
    (&["--set", "podSecurityContext.seccompProfile.type=Default"], &["/podSecurityContext/seccompProfile/type"]),
    (&["--set", "securityContext.readOnlyRootFileSystem=true"], &["/securityContext", "readOnlyRootFileSystem"]),
    (&["--set", "securityContext.capabilities.dropped={ALL}"], &["/securityContext/capabilities", "dropped"]),
    (&["--set", "fullnameOverride=1st"], &["/fullnameOverride"]),
    // A rule without ports is one of all ports.
    (&["--set-json", "networkPolicy.apiServer.ports=[]"], &["/networkPolicy/apiServer/ports"]),
    // What a schema cannot say of two values.
    (&["--set", "leaderElection.enabled=false"], &["replicaCount above 1 requires leaderElection.enabled"]),
    (
        &["--set", "rootKey.value=x,rootKey.existingSecret=y"],
        &["rootKey.value and rootKey.existingSecret cannot both be set"],
    ),
    (
        &["--set", "metrics.serviceMonitor.enabled=true,metrics.service.enabled=false"],
        &["metrics.serviceMonitor.enabled requires metrics.service.enabled"],
    ),
    (
        &["--set", "podDisruptionBudget.maxUnavailable=null"],
        &["requires podDisruptionBudget.maxUnavailable or podDisruptionBudget.minAvailable"],
    ),
    // A cluster that is too old for the definition.
    (&["--kube-version", "1.31.9"], &["kubeVersion: >=1.32.0-0"]),
];

fn all_are_refused(helm: &super::harness::Helm) {
    for (flags, words) in MISTAKES {
        let said = helm.refuses(flags);
        for word in *words {
            assert!(said.contains(word), "{} {flags:?}: '{word}' is not in: {said}", helm.name);
        }
    }
}

#[test]
fn by_helm_4() {
    all_are_refused(&helms()[0]);
}

#[test]
fn by_helm_3() {
    all_are_refused(&helms()[1]);
}

/// Where `null` takes away the default of a value, that means none of it, or is refused in its name: it is no error in YAML, and leaves no field
/// behind that says nothing, which the API server would fill in.
#[test]
fn no_value_can_be_taken_away_unnoticed() {
    fn empty(value: &Value, path: &str, found: &mut Vec<String>) {
        match value {
            Value::Null => found.push(path.to_owned()),
            Value::Object(map) => map.iter().for_each(|(key, value)| empty(value, &format!("{path}/{key}"), found)),
            Value::Array(list) => list.iter().for_each(|value| empty(value, path, found)),
            _ => {}
        }
    }
    let everything = file("tests/chart/values/everything.yaml");
    let (mut taken, mut refused) = (0, 0);
    for path in paths() {
        let set = format!("{path}=null");
        let output = helms()[0].try_template(&["--values", everything.to_str().unwrap(), "--set", &set]);
        let [text, said] = [&output.stdout, &output.stderr].map(|text| String::from_utf8_lossy(text).into_owned());
        if output.status.success() {
            let mut found = Vec::new();
            for object in objects(&text) {
                empty(&object, "", &mut found);
            }
            assert!(found.is_empty() && !text.contains("<nil>"), "{path}: {found:?}");
            taken += 1;
        } else {
            let key = path.rsplit('.').next().unwrap();
            assert!(said.contains(&format!("missing property '{key}'")), "{path}: {said}");
            refused += 1;
        }
    }
    assert!(taken > 40 && refused > 40, "{taken} {refused}");
}

/// A message may end up in a log of CI.
#[test]
fn the_root_key_is_not_shown() {
    for helm in helms() {
        let said = helm.refuses(&["--set", "rootKey.value=unkey_root_CANARY,rootKey.existingSecret=y"]);
        assert!(!said.contains("CANARY"), "{said}");
    }
}
