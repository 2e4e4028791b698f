//! Who is asking. Decided before anything of a request is looked at but its path and its headers.

use axum::extract::{Request, State};
use axum::http::header::{AUTHORIZATION, WWW_AUTHENTICATE};
use axum::http::{HeaderMap, HeaderValue};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use tracing::Span;

use super::problem::Problem;
use super::state::AppState;
use crate::authentication::{Authentication, CallerName};
use crate::metrics::Refusal;

const SCHEME: &[u8] = b"Bearer";

/// Lets a request through whose key is a caller's, whose name then stands in every log line of it. Without configured
/// keys all are let through.
pub(super) async fn authenticate(State(state): State<AppState>, request: Request, next: Next) -> Response {
    let Some(authentication) = &state.authentication else {
        return next.run(request).await;
    };
    let reason = match caller(authentication, request.headers()) {
        Ok(caller) => {
            Span::current().record("caller", caller.as_str());
            return next.run(request).await;
        }
        Err(reason) => reason,
    };
    state.metrics.authentication().observe_refusal(reason);
    let mut problem = match reason {
        Refusal::no_key => Problem::no_key(),
        Refusal::unknown_key => Problem::unknown_key(),
    };
    if request.uri().path().starts_with("/v1/") {
        problem = problem.for_openai_clients();
    }
    let mut response = problem.into_response();
    response
        .headers_mut()
        .insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    response
}

fn caller(authentication: &Authentication, headers: &HeaderMap) -> Result<CallerName, Refusal> {
    let key = bearer_key(headers).ok_or(Refusal::no_key)?;
    authentication.caller(key).ok_or(Refusal::unknown_key)
}

/// The key in a request's only `Authorization` header.
fn bearer_key(headers: &HeaderMap) -> Option<&[u8]> {
    let mut values = headers.get_all(AUTHORIZATION).iter();
    // Of two, somebody between the client and here may have checked the other one.
    let (Some(value), None) = (values.next(), values.next()) else {
        return None;
    };
    let (scheme, rest) = value.as_bytes().split_at_checked(SCHEME.len())?;
    let key = rest.strip_prefix(b" ")?.trim_ascii();
    (scheme.eq_ignore_ascii_case(SCHEME) && !key.is_empty()).then_some(key)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key_in(values: &[&'static str]) -> Option<Vec<u8>> {
        let values = values
            .iter()
            .map(|value| (AUTHORIZATION, HeaderValue::from_static(value)));
        bearer_key(&values.collect::<HeaderMap>()).map(<[u8]>::to_vec)
    }

    #[test]
    fn the_key_stands_behind_the_scheme_in_any_case() {
        for value in ["Bearer abc", "bearer abc", "BEARER   abc "] {
            assert_eq!(key_in(&[value]).as_deref(), Some(b"abc".as_slice()), "{value:?}");
        }
    }

    #[test]
    fn other_schemes_forms_and_several_headers_are_no_key() {
        for values in [
            &[] as &[&str],
            &["Bearer"],
            &["Bearer "],
            &["Bearerabc"],
            &["Basic abc"],
            &["abc"],
            &["Bearer abc", "Bearer abc"],
        ] {
            assert_eq!(key_in(values), None, "{values:?}");
        }
    }
}
