//! `completion`: prints the script by which a shell completes the command line. It reads nothing but the parser.

use std::process::ExitCode;

use clap::{Args, Command, ValueEnum};
use clap_complete::Shell;

use super::failure::failed;
use super::output::print;

/// Print the script by which a shell completes this command line.
///
/// For bash: source <(unkey-operator completion bash). kubectl completes the command line of its plugin by itself: it runs
/// kubectl_complete-unkey, which 'make install-plugin' installs beside the plugin.
#[derive(Args, Debug)]
#[allow(clippy::doc_markdown)] // users read this in `--help`, where backticks would be noise
pub(super) struct CompletionArgs {
    /// The shell
    #[arg(value_enum)]
    shell: CompletedShell,
}

/// A shell that a script is printed for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum CompletedShell {
    Bash,
    Zsh,
    Fish,
}

pub(super) fn main(args: &CompletionArgs, parser: Command) -> ExitCode {
    match print(&script(args.shell, parser)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => failed(&format!("the script cannot be written: {error}"), false),
    }
}

/// For the name of the executable: `kubectl unkey` is none.
fn script(shell: CompletedShell, mut parser: Command) -> String {
    let shell = match shell {
        CompletedShell::Bash => Shell::Bash,
        CompletedShell::Zsh => Shell::Zsh,
        CompletedShell::Fish => Shell::Fish,
    };
    let (name, mut script) = (parser.get_name().to_owned(), Vec::new());
    clap_complete::generate(shell, &mut parser, name, &mut script);
    String::from_utf8_lossy(&script).into_owned()
}
