use std::sync::atomic::{AtomicUsize, Ordering};

use axum::Router;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};

use super::*;

const CONFIG: &str = r#"{"architectures": ["Qwen2ForCausalLM"], "num_hidden_layers": 28}"#;
const FILES: &str = r#"[
    {"type": "directory", "oid": "a", "path": "onnx"},
    {"type": "file", "oid": "b", "size": 1000, "path": "model-00001-of-00002.safetensors"},
    {"type": "file", "oid": "c", "size": 2000, "path": "model-00002-of-00002.safetensors"},
    {"type": "file", "oid": "d", "size": 99, "path": "README.md"}
]"#;

/// Answers as Hugging Face does, and counts the questions.
async fn answer(State(asked): State<Arc<AtomicUsize>>, request: Request) -> Response {
    asked.fetch_add(1, Ordering::Relaxed);
    let token = request
        .headers()
        .get("authorization")
        .map(|value| value.to_str().unwrap());
    match (request.uri().to_string().as_str(), token) {
        ("/open/model/resolve/main/config.json" | "/mistral/model/resolve/main/params.json", None) => {
            CONFIG.into_response()
        }
        ("/gated/model/resolve/main/config.json", Some("Bearer good")) => CONFIG.into_response(),
        ("/gated/model/resolve/main/config.json", Some(_)) => StatusCode::FORBIDDEN.into_response(),
        ("/gated/model/resolve/main/config.json", None) => StatusCode::UNAUTHORIZED.into_response(),
        ("/busy/model/resolve/main/config.json", _) => StatusCode::TOO_MANY_REQUESTS.into_response(),
        ("/long/model/resolve/main/config.json", _) => " ".repeat(LONGEST_CONFIG + 1).into_response(),
        ("/odd/model/resolve/main/config.json", _) => CONFIG.into_response(),
        ("/api/models/odd/model/tree/main?recursive=true", _) => "{}".into_response(),
        (path, _) if path.starts_with("/api/models/") && path.ends_with("/tree/main?recursive=true") => {
            FILES.into_response()
        }
        _ => StatusCode::NOT_FOUND.into_response(),
    }
}

/// A hub, and how often it was asked.
async fn hub() -> (Hub, Arc<AtomicUsize>) {
    let asked = Arc::new(AtomicUsize::new(0));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let router = Router::new().fallback(answer).with_state(Arc::clone(&asked));
    tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    let _ = rustls::crypto::ring::default_provider().install_default();
    (Hub::new(&url.parse().unwrap()), asked)
}

async fn said(hub: &Hub, id: &str, token: Option<&str>) -> Result<Published, String> {
    let id = HubId::try_from(id).unwrap();
    hub.ask(&id, token).await.map_err(|error| error.to_string())
}

#[tokio::test]
async fn a_model_is_its_config_and_its_files_with_weights() {
    let (hub, _) = hub().await;
    let open = said(&hub, "open/model", Some("good")).await.unwrap();
    assert_eq!(open.config, CONFIG);
    let sizes: Vec<_> = open.files.iter().map(|file| file.size).collect();
    assert_eq!(sizes, [1000, 2000]);
    assert!(!open.gated, "the token was not needed");
    let data = open.data();
    let model = crate::presets::model_from_config_map(&HubId::try_from("open/model").unwrap(), &data).unwrap();
    assert_eq!(model.weights().bytes(), 3000);
    let mistral = said(&hub, "mistral/model", None).await.unwrap();
    assert_eq!(mistral.config, CONFIG, "it is in params.json");
}

#[tokio::test]
async fn a_token_is_shown_only_when_one_is_wanted() {
    let (hub, _) = hub().await;
    assert!(said(&hub, "gated/model", Some("good")).await.unwrap().gated);
    let bare = said(&hub, "gated/model", None).await.unwrap_err();
    assert!(bare.contains("modelAccessSecret"), "{bare}");
    let wrong = said(&hub, "gated/model", Some("wrong")).await.unwrap_err();
    assert!(wrong.contains("ask its authors for access"), "{wrong}");
}

#[tokio::test]
async fn what_goes_wrong_is_said_and_not_asked_again_at_once() {
    let (hub, asked) = hub().await;
    for (id, words) in [
        ("no/model", "has no model of this name"),
        ("busy/model", "answers 429 Too Many Requests"),
        ("long/model", "more than 524288 bytes"),
        ("odd/model", "does not list the model's files"),
    ] {
        let first = said(&hub, id, None).await.unwrap_err();
        assert!(first.contains("127.0.0.1") && first.contains(words), "{first}");
        let questions = asked.load(Ordering::Relaxed);
        assert_eq!(said(&hub, id, None).await.unwrap_err(), first);
        assert_eq!(asked.load(Ordering::Relaxed), questions, "{id}");
    }
}

#[tokio::test]
async fn a_hub_that_is_not_there_or_not_wanted_is_said() {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let gone = said(&Hub::new(&url.parse().unwrap()), "open/model", None)
        .await
        .unwrap_err();
    assert!(
        gone.starts_with("127.0.0.1 does not answer: Connection refused"),
        "{gone}"
    );
    let nowhere = said(&Hub::new(&"".parse().unwrap()), "open/model", None)
        .await
        .unwrap_err();
    assert_eq!(nowhere, "no hub is asked in this installation");
    for wrong in ["huggingface.co", "file:///models", "https://"] {
        let refused = wrong.parse::<HubUrl>().unwrap_err().to_string();
        assert!(refused.contains(wrong), "{refused}");
    }
}
