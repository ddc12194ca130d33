//! Finds the binaries of the servers, helm and promtool, or builds them from the module files of `tools/` into the user's cache. May not start a server.

use std::{
    ffi::OsString,
    fs::{self, File, TryLockError},
    path::{Path, PathBuf},
    process::Command,
    thread,
    time::{Duration, Instant},
};

use crate::{
    env,
    error::{Context, Error, Result},
    groups::{Build, CONTROLLERS, Group, HELMS, PROMETHEUS, SERVERS, is_executable},
    guard::{Directory, Guarded},
    versions::{self, required},
};

/// A directory that holds binaries.
#[derive(Debug, Clone)]
pub struct Tools {
    directory: PathBuf,
}

impl Tools {
    /// Where they are: what `KUBEBUILDER_ASSETS` would name.
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// The path of one binary, known to be there.
    pub fn binary(&self, binary: &'static str) -> Result<PathBuf> {
        let path = self.directory.join(binary);
        if is_executable(&path) {
            return Ok(path);
        }
        Err(Error::Missing { directory: self.directory.clone(), binary })
    }
}

/// Where to look for binaries and what to build them with.
#[derive(Debug, Clone)]
pub struct Resolver {
    /// A directory with the servers' binaries; then none of them is ever built.
    pub assets: Option<PathBuf>,
    /// The user's cache directory.
    pub cache: Option<PathBuf>,
    /// The folder that holds `kubernetes/go.mod` and the like.
    pub modules: PathBuf,
    /// The minor version of Kubernetes, as 1.32, one of [`Resolver::versions`]; without it the one that all runs on.
    pub kubernetes: Option<String>,
    /// Where `go` is looked for.
    pub path: OsString,
}

impl Default for Resolver {
    /// As the environment says.
    fn default() -> Self {
        Self {
            assets: env::assets(),
            cache: env::cache(),
            modules: env::modules(),
            kubernetes: env::kubernetes(),
            path: env::path(),
        }
    }
}

impl Resolver {
    /// Finds etcd, kube-apiserver and kubectl or builds those that are missing, which takes minutes the first time and says so on stderr. Blocks.
    pub fn resolve(&self) -> Result<Tools> {
        self.given_or_built(&SERVERS)
    }

    /// The same with kube-controller-manager, in the same directory.
    pub fn resolve_controllers(&self) -> Result<Tools> {
        self.resolve()?;
        self.given_or_built(&CONTROLLERS)
    }

    /// The same of `helm4` and `helm3`, which nobody names a directory of: what others have there is servers.
    pub fn resolve_helm(&self) -> Result<Tools> {
        self.found_or_built(&HELMS)
    }

    /// The same of `promtool`.
    pub fn resolve_promtool(&self) -> Result<Tools> {
        self.found_or_built(&PROMETHEUS)
    }

    /// The minor versions of Kubernetes that there are module files of, oldest first.
    pub fn versions(&self) -> Result<Vec<String>> {
        versions::all(&self.modules)
    }

    fn given_or_built(&self, group: &Group) -> Result<Tools> {
        match (&self.assets, &self.kubernetes) {
            // Nobody knows what version they are of.
            (Some(assets), Some(kubernetes)) => {
                Err(Error::Both { assets: assets.clone(), kubernetes: kubernetes.clone() })
            }
            (Some(assets), None) => Ok(Tools { directory: assets.clone() }),
            (None, _) => self.found_or_built(group),
        }
    }

    fn found_or_built(&self, group: &Group) -> Result<Tools> {
        let directory = self.cache_directory(group)?;
        if group.missing(&directory).next().is_some() {
            fs::create_dir_all(&directory).context(|| format!("make {}", directory.display()))?;
            // Held until the binaries are there, and by nobody once its holder is dead.
            let _lock = lock(&directory.join(".lock"))?;
            for build in group.missing(&directory) {
                self.build(group, build, &directory)?;
            }
        }
        Ok(Tools { directory })
    }

    /// Named by the versions that go.mod asks for, so that another version is another directory.
    fn cache_directory(&self, group: &Group) -> Result<PathBuf> {
        let cache = self.cache.as_ref().ok_or(Error::NoCache)?;
        let builds = group.beside.unwrap_or(group).builds.iter();
        let names: Result<Vec<String>> = builds
            .map(|build| Ok(format!("{}-{}", build.folder, required(&self.folder(build)?, build.module)?)))
            .collect();
        Ok(cache.join("unkey-operator/tools").join(names?.join("_")))
    }

    fn folder(&self, build: &Build) -> Result<PathBuf> {
        versions::folder(&self.modules, self.kubernetes.as_deref(), build)
    }

    /// Builds aside and renames: an interrupted build leaves nothing that looks like a binary.
    fn build(&self, group: &Group, build: &Build, directory: &Path) -> Result<()> {
        let binaries = build.binaries.join(", ");
        let folder = self.folder(build)?;
        let Some(go) = std::env::split_paths(&self.path).map(|path| path.join("go")).find(|path| is_executable(path))
        else {
            return Err(Error::NoGo { binaries, version: required(&folder, "go")?, instead: group.instead });
        };
        let aside = Directory::create(directory, ".building-")?;
        let output = aside.path().join("bin");
        fs::create_dir(&output).context(|| format!("make {}", output.display()))?;
        let mut command = Command::new(go);
        let flags = build.link_flags(&required(&folder, build.module)?);
        command.args(["build", "-trimpath", "-ldflags", &flags, "-o"]);
        command.arg(output.join(build.output)).args(build.packages);
        command.current_dir(&folder);
        // Static, the same whoever builds, and not part of a workspace that this repository may lie in.
        command.env("CGO_ENABLED", "0").env("GOWORK", "off").env("PATH", &self.path);
        // Swept too, if `go` is killed.
        command.env("GOTMPDIR", aside.path());
        let mut go = Guarded::spawn(&aside, "go", &command)?;
        let begun = Instant::now();
        let mut next = Duration::ZERO;
        let status = loop {
            if let Some(status) = go.ended()? {
                break status;
            }
            if begun.elapsed() >= next {
                let (seconds, takes) = (next.as_secs(), group.takes);
                eprintln!(
                    "controlplane: building {binaries} from Go modules ({seconds} s; the first build takes {takes})"
                );
                next += Duration::from_secs(5);
            }
            thread::sleep(Duration::from_millis(50));
        };
        if !status.success() {
            return Err(Error::Build { binaries, tail: go.log_tail() });
        }
        for binary in build.binaries {
            let (from, to) = (output.join(binary), directory.join(binary));
            fs::rename(&from, &to).context(|| format!("move {} to {}", from.display(), to.display()))?;
        }
        Ok(())
    }
}

fn lock(path: &Path) -> Result<File> {
    let what = || format!("lock {}", path.display());
    let file = File::create(path).context(what)?;
    match file.try_lock() {
        Ok(()) => return Ok(file),
        Err(TryLockError::Error(source)) => return Err(source).context(what),
        Err(TryLockError::WouldBlock) => eprintln!("controlplane: waiting for another process that builds the same"),
    }
    file.lock().context(what)?;
    Ok(file)
}
