//! Links of the pages lead somewhere: to a file of the repository, and to a heading that the page has. Addresses of other sites are not asked.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::tree::{ROOT, files};

/// The page without its blocks of code, line by line.
fn prose(page: &str) -> impl Iterator<Item = &str> {
    let mut in_code = false;
    page.lines().filter(move |line| {
        let is_fence = line.trim_start().starts_with("```");
        in_code ^= is_fence;
        !in_code && !is_fence
    })
}

/// As GitHub makes it of a heading: lower case, spaces as dashes, no other punctuation.
fn anchor(heading: &str) -> String {
    // Of a link the words are shown.
    let (mut shown, mut rest) = (String::new(), heading);
    while let Some((before, after)) = rest.split_once("](") {
        shown.push_str(&before.replace('[', ""));
        rest = after.split_once(')').map_or("", |(_, behind)| behind);
    }
    shown.push_str(rest);
    let kept = shown.trim().to_lowercase();
    kept.chars()
        .filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'))
        .map(|c| if c == ' ' { '-' } else { c })
        .collect()
}

/// Of equal headings each but the first has a number.
fn numbered(anchor: &str, n: u32) -> String {
    if n == 0 { anchor.to_owned() } else { format!("{anchor}-{n}") }
}

fn anchors(page: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for line in prose(page) {
        let heading = line.trim_start_matches('#');
        if heading.len() < line.len() && heading.starts_with(' ') {
            let anchor = anchor(heading);
            let mut n = 0;
            while found.contains(&numbered(&anchor, n)) {
                n += 1;
            }
            found.insert(numbered(&anchor, n));
        }
    }
    found
}

/// What the links of a page lead to. A line break within a link is a space.
fn targets(page: &str) -> Vec<String> {
    let text: Vec<&str> = prose(page).collect();
    let text = text.join("\n");
    let outside_of_spans: String = text.split('`').step_by(2).collect();
    let links = outside_of_spans.split("](").skip(1);
    links.filter_map(|rest| rest.split_once(')')).map(|(target, _)| target.trim().to_owned()).collect()
}

/// Why a link of `page` leads nowhere.
fn broken(page: &Path, link: &str) -> Option<String> {
    if ["http://", "https://", "mailto:"].iter().any(|scheme| link.starts_with(scheme)) {
        return None;
    }
    let (path, part) = link.split_once('#').map_or((link, None), |(path, part)| (path, Some(part)));
    let target: PathBuf = if path.is_empty() { page.to_owned() } else { page.parent()?.join(path) };
    if !target.exists() {
        return Some(format!("there is no {path}"));
    }
    let part = part.filter(|_| target.extension().is_some_and(|kind| kind == "md"))?;
    let has = anchors(&std::fs::read_to_string(&target).unwrap_or_default()).contains(part);
    (!has).then(|| format!("there is no heading '{part}' in {}", target.display()))
}

fn pages() -> Vec<PathBuf> {
    files(Path::new(ROOT)).into_iter().filter(|file| file.extension().is_some_and(|kind| kind == "md")).collect()
}

#[test]
fn links_of_pages_lead_somewhere() {
    let (mut wrong, mut seen) = (Vec::new(), 0);
    for page in pages() {
        for link in targets(&std::fs::read_to_string(&page).unwrap()) {
            seen += 1;
            let name = page.strip_prefix(ROOT).unwrap().display().to_string();
            wrong.extend(broken(&page, &link).map(|why| format!("{name}: {link}: {why}")));
        }
    }
    assert!(seen > 200, "only {seen} links were found");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// A page that the summary leaves out is in no book.
#[test]
fn every_page_is_in_the_summary() {
    let docs = Path::new(ROOT).join("docs");
    let summary = std::fs::read_to_string(docs.join("SUMMARY.md")).unwrap();
    let listed: BTreeSet<PathBuf> = targets(&summary).iter().map(|link| docs.join(link)).collect();
    let all: BTreeSet<PathBuf> =
        pages().into_iter().filter(|page| page.starts_with(&docs) && !page.ends_with("SUMMARY.md")).collect();
    assert_eq!(listed, all, "left: in docs/SUMMARY.md; right: pages of docs/");
}

#[test]
fn a_broken_link_is_noticed() {
    let page = Path::new(ROOT).join("README.md");
    for link in ["docs/nowhere.md", "docs/index.md#nowhere", "#nowhere", "docs/SUMMARY.md#guide"] {
        assert!(broken(&page, link).is_some(), "{link}");
    }
    for link in ["docs/index.md", "docs/SUMMARY.md#guides", "examples", "https://unkey.com/x"] {
        assert_eq!(broken(&page, link), None, "{link}");
    }
    let text = "# A `b`: [c](d.md) & e\n\n```text\n# no\n[n](o)\n```\n`[n](o)` [p\nq](r.md#s) [t](u)\n## A\n## A\n";
    assert_eq!(targets(text), ["d.md", "r.md#s", "u"]);
    assert_eq!(anchors(text), BTreeSet::from(["a-b-c--e", "a", "a-1"].map(str::to_owned)));
}
