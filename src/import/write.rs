//! Writes the files of an import: all of them or none. They are written beside the folder and take its place at the end. It replaces nothing but
//! an earlier import, and knows no manifest.

use std::fs;
use std::io::{ErrorKind, Read as _, Write as _};
use std::path::{Path, PathBuf};

use super::folder::{File, KUSTOMIZATION, MARKER, is_ours};

/// Why an import was not written.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// It is the folder that the command runs in.
    #[error(
        "--output-dir is the folder that this command runs in, and an import replaces its folder as a whole; name another one"
    )]
    Here,
    /// It is a file.
    #[error("'{}' is no folder; name another one with --output-dir", .0.display())]
    NoFolder(PathBuf),
    /// There is something that no import has written.
    #[error(
        "'{}' holds '{file}', which no import has written; an import replaces the whole folder, so name one that is empty or absent, or that holds an earlier import alone",
        folder.display()
    )]
    Occupied {
        /// The folder.
        folder: PathBuf,
        /// What is in it.
        file: String,
    },
    /// It cannot be looked at.
    #[error("'{}' cannot be read: {source}", path.display())]
    Unreadable {
        /// It.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A file or folder beside it cannot be written.
    #[error(
        "'{}' cannot be written: {source}; nothing of the import is there. The folder that --output-dir is in has to exist and be writable", path.display()
    )]
    Unwritable {
        /// It.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// What was written cannot take its place.
    #[error(
        "'{}' cannot be replaced: {source}; nothing has changed in it. If it is a mount, name a folder inside of it", folder.display()
    )]
    Unmovable {
        /// The folder.
        folder: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// Neither is where it belongs.
    #[error("the import cannot be moved to its place, and neither can the earlier one: {source}; the earlier one is '{}'", path.display())]
    Misplaced {
        /// The earlier one.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The new import is there, and the earlier one too.
    #[error("the import is complete, but the earlier one cannot be removed: {source}; remove '{}'", path.display())]
    LeftBehind {
        /// The earlier one.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
}

impl WriteError {
    /// True if the command line is wrong, and not the world.
    pub fn is_usage(&self) -> bool {
        matches!(self, Self::Here | Self::NoFolder(_) | Self::Occupied { .. })
    }
}

/// Whether an import may be written there.
///
/// # Errors
/// It is no folder, cannot be read, or holds what no import has written.
pub fn check(folder: &Path) -> Result<(), WriteError> {
    // The folder is replaced as a whole, and the caller would stand in one that is gone.
    let here = fs::canonicalize(".").ok();
    if here.is_some() && fs::canonicalize(folder).ok() == here {
        return Err(WriteError::Here);
    }
    let failed = |path: &Path, source| WriteError::Unreadable { path: path.to_owned(), source };
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        Err(error) if error.kind() == ErrorKind::NotADirectory => return Err(WriteError::NoFolder(folder.to_owned())),
        Err(error) => return Err(failed(folder, error)),
    };
    let mut names = Vec::new();
    for entry in entries {
        names.push(entry.map_err(|error| failed(folder, error))?.file_name().to_string_lossy().into_owned());
    }
    names.sort();
    let occupied = |file: &str| WriteError::Occupied { folder: folder.to_owned(), file: file.to_owned() };
    if let Some(file) = names.iter().find(|name| !is_ours(name)) {
        return Err(occupied(file));
    }
    if let Some(first) = names.first()
        && !is_import(&folder.join(KUSTOMIZATION))
    {
        return Err(occupied(first));
    }
    Ok(())
}

/// True if an import has written this kustomization.
fn is_import(file: &Path) -> bool {
    let mut begin = vec![0; MARKER.len()];
    fs::File::open(file).and_then(|mut file| file.read_exact(&mut begin)).is_ok() && begin == MARKER.as_bytes()
}

/// Writes these files, in place of all that is there.
///
/// # Errors
/// What [`check`] finds, and what goes wrong while writing. What was there stays.
pub fn write(folder: &Path, files: &[File]) -> Result<(), WriteError> {
    check(folder)?;
    // A link stays a link: what it leads to is replaced.
    let folder = fs::canonicalize(folder).unwrap_or_else(|_| folder.to_owned());
    let new = Fresh::create(beside(&folder, "new"))?;
    for File { name, text } in files {
        let path = new.0.join(name);
        let written = fs::File::create_new(&path).and_then(|mut file| {
            file.write_all(text.as_bytes())?;
            file.sync_all()
        });
        written.map_err(|source| WriteError::Unwritable { path, source })?;
    }
    let unmovable = |source| WriteError::Unmovable { folder: folder.clone(), source };
    if !folder.join(KUSTOMIZATION).exists() {
        return fs::rename(&new.0, &folder).map_err(unmovable);
    }
    let old = beside(&folder, "old");
    fs::rename(&folder, &old).map_err(unmovable)?;
    if let Err(error) = fs::rename(&new.0, &folder) {
        fs::rename(&old, &folder).map_err(|source| WriteError::Misplaced { path: old, source })?;
        return Err(unmovable(error));
    }
    fs::remove_dir_all(&old).map_err(|source| WriteError::LeftBehind { path: old, source })
}

/// Beside a folder, and so on the same file system.
fn beside(folder: &Path, what: &str) -> PathBuf {
    let name = folder.file_name().unwrap_or_default().to_string_lossy();
    folder.with_file_name(format!(".{name}.{what}-{}", std::process::id()))
}

/// A folder that was not there before. It goes, unless it was moved to where it belongs.
struct Fresh(PathBuf);

impl Fresh {
    fn create(path: PathBuf) -> Result<Self, WriteError> {
        match fs::create_dir(&path) {
            Ok(()) => Ok(Self(path)),
            Err(source) => Err(WriteError::Unwritable { path, source }),
        }
    }
}

impl Drop for Fresh {
    fn drop(&mut self) {
        // Most often it is not there any more.
        let _ = fs::remove_dir_all(&self.0);
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt as _, symlink};

    use super::super::collect::Manifest;
    use super::super::folder::files;
    use super::*;

    fn some(count: usize) -> Vec<File> {
        let manifest = |at: usize| Manifest { external_id: String::new(), text: format!("---\n{at}\n"), unusual: None };
        files(&(0..count).map(manifest).collect::<Vec<_>>(), 1)
    }

    fn names(folder: &Path) -> Vec<String> {
        let name = |entry: std::io::Result<fs::DirEntry>| entry.unwrap().file_name().into_string().unwrap();
        let mut names: Vec<String> = fs::read_dir(folder).unwrap().map(name).collect();
        names.sort();
        names
    }

    #[test]
    fn it_takes_the_place_of_nothing_an_empty_folder_or_an_earlier_import() {
        let root = tempfile::tempdir().unwrap();
        let at = |name: &str| root.path().join(name);
        fs::create_dir(at("empty")).unwrap();
        for name in ["absent", "empty"] {
            for count in [3, 1, 0, 2] {
                write(&at(name), &some(count)).unwrap();
                assert_eq!(names(&at(name)).len(), count + 1, "nothing of the earlier one is left");
            }
        }
        symlink(at("absent"), at("link")).unwrap();
        write(&at("link"), &some(1)).unwrap();
        assert!(at("link").is_symlink() && names(&at("absent")).len() == 2);
        assert_eq!(names(root.path()), ["absent", "empty", "link"], "nothing is left beside it");
    }

    #[test]
    fn what_others_have_written_stays() {
        let root = tempfile::tempdir().unwrap();
        let at = |name: &str| root.path().join(name);
        let with = |name: &str, file: &str, text: &str| {
            fs::create_dir_all(at(name)).unwrap();
            fs::write(at(name).join(file), text).unwrap();
        };
        with("other", "README.md", "mine");
        with("kustomized", KUSTOMIZATION, "resources: []\n");
        with("unfinished", "identities-0001.yaml", "mine");
        write(&at("mixed"), &some(2)).unwrap();
        with("mixed", "patch.yaml", "mine");
        fs::write(at("file"), "mine").unwrap();
        for (name, expected) in [
            ("other", "holds 'README.md', which no import has written"),
            ("kustomized", "holds 'kustomization.yaml'"),
            ("unfinished", "holds 'identities-0001.yaml'"),
            ("mixed", "holds 'patch.yaml'"),
            ("file", "is no folder"),
        ] {
            let error = write(&at(name), &some(1)).unwrap_err();
            assert!(error.is_usage() && error.to_string().contains(expected), "{error}");
        }
        assert_eq!(names(&at("mixed")).len(), 4);
        assert_eq!(names(root.path()).len(), 5, "nothing is left beside it");
    }

    #[test]
    fn what_fails_leaves_all_as_it_was() {
        let root = tempfile::tempdir().unwrap();
        let folder = root.path().join("a/b");
        let error = write(&folder, &some(1)).unwrap_err();
        assert!(error.to_string().contains("has to exist and be writable") && !error.is_usage(), "{error}");
        fs::create_dir(root.path().join("a")).unwrap();
        write(&folder, &some(2)).unwrap();
        let before = names(&folder);
        // The second file cannot be written; then the folder cannot be moved.
        let mut twice = some(3);
        twice[1].name = twice[0].name.clone();
        assert!(matches!(write(&folder, &twice), Err(WriteError::Unwritable { .. })));
        assert_eq!(names(&folder), before);
        assert_eq!(names(&root.path().join("a")), ["b"]);
        let rights = |mode: u32| fs::set_permissions(root.path().join("a"), fs::Permissions::from_mode(mode)).unwrap();
        rights(0o500);
        // Who may do everything is not stopped by rights.
        if fs::create_dir(root.path().join("a/probe")).is_err() {
            assert!(matches!(write(&folder, &some(3)), Err(WriteError::Unwritable { .. })));
            assert_eq!(names(&folder), before);
        }
        rights(0o700);
    }
}
