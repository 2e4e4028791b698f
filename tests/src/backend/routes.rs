//! The routes, by the end of the path: a base URL may have any prefix.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Body;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use super::recording::{Board, Flight, Request, lock};
use super::reply::{Before, Content, Reply};
use super::script::Script;

type Make = Arc<dyn Fn(&Value) -> Reply + Send + Sync>;

/// What the handlers and the test share.
pub(super) struct Shared {
    pub(super) board: Arc<Board>,
    stop: CancellationToken,
    answers: Mutex<Answers>,
}

struct Answers {
    queue: VecDeque<Reply>,
    last: Option<Reply>,
    make: Make,
    models: Reply,
    key: Option<String>,
}

impl Shared {
    pub(super) fn new(stop: CancellationToken) -> Self {
        Self {
            board: Arc::new(Board::new()),
            stop,
            answers: Mutex::new(Answers {
                queue: VecDeque::new(),
                last: None,
                make: Arc::new(|_| Reply::text("")),
                models: Reply::hang(),
                key: None,
            }),
        }
    }

    pub(super) fn answer_in_order(&self, replies: impl IntoIterator<Item = Reply>) {
        let mut answers = lock(&self.answers);
        answers.queue = replies.into_iter().collect();
        answers.last = None;
    }

    pub(super) fn push(&self, reply: Reply) {
        lock(&self.answers).queue.push_back(reply);
    }

    pub(super) fn answer_by(&self, make: impl Fn(&Value) -> Reply + Send + Sync + 'static) {
        let mut answers = lock(&self.answers);
        answers.queue.clear();
        answers.last = None;
        answers.make = Arc::new(make);
    }

    pub(super) fn answer_models(&self, reply: Reply) {
        lock(&self.answers).models = reply;
    }

    pub(super) fn require_key(&self, key: &str) {
        lock(&self.answers).key = Some(key.to_owned());
    }

    fn accepts(&self, request: &Request) -> bool {
        let key = lock(&self.answers).key.clone();
        key.is_none_or(|key| request.header("authorization") == Some(&format!("Bearer {key}")))
    }

    fn next_reply(&self, body: &Value) -> Reply {
        let make = {
            let mut answers = lock(&self.answers);
            if let Some(next) = answers.queue.pop_front() {
                answers.last = Some(next);
            }
            if let Some(reply) = &answers.last {
                return reply.clone();
            }
            Arc::clone(&answers.make)
        };
        make(body)
    }
}

pub(super) fn router(shared: Arc<Shared>) -> Router {
    Router::new()
        .fallback(handle)
        .layer(DefaultBodyLimit::disable())
        .with_state(shared)
}

async fn handle(
    State(shared): State<Arc<Shared>>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    bytes: Bytes,
) -> Response {
    let request = Request::new(uri.path(), headers, bytes);
    let refusal = (!shared.accepts(&request)).then(|| Reply::error(401, "wrong key"));
    if method == Method::GET && uri.path().ends_with("/models") {
        shared.board.add_model_request(request);
        let models = || lock(&shared.answers).models.clone();
        // A list of models is no completion: its flight is counted on a board that nobody reads.
        let flight = Arc::new(Board::new()).add(Request::new("", HeaderMap::new(), Bytes::new()));
        return answer(refusal.unwrap_or_else(models), Wanted::json(), flight, &shared.stop).await;
    }
    if method != Method::POST || !uri.path().ends_with("/completions") {
        return (StatusCode::NOT_FOUND, format!("no route for {method} {}", uri.path())).into_response();
    }
    let body = request.body.clone();
    let wanted = Wanted::by(&request);
    let flight = shared.board.add(request);
    let reply = refusal.unwrap_or_else(|| shared.next_reply(&body));
    answer(reply, wanted, flight, &shared.stop).await
}

/// How a completion is to be rendered.
struct Wanted {
    chat: bool,
    stream: bool,
    body: Value,
}

impl Wanted {
    fn json() -> Self {
        Self {
            chat: true,
            stream: false,
            body: Value::Null,
        }
    }

    fn by(request: &Request) -> Self {
        Self {
            chat: request.path.ends_with("/chat/completions"),
            stream: request.body.get("stream") == Some(&Value::Bool(true)),
            body: request.body.clone(),
        }
    }
}

async fn answer(reply: Reply, wanted: Wanted, flight: Flight, stop: &CancellationToken) -> Response {
    tokio::select! {
        biased;
        () = stop.cancelled() => flight.finish(),
        () = hold(&reply.before) => return respond(reply, &wanted, flight, stop.clone()),
    }
    StatusCode::SERVICE_UNAVAILABLE.into_response()
}

async fn hold(before: &[Before]) {
    for before in before {
        match before {
            Before::Pass(gate) => gate.pass().await,
            Before::Wait(time) => tokio::time::sleep(*time).await,
            Before::Forever => std::future::pending().await,
        }
    }
}

fn respond(reply: Reply, wanted: &Wanted, flight: Flight, stop: CancellationToken) -> Response {
    let (content_type, content) = render(reply.content, wanted);
    let body = match (content, reply.shape) {
        (Rendered::Whole(bytes), None) => {
            flight.finish();
            Body::from(bytes)
        }
        (Rendered::Whole(bytes), Some(shape)) => shape(Script::new().raw(bytes)).into_body(flight, stop),
        (Rendered::Steps(script), None) => script.into_body(flight, stop),
        (Rendered::Steps(script), Some(shape)) => shape(script).into_body(flight, stop),
    };
    let mut response = Response::new(body);
    *response.status_mut() = reply.status;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    for (name, value) in reply.headers {
        // A header that is none is left out, and the test that wanted it sees so.
        if let (Ok(name), Ok(value)) = (HeaderName::try_from(name), HeaderValue::try_from(value)) {
            headers.insert(name, value);
        }
    }
    response
}

enum Rendered {
    Whole(Bytes),
    Steps(Script),
}

fn render(content: Content, wanted: &Wanted) -> (&'static str, Rendered) {
    let completion = match content {
        Content::Bytes { content_type, bytes } => return (content_type, Rendered::Whole(bytes)),
        Content::Script { content_type, script } => return (content_type, Rendered::Steps(script)),
        Content::Completion(completion) => completion,
    };
    if wanted.stream {
        let chunks = match wanted.chat {
            true => completion.chat_chunks(&wanted.body),
            false => completion.text_chunks(&wanted.body),
        };
        return (
            "text/event-stream",
            Rendered::Steps(Script::new().events(chunks).done()),
        );
    }
    let whole = match wanted.chat {
        true => completion.chat(&wanted.body),
        false => completion.text(&wanted.body),
    };
    ("application/json", Rendered::Whole(Bytes::from(whole.to_string())))
}
