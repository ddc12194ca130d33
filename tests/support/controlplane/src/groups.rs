//! What can be built, of which modules, and how each `go build` is told to. May not look for anything or build it.

use std::{fs, os::unix::fs::PermissionsExt, path::Path};

/// Binaries that are kept in one directory, named by their versions; built when somebody asks for them.
pub(crate) struct Group {
    pub(crate) builds: &'static [Build],
    /// How long the first build takes.
    pub(crate) takes: &'static str,
    /// What to do beside installing Go.
    pub(crate) instead: &'static str,
    /// The group in whose directory they are, if that is another one's.
    pub(crate) beside: Option<&'static Group>,
}

/// One `go build`: a module of ours and what comes out of it.
pub(crate) struct Build {
    /// Our folder, under `tools/` or under that of a version.
    pub(crate) folder: &'static str,
    /// Whether another version of Kubernetes brings another one: see `Resolver::kubernetes`.
    pub(crate) by_version: bool,
    /// The module whose version names the result.
    pub(crate) module: &'static str,
    pub(crate) packages: &'static [&'static str],
    pub(crate) binaries: &'static [&'static str],
    /// For `-o`, below the output directory. Empty: as many files as packages, each named after its package.
    pub(crate) output: &'static str,
    /// More for the linker. Without the version that a release build carries the servers call themselves v0.0.0.
    pub(crate) link: &'static str,
}

const KUBERNETES_VERSION: &str = "-X k8s.io/component-base/version.gitVersion={version} \
    -X k8s.io/component-base/version.gitMajor={major} -X k8s.io/component-base/version.gitMinor={minor} \
    -X k8s.io/component-base/version.gitTreeState=clean";

pub(crate) const SERVERS: Group = Group {
    builds: &[
        Build {
            folder: "kubernetes",
            by_version: true,
            module: "k8s.io/kubernetes",
            packages: &["k8s.io/kubernetes/cmd/kube-apiserver", "k8s.io/kubernetes/cmd/kubectl"],
            binaries: &["kube-apiserver", "kubectl"],
            output: "",
            link: KUBERNETES_VERSION,
        },
        Build {
            folder: "etcd",
            by_version: true,
            module: "go.etcd.io/etcd/server/v3",
            packages: &["go.etcd.io/etcd/server/v3"],
            binaries: &["etcd"],
            output: "etcd",
            link: "",
        },
    ],
    takes: "4–7 minutes",
    instead: " or set KUBEBUILDER_ASSETS to a directory that holds these binaries",
    beside: None,
};

/// Apart, since the demo needs none.
pub(crate) const CONTROLLERS: Group = Group {
    builds: &[Build {
        folder: "kubernetes",
        by_version: true,
        module: "k8s.io/kubernetes",
        packages: &["k8s.io/kubernetes/cmd/kube-controller-manager"],
        binaries: &["kube-controller-manager"],
        // A name: one package alone would be taken for the name of the result.
        output: "kube-controller-manager",
        link: KUBERNETES_VERSION,
    }],
    takes: "1–2 minutes",
    instead: " or set KUBEBUILDER_ASSETS to a directory that holds these binaries",
    beside: Some(&SERVERS),
};

pub(crate) const HELMS: Group = Group {
    builds: &[
        Build {
            folder: "helm4",
            by_version: false,
            module: "helm.sh/helm/v4",
            packages: &["helm.sh/helm/v4/cmd/helm"],
            binaries: &["helm4"],
            output: "helm4",
            link: "-X helm.sh/helm/v4/internal/version.version={version}",
        },
        Build {
            folder: "helm3",
            by_version: false,
            module: "helm.sh/helm/v3",
            packages: &["helm.sh/helm/v3/cmd/helm"],
            binaries: &["helm3"],
            output: "helm3",
            link: "-X helm.sh/helm/v3/internal/version.version={version}",
        },
    ],
    takes: "2–4 minutes",
    instead: "",
    beside: None,
};

pub(crate) const PROMETHEUS: Group = Group {
    builds: &[Build {
        folder: "prometheus",
        by_version: false,
        module: "github.com/prometheus/prometheus",
        packages: &["github.com/prometheus/prometheus/cmd/promtool"],
        binaries: &["promtool"],
        output: "promtool",
        link: "-X github.com/prometheus/common/version.Version={version}",
    }],
    takes: "3–6 minutes",
    instead: "",
    beside: None,
};

impl Group {
    /// What is to be built into this directory.
    pub(crate) fn missing(&self, directory: &Path) -> impl Iterator<Item = &'static Build> {
        self.builds.iter().filter(|build| !build.binaries.iter().all(|binary| is_executable(&directory.join(binary))))
    }
}

impl Build {
    /// Stripped, and with the version.
    pub(crate) fn link_flags(&self, version: &str) -> String {
        let mut numbers = version.trim_start_matches('v').split('.');
        let (major, minor) = (numbers.next().unwrap_or_default(), numbers.next().unwrap_or_default());
        let link = self.link.replace("{version}", version).replace("{major}", major).replace("{minor}", minor);
        format!("-s -w {link}")
    }
}

/// A file that can be run.
pub(crate) fn is_executable(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|file| file.is_file() && file.permissions().mode() & 0o111 != 0)
}
