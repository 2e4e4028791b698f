//! Who may use the service: the holders of API keys, if there are any.
//!
//! Keys come from a directory, which is watched, and from an option. Only their digests are kept. How a request carries
//! its key, and what a refusal looks like, is decided in `http`.

mod directory;
mod key;
mod key_ring;

use std::path::PathBuf;
use std::sync::Arc;

use arc_swap::ArcSwap;
use rag_core::error_chain;
use secrecy::ExposeSecret;

use self::directory::{KeyFiles, UseKeyFile};
pub use self::key::CallerName;
use self::key::{CheckKey, KeyDigest};
use self::key_ring::KeyRing;
use crate::config::AuthenticationConfig;
use crate::directory_watch::{DirectoryChanges, DirectoryWatch};
use crate::metrics::{Metrics, ReloadResult};

/// Whose key RAG_API_KEY is.
const DEFAULT_CALLER: &str = "default";

/// The keys in use, and where they come from.
pub struct Authentication {
    directory: Option<PathBuf>,
    /// The key that is not in the directory.
    own: Option<KeyDigest>,
    in_use: ArcSwap<KeyRing>,
    metrics: Arc<Metrics>,
}

/// Keys in use, and what follows their changes until it is dropped.
pub(crate) struct WatchedKeys {
    pub(crate) authentication: Arc<Authentication>,
    /// `None` when there is no directory, or it cannot be watched.
    _watch: Option<DirectoryWatch>,
}

/// API keys are wanted and cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum LoadKeys {
    /// There is no such directory, or it may not be read.
    #[error("the directory of API keys {path:?} (RAG_API_KEYS_DIR) cannot be read; make it, with one key a file in it")]
    ReadDirectory {
        /// The directory.
        path: PathBuf,
        /// Why not.
        #[source]
        source: std::io::Error,
    },
    /// The directory is there, and no key in it.
    #[error(
        "the directory of API keys {path:?} (RAG_API_KEYS_DIR) holds no key; write one a file into it, for example with \
         `openssl rand -hex 32`, and name the file after whose key it is"
    )]
    FindKey {
        /// The directory.
        path: PathBuf,
    },
    /// Nobody means to have that many.
    #[error("the directory of API keys {path:?} (RAG_API_KEYS_DIR) holds more than {most} files")]
    CountKeys {
        /// The directory.
        path: PathBuf,
        /// How many it may hold.
        most: usize,
    },
    /// Some files hold no usable key.
    #[error("the directory of API keys {path:?} (RAG_API_KEYS_DIR): {mistakes}")]
    UseKeyFiles {
        /// The directory.
        path: PathBuf,
        /// What is wrong with which file.
        mistakes: String,
    },
    /// The key that was given as an option.
    #[error("RAG_API_KEY cannot be used; unset it to do without it")]
    UseKey(#[source] CheckKey),
}

impl Authentication {
    /// Reads the keys and begins to follow their changes. `None` when no keys are configured: then everybody may do
    /// everything.
    ///
    /// # Errors
    /// When keys are configured and not every one of them can be used, or there is none.
    pub(crate) fn start(
        config: &AuthenticationConfig,
        metrics: &Arc<Metrics>,
    ) -> Result<Option<WatchedKeys>, LoadKeys> {
        let own = config.api_key.as_ref().map(|key| key.expose_secret().as_bytes());
        let own = own.map(KeyDigest::of_valid).transpose().map_err(LoadKeys::UseKey)?;
        let directory = config.api_keys_dir.clone();
        if own.is_none() && directory.is_none() {
            return Ok(None);
        }
        // Before the keys are read, so that no change falls between the two.
        let changes = directory.as_deref().map(|directory| {
            DirectoryChanges::of(directory, |error| {
                tracing::error!(%error, "changes of the API keys may go unseen, restart after a change");
            })
        });
        let authentication = Self {
            directory,
            own,
            in_use: ArcSwap::from_pointee(KeyRing::default()),
            metrics: Arc::clone(metrics),
        };
        let (keys, mistakes) = authentication.read()?;
        authentication.refuse(&mistakes)?;
        tracing::info!(callers = keys.len(), "requests need an API key");
        authentication.in_use.store(Arc::new(keys));
        let authentication = Arc::new(authentication);
        Ok(Some(WatchedKeys {
            _watch: changes.and_then(|changes| authentication.follow(changes)),
            authentication,
        }))
    }

    /// Whose key this is, if it is anybody's. Takes as long whatever of it is right.
    pub fn caller(&self, key: &[u8]) -> Option<CallerName> {
        self.in_use.load().caller(key).cloned()
    }

    fn follow(self: &Arc<Self>, changes: Result<DirectoryChanges, notify::Error>) -> Option<DirectoryWatch> {
        let followed = changes.and_then(|changes| {
            let authentication = Arc::clone(self);
            changes.call("api-keys-reload", move || authentication.reload())
        });
        followed
            .inspect_err(|error| {
                tracing::error!(%error, "the directory of API keys cannot be watched, restart after a change");
            })
            .ok()
    }

    /// Reads the keys again. Those that can be used are, so that a key which was taken away opens nothing any more
    /// because of a mistake in another one's file. Without any that can be used, the keys before are.
    fn reload(&self) {
        let result = match self.read() {
            Err(error) => {
                let reason = error_chain(&error);
                tracing::error!(reason, "the API keys before go on being used");
                ReloadResult::failure
            }
            Ok((keys, mistakes)) => {
                let is_new = *self.in_use.load().as_ref() != keys;
                let callers = keys.len();
                self.in_use.store(Arc::new(keys));
                if is_new {
                    tracing::info!(callers, "other API keys are in use");
                }
                match self.refuse(&mistakes) {
                    Err(error) => {
                        tracing::error!(%error, "some API keys cannot be used");
                        ReloadResult::failure
                    }
                    Ok(()) if is_new => ReloadResult::success,
                    Ok(()) => ReloadResult::noop,
                }
            }
        };
        self.metrics.authentication().observe_reload(result);
    }

    /// All keys that can be used, at least one, and what is wrong with the others.
    fn read(&self) -> Result<(KeyRing, Vec<UseKeyFile>), LoadKeys> {
        let mut files = match &self.directory {
            None => KeyFiles::default(),
            Some(path) => KeyFiles::read(path)?,
        };
        if let Some(path) = &self.directory
            && files.keys.is_empty()
        {
            self.refuse(&files.mistakes)?;
            return Err(LoadKeys::FindKey { path: path.clone() });
        }
        files.keys.extend(
            self.own
                .clone()
                .map(|key| (CallerName::from_static(DEFAULT_CALLER), key)),
        );
        Ok((KeyRing::new(files.keys), files.mistakes))
    }

    fn refuse(&self, mistakes: &[UseKeyFile]) -> Result<(), LoadKeys> {
        if mistakes.is_empty() {
            return Ok(());
        }
        let texts: Vec<String> = mistakes.iter().map(|mistake| error_chain(mistake)).collect();
        Err(LoadKeys::UseKeyFiles {
            path: self.directory.clone().unwrap_or_default(),
            mistakes: texts.join("; "),
        })
    }
}
