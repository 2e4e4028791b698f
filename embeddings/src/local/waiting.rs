//! The calls that wait for the owner thread: two bounded queues behind one lock.

use std::collections::VecDeque;
use std::time::Duration;

use parking_lot::{Condvar, Mutex};

use super::call::{Call, Item};
use crate::{EmbedError, InputKind};

/// Texts of one call in one round. A call with more of them takes several rounds, so that a small call behind a big one
/// does not wait for all of it.
const TEXTS_OF_A_CALL_IN_A_ROUND: usize = 64;
/// Assumed until the first batch has been measured.
const INITIAL_TOKENS_PER_SECOND: f64 = 2_000.0;
/// Share of the newest batch in the running average of the speed.
const WEIGHT_OF_NEWEST: f64 = 0.2;
const LONGEST_RETRY_AFTER: Duration = Duration::from_secs(60);

/// Shared by the callers and the owner thread.
pub(super) struct Waiting {
    lists: Mutex<Lists>,
    work_or_close: Condvar,
    capacity: usize,
}

struct Lists {
    queries: VecDeque<Call>,
    passages: VecDeque<Call>,
    closed: bool,
    tokens_per_second: f64,
}

/// What the owner thread does next.
pub(super) enum Next {
    /// Run these queries, then ask again.
    Queries(Vec<Item>),
    /// Start a round of passages.
    Passages(Vec<Item>),
    /// Nothing new: go on with the round at hand.
    Nothing,
    /// End.
    Stop,
}

impl Waiting {
    pub(super) fn new(capacity: usize) -> Self {
        Self {
            lists: Mutex::new(Lists {
                queries: VecDeque::new(),
                passages: VecDeque::new(),
                closed: false,
                tokens_per_second: INITIAL_TOKENS_PER_SECOND,
            }),
            work_or_close: Condvar::new(),
            capacity: capacity.max(1),
        }
    }

    /// Fails if a call of this kind would be refused now.
    pub(super) fn check_room(&self, kind: InputKind) -> Result<(), EmbedError> {
        self.lists.lock().check_room(kind, self.capacity)
    }

    pub(super) fn push(&self, kind: InputKind, call: Call) -> Result<(), EmbedError> {
        let mut lists = self.lists.lock();
        lists.check_room(kind, self.capacity)?;
        lists.of(kind).push_back(call);
        drop(lists);
        self.work_or_close.notify_one();
        Ok(())
    }

    /// Queries first. Passages only if the owner `is_idle`, that is, has finished its round of them; then this waits
    /// until there is work.
    pub(super) fn next(&self, is_idle: bool) -> Next {
        let mut lists = self.lists.lock();
        loop {
            if lists.closed {
                return Next::Stop;
            }
            let queries = take_round(&mut lists.queries);
            if !queries.is_empty() {
                return Next::Queries(queries);
            }
            if !is_idle {
                return Next::Nothing;
            }
            let passages = take_round(&mut lists.passages);
            if !passages.is_empty() {
                return Next::Passages(passages);
            }
            self.work_or_close.wait(&mut lists);
        }
    }

    /// Refuses new calls and drops the waiting ones, whose callers then see that the embedder has stopped.
    pub(super) fn close(&self) {
        let mut lists = self.lists.lock();
        lists.closed = true;
        let dropped = (std::mem::take(&mut lists.queries), std::mem::take(&mut lists.passages));
        drop(lists);
        drop(dropped);
        self.work_or_close.notify_all();
    }

    /// Takes a batch's speed into the average behind `retry_after`.
    pub(super) fn record_speed(&self, tokens: usize, took: Duration) {
        let seconds = took.as_secs_f64();
        if seconds > 0.0 {
            let mut lists = self.lists.lock();
            let newest = count_as_float(tokens) / seconds;
            lists.tokens_per_second += WEIGHT_OF_NEWEST * (newest - lists.tokens_per_second);
        }
    }

    #[cfg(test)]
    pub(super) fn passage_calls(&self) -> usize {
        self.lists.lock().passages.len()
    }
}

impl Lists {
    fn of(&mut self, kind: InputKind) -> &mut VecDeque<Call> {
        match kind {
            InputKind::Query => &mut self.queries,
            InputKind::Passage => &mut self.passages,
        }
    }

    fn check_room(&mut self, kind: InputKind, capacity: usize) -> Result<(), EmbedError> {
        if self.closed {
            return Err(EmbedError::Stopped);
        }
        if self.of(kind).len() < capacity {
            return Ok(());
        }
        // The callers who left are only looked for when room is scarce.
        self.of(kind).retain(Call::is_live);
        if self.of(kind).len() < capacity {
            return Ok(());
        }
        let ahead: usize = match kind {
            InputKind::Query => self.queries.iter().map(Call::tokens).sum(),
            InputKind::Passage => self.queries.iter().chain(&self.passages).map(Call::tokens).sum(),
        };
        Err(EmbedError::QueueFull {
            retry_after: retry_after(ahead, self.tokens_per_second),
        })
    }
}

