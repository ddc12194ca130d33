//! The command line: one file a command. Parses, and hands over to the library; what it refuses is one sentence on standard error and
//! exit code 2.

mod crd;
mod run;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Keeps Unkey identities equal to Identity resources in a Kubernetes cluster.
#[derive(Debug, Parser)]
#[command(name = "unkey-operator", version, propagate_version = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the operator.
    Run(Box<run::RunArgs>),
    /// Print the CustomResourceDefinition as YAML.
    Crd,
    /// Print the version.
    Version,
}

/// Runs the command line of this process.
pub fn main() -> ExitCode {
    match Cli::parse().command {
        Command::Run(args) => run::main(*args),
        Command::Crd => crd::main(),
        Command::Version => {
            println!("unkey-operator {}", env!("CARGO_PKG_VERSION"));
            ExitCode::SUCCESS
        }
    }
}
