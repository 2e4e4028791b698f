//! The process's ONNX Runtime.

use std::path::{Path, PathBuf};

use ort::environment::Environment;
use parking_lot::Mutex;

use crate::LoadModel;

/// ONNX Runtime has one environment a process, and `ort` cannot make another once it is gone. So this one is kept: the
/// only global state of the crate, and it mirrors the library's own.
static LOADED: Mutex<Option<(PathBuf, Environment)>> = Mutex::new(None);

/// The environment, loading the library at the first call. Later calls have to name the same library.
pub(super) fn environment(library: &Path) -> Result<Environment, LoadModel> {
    // `ort` would look beside the executable for a relative path.
    let library = library.canonicalize().map_err(|_missing| LoadModel::RuntimeNotFound {
        path: library.to_owned(),
    })?;
    let mut loaded = LOADED.lock();
    if let Some((path, environment)) = &*loaded {
        return if *path == library {
            Ok(environment.clone())
        } else {
            Err(LoadModel::OtherRuntimeLoaded {
                loaded: path.clone(),
                requested: library,
            })
        };
    }
    let environment = load(&library)?;
    tracing::info!(runtime.path = %library.display(), "ONNX Runtime loaded");
    *loaded = Some((library, environment.clone()));
    Ok(environment)
}

fn load(library: &Path) -> Result<Environment, LoadModel> {
    let builder = ort::init_from(library).map_err(|source| LoadModel::LoadRuntime {
        path: library.to_owned(),
        source: Box::new(source),
    })?;
    builder
        .with_name("kaito-rs")
        .with_telemetry(false)
        .build()
        .map_err(|source| LoadModel::LoadRuntime {
            path: library.to_owned(),
            source: Box::new(source),
        })
}
