//! What Hugging Face, or a mirror of it, says of a model that is not in the catalogue.

use std::collections::BTreeMap;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use kaito_api::names::keys;
use kaito_presets::{HubFile, HubId};
use moka::sync::Cache;
use reqwest::{Client, Response, StatusCode, Url};

use crate::digest;

/// When a question that had no answer may be asked again.
pub(crate) const ASK_AGAIN: Duration = Duration::from_secs(60);
/// How many of such questions are remembered.
const REMEMBERED: u64 = 1024;
/// Longest time that one answer may take.
const TIMEOUT: Duration = Duration::from_secs(10);
/// Most bytes of a configuration. Those of real models have a few thousand.
const LONGEST_CONFIG: usize = 512 << 10;
/// Most bytes of a list of files.
const LONGEST_LIST: usize = 4 << 20;
/// Names of a model's configuration: what everybody writes, and what Mistral writes instead.
const CONFIGS: [&str; 2] = ["config.json", "params.json"];
/// Ends of the names of files that hold weights; nothing has to be known of others.
const WEIGHTS: [&str; 2] = [".safetensors", ".bin"];

/// Where models are asked for; nowhere when it is empty.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HubUrl(Option<Url>);

/// It is no URL that can be asked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a URL such as https://huggingface.co; leave it empty to ask nobody")]
pub struct ParseHubUrl(String);

impl FromStr for HubUrl {
    type Err = ParseHubUrl;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.is_empty() {
            return Ok(Self(None));
        }
        let url = Url::parse(text).ok();
        let url = url.filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host());
        url.map(|url| Self(Some(url)))
            .ok_or_else(|| ParseHubUrl(text.to_owned()))
    }
}

/// What the hub says of a model: what it can be made from, see
/// [`model_from_config_map`](super::model_from_config_map).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Published {
    /// The text of its config.json, or of its params.json.
    pub config: String,
    /// Its files with weights.
    pub files: Vec<HubFile>,
    /// Whether a token was needed.
    pub gated: bool,
}

impl Published {
    /// The same as the data of a ConfigMap, as users write it who describe a model themselves.
    pub(crate) fn data(&self) -> BTreeMap<String, String> {
        let files = serde_json::to_string(&self.files).unwrap_or_default();
        BTreeMap::from([
            (keys::MODEL_CONFIG.to_owned(), self.config.clone()),
            (keys::MODEL_FILES.to_owned(), files),
            (keys::MODEL_GATED.to_owned(), self.gated.to_string()),
        ])
    }
}

/// Why the hub says nothing of a model.
#[derive(Debug, thiserror::Error)]
pub(crate) enum HubError {
    /// There is no such hub here.
    #[error("no hub is asked in this installation")]
    NotAsked,
    /// It wants a token.
    #[error(
        "{hub} shows it to nobody without a token: check the name, and name a Secret with the key HF_TOKEN in \
         presetOptions.modelAccessSecret"
    )]
    NeedsToken {
        /// Who says so.
        hub: String,
    },
    /// The token is of no use.
    #[error("{hub} does not show it to the owner of the token: ask its authors for access, and check the name")]
    Forbidden {
        /// Who says so.
        hub: String,
    },
    /// There is no such model, or it has no configuration.
    #[error("{hub} has no model of this name with a config.json: check the name")]
    Missing {
        /// Who says so.
        hub: String,
    },
    /// It answers something else.
    #[error("{hub} answers {status}")]
    Refused {
        /// Who.
        hub: String,
        /// What.
        status: StatusCode,
    },
    /// The answer is larger than a model's.
    #[error("{hub} answers more than {most} bytes to {path:?}")]
    TooLong {
        /// Who.
        hub: String,
        /// What was asked for.
        path: String,
        /// What is taken.
        most: usize,
    },
    /// The answer is none.
    #[error("{hub} does not list the model's files: {source}")]
    Parse {
        /// Who.
        hub: String,
        /// Why.
        source: serde_json::Error,
    },
    /// No answer.
    #[error("{hub} does not answer: {}", root(source))]
    Reach {
        /// Who.
        hub: String,
        /// Why.
        source: reqwest::Error,
    },
}

/// A question: a model, and the digest of the token that was shown.
type Asked = (String, Option<String>);

/// Asks the hub. A question that had no answer is not asked again for a while, whoever wants to know.
pub(crate) struct Hub {
    place: Option<Place>,
    in_vain: Cache<Asked, Arc<HubError>>,
}

