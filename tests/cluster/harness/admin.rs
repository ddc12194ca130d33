//! The admin server as a client sees it, and a strict reader of what `/metrics` says.

use std::collections::{BTreeMap, BTreeSet};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::Operator;

/// An answer of the admin server.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub content_type: String,
    pub body: String,
}

/// One line of `/metrics`.
#[derive(Debug)]
pub struct Sample {
    pub name: String,
    pub labels: BTreeMap<String, String>,
    pub value: f64,
}

/// All of `/metrics`.
#[derive(Debug)]
pub struct Exposition {
    /// Type by family.
    pub families: BTreeMap<String, String>,
    pub samples: Vec<Sample>,
}

impl Operator {
    /// What the admin server answers; `None` if nothing listens (any more).
    pub async fn try_http(&self, path: &str) -> Option<Answer> {
        let base = self.admin().await;
        let mut stream = TcpStream::connect(base.trim_start_matches("http://")).await.ok()?;
        stream
            .write_all(format!("GET {path} HTTP/1.1\r\nhost: admin\r\nconnection: close\r\n\r\n").as_bytes())
            .await
            .ok()?;
        let mut text = String::new();
        stream.read_to_string(&mut text).await.ok()?;
        let (head, body) = text.split_once("\r\n\r\n")?;
        let header = |name: &str| {
            let line = head.lines().find(|line| line.to_ascii_lowercase().starts_with(name))?;
            Some(line.split_once(':')?.1.trim().to_owned())
        };
        assert!(header("transfer-encoding").is_none(), "a short answer comes whole");
        Some(Answer {
            status: head.split(' ').nth(1)?.parse().ok()?,
            content_type: header("content-type").unwrap_or_default(),
            body: body.to_owned(),
        })
    }

    /// What the admin server answers.
    pub async fn http(&self, path: &str) -> Answer {
        super::eventually("an answer of the admin server", async || self.try_http(path).await).await
    }

    /// Waits until `/readyz` answers with that status and names `part`.
    pub async fn until_readyz(&self, status: u16, part: &str) {
        super::eventually(&format!("/readyz to say {status} and '{part}'"), async || {
            let answer = self.try_http("/readyz").await?;
            (answer.status == status && answer.body.contains(part)).then_some(())
        })
        .await;
    }

    /// `/metrics`, read strictly.
    pub async fn metrics(&self) -> Exposition {
        let answer = self.http("/metrics").await;
        assert_eq!(answer.status, 200);
        assert!(answer.content_type.starts_with("application/openmetrics-text"), "{}", answer.content_type);
        Exposition::read(&answer.body)
    }
}

impl Exposition {
    /// Reads the text format of `OpenMetrics` 1.0, as far as the operator uses it; panics at whatever is out of order.
    pub fn read(text: &str) -> Self {
        let body = text.strip_suffix("# EOF\n").expect("it ends with # EOF");
        let mut read = Self { families: BTreeMap::new(), samples: Vec::new() };
        let (mut family, mut seen) = (String::new(), BTreeSet::new());
        for line in body.lines() {
            if let Some(comment) = line.strip_prefix("# ") {
                let [keyword, name, rest] = comment.splitn(3, ' ').collect::<Vec<_>>()[..] else { panic!("{line}") };
                match keyword {
                    "TYPE" => {
                        assert!(["counter", "gauge", "histogram", "info"].contains(&rest), "{line}");
                        assert!(read.families.insert(name.to_owned(), rest.to_owned()).is_none(), "twice: {line}");
                    }
                    "UNIT" => assert!(name.ends_with(&format!("_{rest}")), "{line}"),
                    "HELP" => assert!(!rest.is_empty(), "{line}"),
                    _ => panic!("{line}"),
                }
                name.clone_into(&mut family);
                continue;
            }
            let sample = Sample::read(line);
            let suffix = sample.name.strip_prefix(&family).unwrap_or_else(|| panic!("{line} under {family}"));
            let allowed: &[&str] = match read.families[&family].as_str() {
                "counter" => &["_total"],
                "histogram" => &["_bucket", "_sum", "_count"],
                "info" => &["_info"],
                _ => &[""],
            };
            assert!(allowed.contains(&suffix), "{line} of a {}", read.families[&family]);
            assert!(seen.insert((sample.name.clone(), sample.labels.clone())), "twice: {line}");
            read.samples.push(sample);
        }
        read.check_histograms();
        read
    }

    /// Buckets grow and end with +Inf, which is the count.
    fn check_histograms(&self) {
        for (family, _) in self.families.iter().filter(|(_, kind)| *kind == "histogram") {
            let mut rows: BTreeMap<BTreeMap<String, String>, Vec<(f64, f64)>> = BTreeMap::new();
            for bucket in self.samples.iter().filter(|sample| sample.name == format!("{family}_bucket")) {
                let mut labels = bucket.labels.clone();
                let bound = labels.remove("le").expect("a bucket has a bound");
                let bound = if bound == "+Inf" { f64::INFINITY } else { bound.parse().unwrap() };
                rows.entry(labels).or_default().push((bound, bucket.value));
            }
            for (labels, buckets) in rows {
                assert!(buckets.is_sorted_by(|a, b| a.0 < b.0 && a.1 <= b.1), "{family} {labels:?}: {buckets:?}");
                let (bound, all) = *buckets.last().unwrap();
                let count = self.samples.iter().find(|s| s.name == format!("{family}_count") && s.labels == labels);
                assert!(bound.is_infinite() && (all - count.unwrap().value).abs() < 0.5, "{family} {labels:?}");
            }
        }
    }

    /// The sum of all samples of that name that carry these labels: a count.
    pub fn sum(&self, name: &str, labels: &[(&str, &str)]) -> u64 {
        let carries = |sample: &&Sample| {
            sample.name == name && labels.iter().all(|(key, value)| sample.labels.get(*key).is_some_and(|v| v == value))
        };
        // The sum of none would be -0.
        let sum = self.samples.iter().filter(carries).fold(0.0, |sum, sample| sum + sample.value);
        format!("{sum}").parse().unwrap_or_else(|_| panic!("{name} is no count: {sum}"))
    }

    /// Every label name.
    pub fn label_names(&self) -> BTreeSet<&str> {
        self.samples.iter().flat_map(|sample| sample.labels.keys()).map(String::as_str).collect()
    }
}

impl Sample {
    /// `name{label="value",…} number`
    fn read(line: &str) -> Self {
        let (left, value) = line.rsplit_once(' ').unwrap_or_else(|| panic!("{line}"));
        let (name, labels) = match left.split_once('{') {
            Some((name, labels)) => (name, labels.strip_suffix('}').unwrap_or_else(|| panic!("{line}"))),
            None => (left, ""),
        };
        let word = |text: &str| !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
        assert!(word(name), "{line}");
        // None of the operator's label values needs an escape.
        assert!(!labels.contains('\\'), "{line}");
        let labels = labels
            .split_terminator(',')
            .map(|pair| {
                let (key, value) = pair.split_once("=\"").unwrap_or_else(|| panic!("{line}"));
                assert!(word(key), "{line}");
                (key.to_owned(), value.strip_suffix('"').unwrap_or_else(|| panic!("{line}")).to_owned())
            })
            .collect();
        Self { name: name.to_owned(), labels, value: value.parse().unwrap_or_else(|_| panic!("{line}")) }
    }
}
