//! How many tokens of a chat passages may fill.

use rag_core::chat::budget::{BudgetInput, ExceedWindow, TokenBudget};
use rag_core::chat::plan::Conversation;
use rag_core::chat::prompt::ContextTemplate;
use rag_core::chat::tokens::ChatTokenCounter;
use serde_json::Value;

use crate::llm::Completion;

/// Members of a request that chat templates write into the prompt.
const DEFINITIONS: [&str; 4] = ["tools", "functions", "response_format", "guided_json"];

/// What the room for passages follows from, beside the conversation.
pub(super) struct RoomInput {
    pub(super) window: usize,
    pub(super) requested_completion: Option<u64>,
    pub(super) default_completion: u64,
    pub(super) ratio: f64,
    /// What the model is told beside the messages.
    pub(super) definitions: String,
}

/// Tools and answer formats stand in the prompt too.
pub(super) fn definitions(body: &Completion) -> String {
    let present = DEFINITIONS.iter().filter_map(|key| body.get(*key));
    present.filter(|value| !value.is_null()).map(Value::to_string).collect()
}

pub(super) fn room(
    input: &RoomInput,
    conversation: &Conversation,
    template: &ContextTemplate,
    counter: &ChatTokenCounter,
) -> Result<TokenBudget, ExceedWindow> {
    TokenBudget::plan(BudgetInput {
        window: input.window,
        instructions: template.instruction_tokens(counter)
            + counter
                .count_up_to(&input.definitions, input.window)
                .unwrap_or(input.window),
        history: conversation.history_tokens(counter, input.window).ok_or(ExceedWindow)?,
        question: conversation
            .question_tokens(counter, input.window)
            .ok_or(ExceedWindow)?,
        requested_completion: input.requested_completion,
        default_completion: input.default_completion,
        ratio: input.ratio,
    })
}
