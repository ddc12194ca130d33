//! The flags of hold and brake (R20).

use std::time::Duration;

use clap::Args;
use wildmatch::WildMatch;

use super::values::{duration, interval, part};
use crate::domain::{DeletionLimits, Share};

#[derive(Args, Debug)]
#[allow(clippy::doc_markdown)] // users read this in `--help`, where backticks would be noise
pub(super) struct DeletionArgs {
    /// Time between the deletion of an Identity and that of its identity in Unkey, so that a mass deletion is noticed before it
    /// begins (10s, 1m); 0 for none
    #[arg(long, env = "UNKEY_OPERATOR_DELETION_HOLD", default_value = "10s", value_parser = interval)]
    deletion_hold: Duration,

    /// Maximum number of identities that are deleted within the deletion window without an approval, in a namespace and in all
    /// namespaces together; beyond it deletions wait for an approval. 0 for no maximum
    #[arg(long, env = "UNKEY_OPERATOR_MAX_DELETIONS", default_value_t = DeletionLimits::default().most)]
    max_deletions: usize,

    /// The same maximum as a share of the recorded identities, between 0 and 1 (0.1 is a tenth). The operator goes by the larger of the two
    #[arg(long, env = "UNKEY_OPERATOR_MAX_DELETIONS_SHARE", default_value_t = DeletionLimits::default().share, value_parser = part)]
    max_deletions_share: Share,

    /// Time within which deletions count as one mass deletion (10m, 1h)
    #[arg(long, env = "UNKEY_OPERATOR_DELETION_WINDOW", default_value = "10m", value_parser = duration)]
    deletion_window: Duration,

    /// Namespace whose deletions need no approval and no hold, for throw-away environments; * stands for any characters; repeatable
    #[arg(long, env = "UNKEY_OPERATOR_DELETION_APPROVED_NAMESPACES", value_delimiter = ',', value_parser = pattern)]
    deletion_approved_namespaces: Vec<String>,
}

impl DeletionArgs {
    pub(super) fn limits(&self) -> DeletionLimits {
        DeletionLimits {
            hold: self.deletion_hold,
            most: self.max_deletions,
            share: self.max_deletions_share,
            window: self.deletion_window,
        }
    }

    pub(super) fn approved_namespaces(&self) -> Vec<WildMatch> {
        self.deletion_approved_namespaces.iter().map(|pattern| WildMatch::new(pattern)).collect()
    }
}

/// What a namespace's name may hold, and `*`. A pattern for all namespaces is `--max-deletions 0` in disguise, but says so.
fn pattern(text: &str) -> Result<String, String> {
    let inside = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-' || c == '*';
    let valid = (1..=63).contains(&text.len()) && text.chars().all(inside);
    if valid { Ok(text.to_owned()) } else { Err(format!("'{text}' is not a namespace name or a pattern such as pr-*")) }
}