/// Some texts of every call whose caller still waits; calls with nothing left leave the queue.
fn take_round(calls: &mut VecDeque<Call>) -> Vec<Item> {
    calls.retain(Call::is_live);
    let items = calls
        .iter_mut()
        .flat_map(|call| call.take(TEXTS_OF_A_CALL_IN_A_ROUND))
        .collect();
    calls.retain(Call::is_live);
    items
}

/// When `tokens` will have been worked off: whole seconds, from 1 to a minute.
fn retry_after(tokens: usize, tokens_per_second: f64) -> Duration {
    let seconds = (count_as_float(tokens) / tokens_per_second.max(1.0)).ceil();
    Duration::try_from_secs_f64(seconds)
        .unwrap_or(LONGEST_RETRY_AFTER)
        .clamp(Duration::from_secs(1), LONGEST_RETRY_AFTER)
}

fn count_as_float(count: usize) -> f64 {
    u32::try_from(count).map_or(f64::from(u32::MAX), f64::from)
}

#[cfg(test)]
mod tests {
    use tokio::sync::oneshot;

    use super::*;
    use crate::local::call::Answer;
    use crate::local::tokenise::TokenisedText;

    type Receiver = oneshot::Receiver<Answer>;

    fn call(texts: usize, tokens: usize) -> (Call, Receiver) {
        let (sender, receiver) = oneshot::channel();
        (
            Call::new((0..texts).map(|_| TokenisedText::of_length(tokens)).collect(), sender),
            receiver,
        )
    }

    #[test]
    fn a_full_queue_refuses_with_the_time_that_the_waiting_tokens_take() {
        let waiting = Waiting::new(1);
        let (first, _first_receiver) = call(10, 1_000);
        waiting.push(InputKind::Passage, first).expect("there is room");
        let (second, _second_receiver) = call(1, 1);
        let refused = waiting.push(InputKind::Passage, second).expect_err("the queue is full");
        assert!(
            matches!(refused, EmbedError::QueueFull { retry_after } if retry_after == Duration::from_secs(5)),
            "{refused:?}"
        );
    }

    #[test]
    fn passages_that_wait_do_not_keep_a_query_out() {
        let waiting = Waiting::new(1);
        let (passage, _passage_receiver) = call(1, 10);
        waiting.push(InputKind::Passage, passage).expect("there is room");
        let (query, _query_receiver) = call(1, 10);
        waiting
            .push(InputKind::Query, query)
            .expect("queries have a queue of their own");
        assert!(matches!(waiting.next(true), Next::Queries(items) if items.len() == 1));
        assert!(matches!(waiting.next(true), Next::Passages(items) if items.len() == 1));
    }

    #[test]
    fn a_caller_who_left_makes_room() {
        let waiting = Waiting::new(1);
        let (first, first_receiver) = call(1, 10);
        waiting.push(InputKind::Passage, first).expect("there is room");
        drop(first_receiver);
        let (second, _second_receiver) = call(1, 10);
        waiting
            .push(InputKind::Passage, second)
            .expect("the first one has left");
    }

    #[test]
    fn a_round_takes_a_share_of_every_call_so_that_small_ones_do_not_wait_for_big_ones() {
        let waiting = Waiting::new(8);
        let (big, _big_receiver) = call(100, 10);
        let (small, _small_receiver) = call(3, 10);
        waiting.push(InputKind::Passage, big).expect("there is room");
        waiting.push(InputKind::Passage, small).expect("there is room");
        assert!(matches!(waiting.next(true), Next::Passages(items) if items.len() == 64 + 3));
        assert_eq!(waiting.passage_calls(), 1);
        assert!(matches!(waiting.next(true), Next::Passages(items) if items.len() == 36));
        assert_eq!(waiting.passage_calls(), 0);
    }

    #[test]
    fn after_closing_calls_are_refused_and_waiting_callers_are_told() {
        let waiting = Waiting::new(8);
        let (early, mut early_receiver) = call(1, 10);
        waiting.push(InputKind::Query, early).expect("there is room");
        waiting.close();
        assert!(
            early_receiver
                .try_recv()
                .is_err_and(|error| error == oneshot::error::TryRecvError::Closed)
        );
        let (late, _late_receiver) = call(1, 10);
        assert!(matches!(waiting.push(InputKind::Query, late), Err(EmbedError::Stopped)));
        assert!(matches!(waiting.next(true), Next::Stop));
    }

    #[test]
    fn retry_after_is_between_a_second_and_a_minute() {
        assert_eq!(retry_after(1, 2_000.0), Duration::from_secs(1));
        assert_eq!(retry_after(4_001, 2_000.0), Duration::from_secs(3));
        assert_eq!(retry_after(usize::MAX, 0.0), Duration::from_secs(60));
    }
}
