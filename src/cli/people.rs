//! The commands for people: the plugin of kubectl has these, and `unkey-operator` has them too. It only hands over to each.

use std::process::ExitCode;

use clap::{Command, Subcommand};

use super::{check, completion, get, import, leaving, list, plan, reconcile, suspend, unmanage, version};

/// The commands for people.
#[derive(Debug, Subcommand)]
pub(super) enum People {
    Plan(Box<plan::PlanArgs>),
    Check(Box<check::CheckArgs>),
    Import(Box<import::ImportArgs>),
    List(Box<list::ListArgs>),
    Get(Box<get::GetArgs>),
    Reconcile(reconcile::ReconcileArgs),
    Suspend(suspend::SuspendArgs),
    Resume(suspend::ResumeArgs),
    Deletions(Box<leaving::DeletionsArgs>),
    Unmanage(unmanage::UnmanageArgs),
    Version(version::VersionArgs),
    Completion(completion::CompletionArgs),
}

impl People {
    /// Does what was asked for. `parser`: of the program under the name that it was started by.
    pub fn run(self, parser: Command) -> ExitCode {
        match self {
            Self::Plan(args) => plan::main(&args),
            Self::Check(args) => check::main(&args),
            Self::Import(args) => import::main(&args),
            Self::List(args) => list::main(&args),
            Self::Get(args) => get::main(&args),
            Self::Reconcile(args) => reconcile::main(&args),
            Self::Suspend(args) => suspend::suspend(&args),
            Self::Resume(args) => suspend::resume(&args),
            Self::Deletions(args) => leaving::main(&args),
            Self::Unmanage(args) => unmanage::main(args),
            Self::Version(args) => version::main(&args),
            Self::Completion(args) => completion::main(&args, parser),
        }
    }
}
