//! The kubelet's own server, which the API server asks for the logs of containers.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Result;
use axum::Router;
use axum::extract::{Path as PathOf, Query, State};
use axum::http::StatusCode;
use axum::routing::get;
use axum_server::tls_rustls::RustlsConfig;
use parking_lot::Mutex;
use serde::Deserialize;

use super::node::Node;
use crate::cluster::Cluster;
use crate::forward::{self, Server};

/// Where in its log a container's latest start begins: the file goes on over restarts and over pods of the same name.
#[derive(Default)]
pub(super) struct Starts(Mutex<HashMap<PathBuf, u64>>);

impl Starts {
    pub(super) fn note(&self, log: &Path, start: u64) {
        self.0.lock().insert(log.to_owned(), start);
    }

    fn read(&self, log: &Path) -> io::Result<Option<String>> {
        let Some(start) = self.0.lock().get(log).copied() else {
            return Ok(None);
        };
        let mut file = File::open(log)?;
        file.seek(SeekFrom::Start(start))?;
        let mut text = Vec::new();
        file.read_to_end(&mut text)?;
        Ok(Some(String::from_utf8_lossy(&text).into_owned()))
    }
}

/// What the API server asks for; what else it may ask for, such as to follow the log, is not done.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Wanted {
    tail_lines: Option<usize>,
    limit_bytes: Option<usize>,
}

/// Serves `GET /containerLogs/<namespace>/<pod>/<container>`.
pub(super) async fn serve(cluster: &Cluster, node: Arc<Node>) -> Result<Server> {
    let listener = forward::listener()?;
    let identity = cluster.server_identity(listener.local_addr()?.ip())?;
    let tls = RustlsConfig::from_pem(identity.certificate.into_bytes(), identity.key.into_bytes()).await?;
    let service = Router::new()
        .route("/containerLogs/{namespace}/{pod}/{container}", get(answer))
        .with_state(node);
    Server::start(listener, Some(tls), service)
}

async fn answer(
    State(node): State<Arc<Node>>,
    PathOf((namespace, pod, container)): PathOf<(String, String, String)>,
    Query(wanted): Query<Wanted>,
) -> Result<String, (StatusCode, String)> {
    match node.starts.read(&node.log(&namespace, &pod, &container)) {
        Ok(Some(text)) => Ok(wanted.of(&text)),
        Ok(None) => Err((
            StatusCode::NOT_FOUND,
            format!("container {container:?} has not started"),
        )),
        Err(error) => Err((StatusCode::INTERNAL_SERVER_ERROR, error.to_string())),
    }
}

impl Wanted {
    /// The last lines, and of them the first bytes.
    fn of(&self, text: &str) -> String {
        let lines: Vec<&str> = text.split_inclusive('\n').collect();
        let skipped = lines.len().saturating_sub(self.tail_lines.unwrap_or(usize::MAX));
        let mut wanted: String = lines.iter().skip(skipped).copied().collect();
        let bytes = self.limit_bytes.unwrap_or(usize::MAX).min(wanted.len());
        wanted.truncate(wanted.floor_char_boundary(bytes));
        wanted
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_lines_are_cut_to_so_many_bytes() {
        let wanted = |tail_lines, limit_bytes| Wanted {
            tail_lines,
            limit_bytes,
        };
        assert_eq!(wanted(None, None).of("a\nb\n"), "a\nb\n");
        assert_eq!(wanted(Some(1), None).of("a\nb\n"), "b\n");
        assert_eq!(wanted(Some(2), Some(4)).of("a\nbé\nc"), "bé\n");
    }
}
