//! From status, headers and bytes to an answer or an error. Pure, so that every case is a row of a table.

use std::time::Duration;

use serde::Deserialize;
use serde::de::{DeserializeOwned, IgnoredAny};

use super::error::{Error, Fault};
use super::wire::{Created, Deleted, Identity, Operation, Page, Updated};
use unkey_text::printable;

/// The shortest pause that a 429 makes: Unkey floors `Retry-After` to whole seconds, so 0 means "under a second".
pub const MIN_RETRY_AFTER: Duration = Duration::from_secs(1);
/// The longest pause that a 429 makes, whatever it asks for: Unkey's windows are minutes, and a wrong number must not stop the
/// operator for a day.
pub const MAX_RETRY_AFTER: Duration = Duration::from_secs(300);

/// Characters of server text that are kept in an error.
const MAX_TEXT: usize = 500;

/// What of an answer's head decides how its body is read.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Head<'a> {
    pub status: u16,
    pub content_type: Option<&'a str>,
    pub retry_after: Option<&'a str>,
}

/// Why a 200 is not the answer that the operation promises. No value is quoted: bodies do not belong into errors.
pub(crate) type Why = &'static str;

impl Head<'_> {
    /// Unkey answers only in these two types; nothing else is parsed, however it looks.
    pub(crate) fn is_json(&self) -> bool {
        let essence = self.content_type.unwrap_or_default().split(';').next().unwrap_or_default().trim();
        ["application/json", "application/problem+json"].iter().any(|json| essence.eq_ignore_ascii_case(json))
    }
}

/// An answer that can be read out of a 200.
pub(crate) trait Answer: Sized {
    type Data: DeserializeOwned;

    fn accept(data: Option<Self::Data>, pagination: Option<Pagination>, request_id: &str) -> Result<Self, Why>;
}

/// Judges an answer. `redact` removes the root key from server text.
pub(crate) fn read<T: Answer>(
    operation: Operation,
    head: Head<'_>,
    body: &[u8],
    redact: impl Fn(&str) -> String,
) -> Result<T, Error> {
    let status = head.status;
    let retry_after = head.retry_after.and_then(parse_retry_after);
    let unreadable = |why| Error::new(operation, Fault::Unreadable { status, why });
    let foreign = || Error::new(operation, Fault::Foreign { status, retry_after });
    if !head.is_json() {
        return Err(match (status, head.content_type) {
            (200..=299, None) => unreadable("the answer has no content type"),
            _ => foreign(),
        });
    }
    match status {
        200 => success(body).map_err(|why| {
            // Parsed again, for the logs: the shape that failed may have been the data's.
            let request_id =
                serde_json::from_slice::<Envelope<IgnoredAny>>(body).ok().map(|envelope| envelope.meta.request_id);
            unreadable(why).with_request_id(request_id.map(|id| clean(&id, redact)))
        }),
        400..=599 => match serde_json::from_slice::<Failure>(body) {
            Ok(Failure { meta, error }) if error.kind.contains('/') => {
                let code = error.kind.rsplit('/').next().unwrap_or_default();
                let fault = Fault::Answered {
                    status,
                    code: clean(code, &redact),
                    detail: clean(&error.detail, &redact),
                    retry_after,
                };
                Err(Error::new(operation, fault).with_request_id(meta.map(|meta| clean(&meta.request_id, redact))))
            }
            // Truncated, or some other server's JSON.
            _ => Err(foreign()),
        },
        201..=299 => Err(unreadable("only HTTP 200 is a success")),
        _ => Err(foreign()),
    }
}

/// Seconds of a `Retry-After`, from [`MIN_RETRY_AFTER`] to [`MAX_RETRY_AFTER`]. Unkey sends whole seconds; anything else (a date, a
/// sign, a fraction) is `None`, and the caller's own backoff applies.
pub(crate) fn parse_retry_after(value: &str) -> Option<Duration> {
    let value = value.trim();
    if value.is_empty() || !value.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    // Only overflow is left to fail, and that is far beyond the cap.
    let seconds = value.parse().unwrap_or(u64::MAX);
    Some(Duration::from_secs(seconds).clamp(MIN_RETRY_AFTER, MAX_RETRY_AFTER))
}

/// Server text made fit for messages: no root key, no control or invisible formatting characters, bounded.
fn clean(text: &str, redact: impl Fn(&str) -> String) -> String {
    printable(&redact(text), MAX_TEXT)
}

