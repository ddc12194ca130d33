//! Reads manifests: files, folders, or standard input. YAML with any number of documents, JSON, and lists. What is no `Identity` is counted and
//! passed over.

use std::collections::BTreeMap;
use std::fmt;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use regex::Regex;
use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

use crate::api::{GROUP, KIND, VERSION};
use crate::domain::ObjectKey;
use crate::text::printable;

/// Files of a folder that are read.
const ENDINGS: [&str; 3] = ["yaml", "yml", "json"];
/// Characters of a wrong name that are shown.
const MAX_SHOWN: usize = 80;
/// A manifest is at most what etcd takes; this many bytes in one file are a mistake.
const MAX_BYTES: u64 = 512 << 20;

/// A plain word that YAML 1.1 takes for a boolean, a number or a merge, and YAML 1.2 for text.
static DOUBTFUL: LazyLock<Option<Regex>> = LazyLock::new(|| {
    let words = r"y|Y|n|N|yes|Yes|YES|no|No|NO|on|On|ON|off|Off|OFF|0[0-7]+|[-+]?[0-9][0-9_]*_[0-9_]*|<<";
    Regex::new(&format!(r"(^|[:\[,{{-])\s*({words})\s*($|[,\]}}:#])")).ok()
});

/// Why manifests cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ManifestError {
    /// A file or folder cannot be read.
    #[error("'{}' cannot be read: {source}", path.display())]
    Unreadable {
        /// It.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// More than any set of manifests.
    #[error("'{}' is larger than {} MiB", .0.display(), MAX_BYTES >> 20)]
    TooLarge(PathBuf),
    /// It is no YAML.
    #[error("{at} is not valid YAML or JSON: {why}")]
    Syntax {
        /// File and document.
        at: Place,
        /// Why, without the content.
        why: String,
    },
    /// A document that is no object of Kubernetes.
    #[error("{at} is not a Kubernetes manifest: it has no apiVersion and kind")]
    NoManifest {
        /// File and document.
        at: Place,
    },
    /// An Identity of another version.
    #[error("{at} has apiVersion '{version}'; this program knows {GROUP}/{VERSION}")]
    OtherVersion {
        /// File and document.
        at: Place,
        /// What it says.
        version: String,
    },
    /// An Identity that cannot be told from others.
    #[error("{at} has no metadata.name; a plan needs one, and generateName does not do")]
    NoName {
        /// File and document.
        at: Place,
    },
    /// A name that no API server takes.
    #[error("{at} has the {what} '{text}', which is no name that Kubernetes takes")]
    BadName {
        /// File and document.
        at: Place,
        /// `metadata.name` or `metadata.namespace`.
        what: &'static str,
        /// What it says, escaped.
        text: String,
    },
    /// The same object twice.
    #[error("{second} is the same Identity as {first}: {key}; remove one of the two")]
    Twice {
        /// Namespace and name.
        key: String,
        /// Where it stands first.
        first: Place,
        /// Where it stands again.
        second: Place,
    },
    /// There is none.
    #[error("no Identity in {names}{passed_over}", passed_over = passed_over(*.others))]
    None {
        /// What was read.
        names: String,
        /// Other resources in it.
        others: usize,
    },
}

fn passed_over(others: usize) -> String {
    match others {
        0 => String::new(),
        1 => "; 1 other resource was passed over".to_owned(),
        others => format!("; {others} other resources were passed over"),
    }
}

/// Where a document stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    file: String,
    /// Counted from 1; 0: the file has one.
    document: usize,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.document {
            0 => write!(f, "'{}'", self.file),
            document => write!(f, "'{}', document {document}", self.file),
        }
    }
}

/// One manifest of an Identity.
#[derive(Clone, Debug)]
pub struct Manifest {
    /// Where it stands.
    pub at: Place,
    /// The object as JSON: as text, in which ten thousand take little room.
    text: Box<str>,
}

impl Manifest {
    /// The object as it is written.
    pub fn value(&self) -> Value {
        // It is what was written below.
        serde_json::from_str(&self.text).unwrap_or_default()
    }

    /// `spec.externalId`, if it is a text.
    pub fn external_id(&self) -> Option<String> {
        self.value()["spec"]["externalId"].as_str().map(str::to_owned)
    }
}

