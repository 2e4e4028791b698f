//! What follows from the URL: which of OpenAI's two formats, where the list of models is, which key.

use async_openai::config::Config;
use reqwest::header::{AUTHORIZATION, HeaderMap, HeaderValue};
use secrecy::{ExposeSecret, SecretString};
use url::Url;

use super::{ConnectModel, ModelSettings};

const CHAT: &str = "/chat/completions";
const TEXT: &str = "/completions";
const MODELS: &str = "/models";

/// Which format the URL speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Format {
    /// Messages in, a message out.
    Chat,
    /// A prompt in, its continuation out.
    Text,
}

/// Where the model is and what opens it.
#[derive(Clone)]
pub(super) struct Endpoint {
    url: Url,
    models_url: Url,
    format: Format,
    secret: SecretString,
    headers: HeaderMap,
}

impl Endpoint {
    pub(super) fn new(settings: &ModelSettings) -> Result<Self, ConnectModel> {
        let url = Url::parse(settings.url.trim()).map_err(|_quotes_the_url| ConnectModel::InvalidUrl)?;
        if !["http", "https"].contains(&url.scheme()) || url.host_str().is_none() {
            return Err(ConnectModel::InvalidUrl);
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(ConnectModel::CredentialsInUrl);
        }
        let mut headers = HeaderMap::new();
        if let Some(secret) = &settings.access_secret {
            let mut value = HeaderValue::from_str(&format!("Bearer {}", secret.expose_secret()))
                .map_err(|_invalid| ConnectModel::InvalidSecret)?;
            value.set_sensitive(true);
            headers.insert(AUTHORIZATION, value);
        }
        let format = if url.path().to_ascii_lowercase().contains(CHAT) {
            Format::Chat
        } else {
            Format::Text
        };
        Ok(Self {
            models_url: models_url(&url),
            url,
            format,
            secret: settings.access_secret.clone().unwrap_or_default(),
            headers,
        })
    }

    pub(super) fn format(&self) -> Format {
        self.format
    }

    pub(super) fn url(&self) -> &Url {
        &self.url
    }

    pub(super) fn headers(&self) -> &HeaderMap {
        &self.headers
    }
}

/// Beside the completions when the path ends as OpenAI's does, else where OpenAI has it.
fn models_url(url: &Url) -> Url {
    let path = url.path().trim_end_matches('/');
    let prefix = [CHAT, TEXT].iter().find_map(|suffix| path.strip_suffix(suffix));
    let mut models = url.clone();
    models.set_path(&format!("{}{MODELS}", prefix.unwrap_or("/v1")));
    models.set_fragment(None);
    models
}

impl Config for Endpoint {
    fn headers(&self) -> HeaderMap {
        self.headers.clone()
    }

    /// The client asks for OpenAI's paths; the configured URL stands for both of the completions'.
    fn url(&self, path: &str) -> String {
        if path == MODELS {
            self.models_url.to_string()
        } else {
            self.url.to_string()
        }
    }

    fn query(&self) -> Vec<(&str, &str)> {
        Vec::new()
    }

    fn api_base(&self) -> &str {
        self.url.as_str()
    }

    fn api_key(&self) -> &SecretString {
        &self.secret
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn settings(url: &str) -> ModelSettings {
        ModelSettings {
            url: url.to_owned(),
            access_secret: None,
            connect_timeout: Duration::from_secs(1),
            read_timeout: Duration::from_secs(1),
            retries: 0,
            models_expiry: Duration::from_secs(1),
            text_completion_tokens: 1,
            max_answer_bytes: 1,
        }
    }

    #[test]
    fn the_path_says_which_format_is_spoken_and_where_the_models_are_listed() {
        let cases = [
            (
                "http://h:8000/v1/chat/completions",
                Format::Chat,
                "http://h:8000/v1/models",
            ),
            ("http://h/V1/Chat/Completions", Format::Chat, "http://h/v1/models"),
            ("http://h/v1/completions", Format::Text, "http://h/v1/models"),
            ("http://h/generate", Format::Text, "http://h/v1/models"),
            (
                "https://h/openai/v1/chat/completions/",
                Format::Chat,
                "https://h/openai/v1/models",
            ),
            (
                "https://h/d/m/chat/completions?api-version=1",
                Format::Chat,
                "https://h/d/m/models?api-version=1",
            ),
        ];
        for (url, format, models) in cases {
            let endpoint = Endpoint::new(&settings(url)).unwrap();
            assert_eq!(endpoint.format(), format, "{url}");
            assert_eq!(Config::url(&endpoint, MODELS), models);
            assert_eq!(Config::url(&endpoint, CHAT), url);
        }
    }

    #[test]
    fn what_is_no_http_url_or_holds_a_password_is_refused() {
        for url in ["", "h:8000", "ftp://h/v1/chat/completions", "/v1/chat/completions"] {
            assert!(
                matches!(Endpoint::new(&settings(url)), Err(ConnectModel::InvalidUrl)),
                "{url}"
            );
        }
        let with_password = Endpoint::new(&settings("http://user:pass@h/v1/chat/completions"));
        assert!(matches!(with_password, Err(ConnectModel::CredentialsInUrl)));
    }
}
