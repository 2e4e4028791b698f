//! How many tokens the context of a chat may take, so that prompt and answer fit the model's window together.

/// The context's largest share of the room that it shares with the answer. Requests are held to 0.2..=0.8.
const MAX_RATIO: f64 = 0.8;
/// A long answer gives way to context only in this part of what the ratio would give to the context.
const LEAST_CONTEXT_DIVISOR: usize = 4;
/// When an answer has to be shortened, one token in this many of the prompt is left free: the model may count more
/// tokens than we do, and refuses a request that exceeds its window by a single one.
const MISCOUNT_DIVISOR: usize = 10;

/// What a budget is made from. Counted tokens are `usize`, limits from the wire `u64`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct BudgetInput {
    /// Tokens that the model holds, prompt and answer together.
    pub window: usize,
    /// Tokens of the prompt template without passages.
    pub instructions: usize,
    /// Tokens of the messages before the question.
    pub history: usize,
    /// Tokens of the question.
    pub question: usize,
    /// Tokens that the answer may have, if the user says; 0 says nothing.
    pub requested_completion: Option<u64>,
    /// Tokens kept for the answer when the user does not say.
    pub default_completion: u64,
    /// Share of the context in what prompt and answer leave, 0.0..=0.8.
    pub ratio: f64,
}

/// The room in a model's window, divided.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TokenBudget {
    /// Tokens that the passages may take; with 0 there is no room for any.
    pub context: usize,
    /// Tokens kept for the answer.
    pub reserved: u64,
    window: usize,
    fixed: usize,
    requested: Option<u64>,
}

/// History and question alone exceed the model's window. KAITO's text.
#[derive(Clone, Copy, Debug, thiserror::Error, PartialEq, Eq)]
#[error("Prompt length exceeds context window.")]
pub struct ExceedWindow;

impl TokenBudget {
    /// Divides the window:
    ///
    /// ```text
    /// available = window - (instructions + history + question)          at least 0
    /// reserved  = min(requested, available - ⌊available × ratio / 4⌋)   when the user limits the answer
    ///           = min(default, available / 2)                           otherwise
    /// context   = ⌊(available - reserved) × ratio⌋
    /// ```
    ///
    /// Hence `context + reserved` is at most `available`, and a larger ratio never means less context. A limit that leaves
    /// some room is kept. However long an answer the user allows, `ratio² / 4` of the room is there for passages;
    /// [`Self::completion_limit`] then says by how much the answer must be shortened.
    ///
    /// KAITO takes `ratio × min(max_tokens, window - question - 150)`. It counts the limit of the answer as room for the
    /// context, so that a short answer has no context and a long one no room, and it leaves out the history.
    ///
    /// # Errors
    /// When history and question do not fit the window.
    pub fn plan(input: BudgetInput) -> Result<Self, ExceedWindow> {
        let BudgetInput {
            window,
            instructions,
            history,
            question,
            requested_completion,
            default_completion,
            ratio,
        } = input;
        let messages = history.saturating_add(question);
        if messages > window {
            return Err(ExceedWindow);
        }
        let fixed = messages.saturating_add(instructions);
        let available = window.saturating_sub(fixed);
        let requested = requested_completion.filter(|requested| *requested > 0);
        let (wanted, most) = match requested {
            Some(requested) => (requested, available - share(available, ratio) / LEAST_CONTEXT_DIVISOR),
            None => (default_completion, available / 2),
        };
        let reserved = usize::try_from(wanted).unwrap_or(usize::MAX).min(most);
        Ok(Self {
            context: share(available - reserved, ratio),
            reserved: reserved as u64,
            window,
            fixed,
            requested,
        })
    }

    /// What the user's limit of the answer has to be lowered to once `used_context` tokens of passages are in the prompt;
    /// `None` when it can stay. At least 1, as backends refuse 0.
    pub fn completion_limit(&self, used_context: usize) -> Option<u64> {
        let prompt = self.fixed.saturating_add(used_context);
        let left = self.window.saturating_sub(prompt);
        let spare = (prompt / MISCOUNT_DIVISOR).min(left / 2);
        let exceeds = |requested: &u64| *requested > left.max(1) as u64;
        self.requested.filter(exceeds).map(|_| ((left - spare) as u64).max(1))
    }
}

