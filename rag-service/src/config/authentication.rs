//! Who may use the service.

use std::path::PathBuf;

use clap::Args;
use secrecy::SecretString;

/// API keys.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Authentication")]
pub struct AuthenticationConfig {
    /// A directory of API keys, such as a mounted Secret: one key a file, named after whose it is. Changes take effect
    /// while the service runs. Without this and RAG_API_KEY, everybody who reaches the service may do everything.
    #[arg(long, env = "RAG_API_KEYS_DIR", value_name = "RAG_API_KEYS_DIR")]
    pub api_keys_dir: Option<PathBuf>,
    /// An API key, besides those in the directory; its caller is called `default`.
    #[arg(long, env = "RAG_API_KEY", value_name = "RAG_API_KEY", hide_env_values = true)]
    pub api_key: Option<SecretString>,
}
