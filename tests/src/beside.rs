//! Programs of this workspace, where cargo puts them.

use std::path::PathBuf;

use anyhow::{Context, Result};

/// A program beside this one or, since cargo keeps tests and benchmarks in a directory of their own, one directory up.
///
/// # Errors
/// When it is not there.
pub fn beside(name: &str) -> Result<PathBuf> {
    let own = std::env::current_exe()?;
    own.ancestors()
        .skip(1)
        .take(2)
        .map(|directory| directory.join(name))
        .find(|path| path.is_file())
        .with_context(|| {
            format!("{name} is not built beside this program; use `make test`, or build it in the same profile first")
        })
}
