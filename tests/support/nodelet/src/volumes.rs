//! What is mounted into a container: Secrets, and the `ServiceAccount`'s token with what belongs to it. Written like a kubelet's: all files
//! of a volume change in one step, for they are seen through a symbolic link. May not start anything.

use std::collections::BTreeMap;
use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use k8s_openapi::api::authentication::v1::{BoundObjectReference, TokenRequest, TokenRequestSpec};
use k8s_openapi::api::core::v1::{
    ConfigMap, KeyToPath, Pod, ProjectedVolumeSource, Secret, SecretVolumeSource, ServiceAccount,
    ServiceAccountTokenProjection, Volume,
};
use k8s_openapi::jiff::Timestamp;
use kube::api::PostParams;
use kube::{Api, ResourceExt};

use crate::container::field;
use crate::error::{Error, Result, trying};
use crate::host::Host;

/// The files of a volume by their path: content and mode.
type Files = BTreeMap<String, (Vec<u8>, u32)>;

/// Where the CA is that each namespace has, published by a controller that need not run here.
const AUTHORITY: &str = "kube-root-ca.crt";
/// Like a kubelet: what a Pod's author does not say.
const MODE: i32 = 0o644;
const TOKEN_SECONDS: i64 = 3600;

/// The volumes of a Pod.
pub(crate) struct Volumes {
    folder: PathBuf,
    written: BTreeMap<String, Files>,
    /// By path: the token and when to ask for the next one.
    tokens: BTreeMap<String, (String, Instant)>,
}

impl Volumes {
    pub(crate) fn of(host: &Host, pod: &Pod) -> Self {
        let folder = host.folder(&pod.name_any());
        Self { folder, written: BTreeMap::new(), tokens: BTreeMap::new() }
    }

    /// Where a volume is.
    pub(crate) fn folder(&self, volume: &str) -> PathBuf {
        self.folder.join(volume)
    }

    /// Writes what is not there as the API has it.
    pub(crate) async fn refresh(&mut self, host: &Host, pod: &Pod) -> Result<()> {
        for volume in pod.spec.iter().flat_map(|spec| spec.volumes.iter().flatten()) {
            let files = self.files(host, pod, volume).await?;
            let folder = self.folder(&volume.name);
            if self.written.get(&volume.name) != Some(&files) {
                write(&folder, &files).map_err(trying(|| format!("write {}", folder.display())))?;
                self.written.insert(volume.name.clone(), files);
            }
        }
        Ok(())
    }

    async fn files(&mut self, host: &Host, pod: &Pod, volume: &Volume) -> Result<Files> {
        if let Some(secret) = &volume.secret {
            mounted(host, &volume.name, secret).await
        } else if let Some(projected) = &volume.projected {
            self.projected(host, pod, volume, projected).await
        } else if volume.empty_dir.is_some() {
            Ok(Files::new())
        } else {
            Err(Error::NotImitated(format!("the kind of the volume {}", volume.name)))
        }
    }

    async fn projected(
        &mut self,
        host: &Host,
        pod: &Pod,
        volume: &Volume,
        projected: &ProjectedVolumeSource,
    ) -> Result<Files> {
        let default = projected.default_mode.unwrap_or(MODE);
        let mut files = Files::new();
        for source in projected.sources.iter().flatten() {
            if let Some(token) = &source.service_account_token {
                let text = self.token(host, pod, token).await?;
                files.insert(token.path.clone(), (text.into_bytes(), mode(default)));
            } else if let Some(map) = &source.config_map {
                let data = authority_or(host, &volume.name, &map.name).await?;
                let chosen = chosen(data, map.items.as_deref(), default, map.optional == Some(true));
                files.extend(chosen.map_err(|key| mount(&volume.name, format!("no key {key} in {}", map.name)))?);
            } else if let Some(downward) = &source.downward_api {
                for item in downward.items.iter().flatten() {
                    let path = item.field_ref.as_ref().map_or("a resource", |field| field.field_path.as_str());
                    let value = field(pod, path)?.into_bytes();
                    files.insert(item.path.clone(), (value, mode(item.mode.unwrap_or(default))));
                }
            } else {
                return Err(Error::NotImitated(format!("a source of the volume {}", volume.name)));
            }
        }
        Ok(files)
    }

