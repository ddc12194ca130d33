//! Generated files of this repository: compared with what they should hold, or written anew by `UPDATE_GOLDEN=1`, as in `make generate`.

use std::path::Path;

/// Characters of a line of a page.
const WIDTH: usize = 116;

#[allow(clippy::disallowed_methods)] // a test's own variable
fn update() -> bool {
    std::env::var("UPDATE_GOLDEN").is_ok_and(|value| value == "1")
}

/// Compares a file of the repository with what it should hold, or writes it.
pub fn matches(file: &str, text: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(file);
    if update() {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, text).unwrap();
    }
    let there = std::fs::read_to_string(&path).unwrap_or_default();
    let differs = there.lines().zip(text.lines()).position(|(there, now)| there != now);
    let at = differs.unwrap_or_else(|| there.lines().count().min(text.lines().count()));
    let line = |text: &str| text.lines().nth(at).unwrap_or("(the end)").to_owned();
    assert!(
        there == text,
        "{file} differs in line {}: it has\n    {}\nand now it is\n    {}\nIf that is meant, run: make generate",
        at + 1,
        line(&there),
        line(text)
    );
}

/// A text in lines of at most [`WIDTH`] characters, all indented as its own lines are.
pub fn wrapped(text: &str, indent: &str) -> String {
    let mut lines = String::new();
    for line in text.trim_end().split('\n') {
        let words = line.trim_start_matches(' ');
        let indent = format!("{indent}{}", &line[..line.len() - words.len()]);
        let mut now = indent.clone();
        for word in words.split(' ') {
            if now.chars().count() + 1 + word.chars().count() > WIDTH && now.trim_start() != "" {
                lines.push_str(now.trim_end());
                lines.push('\n');
                now.clone_from(&indent);
            }
            if now.len() > indent.len() {
                now.push(' ');
            }
            now.push_str(word);
        }
        lines.push_str(now.trim_end());
        lines.push('\n');
    }
    lines
}
