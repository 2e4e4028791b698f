//! Whom a URL is for.

use std::fmt;

use axum::http::Uri;

/// A host, without what may be left out of a Service's name, and a port.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Target {
    host: String,
    pub(super) port: u16,
}

impl Target {
    /// `None` if it is no URL of HTTP with a host.
    pub(super) fn of(uri: &Uri) -> Option<Self> {
        if uri.scheme_str() != Some("http") {
            return None;
        }
        let host = uri.host()?.to_lowercase();
        let host = host.trim_end_matches('.');
        let host = host.strip_suffix(".cluster.local").unwrap_or(host);
        Some(Self {
            host: host.strip_suffix(".svc").unwrap_or(host).to_owned(),
            port: uri.port_u16().unwrap_or(80),
        })
    }

    /// Name and namespace, if it can be a Service.
    pub(super) fn service(&self) -> Option<(&str, &str)> {
        let (name, namespace) = self.host.split_once('.')?;
        (!namespace.contains('.')).then_some((name, namespace))
    }
}

impl fmt::Display for Target {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let suffix = if self.service().is_some() { ".svc" } else { "" };
        write!(formatter, "{}{suffix}:{}", self.host, self.port)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target(url: &str) -> Option<Target> {
        Target::of(&url.parse().unwrap())
    }

    #[test]
    fn all_names_of_a_service_are_one_target() {
        let expected = target("http://rag.team:80/");
        assert_eq!(expected.as_ref().and_then(Target::service), Some(("rag", "team")));
        for url in [
            "http://rag.team/path",
            "http://rag.team.svc",
            "http://RAG.team.svc.cluster.local.:80/x",
        ] {
            assert_eq!(target(url), expected, "{url}");
        }
        assert_ne!(target("http://rag.team:81"), expected);
    }

    #[test]
    fn other_names_are_no_services() {
        for url in ["http://localhost/", "http://api.example.com/"] {
            assert_eq!(target(url).unwrap().service(), None, "{url}");
        }
        assert_eq!(target("https://rag.team/"), None);
        assert_eq!(target("/path"), None);
    }
}