/// All manifests, each of another Identity.
#[derive(Clone, Debug, Default)]
pub struct Manifests {
    /// By namespace and name.
    pub all: BTreeMap<ObjectKey, Manifest>,
    /// Resources of other kinds.
    pub others: usize,
    /// Where a word stands without quotes that kubectl reads otherwise (YAML 1.1) than this program (YAML 1.2).
    pub doubtful: Vec<String>,
}

/// A list in JSON, whose items stay text.
#[derive(Deserialize)]
struct JsonList<'a> {
    kind: &'a str,
    #[serde(borrow)]
    items: Vec<&'a RawValue>,
}

impl Manifests {
    /// Reads `sources`; `-` is standard input. `recursive`: folders with their folders. `namespace`: of manifests that name none.
    ///
    /// # Errors
    /// One of them cannot be read, or there is no Identity in any.
    pub fn read(sources: &[PathBuf], recursive: bool, namespace: &str) -> Result<Self, ManifestError> {
        let manifests = Self::read_any(sources, recursive, namespace)?;
        if manifests.all.is_empty() {
            let names: Vec<String> = sources.iter().map(|source| format!("'{}'", source.display())).collect();
            return Err(ManifestError::None { names: names.join(", "), others: manifests.others });
        }
        Ok(manifests)
    }

    /// The same, where none is an answer too: one side of a comparison.
    ///
    /// # Errors
    /// One of them cannot be read.
    pub fn read_any(sources: &[PathBuf], recursive: bool, namespace: &str) -> Result<Self, ManifestError> {
        let mut manifests = Self::default();
        for source in sources {
            if source.as_os_str() == "-" {
                let text = read_all(std::io::stdin(), Path::new("-"))?;
                manifests.add_text("standard input", &text, namespace)?;
                continue;
            }
            for file in files(source, recursive)? {
                let text = read(&file)?;
                manifests.add_text(&file.display().to_string(), &text, namespace)?;
            }
        }
        Ok(manifests)
    }

    fn add_text(&mut self, file: &str, text: &str, namespace: &str) -> Result<(), ManifestError> {
        // Editors of some systems begin a file with a mark of its encoding.
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        // A list of ten thousand, item by item: all of it at once would take ten times the room of the text.
        if let Some(list) = serde_json::from_str::<JsonList<'_>>(text).ok().filter(|list| list.kind.ends_with("List")) {
            let at = Place { file: file.to_owned(), document: 0 };
            let unreadable = |error: serde_json::Error| {
                let why = format!("line {} column {} of an item", error.line(), error.column());
                ManifestError::Syntax { at: at.clone(), why }
            };
            return list
                .items
                .into_iter()
                .try_for_each(|item| self.add(&at, serde_json::from_str(item.get()).map_err(unreadable)?, namespace));
        }
        let doubtful =
            text.lines().enumerate().filter(|(_, line)| DOUBTFUL.as_ref().is_some_and(|words| words.is_match(line)));
        self.doubtful.extend(doubtful.map(|(at, _)| format!("'{file}', line {}", at + 1)));
        // One at a time: after an error of syntax there is no end of them.
        let mut documents = serde_yaml::Deserializer::from_str(text).enumerate().peekable();
        while let Some((at, document)) = documents.next() {
            let is_alone = at == 0 && documents.peek().is_none();
            let at = Place { file: file.to_owned(), document: if is_alone { 0 } else { at + 1 } };
            let value = Value::deserialize(document)
                .map_err(|error| ManifestError::Syntax { at: at.clone(), why: place_of(&error) })?;
            self.add(&at, value, namespace)?;
        }
        Ok(())
    }

    fn add(&mut self, at: &Place, mut value: Value, namespace: &str) -> Result<(), ManifestError> {
        // A document between two lines of dashes.
        if value.is_null() {
            return Ok(());
        }
        let text = |field: &str| value.get(field).and_then(Value::as_str).map(str::to_owned);
        let (Some(version), Some(kind)) = (text("apiVersion"), text("kind")) else {
            return Err(ManifestError::NoManifest { at: at.clone() });
        };
        if kind == "List" || kind == format!("{KIND}List") {
            let items = value.get_mut("items").and_then(Value::as_array_mut).map(std::mem::take);
            return items.unwrap_or_default().into_iter().try_for_each(|item| self.add(at, item, namespace));
        }
        if kind != KIND || !version.starts_with(&format!("{GROUP}/")) {
            self.others += 1;
            return Ok(());
        }
        if version != format!("{GROUP}/{VERSION}") {
            return Err(ManifestError::OtherVersion { at: at.clone(), version });
        }
        let named = |field: &str| value["metadata"][field].as_str().filter(|text| !text.is_empty()).map(str::to_owned);
        let name = named("name").ok_or_else(|| ManifestError::NoName { at: at.clone() })?;
        let namespace = named("namespace").unwrap_or_else(|| namespace.to_owned());
        for (what, text, most) in [("metadata.name", &name, 253), ("metadata.namespace", &namespace, 63)] {
            if !is_dns(text, most) || what == "metadata.namespace" && text.contains('.') {
                return Err(ManifestError::BadName { at: at.clone(), what, text: printable(text, MAX_SHOWN) });
            }
        }
        value["metadata"]["namespace"] = Value::String(namespace.clone());
        let key = ObjectKey { namespace, name };
        if let Some(first) = self.all.get(&key) {
            let (first, second) = (first.at.clone(), at.clone());
            return Err(ManifestError::Twice { key: format!("{}/{}", key.namespace, key.name), first, second });
        }
        self.all.insert(key, Manifest { at: at.clone(), text: value.to_string().into() });
        Ok(())
    }
}

