//! Liveness and readiness as a kubelet asks for them. May not act on the answer.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use k8s_openapi::api::core::v1::{Container, Probe};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval, sleep, timeout};

use crate::error::{Error, Result};

/// The probes of a container that runs; asked until this is dropped.
pub(crate) struct Probes {
    alive: watch::Receiver<bool>,
    ready: watch::Receiver<bool>,
    _asking: JoinSet<()>,
}

impl Probes {
    pub(crate) fn start(container: &Container, address: Ipv4Addr) -> Result<Self> {
        let mut asking = JoinSet::new();
        let mut begin = |probe: Option<&Probe>, at_first: bool| -> Result<_> {
            // Without a probe nothing is doubted.
            let (verdict, seen) = watch::channel(at_first || probe.is_none());
            if let Some(probe) = probe {
                asking.spawn(Asked::of(probe, container, address)?.ask(verdict));
            }
            Ok(seen)
        };
        let alive = begin(container.liveness_probe.as_ref(), true)?;
        let ready = begin(container.readiness_probe.as_ref(), false)?;
        Ok(Self { alive, ready, _asking: asking })
    }

    pub(crate) fn alive(&self) -> bool {
        *self.alive.borrow()
    }

    pub(crate) fn ready(&self) -> bool {
        *self.ready.borrow()
    }
}

struct Asked {
    address: SocketAddr,
    path: String,
    delay: Duration,
    period: Duration,
    patience: Duration,
    /// So many of the same in a row are believed.
    successes: i32,
    failures: i32,
}

impl Asked {
    /// The API server has filled in what the Pod leaves out.
    fn of(probe: &Probe, container: &Container, address: Ipv4Addr) -> Result<Self> {
        let get = probe.http_get.as_ref().filter(|get| {
            get.host.is_none() && get.http_headers.is_none() && get.scheme.as_deref().is_none_or(|it| it == "HTTP")
        });
        let get = get.ok_or_else(|| Error::NotImitated("probes other than a plain httpGet".to_owned()))?;
        let number = match &get.port {
            IntOrString::Int(number) => Some(*number),
            IntOrString::String(name) => {
                let mut ports = container.ports.iter().flatten();
                ports.find(|port| port.name.as_ref() == Some(name)).map(|port| port.container_port)
            }
        };
        let port = number.and_then(|number| u16::try_from(number).ok());
        let port = port.ok_or_else(|| Error::Variable("a probe names a port that is none".to_owned()))?;
        let seconds = |given: Option<i32>, default: u64| {
            Duration::from_secs(given.and_then(|given| u64::try_from(given).ok()).unwrap_or(default))
        };
        Ok(Self {
            address: (address, port).into(),
            path: get.path.clone().unwrap_or_else(|| "/".to_owned()),
            delay: seconds(probe.initial_delay_seconds, 0),
            period: seconds(probe.period_seconds, 10).max(Duration::from_secs(1)),
            patience: seconds(probe.timeout_seconds, 1),
            successes: probe.success_threshold.unwrap_or(1),
            failures: probe.failure_threshold.unwrap_or(3),
        })
    }

    async fn ask(self, verdict: watch::Sender<bool>) {
        sleep(self.delay).await;
        let mut ticks = interval(self.period);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let (mut last, mut times) = (None, 0);
        loop {
            ticks.tick().await;
            let passed = timeout(self.patience, status(self.address, &self.path)).await;
            let passed = passed.ok().flatten().is_some_and(|status| (200..400).contains(&status));
            times = if last == Some(passed) { times + 1 } else { 1 };
            last = Some(passed);
            let enough = if passed { self.successes } else { self.failures };
            if times >= enough {
                verdict.send_replace(passed);
            }
        }
    }
}

/// The status of the answer; `None`: there is no answer that has one.
async fn status(address: SocketAddr, path: &str) -> Option<u16> {
    let mut stream = TcpStream::connect(address).await.ok()?;
    let request =
        format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nUser-Agent: kube-probe/1.0\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.ok()?;
    answer.split_whitespace().nth(1)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;

    use super::*;

    #[tokio::test]
    async fn a_probe_believes_what_it_sees_often_enough() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let asked = Asked {
            address: listener.local_addr().unwrap(),
            path: "/readyz".to_owned(),
            delay: Duration::ZERO,
            period: Duration::from_millis(10),
            patience: Duration::from_secs(20),
            successes: 1,
            failures: 3,
        };
        let (verdict, seen) = watch::channel(false);
        let asking = tokio::spawn(asked.ask(verdict));
        let mut before = Vec::new();
        for answer in ["503 No", "200 OK", "500 No", "503 No", "200 OK", "500 No", "503 No", "500 No", "500 No"] {
            let (mut stream, _) = listener.accept().await.unwrap();
            // What was believed when this question came.
            before.push(*seen.borrow());
            let mut asked = [0; 512];
            let length = stream.read(&mut asked).await.unwrap();
            assert!(asked[..length].starts_with(b"GET /readyz HTTP/1.1\r\n"));
            let answer = format!("HTTP/1.1 {answer}\r\nContent-Length: 0\r\n\r\n");
            stream.write_all(answer.as_bytes()).await.unwrap();
        }
        asking.abort();
        assert_eq!(before, [false, false, true, true, true, true, true, true, false]);
    }
}
