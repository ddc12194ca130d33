//! Files as they lie in the tree.

use std::path::{Path, PathBuf};

use unkey_operator::api::crd_yaml;

pub const ROOT: &str = env!("CARGO_MANIFEST_DIR");
const LONGEST: usize = 450;

/// All files below a folder, without what is built and what git keeps.
pub fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap_or_default();
        if path.is_symlink() || ["target", ".git"].contains(&name) {
            continue;
        }
        if path.is_dir() {
            found.extend(files(&path));
        } else {
            found.push(path);
        }
    }
    found.sort();
    found
}

fn lines_with<'a>(text: &'a str, words: &[String]) -> Vec<(usize, &'a str)> {
    let is_part = |c: Option<char>| c.is_some_and(|c| c.is_alphanumeric() || c == '_');
    let whole = |line: &str, word: &str| {
        let begins_as_word = word.starts_with(char::is_alphabetic);
        let ends_as_word = word.ends_with(char::is_alphabetic);
        line.match_indices(word).any(|(at, _)| {
            !(begins_as_word && is_part(line[..at].chars().next_back())
                || ends_as_word && is_part(line[at + word.len()..].chars().next()))
        })
    };
    text.lines().enumerate().filter(|(_, line)| words.iter().any(|word| whole(line, word))).collect()
}

#[test]
fn the_crd_is_as_generated() {
    let committed = std::fs::read_to_string(Path::new(ROOT).join("crds/identities.unkey.com.yaml")).unwrap();
    assert!(
        committed == crd_yaml().unwrap(),
        "crds/identities.unkey.com.yaml is not what the types say; run:\n    cargo run -q -- crd > crds/identities.unkey.com.yaml"
    );
}

#[test]
fn files_are_short() {
    let mut long = Vec::new();
    for folder in ["crates", "src", "tests"] {
        for file in files(&Path::new(ROOT).join(folder))
            .into_iter()
            .filter(|file| file.extension().is_some_and(|kind| kind == "rs"))
        {
            let lines = std::fs::read_to_string(&file).unwrap().lines().count();
            if lines > LONGEST {
                long.push(format!("{}: {lines} lines, more than {LONGEST}", file.display()));
            }
        }
    }
    assert!(long.is_empty(), "{}", long.join("\n"));
}

/// Put together here, so that this file holds none of them.
fn undone() -> Vec<String> {
    [("#[", "ignore"), ("todo", "!"), ("dbg", "!"), ("TO", "DO"), ("FIX", "ME")].map(|(a, b)| format!("{a}{b}")).into()
}

#[test]
fn nothing_is_left_undone() {
    let words = undone();
    let mut left = Vec::new();
    for file in files(Path::new(ROOT)) {
        // A file that is not text holds no notes.
        let Ok(text) = std::fs::read_to_string(&file) else { continue };
        let name = file.strip_prefix(ROOT).unwrap().display().to_string();
        left.extend(lines_with(&text, &words).iter().map(|(at, line)| format!("{name}:{}: {}", at + 1, line.trim())));
    }
    assert!(left.is_empty(), "{}", left.join("\n"));
}

#[test]
fn what_is_undone_is_found() {
    let words = undone();
    let found = |line: &str| !lines_with(line, &words).is_empty();
    for word in &words {
        assert!(found(word) && found(&format!("x; {word}(y)")), "{word}");
    }
    assert!(found(&format!("{} = \"why\"]", words[0])));
    assert!(
        !found(&format!("a_{}", words[1])) && !found(&format!("PRE{}", words[3])) && !found(&words[3].to_lowercase())
    );
}