    async fn token(&mut self, host: &Host, pod: &Pod, source: &ServiceAccountTokenProjection) -> Result<String> {
        if let Some((token, next)) = self.tokens.get(&source.path)
            && Instant::now() < *next
        {
            return Ok(token.clone());
        }
        let account = pod.spec.as_ref().and_then(|spec| spec.service_account_name.clone());
        let accounts: Api<ServiceAccount> = Api::namespaced(host.client.clone(), &host.options.namespace);
        let seconds = source.expiration_seconds.unwrap_or(TOKEN_SECONDS);
        let spec = TokenRequestSpec {
            audiences: source.audience.iter().cloned().collect(),
            // Worth nothing when the Pod is gone.
            bound_object_ref: Some(BoundObjectReference {
                api_version: Some("v1".to_owned()),
                kind: Some("Pod".to_owned()),
                name: Some(pod.name_any()),
                uid: pod.uid(),
            }),
            expiration_seconds: Some(seconds),
        };
        let request = TokenRequest { spec, ..TokenRequest::default() };
        let name = account.unwrap_or_else(|| "default".to_owned());
        let answer = accounts.create_token_request(&name, &PostParams::default(), &request).await?;
        let token = answer.status.map(|status| status.token).unwrap_or_default();
        // As a kubelet: when four fifths of its life are over.
        let next = Instant::now() + Duration::from_secs(seconds.unsigned_abs() * 4 / 5);
        self.tokens.insert(source.path.clone(), (token.clone(), next));
        Ok(token)
    }
}

/// The files of a Secret.
async fn mounted(host: &Host, volume: &str, source: &SecretVolumeSource) -> Result<Files> {
    let (name, optional) = (source.secret_name.clone().unwrap_or_default(), source.optional == Some(true));
    let secrets: Api<Secret> = Api::namespaced(host.client.clone(), &host.options.namespace);
    let found = secrets.get_opt(&name).await?;
    if found.is_none() && !optional {
        return Err(mount(volume, format!("secret {name:?} not found")));
    }
    let data = found.and_then(|secret| secret.data).unwrap_or_default();
    let data = data.into_iter().map(|(key, value)| (key, value.0)).collect();
    chosen(data, source.items.as_deref(), source.default_mode.unwrap_or(MODE), optional)
        .map_err(|key| mount(volume, format!("references non-existent secret key: {key}")))
}

/// The data of a `ConfigMap`. That of the CA is there even if nobody publishes it.
async fn authority_or(host: &Host, volume: &str, name: &str) -> Result<BTreeMap<String, Vec<u8>>> {
    let maps: Api<ConfigMap> = Api::namespaced(host.client.clone(), &host.options.namespace);
    match maps.get_opt(name).await? {
        Some(map) => Ok(map.data.unwrap_or_default().into_iter().map(|(key, text)| (key, text.into_bytes())).collect()),
        None if name == AUTHORITY => {
            let text = fs::read(&host.authority).map_err(trying(|| format!("read {}", host.authority.display())))?;
            Ok(BTreeMap::from([("ca.crt".to_owned(), text)]))
        }
        None => Err(mount(volume, format!("configmap {name:?} not found"))),
    }
}

fn mount(volume: &str, why: String) -> Error {
    Error::Mount { volume: volume.to_owned(), why }
}

fn mode(given: i32) -> u32 {
    given.unsigned_abs()
}

/// The files that `items` ask for, or all; an error is the key that is not there.
fn chosen(
    mut data: BTreeMap<String, Vec<u8>>,
    items: Option<&[KeyToPath]>,
    default: i32,
    optional: bool,
) -> Result<Files, String> {
    let Some(items) = items else {
        return Ok(data.into_iter().map(|(key, value)| (key, (value, mode(default)))).collect());
    };
    let mut files = Files::new();
    for item in items {
        match data.remove(&item.key) {
            Some(value) => {
                files.insert(item.path.clone(), (value, mode(item.mode.unwrap_or(default))));
            }
            None if optional => {}
            None => return Err(item.key.clone()),
        }
    }
    Ok(files)
}

