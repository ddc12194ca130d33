//! The operator in whose container this command runs, as by `kubectl exec`: what it was given is what is to be looked at. Its account may not list
//! Pods, so nothing else would tell.

use std::collections::BTreeMap;
use std::path::Path;

use super::super::setup::{self, Setup};

/// The first process of this container.
const FIRST: &str = "/proc/1";

/// `None`: this is no container of an operator, or its first process cannot be read.
pub(super) fn operator() -> Option<Setup> {
    let read = |file: &str| std::fs::read(Path::new(FIRST).join(file)).ok();
    let args = args(&read("cmdline")?)?;
    let env: BTreeMap<String, String> = words(&read("environ").unwrap_or_default())
        .into_iter()
        .filter_map(|word| word.split_once('=').map(|(name, value)| (name.to_owned(), value.to_owned())))
        .collect();
    setup::parsed(&args, &env, "the operator in this container".to_owned()).ok()
}

/// The arguments from `run` on, if these are an operator's.
fn args(cmdline: &[u8]) -> Option<Vec<String>> {
    let words = words(cmdline);
    let [program, run, ..] = words.as_slice() else { return None };
    let is_operator = Path::new(program).file_name().is_some_and(|name| name == env!("CARGO_PKG_NAME")) && run == "run";
    is_operator.then(|| words[1..].to_vec())
}

/// What the kernel keeps with a NUL after each.
fn words(bytes: &[u8]) -> Vec<String> {
    let words = bytes.split(|byte| *byte == 0).filter(|word| !word.is_empty());
    words.map(|word| String::from_utf8_lossy(word).into_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_operator_counts() {
        let of = |text: &str| args(text.replace(' ', "\0").as_bytes());
        let expected = Some(vec!["run".to_owned(), "--namespace=a".to_owned()]);
        assert_eq!(of("/usr/bin/unkey-operator run --namespace=a "), expected);
        assert_eq!(of("unkey-operator check"), None);
        assert_eq!(of("/sbin/init run"), None);
        assert_eq!(of(""), None);
    }
}
