//! Which requests a fault is for.

use axum::http::{Method, Uri};

/// Some of the requests to an API server, by verb and path.
#[derive(Clone, Debug, Default)]
pub struct Matcher {
    verb: Option<String>,
    path_parts: Vec<String>,
}

impl Matcher {
    /// All requests.
    pub fn any() -> Self {
        Self::default()
    }

    /// Those with a verb: `get`, `list`, `watch`, `create`, `update`, `patch`, `delete` or `deletecollection`.
    pub fn verb(verb: &str) -> Self {
        Self {
            verb: Some(verb.to_owned()),
            path_parts: Vec::new(),
        }
    }

    /// Only those whose path contains this, such as `/namespaces/default/configmaps`. Without the query.
    #[must_use]
    pub fn path(mut self, part: &str) -> Self {
        self.path_parts.push(part.to_owned());
        self
    }

    pub(super) fn matches(&self, verb: &str, path: &str) -> bool {
        self.verb.as_ref().is_none_or(|expected| expected == verb)
            && self.path_parts.iter().all(|part| path.contains(part))
    }
}

/// What RBAC calls it.
pub(super) fn verb(method: &Method, uri: &Uri) -> &'static str {
    let names_one = names_one(uri.path());
    match method.as_str() {
        "POST" => "create",
        "PUT" => "update",
        "PATCH" => "patch",
        "DELETE" if names_one => "delete",
        "DELETE" => "deletecollection",
        _ if watches(uri) => "watch",
        _ if names_one => "get",
        _ => "list",
    }
}

fn watches(uri: &Uri) -> bool {
    let query = uri.query().unwrap_or_default();
    query
        .split('&')
        .any(|part| matches!(part, "watch" | "watch=true" | "watch=1"))
}

/// Whether a path is that of an object, or of something that is no collection of objects, such as `/version`.
fn names_one(path: &str) -> bool {
    let parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty()).collect();
    let resource = match parts.as_slice() {
        ["api", _version, rest @ ..] | ["apis", _, _version, rest @ ..] => rest,
        _ => return true,
    };
    match resource {
        ["namespaces", _namespace, _resource] => false,
        ["namespaces", _namespace, _resource, ..] => true,
        [_resource] => false,
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn verbs_are_those_of_rbac() {
        for (method, uri, expected) in [
            ("GET", "/api/v1/pods", "list"),
            ("GET", "/api/v1/pods?limit=500", "list"),
            ("GET", "/api/v1/pods?allowWatchBookmarks=true&watch=true", "watch"),
            ("GET", "/api/v1/namespaces/default/pods?watch=0", "list"),
            ("GET", "/api/v1/namespaces/default/pods/one", "get"),
            ("GET", "/api/v1/namespaces", "list"),
            ("GET", "/api/v1/namespaces/default", "get"),
            ("GET", "/apis/kaito.sh/v1beta1/workspaces", "list"),
            (
                "GET",
                "/apis/kaito.sh/v1beta1/namespaces/default/workspaces/one/status",
                "get",
            ),
            ("GET", "/version", "get"),
            ("PATCH", "/apis/apps/v1/namespaces/default/deployments/one", "patch"),
            ("DELETE", "/api/v1/nodes/one", "delete"),
            ("DELETE", "/api/v1/nodes", "deletecollection"),
        ] {
            let method = method.parse().unwrap();
            assert_eq!(verb(&method, &uri.parse().unwrap()), expected, "{method} {uri}");
        }
    }

    #[test]
    fn a_matcher_wants_all_that_it_says() {
        let matcher = Matcher::verb("patch").path("/default/").path("status");
        assert!(matcher.matches("patch", "/default/pods/one/status"));
        assert!(!matcher.matches("get", "/default/pods/one/status"));
        assert!(!matcher.matches("patch", "/default/pods/one"));
        assert!(Matcher::any().matches("get", "/version"));
    }
}
