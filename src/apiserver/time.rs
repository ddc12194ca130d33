//! What time it is at the API server, by the `Date` of its answers (RFC 9110, 6.6.1). Only `seconds_or_local` trusts a clock of this machine other than the monotonic one.

use parking_lot::Mutex;
use std::sync::Arc;
use std::time::Instant;

use http::HeaderMap;
use http::header::DATE;
use k8s_openapi::jiff::Timestamp;
use k8s_openapi::jiff::fmt::rfc2822::DateTimeParser;

static PARSER: DateTimeParser = DateTimeParser::new();

/// The API server's clock. Clones are the same.
#[derive(Clone, Debug, Default)]
pub struct ServerTime(Arc<Mutex<Option<Heard>>>);

/// A moment of its clock.
#[derive(Clone, Copy, Debug)]
struct Heard {
    /// Seconds since 1970.
    seconds: i64,
    at: Instant,
}

impl ServerTime {
    /// Seconds since 1970, or a little less; `None`: it has not said yet.
    pub fn seconds(&self) -> Option<i64> {
        let heard = (*self.heard())?;
        i64::try_from(heard.at.elapsed().as_secs()).ok().map(|since| heard.seconds.saturating_add(since))
    }

    /// Seconds since 1970; by the clock of this machine while it has not said.
    pub fn seconds_or_local(&self) -> i64 {
        self.seconds().unwrap_or_else(|| Timestamp::now().as_second())
    }

    /// Takes in the headers of an answer.
    pub(super) fn observe(&self, headers: &HeaderMap) {
        let date = headers.get(DATE).and_then(|date| date.to_str().ok());
        let Some(date) = date.and_then(|date| PARSER.parse_timestamp(date).ok()) else { return };
        *self.heard() = Some(Heard { seconds: date.as_second(), at: Instant::now() });
    }

    fn heard(&self) -> parking_lot::MutexGuard<'_, Option<Heard>> {
        // A moment cannot be half written.
        self.0.lock()
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn told(date: &str) -> Option<i64> {
        let time = ServerTime::default();
        let headers = HeaderMap::from_iter([(DATE, HeaderValue::from_str(date).unwrap())]);
        time.observe(&headers);
        time.seconds()
    }

    #[test]
    fn the_date_of_an_answer_is_its_time() {
        let seconds = told("Sun, 06 Nov 1994 08:49:37 GMT").unwrap();
        assert!((784_111_777..784_111_780).contains(&seconds), "{seconds}");
    }

    #[test]
    fn what_is_no_date_says_nothing() {
        for wrong in ["", "yesterday", "Sun, 06 Nov 1994", "-1"] {
            assert_eq!(told(wrong), None, "{wrong}");
        }
        assert_eq!(ServerTime::default().seconds(), None);
    }
}
