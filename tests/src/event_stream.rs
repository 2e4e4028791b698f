//! Server-sent events, as a client sees them.

use anyhow::{Context, Result, bail};
use reqwest::{Response, StatusCode};
use serde_json::Value;

/// A streamed answer that is being read.
pub struct EventStream {
    response: Response,
    received: Vec<u8>,
}

/// One event: its data, or a comment.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// `data: {…}`
    Data(Value),
    /// `data: [DONE]`
    Done,
    /// `: …`
    Comment(String),
}

impl EventStream {
    /// A stream from its response.
    ///
    /// # Errors
    /// When the response is not an event stream.
    pub async fn new(response: Response) -> Result<Self> {
        let content_type = response.headers().get("content-type").cloned();
        if response.status() != StatusCode::OK
            || content_type.is_none_or(|kind| !kind.as_bytes().starts_with(b"text/event-stream"))
        {
            bail!("no event stream: {} {}", response.status(), response.text().await?);
        }
        Ok(Self {
            response,
            received: Vec::new(),
        })
    }

    /// The next event, `None` at the end.
    ///
    /// # Errors
    /// When the connection breaks or an event is malformed.
    pub async fn next(&mut self) -> Result<Option<Event>> {
        loop {
            if let Some(end) = self.received.windows(2).position(|pair| pair == b"\n\n") {
                let block: Vec<u8> = self.received.drain(..end + 2).collect();
                let block = String::from_utf8(block)?;
                if block.trim().is_empty() {
                    continue;
                }
                return parse(block.trim()).map(Some);
            }
            match self.response.chunk().await? {
                Some(bytes) => self.received.extend_from_slice(&bytes),
                None if self.received.is_empty() => return Ok(None),
                None => bail!(
                    "the stream ends inside an event: {:?}",
                    String::from_utf8_lossy(&self.received)
                ),
            }
        }
    }

    /// The next event's data.
    ///
    /// # Errors
    /// When the next event has none, or there is none.
    pub async fn data(&mut self) -> Result<Value> {
        match self.next().await? {
            Some(Event::Data(data)) => Ok(data),
            other => bail!("no data but {other:?}"),
        }
    }

    /// All events to the end.
    ///
    /// # Errors
    /// When the connection breaks or an event is malformed.
    pub async fn rest(&mut self) -> Result<Vec<Event>> {
        let mut events = Vec::new();
        while let Some(event) = self.next().await? {
            events.push(event);
        }
        Ok(events)
    }
}

impl Event {
    /// The data, if it has any.
    pub fn data(&self) -> Option<&Value> {
        match self {
            Self::Data(data) => Some(data),
            Self::Done | Self::Comment(_) => None,
        }
    }
}

/// The text of a choice, put together from its chunks.
pub fn streamed_text(events: &[Event], index: u64) -> String {
    let choices = events
        .iter()
        .filter_map(|event| event.data()?.get("choices")?.as_array())
        .flatten();
    choices
        .filter(|choice| choice.get("index").and_then(Value::as_u64) == Some(index))
        .filter_map(|choice| choice.pointer("/delta/content")?.as_str())
        .collect()
}

fn parse(block: &str) -> Result<Event> {
    if let Some(comment) = block.strip_prefix(':') {
        return Ok(Event::Comment(comment.trim().to_owned()));
    }
    let data = block
        .strip_prefix("data:")
        .with_context(|| format!("no event: {block:?}"))?
        .trim();
    if data == "[DONE]" {
        return Ok(Event::Done);
    }
    Ok(Event::Data(
        serde_json::from_str(data).with_context(|| format!("not JSON: {data:?}"))?,
    ))
}