/// A DNS subdomain, as the API server asks of names.
fn is_dns(text: &str, most: usize) -> bool {
    let is_label = |label: &str| {
        let inside = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        !label.is_empty() && label.chars().all(inside) && !label.starts_with('-') && !label.ends_with('-')
    };
    text.len() <= most && text.split('.').all(is_label)
}

/// Line and column: the text of an error may quote the content.
fn place_of(error: &serde_yaml::Error) -> String {
    error
        .location()
        .map_or_else(|| "it cannot be read".to_owned(), |at| format!("line {} column {}", at.line(), at.column()))
}

fn read(file: &Path) -> Result<String, ManifestError> {
    let opened = std::fs::File::open(file);
    let opened = opened.map_err(|source| ManifestError::Unreadable { path: file.to_owned(), source })?;
    read_all(opened, file)
}

/// All of it: what is cut off would count as left out.
fn read_all(source: impl Read, path: &Path) -> Result<String, ManifestError> {
    let mut text = String::new();
    let read = source.take(MAX_BYTES + 1).read_to_string(&mut text);
    match read.map_err(|source| ManifestError::Unreadable { path: path.to_owned(), source })? as u64 {
        bytes if bytes > MAX_BYTES => Err(ManifestError::TooLarge(path.to_owned())),
        _ => Ok(text),
    }
}

/// The files of a source, in the order of their names. One that is named itself is read whatever its ending.
fn files(source: &Path, recursive: bool) -> Result<Vec<PathBuf>, ManifestError> {
    let failed = |source: std::io::Error, path: &Path| ManifestError::Unreadable { path: path.to_owned(), source };
    if !std::fs::metadata(source).map_err(|error| failed(error, source))?.is_dir() {
        return Ok(vec![source.to_owned()]);
    }
    let mut found = Vec::new();
    let entries = std::fs::read_dir(source).map_err(|error| failed(error, source))?;
    let paths: Result<Vec<PathBuf>, _> = entries.map(|entry| entry.map(|entry| entry.path())).collect();
    let mut paths = paths.map_err(|error| failed(error, source))?;
    paths.sort();
    for path in paths {
        let is_manifest = path.extension().and_then(|it| it.to_str()).is_some_and(|it| ENDINGS.contains(&it));
        if path.is_dir() {
            // A link may lead back, and a mounted ConfigMap has each file behind one a second time.
            if recursive && !path.is_symlink() {
                found.extend(files(&path, true)?);
            }
        } else if is_manifest && path.is_file() && path.file_stem().is_none_or(|stem| stem != "kustomization") {
            found.push(path);
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests;
