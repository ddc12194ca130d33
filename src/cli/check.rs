//! `check`: reads, has the findings made, prints them. Its result is the findings, so it prints them whatever they are. It changes nothing anywhere.

mod args;
mod beside;
mod cluster;
mod operators;
mod probes;
mod upstream;

use std::collections::BTreeMap;
use std::process::ExitCode;

use k8s_openapi::jiff::{Timestamp, Unit};

pub(super) use self::args::CheckArgs;
use self::args::Failure;
use self::cluster::ClusterSide;
use super::connect::{KeyError, Upstream};
use super::failure::finish_with;
use super::output::{print, print_by};
use crate::check::{Finding, Id, Report, Verdict, api_server_away, clock, no_key, schema, text};

pub(super) fn main(args: &CheckArgs) -> ExitCode {
    finish_with(printed(args))
}

/// Exits with 1 if a check failed.
async fn printed(args: &CheckArgs) -> Result<ExitCode, Failure> {
    if args.schema {
        print(&format!("{:#}\n", schema())).map_err(Failure::Output)?;
        return Ok(ExitCode::SUCCESS);
    }
    let report = checked(args).await?;
    let code = if report.has_failed() { ExitCode::FAILURE } else { ExitCode::SUCCESS };
    let checks = |report: &mut Report| std::mem::take(&mut report.checks);
    let colour = args.output.has_colour();
    let written = print_by(|out| args.output.report(out, report, ("checks", checks), |report| text(report, colour)));
    written.map_err(Failure::Output)?;
    Ok(code)
}

async fn checked(args: &CheckArgs) -> Result<Report, Failure> {
    let mut report = Report {
        as_of: Timestamp::now().round(Unit::Second).unwrap_or_else(|_| Timestamp::now()).to_string(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        caller: None,
        settings_from: Vec::new(),
        root_key_from: None,
        summary: BTreeMap::new(),
        checks: Vec::new(),
    };
    let beside = if args.run.is_empty() { beside::operator() } else { None };
    let unkey = match &beside {
        Some(setup) => args.unkey.clone().or_as_given_to(&setup.options),
        None => args.unkey.clone(),
    };
    let upstream = match unkey.connect() {
        // A key that cannot be used is what a user looks for with this command.
        Err(KeyError::Credential(error, from)) => {
            let message = format!("The root key from {from} cannot be used: {error}");
            report.add([Finding::new(Id::RootKey, Verdict::Fail, message)]);
            report.root_key_from = Some(from);
            Err("the root key cannot be used")
        }
        connected => connected?.ok_or("there is no root key"),
    };
    let side = match args.cluster.connect().await {
        Ok(cluster) => cluster::look(args, &cluster, beside).await?,
        Err(error) if error.is_no_cluster() && (upstream.is_ok() || report.has_failed()) => ClusterSide {
            findings: cluster::away(Finding::new(
                Id::ApiServer,
                Verdict::Skipped,
                format!("No cluster is known: {error}"),
            )),
            ..ClusterSide::default()
        },
        Err(error) if error.is_no_cluster() => return Err(Failure::Nothing(error)),
        Err(error) if error.is_usage() => return Err(Failure::App(error)),
        Err(error) => {
            ClusterSide { findings: cluster::away(api_server_away(&error.to_string())), ..ClusterSide::default() }
        }
    };
    report.caller.clone_from(&side.caller);
    report.settings_from.clone_from(&side.settings_from);
    add_upstream(&mut report, args, upstream, &side).await;
    report.add(side.findings);
    Ok(report)
}

async fn add_upstream(report: &mut Report, args: &CheckArgs, upstream: Result<Upstream, &str>, side: &ClusterSide) {
    let mut unkeys_clock = None;
    match upstream {
        Ok(mut upstream) => {
            report.root_key_from = Some(upstream.from.clone());
            let looked = upstream::look(args.permissions, &mut upstream, side).await;
            unkeys_clock = looked.clock;
            report.add(looked.findings);
        }
        Err(why) if report.has_failed() => {
            let ids: Vec<Id> = Id::OF_UNKEY.into_iter().filter(|id| *id != Id::RootKey).collect();
            report.add(Finding::skipped(&ids, &format!("Unkey was not asked: {why}")));
        }
        Err(_) => report.add(no_key()),
    }
    if args.permissions && !report.checks.iter().any(|it| Id::OF_PERMISSIONS.contains(&it.id)) {
        report.add(Finding::skipped(
            &Id::OF_PERMISSIONS,
            "Permissions can be looked at only with a root key that Unkey accepts",
        ));
    }
    report.add([clock(side.clock, unkeys_clock)]);
}
