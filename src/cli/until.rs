//! A moment on the command line: a time, or how long from now. Pure.

use std::time::Duration;

use k8s_openapi::jiff::{SignedDuration, Timestamp};

use super::values::duration;

/// A time, or how long from now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Until {
    At(Timestamp),
    In(Duration),
}

/// Why a moment cannot be meant.
#[derive(Debug, thiserror::Error)]
pub(super) enum UntilError {
    #[error("--until names a time that has passed ({0})")]
    Past(Timestamp),
    #[error("--until is too far ahead")]
    TooFar,
}

/// `2026-11-28T18:00:00Z`, or `1h`.
pub(super) fn until(text: &str) -> Result<Until, String> {
    if let Ok(at) = text.parse() {
        return Ok(Until::At(at));
    }
    duration(text).map(Until::In).map_err(|_| {
        format!("'{text}' is neither a time such as 2026-11-28T18:00:00Z nor a duration such as 30m or 1h")
    })
}

impl Until {
    /// RFC 3339, to the second. `now`: in seconds since 1970.
    pub fn time(self, now: i64) -> Result<String, UntilError> {
        let now = Timestamp::from_second(now).map_err(|_| UntilError::TooFar)?;
        let at = match self {
            Self::At(at) => at,
            Self::In(duration) => SignedDuration::try_from(duration)
                .ok()
                .and_then(|duration| now.checked_add(duration).ok())
                .ok_or(UntilError::TooFar)?,
        };
        if at <= now {
            return Err(UntilError::Past(at));
        }
        Timestamp::from_second(at.as_second()).map(|at| at.to_string()).map_err(|_| UntilError::TooFar)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 1_800_000_000;

    #[test]
    fn a_moment_is_a_time_or_how_long_from_now() {
        let of = |text: &str| until(text).map(|until| until.time(NOW).map_err(|error| error.to_string()));
        assert_eq!(of("1h"), Ok(Ok("2027-01-15T09:00:00Z".to_owned())));
        assert_eq!(of("2030-01-01T02:00:00+02:00"), Ok(Ok("2030-01-01T00:00:00Z".to_owned())));
        assert!(of("2020-01-01T00:00:00Z").unwrap().unwrap_err().contains("has passed"));
        for wrong in ["", "soon", "0", "-1h", "2030-01-01"] {
            assert!(until(wrong).is_err(), "{wrong}");
        }
    }
}
