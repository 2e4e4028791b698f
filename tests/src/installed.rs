//! What `.setup/setup.sh` installed.

use std::path::PathBuf;

use anyhow::{Context, Result, ensure};

/// A path below the cache directory: KAITO_RS_CACHE, or ~/.cache/kaito-rs.
///
/// # Errors
/// When nothing is there; `how` says what installs it.
pub fn installed(path: &str, how: &str) -> Result<PathBuf> {
    let own = std::env::var_os("KAITO_RS_CACHE").map(PathBuf::from);
    let cache = own
        .or_else(|| Some(std::env::home_dir()?.join(".cache/kaito-rs")))
        .context("no home directory")?;
    let path = cache.join(path);
    ensure!(path.exists(), "{path:?} is missing; run `{how}`");
    Ok(path)
}
