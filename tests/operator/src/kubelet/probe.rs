//! Startup, readiness and liveness probes, by HTTP and by a command. Probes of other kinds count as passed.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use k8s_openapi::api::core::v1::{Container, HTTPGetAction, Probe};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use tokio::time::{Instant, MissedTickBehavior, interval};

use super::Timing;
use super::program::Launch;

/// A probe of one container.
#[derive(Debug)]
pub(super) struct Check {
    question: Question,
    timeout: Duration,
    period: Duration,
    /// How long it must have failed, beside how often.
    patience: Duration,
    failures: u32,
    successes: u32,
}

/// What is asked to know whether a probe has passed.
#[derive(Debug)]
pub(super) enum Question {
    Http { url: String, headers: HeaderMap },
    Command(Launch),
}

impl Question {
    /// `None` if the probe is not by HTTP.
    pub(super) fn by_http(probe: &Probe, container: &Container, address: IpAddr) -> Option<Self> {
        let get = probe.http_get.as_ref()?;
        let scheme = get.scheme.as_deref().unwrap_or("HTTP").to_lowercase();
        let path = get.path.as_deref().unwrap_or("/").trim_start_matches('/');
        let address = SocketAddr::new(address, port(get, container)?);
        Some(Self::Http {
            url: format!("{scheme}://{address}/{path}"),
            headers: headers(get),
        })
    }

    async fn is_answered(&self, http: &reqwest::Client, timeout: Duration) -> bool {
        match self {
            Self::Http { url, headers } => {
                let answer = http.get(url).headers(headers.clone()).timeout(timeout).send().await;
                answer.is_ok_and(|answer| answer.status().is_success() || answer.status().is_redirection())
            }
            Self::Command(launch) => launch.succeeds(timeout).await,
        }
    }
}

impl Check {
    pub(super) fn new(probe: &Probe, question: Question, timing: &Timing) -> Self {
        let seconds = |seconds: Option<i32>, default: i32| {
            Duration::from_secs(u64::try_from(seconds.unwrap_or(default)).unwrap_or_default())
        };
        let times = |times: Option<i32>, default: i32| u32::try_from(times.unwrap_or(default)).unwrap_or(1);
        Self {
            question,
            timeout: seconds(probe.timeout_seconds, 1),
            period: seconds(probe.period_seconds, 10).min(timing.probe_period),
            patience: timing.patience,
            failures: times(probe.failure_threshold, 3),
            successes: times(probe.success_threshold, 1),
        }
    }

    /// For a probe that restarts nothing: it need not be patient.
    pub(super) fn at_once(self) -> Self {
        Self {
            patience: Duration::ZERO,
            ..self
        }
    }

    /// Probes until it has passed, or failed, as often in a row as it takes to be sure.
    pub(super) async fn settle(&self, http: &reqwest::Client) -> bool {
        let mut ticks = interval(self.period);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let (mut passed, mut failed) = (0, 0);
        let mut failing_since = Instant::now();
        loop {
            ticks.tick().await;
            let started = Instant::now();
            if self.question.is_answered(http, self.timeout).await {
                (passed, failed) = (passed + 1, 0);
            } else {
                if failed == 0 {
                    failing_since = started;
                }
                (passed, failed) = (0, failed + 1);
            }
            if passed >= self.successes {
                return true;
            }
            if failed >= self.failures && failing_since.elapsed() >= self.patience {
                return false;
            }
        }
    }

    /// Waits one period, between one verdict and the next.
    pub(super) async fn pause(&self) {
        tokio::time::sleep(self.period).await;
    }
}

/// A client for probes: it takes any certificate, as a kubelet does, and a new connection each time.
pub(super) fn client() -> reqwest::Result<reqwest::Client> {
    reqwest::Client::builder()
        .no_proxy()
        .user_agent("kube-probe/tests")
        .redirect(reqwest::redirect::Policy::none())
        .pool_max_idle_per_host(0)
        .tls_danger_accept_invalid_certs(true)
        .build()
}

fn port(get: &HTTPGetAction, container: &Container) -> Option<u16> {
    let number = match &get.port {
        IntOrString::Int(number) => *number,
        IntOrString::String(name) => {
            let mut ports = container.ports.iter().flatten();
            ports.find(|port| port.name.as_ref() == Some(name))?.container_port
        }
    };
    u16::try_from(number).ok()
}

fn headers(get: &HTTPGetAction) -> HeaderMap {
    let headers = get.http_headers.iter().flatten();
    let headers = headers.filter_map(|header| {
        let name = HeaderName::from_bytes(header.name.as_bytes()).ok()?;
        Some((name, HeaderValue::from_str(&header.value).ok()?))
    });
    headers.collect()
}
