//! The steps of a page: what stands after `$` in its `console` blocks, and what is shown below.

/// One command, and the lines that it prints; none: they vary too much to be shown.
#[derive(Debug, PartialEq, Eq)]
pub struct Step {
    pub command: String,
    pub shown: Vec<String>,
}

/// What ends the text that a command reads from the page, if it reads one.
fn here_document(line: &str) -> Option<&str> {
    let (_, word) = line.split_once("<<'")?;
    word.split_once('\'').map(|(word, _)| word)
}

/// The steps of a page, in order.
pub fn steps(page: &str) -> Vec<Step> {
    let mut steps: Vec<Step> = Vec::new();
    let mut lines = page.lines().map(str::trim_end);
    while let Some(line) = lines.next() {
        if line.trim_start() != "```console" {
            continue;
        }
        // A block in a list is indented as the list is.
        let indent = line.len() - line.trim_start().len();
        let mut block = lines.by_ref().map(|line| line.get(indent..).unwrap_or("")).take_while(|line| *line != "```");
        while let Some(line) = block.next() {
            let Some(command) = line.strip_prefix("$ ") else {
                steps.last_mut().expect("output without a command").shown.push(line.to_owned());
                continue;
            };
            let mut command = command.to_owned();
            while command.ends_with('\\') {
                command = format!("{command}\n{}", block.next().unwrap_or_default());
            }
            if let Some(end) = here_document(&command).map(str::to_owned) {
                for line in block.by_ref() {
                    command = format!("{command}\n{line}");
                    if line == end {
                        break;
                    }
                }
            }
            steps.push(Step { command, shown: Vec::new() });
        }
    }
    steps
}

/// True if a word of a page stands for this one: ids and ages are other ones each time.
fn stands_for(shown: &str, said: &str) -> bool {
    let is_age = |word: &str| word.ends_with(['s', 'm', 'h']) && word.starts_with(|c: char| c.is_ascii_digit());
    shown == said || shown.starts_with("id_") && said.starts_with("id_") || is_age(shown) && is_age(said)
}

/// Where what was said is not what the page shows.
pub fn differs(shown: &[String], said: &str) -> Option<String> {
    if shown.is_empty() {
        return None;
    }
    let said: Vec<&str> = said.lines().map(str::trim_end).collect();
    for (at, line) in shown.iter().enumerate() {
        let Some(other) = said.get(at) else { return Some(format!("not there: {line}")) };
        let (words, others): (Vec<_>, Vec<_>) = (line.split_whitespace().collect(), other.split_whitespace().collect());
        let is_it = words.len() == others.len() && words.iter().zip(&others).all(|(a, b)| stands_for(a, b));
        if !is_it {
            return Some(format!("the page shows: {line}\nthere is:       {other}"));
        }
    }
    said.get(shown.len()).map(|more| format!("more than the page shows: {more}"))
}

#[test]
fn a_page_is_read_as_it_stands() {
    let page = "text\n```sh\n$ no\n```\n```console\n$ a \\\n    b\nsaid 3s\n$ c <<'EOF' | d\nx: 1\nEOF\n```\n1. e\n\n   ```console\n   $ f\n   ```\n";
    let step = |command: &str, shown: &[&str]| Step {
        command: command.to_owned(),
        shown: shown.iter().map(ToString::to_string).collect(),
    };
    assert_eq!(steps(page), [step("a \\\n    b", &["said 3s"]), step("c <<'EOF' | d\nx: 1\nEOF", &[]), step("f", &[])]);
}

#[test]
fn what_is_said_has_to_be_what_is_shown() {
    let shown = ["NAME  ID      AGE", "a     id_123  3s"].map(ToOwned::to_owned);
    assert_eq!(differs(&shown, "NAME ID AGE\na id_9 2m10s\n"), None);
    assert_eq!(differs(&[], "anything"), None);
    for said in
        ["NAME ID AGE\n", "NAME ID AGE\nb id_9 1s\n", "NAME ID AGE\na id_9 1s\nb\n", "NAME ID AGE\na none 1s\n", ""]
    {
        assert!(differs(&shown, said).is_some(), "{said}");
    }
}
