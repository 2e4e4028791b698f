//! Keys change while the service runs, as a kubelet changes a mounted Secret.

use std::os::unix::fs::symlink;
use std::path::Path;

use anyhow::Result;
use kaito_tests::client::Client;

use super::Running;

const OLD: &str = "alices-old-key-0123456789";
const NEW: &str = "alices-new-key-0123456789";
const NEWEST: &str = "alices-newest-key-0123456789";
const BOB: &str = "bobs-key-0123456789";

/// Puts files in place as a kubelet does: a directory of their own, and one link that is swapped.
fn mount(directory: &Path, version: &str, keys: &[(&str, &str)]) -> Result<()> {
    let version = format!("..{version}");
    std::fs::create_dir(directory.join(&version))?;
    for (caller, key) in keys {
        std::fs::write(directory.join(&version).join(caller), key)?;
    }
    symlink(&version, directory.join("..data_tmp"))?;
    std::fs::rename(directory.join("..data_tmp"), directory.join("..data"))?;
    for (caller, _) in keys {
        let link = directory.join(caller);
        if link.symlink_metadata().is_err() {
            symlink(Path::new("..data").join(caller), link)?;
        }
    }
    for entry in std::fs::read_dir(directory)? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        if !name.starts_with('.') && !keys.iter().any(|(caller, _)| *caller == name) {
            std::fs::remove_file(directory.join(name))?;
        }
    }
    Ok(())
}

async fn statuses(client: &Client) -> Result<[u16; 4]> {
    let mut statuses = [0; 4];
    for (status, key) in statuses.iter_mut().zip([OLD, NEW, NEWEST, BOB]) {
        *status = client.with_key(key).get("/indexes").await?.status.as_u16();
    }
    Ok(statuses)
}

#[tokio::test]
async fn a_replaced_key_takes_effect_and_a_broken_one_keeps_nobody_else_out_or_in() -> Result<()> {
    let keys = tempfile::tempdir()?;
    let directory = keys.path();
    mount(directory, "1", &[("alice", OLD)])?;
    let running = Running::start_with(&[("RAG_API_KEYS_DIR", &directory.display().to_string())]).await?;
    let client = running.client();
    assert_eq!(statuses(client).await?, [200, 401, 401, 401]);

    mount(directory, "2", &[("alice", NEW), ("bob", BOB)])?;
    running
        .metric("rag_api_keys_reload_total{result=\"success\"} 1.0")
        .await?;
    assert_eq!(statuses(client).await?, [401, 200, 401, 200]);

    // Alice's key changes although Bob's is broken: hers may have been stolen.
    mount(directory, "3", &[("alice", NEWEST), ("bob", "short")])?;
    running
        .metric("rag_api_keys_reload_total{result=\"failure\"} 1.0")
        .await?;
    running.metric("rag_api_keys_outdated 1").await?;
    assert_eq!(statuses(client).await?, [401, 401, 200, 401]);

    // A change that would lock everybody out does not.
    mount(directory, "4", &[("alice", "")])?;
    running
        .metric("rag_api_keys_reload_total{result=\"failure\"} 2.0")
        .await?;
    assert_eq!(statuses(client).await?, [401, 401, 200, 401]);

    mount(directory, "5", &[("bob", BOB)])?;
    running
        .metric("rag_api_keys_reload_total{result=\"success\"} 2.0")
        .await?;
    running.metric("rag_api_keys_outdated 0").await?;
    assert_eq!(statuses(client).await?, [401, 401, 401, 200]);

    // Without a link, as a person writes it.
    std::fs::write(directory.join("alice"), format!("{OLD}\n"))?;
    running
        .metric("rag_api_keys_reload_total{result=\"success\"} 3.0")
        .await?;
    assert_eq!(statuses(client).await?, [200, 401, 401, 200]);
    let (_, log) = running.service.stop().await?;
    assert!(log.contains("\"bob\" cannot be used"), "{log}");
    for key in [OLD, NEW, NEWEST, BOB] {
        assert!(!log.contains(key), "{log}");
    }
    Ok(())
}