/// `FOLDER/file` leads to `..data/file`, `..data` to a folder of its own for each version; the renaming of `..data` is the one step.
fn write(folder: &Path, files: &Files) -> io::Result<()> {
    fs::create_dir_all(folder)?;
    let data = folder.join("..data");
    let before = fs::read_link(&data).ok();
    let version = format!("..{}", Timestamp::now().as_nanosecond());
    for (path, (content, mode)) in files {
        let file = folder.join(&version).join(path);
        fs::create_dir_all(file.parent().unwrap_or(folder))?;
        fs::write(&file, content)?;
        fs::set_permissions(&file, Permissions::from_mode(*mode))?;
    }
    fs::create_dir_all(folder.join(&version))?;
    let next = folder.join("..data_tmp");
    symlink(&version, &next)?;
    fs::rename(&next, &data)?;
    let first = |path: &str| path.split('/').next().unwrap_or_default().to_owned();
    let shown: Vec<String> = files.keys().map(|path| first(path)).collect();
    for name in &shown {
        match symlink(Path::new("..data").join(name), folder.join(name)) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
            _ => {}
        }
    }
    for entry in fs::read_dir(folder)? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        if !name.starts_with("..") && !shown.contains(&name) {
            fs::remove_file(folder.join(name))?;
        }
    }
    before.map_or(Ok(()), |before| fs::remove_dir_all(folder.join(before)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files(of: &[(&str, &str, u32)]) -> Files {
        of.iter().map(|(path, text, mode)| ((*path).to_owned(), (text.as_bytes().to_vec(), *mode))).collect()
    }

    #[test]
    fn a_volume_changes_in_one_step() {
        let scratch = tempfile::tempdir().unwrap();
        let folder = scratch.path().join("volume");
        write(&folder, &files(&[("key", "one", 0o440), ("deep/key", "a", 0o644)])).unwrap();
        let first = fs::canonicalize(folder.join("key")).unwrap();
        assert_eq!(fs::read_to_string(folder.join("key")).unwrap(), "one");
        assert_eq!(fs::read_to_string(folder.join("deep/key")).unwrap(), "a");
        assert_eq!(fs::metadata(folder.join("key")).unwrap().permissions().mode() & 0o777, 0o440);
        let opened = fs::File::open(folder.join("key")).unwrap();
        write(&folder, &files(&[("key", "two", 0o440)])).unwrap();
        assert_eq!(fs::read_to_string(folder.join("key")).unwrap(), "two");
        assert_eq!(io::read_to_string(opened).unwrap(), "one", "a file is never written to");
        assert!(!first.exists() && fs::symlink_metadata(folder.join("deep")).is_err(), "nothing old is left");
        assert_eq!(fs::read_dir(&folder).unwrap().count(), 3, "..data, a version, key");
    }

    #[test]
    fn items_choose_and_rename_and_must_be_there() {
        let data = BTreeMap::from([("a".to_owned(), b"1".to_vec()), ("b".to_owned(), b"2".to_vec())]);
        let item = KeyToPath { key: "b".to_owned(), mode: None, path: "root-key".to_owned() };
        let choose = |items: Option<&[KeyToPath]>, optional| chosen(data.clone(), items, 288, optional);
        assert_eq!(choose(None, false).unwrap().len(), 2);
        assert_eq!(choose(Some(std::slice::from_ref(&item)), false).unwrap(), files(&[("root-key", "2", 0o440)]));
        let other = KeyToPath { key: "c".to_owned(), ..item };
        assert_eq!(choose(Some(std::slice::from_ref(&other)), false), Err("c".to_owned()));
        assert_eq!(choose(Some(&[other]), true), Ok(Files::new()));
    }
}
