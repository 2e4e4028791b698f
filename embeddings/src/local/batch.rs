//! Cutting a round of texts into batches.

use super::call::Item;

/// Texts taken from the waiting calls at one time, longest first, so that neighbours are of similar length and little of
/// a batch is padding.
pub(super) struct Round {
    longest_first: Vec<Item>,
}

/// A batch to run, and the texts that were dropped before it because nobody waits for them any more.
pub(super) struct Cut {
    pub(super) batch: Vec<Item>,
    pub(super) abandoned: usize,
}

impl Round {
    pub(super) fn new(mut items: Vec<Item>) -> Self {
        items.sort_by_key(|item| std::cmp::Reverse(item.text.tokens()));
        Self { longest_first: items }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.longest_first.is_empty()
    }

    /// Drops the texts of callers who have left, then takes as many of the longest ones as fit.
    pub(super) fn cut(&mut self, max_batch_tokens: usize) -> Cut {
        let before = self.longest_first.len();
        self.longest_first.retain(Item::is_wanted);
        let wanted = self.longest_first.len();
        let longest = self.longest_first.first().map_or(0, |item| item.text.tokens());
        let batch = self
            .longest_first
            .drain(..texts_that_fit(longest, wanted, max_batch_tokens))
            .collect();
        Cut {
            batch,
            abandoned: before - wanted,
        }
    }
}

/// How many of `available` texts, none longer than `longest` tokens, make a batch of at most `max_batch_tokens` when all
/// are padded to `longest`. At least one, if there is one: a text longer than the bound runs alone.
fn texts_that_fit(longest: usize, available: usize, max_batch_tokens: usize) -> usize {
    (max_batch_tokens / longest.max(1)).max(1).min(available)
}

#[cfg(test)]
mod tests {
    use tokio::sync::oneshot;

    use super::*;
    use crate::local::{
        call::{Answer, Call},
        tokenise::TokenisedText,
    };

    fn items(lengths: &[usize]) -> (Vec<Item>, oneshot::Receiver<Answer>) {
        let (sender, receiver) = oneshot::channel();
        let texts = lengths.iter().map(|length| TokenisedText::of_length(*length)).collect();
        (Call::new(texts, sender).take(usize::MAX).collect(), receiver)
    }

    fn lengths(batch: &[Item]) -> Vec<usize> {
        batch.iter().map(|item| item.text.tokens()).collect()
    }

    #[test]
    fn batches_hold_texts_of_similar_length_and_stay_within_the_bound_after_padding() {
        let (items, _receiver) = items(&[3, 100, 4, 90, 5, 2, 100]);
        let mut round = Round::new(items);
        assert_eq!(lengths(&round.cut(200).batch), [100, 100]);
        assert_eq!(lengths(&round.cut(200).batch), [90, 5]);
        assert_eq!(lengths(&round.cut(200).batch), [4, 3, 2]);
        assert!(round.is_empty());
        assert!(round.cut(200).batch.is_empty());
    }

    #[test]
    fn a_text_longer_than_the_bound_runs_alone() {
        let (items, _receiver) = items(&[500, 10]);
        assert_eq!(lengths(&Round::new(items).cut(200).batch), [500]);
    }

    #[test]
    fn texts_of_a_caller_who_left_are_dropped_and_counted() {
        let (mut all, receiver) = items(&[7, 7, 7]);
        let (others, _other_receiver) = items(&[5]);
        all.extend(others);
        let mut round = Round::new(all);
        drop(receiver);
        let cut = round.cut(200);
        assert_eq!((lengths(&cut.batch), cut.abandoned), (vec![5], 3));
    }
}
