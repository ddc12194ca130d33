//! Asks before something is done that cannot be undone. Only a whole "yes" is consent, and a variable gives none.

use std::io::{IsTerminal, Write};

/// Why there is no consent.
#[derive(Debug, thiserror::Error)]
pub(super) enum ConsentError {
    #[error("standard input is not a terminal, so you cannot be asked to confirm; pass --yes to skip the confirmation")]
    NobodyToAsk,
    #[error("not confirmed")]
    Declined,
    #[error("the terminal cannot be read: {0}")]
    Terminal(#[from] std::io::Error),
}

/// Refuses where nobody can be asked, before anything else is done. `is_given`: consent is given already.
pub(super) fn possible(is_given: bool) -> Result<(), ConsentError> {
    if is_given || std::io::stdin().is_terminal() { Ok(()) } else { Err(ConsentError::NobodyToAsk) }
}

/// Asks `question`, unless consent is given already.
pub(super) fn asked(is_given: bool, question: &str) -> Result<(), ConsentError> {
    if is_given {
        return Ok(());
    }
    eprint!("{question} Type 'yes': ");
    std::io::stderr().flush()?;
    let mut answer = String::new();
    std::io::stdin().read_line(&mut answer)?;
    if answer.trim() == "yes" { Ok(()) } else { Err(ConsentError::Declined) }
}
