//! What an answer may not contain.

use std::path::PathBuf;

use clap::Args;

/// Output guardrails.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Guardrails")]
pub struct GuardrailsConfig {
    /// Whether answers to chats are scanned.
    #[arg(long, env = "OUTPUT_GUARDRAILS_ENABLED", value_name = "OUTPUT_GUARDRAILS_ENABLED", default_value_t = false,
          action = clap::ArgAction::Set, value_parser = truth)]
    pub output_guardrails_enabled: bool,
    /// The policy, a YAML file. [default: the built-in policy, which redacts keys, secrets and personal data]
    #[arg(
        long,
        env = "OUTPUT_GUARDRAILS_POLICY_PATH",
        value_name = "OUTPUT_GUARDRAILS_POLICY_PATH"
    )]
    output_guardrails_policy_path: Option<PathBuf>,
    /// Whether a change of the file takes effect while the service runs.
    #[arg(long, env = "OUTPUT_GUARDRAILS_HOT_RELOAD_ENABLED", value_name = "OUTPUT_GUARDRAILS_HOT_RELOAD_ENABLED",
          default_value_t = true, action = clap::ArgAction::Set, value_parser = truth)]
    pub output_guardrails_hot_reload_enabled: bool,
}

impl GuardrailsConfig {
    /// The policy file, if one is named.
    pub fn policy_path(&self) -> Option<PathBuf> {
        self.output_guardrails_policy_path
            .clone()
            .filter(|path| !path.as_os_str().is_empty())
    }
}

/// `true` or `false` in any case, as KAITO's operator and Python write them.
fn truth(value: &str) -> Result<bool, String> {
    match value.to_ascii_lowercase().as_str() {
        "true" => Ok(true),
        "false" => Ok(false),
        _ => Err("true or false is needed".to_owned()),
    }
}
