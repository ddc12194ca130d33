//! A watch that lists first, and the time it has. It understands one kind of line, and no resource.
//!
//! A watch ends after [`WATCH_SECONDS`], which may be too short for a list of a hundred thousand objects: it would begin again for ever. So while it lists it
//! has [`LISTING_SECONDS`], and ends when it has listed; whoever reads it begins the next one where it ended.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use http::{Request, Uri};
use hyper::body::{Body, Bytes, Frame};

/// A watch ends after so many seconds, by the API server's hand, and begins anew where it ended. So there is never
/// silence for longer on a connection that lives, well below [`SILENCE`](super::SILENCE); and what is asked for that is four requests a minute.
/// A bookmark may come before, but only if any object has changed since the last one.
pub const WATCH_SECONDS: u32 = 16;
/// As long as a watch lasts that nobody limits.
const LISTING_SECONDS: u32 = 290;
/// How a line begins that tells of no object. No user can write one.
const BOOKMARK: &[u8] = br#"{"type":"BOOKMARK""#;
/// What the one that ends the list holds.
const LISTED: &[u8] = br#""k8s.io/initial-events-end""#;

/// Gives a watch that lists its time; whether it is one.
pub(super) fn prolong<B>(request: &mut Request<B>) -> bool {
    let limit = format!("timeoutSeconds={WATCH_SECONDS}");
    let Some(query) = request.uri().query() else { return false };
    let mut parts: Vec<&str> = query.split('&').collect();
    let Some(at) = parts.iter().position(|part| *part == limit) else { return false };
    if !parts.contains(&"sendInitialEvents=true") {
        return false;
    }
    let longer = format!("timeoutSeconds={LISTING_SECONDS}");
    parts[at] = &longer;
    let mut whole = request.uri().clone().into_parts();
    whole.path_and_query = format!("{}?{}", request.uri().path(), parts.join("&")).parse().ok();
    // It is made of one that could be read.
    Uri::from_parts(whole).map(|uri| *request.uri_mut() = uri).is_ok()
}

/// The answer to a watch that lists: it ends when it has listed.
pub(super) struct UntilListed<B> {
    /// `None`: it has ended.
    inner: Option<B>,
    /// The line that is not over, as long as it may be the one.
    line: Vec<u8>,
    /// It cannot be the one.
    other: bool,
}

impl<B> UntilListed<B> {
    pub fn new(inner: B) -> Self {
        Self { inner: Some(inner), line: Vec::new(), other: false }
    }

    /// Whether the list has ended in `chunk`.
    fn has_listed(&mut self, chunk: &[u8]) -> bool {
        chunk.split_inclusive(|byte| *byte == b'\n').any(|part| self.takes(part))
    }

    /// Whether the list ends with this part of a line.
    fn takes(&mut self, part: &[u8]) -> bool {
        if !self.other {
            self.line.extend_from_slice(part);
            let begun = self.line.len().min(BOOKMARK.len());
            self.other = self.line[..begun] != BOOKMARK[..begun];
        }
        if !part.ends_with(b"\n") {
            if self.other {
                self.line.clear();
            }
            return false;
        }
        let is_last = !self.other && self.line.windows(LISTED.len()).any(|part| part == LISTED);
        self.line.clear();
        self.other = false;
        is_last
    }
}

impl<B: Body<Data = Bytes> + Unpin> Body for UntilListed<B> {
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        let Some(inner) = &mut self.inner else { return Poll::Ready(None) };
        let frame = ready!(Pin::new(inner).poll_frame(context));
        if let Some(Ok(frame)) = &frame
            && let Some(chunk) = frame.data_ref()
            && self.has_listed(chunk)
        {
            // What may come after it in this chunk is an event that the next watch shows again.
            self.inner = None;
        }
        Poll::Ready(frame)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn prolonged(uri: &str) -> Option<String> {
        let mut request = Request::builder().uri(uri).body(()).unwrap();
        prolong(&mut request).then(|| request.uri().to_string())
    }

    #[test]
    fn only_a_watch_that_lists_gets_more_time() {
        let list = format!(
            "https://kube.example:6443/a?&watch=true&timeoutSeconds={WATCH_SECONDS}&sendInitialEvents=true&resourceVersion=0"
        );
        let longer =
            "https://kube.example:6443/a?&watch=true&timeoutSeconds=290&sendInitialEvents=true&resourceVersion=0";
        assert_eq!(prolonged(&list).as_deref(), Some(longer));
        assert_eq!(prolonged(&format!("/a?watch=true&timeoutSeconds={WATCH_SECONDS}")), None);
        assert_eq!(prolonged("/a?watch=true&timeoutSeconds=1&sendInitialEvents=true"), None);
        assert_eq!(prolonged("/a"), None);
    }

    #[test]
    fn the_list_ends_with_its_bookmark_however_it_is_cut() {
        let object = r#"{"type":"ADDED","object":{"metadata":{"annotations":{"k8s.io/initial-events-end":"true"}}}}"#;
        let early = r#"{"type":"BOOKMARK","object":{"metadata":{"annotations":{}}}}"#;
        let last = r#"{"type":"BOOKMARK","object":{"metadata":{"annotations":{"k8s.io/initial-events-end":"true"}}}}"#;
        let text = format!("{object}\n{early}\n{object}\n{last}\n");
        let all = text.as_bytes();
        for size in [1, 2, 7, 19, 64, all.len()] {
            let mut body = UntilListed::new(());
            let chunks: Vec<bool> = all.chunks(size).map(|chunk| body.has_listed(chunk)).collect();
            let end = chunks.iter().position(|ends| *ends);
            assert_eq!(end, Some(chunks.len() - 1), "{size}");
        }
        assert!(!UntilListed::new(()).has_listed(text.replace("BOOKMARK", "ADDED").as_bytes()));
    }
}
