//! Mistakes in values are refused by name, by both helms, before anything reaches a cluster.

use super::harness::helms;

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
    (&["--set", "config.resync=1h"], &["/config", "resync"]),
    (&["--set", "config.resyncInterval=10"], &["/config/resyncInterval"]),
    (&["--set", "config.resyncInterval=often"], &["/config/resyncInterval"]),
    (&["--set", "config.consistencyWindow=0s"], &["/config/consistencyWindow"]),
    (&["--set", "config.apiUrl=api.unkey.com"], &["/config/apiUrl"]),
    (&["--set", "config.apiUrl=https://me:secret@api.unkey.com"], &["/config/apiUrl"]),
    (&["--set", "config.defaultDeletionPolicy=Retain"], &["/config/defaultDeletionPolicy", "Orphan"]),
    (&["--set", "config.rateLimitShare=0"], &["/config/rateLimitShare"]),
    (&["--set", "config.rateLimitShare=50%"], &["/config/rateLimitShare", "number"]),
    (&["--set", "config.workers=0"], &["/config/workers"]),
    (&["--set", "config.logFormat=xml"], &["/config/logFormat", "json"]),
    (&["--set", "config.adminPort=99999"], &["/config/adminPort"]),
    (&["--set", "leaderElection.leaseDuration=500ms"], &["/leaderElection/leaseDuration"]),
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
    // What a schema cannot say of two values.
    (&["--set", "leaderElection.enabled=false"], &["replicaCount above 1 needs leaderElection.enabled"]),
    (
        &["--set", "rootKey.value=x,rootKey.existingSecret=y"],
        &["rootKey.value and rootKey.existingSecret cannot both be set"],
    ),
    (
        &["--set", "metrics.serviceMonitor.enabled=true,metrics.service.enabled=false"],
        &["metrics.serviceMonitor.enabled needs metrics.service.enabled"],
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

/// A message may end up in a log of CI.
#[test]
fn the_root_key_is_not_shown() {
    for helm in helms() {
        let said = helm.refuses(&["--set", "rootKey.value=unkey_root_CANARY,rootKey.existingSecret=y"]);
        assert!(!said.contains("CANARY"), "{said}");
    }
}