/// `serde_json`'s own messages quote values, so only the kind is kept.
fn malformed(error: &serde_json::Error) -> Why {
    if error.is_eof() {
        "the JSON is cut short"
    } else if error.is_data() {
        "the JSON has another shape than documented"
    } else {
        "the body is not JSON, or nested too deep"
    }
}

fn success<T: Answer>(body: &[u8]) -> Result<T, Why> {
    // The parser would not look into what it skips, and an answer that is half noise is none.
    let text = std::str::from_utf8(body).map_err(|_| "the body is not text")?;
    let envelope: Envelope<T::Data> = serde_json::from_str(text).map_err(|error| malformed(&error))?;
    if envelope.error.is_some() {
        return Err("the body holds an error");
    }
    // A 200 without request id is not Unkey's; for a delete nothing else would tell.
    let request_id = present(envelope.meta.request_id)?;
    T::accept(envelope.data, envelope.pagination, &request_id)
}

/// The envelope of a success. One for all operations, so that a page is parsed once.
#[derive(Deserialize)]
#[serde(bound = "D: DeserializeOwned")]
struct Envelope<D> {
    meta: EnvelopeMeta,
    error: Option<IgnoredAny>,
    data: Option<D>,
    pagination: Option<Pagination>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct EnvelopeMeta {
    // Optional in errors; a success is not believed without it.
    #[serde(default)]
    request_id: String,
}

/// The envelope of an error. `error.type` with its path is what tells it from another server's `{"error": …}`.
#[derive(Deserialize)]
struct Failure {
    #[serde(default)]
    meta: Option<EnvelopeMeta>,
    error: Problem,
}

#[derive(Deserialize)]
struct Problem {
    #[serde(rename = "type")]
    kind: String,
    #[serde(default)]
    detail: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct CreatedData {
    identity_id: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct UpdatedData {
    id: String,
    external_id: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Pagination {
    cursor: Option<String>,
    has_more: bool,
}

impl Answer for Created {
    type Data = CreatedData;

    fn accept(data: Option<CreatedData>, _: Option<Pagination>, request_id: &str) -> Result<Self, Why> {
        let CreatedData { identity_id } = data.ok_or(NO_DATA)?;
        Ok(Self { identity_id: present(identity_id)?, request_id: request_id.to_owned() })
    }
}

impl Answer for Updated {
    type Data = UpdatedData;

    fn accept(data: Option<UpdatedData>, _: Option<Pagination>, request_id: &str) -> Result<Self, Why> {
        let UpdatedData { id, external_id } = data.ok_or(NO_DATA)?;
        Ok(Self { id: present(id)?, external_id: present(external_id)?, request_id: request_id.to_owned() })
    }
}

impl Answer for Identity {
    type Data = Self;

    fn accept(data: Option<Self>, _: Option<Pagination>, _: &str) -> Result<Self, Why> {
        complete(data.ok_or(NO_DATA)?)
    }
}

/// The answer to a delete has no data.
impl Answer for Deleted {
    type Data = IgnoredAny;

    fn accept(_: Option<IgnoredAny>, _: Option<Pagination>, request_id: &str) -> Result<Self, Why> {
        Ok(Self { request_id: request_id.to_owned() })
    }
}

impl Answer for Page {
    type Data = Vec<Identity>;

    fn accept(data: Option<Vec<Identity>>, pagination: Option<Pagination>, _: &str) -> Result<Self, Why> {
        let identities = data.ok_or(NO_DATA)?.into_iter().map(complete).collect::<Result<_, _>>()?;
        // Without it, a page would pass for the last one, and whatever follows for absent.
        let Pagination { cursor, has_more } = pagination.ok_or("the page has no pagination")?;
        let next_cursor = match (has_more, cursor) {
            (true, Some(cursor)) => Some(present(cursor)?),
            (false, None) => None,
            _ => return Err("the pagination contradicts itself"),
        };
        Ok(Self { identities, next_cursor })
    }
}

fn complete(identity: Identity) -> Result<Identity, Why> {
    if identity.id.is_empty() || identity.external_id.is_empty() { Err(EMPTY) } else { Ok(identity) }
}

fn present(id: String) -> Result<String, Why> {
    if id.is_empty() { Err(EMPTY) } else { Ok(id) }
}

const NO_DATA: Why = "the body has no data";
const EMPTY: Why = "the body holds an empty id";

#[cfg(test)]
mod tests;
