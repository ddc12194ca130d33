//! `docs/reference/cli.md`: every command and flag, read from the parser.

use clap::{Arg, ArgAction, Command};

use super::{head, heading, paragraph};

/// The name of an argument as it is written on the command line.
fn spelled(arg: &Arg) -> String {
    let value = arg.get_value_names().and_then(|names| names.first()).map(|name| format!(" <{name}>"));
    let value = value.filter(|_| arg.get_action().takes_values()).unwrap_or_default();
    match (arg.get_long(), arg.get_short()) {
        (Some(long), Some(short)) => format!("-{short}, --{long}{value}"),
        (Some(long), None) => format!("--{long}{value}"),
        (None, Some(short)) => format!("-{short}{value}"),
        (None, None) => value.trim().to_owned(),
    }
}

/// A sentence has its end, which clap leaves out.
fn sentence(text: &str) -> String {
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    if text.ends_with('.') { text } else { format!("{text}.") }
}

fn facts(arg: &Arg) -> Vec<String> {
    let mut facts = Vec::new();
    if arg.is_required_set() {
        facts.push("Required.".to_owned());
    }
    if matches!(arg.get_action(), ArgAction::Append) {
        facts.push("Repeatable.".to_owned());
    }
    let words: Vec<String> = arg.get_possible_values().iter().map(|value| format!("`{}`", value.get_name())).collect();
    if !words.is_empty() && arg.get_action().takes_values() {
        facts.push(format!("One of {}.", words.join(", ")));
    }
    let defaults: Vec<String> =
        arg.get_default_values().iter().map(|it| format!("`{}`", it.to_string_lossy())).collect();
    if !defaults.is_empty() && arg.get_action().takes_values() {
        facts.push(format!("Default: {}.", defaults.join(", ")));
    }
    if let Some(variable) = arg.get_env() {
        facts.push(format!("Environment: `{}`.", variable.to_string_lossy()));
    }
    facts
}

fn command(page: &mut String, command: &Command, name: &str) {
    heading(page, "##", &format!("`{name}`"));
    let about = command.get_long_about().or(command.get_about()).map(ToString::to_string).unwrap_or_default();
    for part in about.split("\n\n").filter(|part| !part.trim().is_empty()) {
        paragraph(page, &sentence(part));
    }
    let args: Vec<&Arg> = command
        .get_arguments()
        .filter(|arg| !arg.is_hide_set() && !["help", "version"].contains(&arg.get_id().as_str()))
        .collect();
    for arg in args {
        heading(page, "###", &format!("`{}`", spelled(arg)));
        let help = arg.get_long_help().or(arg.get_help()).map(ToString::to_string).unwrap_or_default();
        assert!(!help.is_empty(), "{name} {} has no help", spelled(arg));
        paragraph(page, &sentence(&help));
        let facts = facts(arg);
        if !facts.is_empty() {
            paragraph(page, &facts.join(" "));
        }
    }
}

pub fn page() -> String {
    let mut page = head(
        "Command line",
        "Every flag of `run` is an environment variable too; a flag goes before its variable. Durations are a number and a unit: `500ms`, `30s`, `10m`, `1h`. What the command line refuses is \
         one sentence on standard error, and exit code 2.",
    );
    let mut program = unkey_operator::cli::command();
    program.build();
    let commands: Vec<&Command> = program.get_subcommands().filter(|it| it.get_name() != "help").collect();
    assert!(commands.len() >= 4, "{}", commands.len());
    for it in commands {
        command(&mut page, it, &format!("unkey-operator {}", it.get_name()));
    }
    page
}
