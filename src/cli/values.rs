//! How values of flags are written: durations and shares.

use std::time::Duration;

use crate::domain::Share;

/// `500ms`, `30s`, `10m`, `1h`.
pub(super) fn duration(text: &str) -> Result<Duration, String> {
    let duration = interval(text)?;
    if duration.is_zero() { Err("must be more than zero".to_owned()) } else { Ok(duration) }
}

/// The same, and zero in any way that one would write it.
pub(super) fn interval(text: &str) -> Result<Duration, String> {
    if text == "0" {
        return Ok(Duration::ZERO);
    }
    let duration: kube::core::Duration =
        text.parse().map_err(|_| format!("'{text}' is not a duration such as 500ms, 30s or 10m"))?;
    if duration.is_negative() { Err("must not be negative".to_owned()) } else { Ok(duration.into()) }
}

/// A share that may not be nothing.
pub(super) fn share(text: &str) -> Result<f64, String> {
    let share = number(text)?;
    if share > 0.0 && share <= 1.0 { Ok(share) } else { Err("must be more than 0 and at most 1".to_owned()) }
}

/// A share that may.
pub(super) fn part(text: &str) -> Result<Share, String> {
    Share::new(number(text)?).ok_or_else(|| "must be between 0 and 1".to_owned())
}

fn number(text: &str) -> Result<f64, String> {
    text.parse().map_err(|_| format!("'{text}' is not a number such as 0.5"))
}