impl Hub {
    /// One that asks at `url`; nobody if this process cannot do TLS.
    pub(crate) fn new(url: &HubUrl) -> Self {
        let built = Client::builder()
            .timeout(TIMEOUT)
            .user_agent(concat!("kaito-controller/", env!("CARGO_PKG_VERSION")))
            .build();
        let client = built
            .inspect_err(|error| tracing::error!(%error, "no hub is asked about models"))
            .ok();
        let place = url.0.clone().zip(client).map(|(url, client)| Place {
            hub: url.host_str().unwrap_or_default().to_owned(),
            url,
            client,
        });
        let in_vain = Cache::builder()
            .max_capacity(REMEMBERED)
            .time_to_live(ASK_AGAIN)
            .build();
        Self { place, in_vain }
    }

    /// What it says of a model. The token is shown to it only when it wants one.
    ///
    /// # Errors
    ///
    /// It does not know the model, does not show it to us, or does not answer.
    pub(crate) async fn ask(&self, id: &HubId, token: Option<&str>) -> Result<Published, Arc<HubError>> {
        let asked = (id.to_lowercase(), token.map(|token| digest::of_bytes(token.as_bytes())));
        if let Some(error) = self.in_vain.get(&asked) {
            return Err(error);
        }
        self.ask_now(id, token).await.map_err(|error| {
            let error = Arc::new(error);
            self.in_vain.insert(asked, Arc::clone(&error));
            error
        })
    }

    async fn ask_now(&self, id: &HubId, token: Option<&str>) -> Result<Published, HubError> {
        let mut question = self.question(None)?;
        let first = question.config(id).await;
        let gated = matches!(first, Err(HubError::NeedsToken { .. }));
        let config = if gated && token.is_some() {
            question = self.question(token)?;
            question.config(id).await?
        } else {
            first?
        };
        let files = question.files(id).await?;
        Ok(Published { config, files, gated })
    }

    fn question<'a>(&'a self, token: Option<&'a str>) -> Result<Question<'a>, HubError> {
        let place = self.place.as_ref().ok_or(HubError::NotAsked)?;
        Ok(Question { place, token })
    }
}

/// Where the hub is.
struct Place {
    hub: String,
    url: Url,
    client: Client,
}

/// Asking for one model.
struct Question<'a> {
    place: &'a Place,
    token: Option<&'a str>,
}

impl Question<'_> {
    async fn config(&self, id: &HubId) -> Result<String, HubError> {
        for name in CONFIGS {
            match self.read(&format!("{id}/resolve/main/{name}"), LONGEST_CONFIG).await {
                Err(HubError::Missing { .. }) => {}
                other => return other,
            }
        }
        Err(HubError::Missing {
            hub: self.place.hub.clone(),
        })
    }

    async fn files(&self, id: &HubId) -> Result<Vec<HubFile>, HubError> {
        let path = format!("api/models/{id}/tree/main?recursive=true");
        let text = self.read(&path, LONGEST_LIST).await?;
        let all: Vec<HubFile> = serde_json::from_str(&text).map_err(|source| HubError::Parse {
            hub: self.place.hub.clone(),
            source,
        })?;
        let holds_weights = |file: &HubFile| WEIGHTS.iter().any(|end| file.path.ends_with(end));
        Ok(all.into_iter().filter(holds_weights).collect())
    }

    async fn read(&self, path: &str, most: usize) -> Result<String, HubError> {
        let hub = || self.place.hub.clone();
        let reach = |source: reqwest::Error| HubError::Reach {
            hub: hub(),
            source: source.without_url(),
        };
        let base = self.place.url.as_str().trim_end_matches('/');
        let mut request = self.place.client.get(format!("{base}/{path}"));
        if let Some(token) = self.token {
            request = request.bearer_auth(token);
        }
        let mut answer = request.send().await.map_err(reach)?;
        self.check(&answer)?;
        let mut body = Vec::new();
        while let Some(piece) = answer.chunk().await.map_err(reach)? {
            body.extend_from_slice(&piece);
            if body.len() > most {
                return Err(HubError::TooLong {
                    hub: hub(),
                    path: path.to_owned(),
                    most,
                });
            }
        }
        Ok(String::from_utf8_lossy(&body).into_owned())
    }

    fn check(&self, answer: &Response) -> Result<(), HubError> {
        let hub = self.place.hub.clone();
        match answer.status() {
            status if status.is_success() => Ok(()),
            // A model that does not exist looks like one that is not shown.
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN if self.token.is_none() => {
                Err(HubError::NeedsToken { hub })
            }
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => Err(HubError::Forbidden { hub }),
            StatusCode::NOT_FOUND => Err(HubError::Missing { hub }),
            status => Err(HubError::Refused { hub, status }),
        }
    }
}

/// What is at the bottom of an error, since the top says only that sending failed.
fn root(error: &reqwest::Error) -> String {
    let causes = std::iter::successors(std::error::Error::source(error), |error| error.source());
    causes.last().map_or_else(|| error.to_string(), ToString::to_string)
}

#[cfg(test)]
mod tests;