/// The ratio of so many tokens, rounded down. A ratio out of range is moved to its nearest end, one that is no number
/// to 0.
fn share(tokens: usize, ratio: f64) -> usize {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a share of a count is a count no larger, and a float that is no number becomes 0"
    )]
    let share = (tokens as f64 * ratio.clamp(0.0, MAX_RATIO)).floor() as usize;
    share.min(tokens)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const INPUT: BudgetInput = BudgetInput {
        window: 4200,
        instructions: 100,
        history: 50,
        question: 50,
        requested_completion: None,
        default_completion: 1000,
        ratio: 0.5,
    };

    fn budget(requested: Option<u64>) -> TokenBudget {
        TokenBudget::plan(BudgetInput {
            requested_completion: requested,
            ..INPUT
        })
        .unwrap()
    }

    #[test]
    fn the_room_left_is_divided_between_answer_and_context() {
        // Requested, reserved, context; 4,000 tokens are available.
        let cases = [
            (None, 1000, 1500),
            (Some(0), 1000, 1500),
            (Some(50), 50, 1975),
            (Some(1000), 1000, 1500),
            (Some(2000), 2000, 1000),
            (Some(3500), 3500, 250),
            (Some(3999), 3500, 250),
            (Some(4000), 3500, 250),
            (Some(u64::MAX), 3500, 250),
        ];
        for (requested, reserved, context) in cases {
            let budget = budget(requested);
            assert_eq!((budget.reserved, budget.context), (reserved, context), "{requested:?}");
        }
    }

    #[test]
    fn the_default_for_answers_takes_half_of_the_room_at_most() {
        let small = BudgetInput { window: 1000, ..INPUT };
        let budget = TokenBudget::plan(small).unwrap();
        assert_eq!((budget.reserved, budget.context), (400, 200));
    }

    #[test]
    fn a_limit_of_the_answer_is_lowered_only_when_it_does_not_fit() {
        // Requested, tokens of the context, limit. The prompt has 200 tokens more than the context.
        let cases = [
            (None, 1000, None),
            (Some(500), 1000, None),
            (Some(3000), 1000, None),
            (Some(3001), 1000, Some(2880)),
            (Some(u64::MAX), 1000, Some(2880)),
            (Some(u64::MAX), 0, Some(3980)),
            (Some(u64::MAX), 3990, Some(5)),
            (Some(u64::MAX), 4000, Some(1)),
            (Some(1), 4000, None),
        ];
        for (requested, used, limit) in cases {
            assert_eq!(budget(requested).completion_limit(used), limit, "{requested:?} {used}");
        }
    }

    #[test]
    fn messages_beyond_the_window_are_refused_with_kaitos_text() {
        let at_the_limit = BudgetInput {
            history: 4100,
            question: 100,
            ..INPUT
        };
        assert_eq!(TokenBudget::plan(at_the_limit).unwrap().context, 0);
        let beyond = BudgetInput {
            question: 101,
            ..at_the_limit
        };
        let refusal = TokenBudget::plan(beyond).unwrap_err();
        assert_eq!(refusal.to_string(), "Prompt length exceeds context window.");
    }

    #[test]
    fn a_ratio_out_of_range_is_moved_to_the_nearest_end() {
        let context = |ratio| TokenBudget::plan(BudgetInput { ratio, ..INPUT }).unwrap().context;
        assert_eq!(context(-1.0), 0);
        assert_eq!(context(f64::NAN), 0);
        assert_eq!(context(7.0), context(MAX_RATIO));
    }

    fn inputs() -> impl Strategy<Value = BudgetInput> {
        let requested = prop::option::of(prop_oneof![0_u64..10_000, any::<u64>()]);
        (
            0_usize..10_000,
            0_usize..500,
            0_usize..5_000,
            0_usize..5_000,
            requested,
            0_u64..5_000,
            -0.5..1.5,
        )
            .prop_map(
                |(window, instructions, history, question, requested_completion, default_completion, ratio)| {
                    BudgetInput {
                        window,
                        instructions,
                        history,
                        question,
                        requested_completion,
                        default_completion,
                        ratio,
                    }
                },
            )
    }

    proptest! {
        #[test]
        fn prompt_context_and_answer_fit_the_window_together(input in inputs(), part in 0.0..=1.0) {
            let Ok(budget) = TokenBudget::plan(input) else {
                prop_assert!(input.history + input.question > input.window);
                return Ok(());
            };
            let fixed = input.instructions + input.history + input.question;
            let available = input.window.saturating_sub(fixed);
            prop_assert!(budget.context as u64 + budget.reserved <= available as u64);
            let used = share(budget.context, part);
            if let Some(limit) = budget.completion_limit(used) {
                prop_assert!(limit < input.requested_completion.unwrap());
                prop_assert!(limit <= (available - used).max(1) as u64);
            }
        }

        #[test]
        fn a_larger_ratio_never_means_less_context(input in inputs(), more in 0.0..1.0) {
            let larger = BudgetInput { ratio: input.ratio + more, ..input };
            if let (Ok(budget), Ok(larger)) = (TokenBudget::plan(input), TokenBudget::plan(larger)) {
                prop_assert!(budget.context <= larger.context);
            }
        }
    }
}
