//! Without usable keys the service does not start; without configured keys it says so.

use std::path::Path;

use anyhow::Result;
use kaito_tests::service::ServiceOptions;

use super::super::startup::failure;
use super::{KEY, Running};

const NO_KEYS: &str = "no API keys are configured";

#[tokio::test]
async fn keys_that_cannot_be_used_keep_the_service_from_starting_and_the_error_says_what_to_do() -> Result<()> {
    let with_file = |name: &'static str, content: &'static str| {
        move |directory: &Path| std::fs::write(directory.join(name), content)
    };
    type Prepare = Box<dyn Fn(&Path) -> std::io::Result<()>>;
    let cases: [(Prepare, &[&str]); 7] = [
        (
            Box::new(|directory| std::fs::remove_dir(directory)),
            &["cannot be read", "make it"],
        ),
        (Box::new(|_| Ok(())), &["holds no key", "openssl rand -hex 32"]),
        (Box::new(with_file(".hidden", KEY)), &["holds no key"]),
        (
            Box::new(with_file("bob", "secret-of-bob\n")),
            &["\"bob\"", "fewer than 16 characters"],
        ),
        (
            Box::new(with_file("bob", "secret-of-bob 0123456789")),
            &["\"bob\"", "no blanks"],
        ),
        (
            Box::new(with_file("bob", "secret-of-bob-ü-0123456789")),
            &["\"bob\"", "visible ASCII"],
        ),
        (
            Box::new(with_file("bob~", "secret-of-bob-0123456789")),
            &["\"bob~\"", "rename or remove"],
        ),
    ];
    for (prepare, words) in cases {
        // One good key does not make up for another's mistake, except where there is to be none.
        let has_good_key = words.iter().any(|word| word.contains("bob"));
        let service = tempfile::tempdir()?;
        let keys = service.path().join("keys");
        std::fs::create_dir(&keys)?;
        if has_good_key {
            std::fs::write(keys.join("alice"), KEY)?;
        }
        prepare(&keys)?;
        let options = ServiceOptions::new(service.path())
            .with("RAG_API_KEYS_DIR", &keys.display().to_string())
            .with("RAG_API_KEY", "the-only-key-on-a-laptop");
        let message = failure(&options).await;
        for word in words.iter().chain(&["RAG_API_KEYS_DIR"]) {
            assert!(message.contains(word), "{word} is not in: {message}");
        }
        assert!(!message.contains("secret-of-bob"), "{message}");
    }
    for (name, value) in [
        ("RAG_API_KEY", ""),
        ("RAG_API_KEY", "tooshort"),
        ("RAG_API_KEYS_DIR", ""),
    ] {
        let service = tempfile::tempdir()?;
        let message = failure(&ServiceOptions::new(service.path()).with(name, value)).await;
        assert!(message.contains(name), "{name}={value}: {message}");
        assert!(!message.contains("tooshort"), "{message}");
    }
    Ok(())
}

#[tokio::test]
async fn without_keys_everybody_is_served_and_beyond_this_machine_there_is_a_warning() -> Result<()> {
    let running = Running::start().await?;
    let client = running.client();
    client.get("/indexes").await?.success()?;
    client.with_key("whatever").get("/indexes").await?.success()?;
    let (_, log) = running.service.stop().await?;
    assert!(!log.contains(NO_KEYS), "{log}");
    let directory = tempfile::tempdir()?;
    let everywhere = ServiceOptions::new(directory.path()).listening_on("0.0.0.0:0");
    let (_, log) = everywhere.start().await?.stop().await?;
    assert!(log.contains(NO_KEYS) && log.contains("RAG_API_KEYS_DIR"), "{log}");
    let (_, log) = everywhere.with("RAG_API_KEY", KEY).start().await?.stop().await?;
    assert!(!log.contains(NO_KEYS), "{log}");
    Ok(())
}
