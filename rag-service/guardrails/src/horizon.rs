//! How far a text is decided: from where on could a match still begin or grow when more text arrives?
//!
//! One lazy automaton runs all patterns at once, freed of everything that only looks (`\b`, `^`), so that it accepts at
//! least what the patterns accept. A place is open while the automaton, started there, is alive at the end of the text;
//! it always survives the last byte of a match, so one more character is seen behind each match and the assertions there
//! are decided too. The end of the text stands for a byte that never comes.
//!
//! That automaton follows all ways to match, also those that the regex engine gives up once it has found a better one.
//! `BEGIN(?s:.*?)END` could always go on to a later `END`, and would be open for ever. Patterns with such a reluctant
//! repetition therefore have automata of their own, which prefer as the engine does and die when it decides, if it is
//! certain that a match of theirs is one of the pattern's.

use regex_automata::hybrid::LazyStateID;
use regex_automata::hybrid::dfa::{Cache, DFA};
use regex_automata::nfa::thompson::{Compiler, Config, WhichCaptures};
use regex_automata::util::pool::Pool;
use regex_automata::util::start;
use regex_automata::{Anchored, MatchKind};
use regex_syntax::ParserBuilder;
use regex_syntax::hir::{Capture, Class, ClassBytes, ClassBytesRange, Hir, HirKind, Look, Repetition};

/// Upper bound of one automaton, in bytes.
const NFA_SIZE_LIMIT: usize = 32 * 1024 * 1024;
/// Upper bound of the memory in which one scan keeps what it worked out, in bytes.
const CACHE_CAPACITY: usize = 4 * 1024 * 1024;

/// Knows from where on a text is undecided.
#[derive(Debug)]
pub(crate) struct Horizon {
    automata: Vec<Automaton>,
}

struct Automaton {
    dfa: DFA,
    caches: Pool<Cache, Box<dyn Fn() -> Cache + Send + Sync + std::panic::UnwindSafe + std::panic::RefUnwindSafe>>,
}

/// Why there is no automaton for the patterns.
#[derive(Debug, thiserror::Error)]
pub(crate) enum HorizonError {
    #[error("pattern {pattern:?} can not be parsed")]
    Parse {
        pattern: String,
        source: Box<regex_syntax::Error>,
    },
    #[error("the patterns do not fit one automaton")]
    BuildNfa(#[source] Box<regex_automata::nfa::thompson::BuildError>),
    #[error("the patterns do not fit one automaton")]
    BuildDfa(#[source] Box<regex_automata::hybrid::BuildError>),
}

impl Horizon {
    pub(crate) fn new<'pattern>(patterns: impl Iterator<Item = &'pattern str>) -> Result<Self, HorizonError> {
        let mut automata = Vec::new();
        let mut together = Vec::new();
        for pattern in patterns {
            let hir = ParserBuilder::new()
                .build()
                .parse(pattern)
                .map_err(|source| HorizonError::Parse {
                    pattern: pattern.to_owned(),
                    source: Box::new(source),
                })?;
            match certain(&hir).filter(is_reluctant) {
                Some(hir) => automata.push(Automaton::new(&[hir], MatchKind::LeftmostFirst)?),
                None => together.push(without_assertions(&hir)),
            }
        }
        automata.push(Automaton::new(&together, MatchKind::All)?);
        Ok(Self { automata })
    }

    /// The first place in `text` from byte `from` where a match may begin that the end of the text leaves undecided.
    /// If there is none, the length of the text.
    pub(crate) fn first_open(&self, text: &str, from: usize) -> usize {
        self.automata
            .iter()
            .fold(text.len(), |before, automaton| automaton.first_open(text, from, before))
    }
}

impl Automaton {
    fn new(patterns: &[Hir], match_kind: MatchKind) -> Result<Self, HorizonError> {
        let nfa = Compiler::new()
            .configure(
                Config::new()
                    .which_captures(WhichCaptures::None)
                    .nfa_size_limit(Some(NFA_SIZE_LIMIT)),
            )
            .build_many_from_hir(patterns)
            .map_err(|source| HorizonError::BuildNfa(Box::new(source)))?;
        let dfa = DFA::builder()
            .configure(
                DFA::config()
                    .match_kind(match_kind)
                    .cache_capacity(CACHE_CAPACITY)
                    .skip_cache_capacity_check(true),
            )
            .build_from_nfa(nfa)
            .map_err(|source| HorizonError::BuildDfa(Box::new(source)))?;
        let factory = dfa.clone();
        Ok(Self {
            dfa,
            caches: Pool::new(Box::new(move || factory.create_cache())),
        })
    }

    /// The first open place before byte `before`, or `before`.
    fn first_open(&self, text: &str, from: usize, before: usize) -> usize {
        let mut cache = self.caches.get();
        let mut search = Search {
            dfa: &self.dfa,
            cache: &mut cache,
            bytes: text.as_bytes(),
            trail: Trail::new(from, text.len()),
        };
        (from..before)
            .filter(|place| text.is_char_boundary(*place))
            .find(|place| search.is_open(*place))
            .unwrap_or(before)
    }
}

impl std::fmt::Debug for Automaton {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Automaton")
            .field("patterns", &self.dfa.pattern_len())
            .finish_non_exhaustive()
    }
}

struct Search<'search> {
    dfa: &'search DFA,
    cache: &'search mut Cache,
    bytes: &'search [u8],
    trail: Trail,
}

impl Search<'_> {
    /// Whether the automaton started at `place` is alive at the end. If it gives up, nothing is known: open.
    fn is_open(&mut self, place: usize) -> bool {
        let start = start::Config::new().anchored(Anchored::Yes);
        let Ok(mut state) = self.dfa.start_state(self.cache, &start) else {
            return true;
        };
        for (offset, byte) in self.bytes.iter().enumerate().skip(place) {
            match self.dfa.next_state(self.cache, state, *byte) {
                Ok(next) => state = next,
                Err(_) => return true,
            }
            if state.is_dead() {
                return false;
            }
            if state.is_quit() {
                return true;
            }
            if self.trail.was_here(offset, state, self.cache.clear_count()) {
                return false;
            }
        }
        true
    }
}

/// The states in which earlier runs passed each place. All of them died, so a run that comes to the same place in the
/// same state will die as well: this keeps the search linear in words of which every letter could begin a match.
struct Trail {
    from: usize,
    states: Vec<Option<LazyStateID>>,
    /// State numbers mean nothing any more once the cache was cleared.
    generation: usize,
}

impl Trail {
    fn new(from: usize, end: usize) -> Self {
        Self {
            from,
            states: vec![None; end.saturating_sub(from)],
            generation: 0,
        }
    }

    fn was_here(&mut self, place: usize, state: LazyStateID, generation: usize) -> bool {
        if generation != self.generation {
            self.generation = generation;
            self.states.fill(None);
        }
        let Some(known) = self.states.get_mut(place - self.from) else {
            return false;
        };
        let same = *known == Some(state);
        *known = Some(state);
        same
    }
}

/// The pattern without its assertions: it matches all that the pattern matches, and more.
fn without_assertions(hir: &Hir) -> Hir {
    rewritten(hir, &|look| match look {
        Look::End => Some(end_of_text()),
        _ => Some(Hir::empty()),
    })
    .unwrap_or_else(Hir::empty)
}

/// The pattern without the assertions it begins with, which decide whether it can match but not how, if it has no other
/// than the end of the text. A match of the result is then one of the pattern, unless there is none.
fn certain(hir: &Hir) -> Option<Hir> {
    let rest = match hir.kind() {
        HirKind::Concat(parts) => {
            let looks = parts
                .iter()
                .take_while(|part| matches!(part.kind(), HirKind::Look(_)))
                .count();
            Hir::concat(parts.iter().skip(looks).cloned().collect())
        }
        _ => hir.clone(),
    };
    rewritten(&rest, &|look| match look {
        Look::End => Some(end_of_text()),
        _ => None,
    })
}

/// What stands for the end of the text while it has not come: a byte that is in no text.
fn end_of_text() -> Hir {
    Hir::class(Class::Bytes(ClassBytes::new([ClassBytesRange::new(0xff, 0xff)])))
}

/// The pattern without its groups and with its assertions replaced; `None` if one can not be.
fn rewritten(hir: &Hir, look: &impl Fn(Look) -> Option<Hir>) -> Option<Hir> {
    let all = |parts: &[Hir]| {
        parts
            .iter()
            .map(|part| rewritten(part, look))
            .collect::<Option<Vec<Hir>>>()
    };
    match hir.kind() {
        HirKind::Look(assertion) => look(*assertion),
        HirKind::Empty | HirKind::Literal(_) | HirKind::Class(_) => Some(hir.clone()),
        HirKind::Capture(Capture { sub, .. }) => rewritten(sub, look),
        HirKind::Repetition(repetition) => Some(Hir::repetition(Repetition {
            sub: Box::new(rewritten(&repetition.sub, look)?),
            ..repetition.clone()
        })),
        HirKind::Concat(parts) => all(parts).map(Hir::concat),
        HirKind::Alternation(parts) => all(parts).map(Hir::alternation),
    }
}

/// Whether the pattern repeats something as seldom as possible.
fn is_reluctant(hir: &Hir) -> bool {
    match hir.kind() {
        HirKind::Repetition(repetition) => {
            (!repetition.greedy && repetition.max != Some(1)) || is_reluctant(&repetition.sub)
        }
        HirKind::Capture(Capture { sub, .. }) => is_reluctant(sub),
        HirKind::Concat(parts) | HirKind::Alternation(parts) => parts.iter().any(is_reluctant),
        HirKind::Empty | HirKind::Literal(_) | HirKind::Class(_) | HirKind::Look(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn first_open(patterns: &[&str], text: &str) -> usize {
        Horizon::new(patterns.iter().copied()).unwrap().first_open(text, 0)
    }

    #[test]
    fn text_that_can_not_become_a_match_is_decided_at_once() {
        assert_eq!(first_open(&["ghp_[a-z]{4}"], "some words without a g"), 21);
        assert_eq!(first_open(&["ghp_[a-z]{4}"], "some words"), 10);
        assert_eq!(first_open(&["ghp_[a-z]{4}"], "gh gp ghq ghp_ab!"), 17);
    }

    #[test]
    fn a_beginning_of_any_pattern_is_open() {
        assert_eq!(first_open(&["abc", "xyz"], "..ab"), 2);
        assert_eq!(first_open(&["abc", "xyz"], "..abx"), 4);
        assert_eq!(first_open(&["-----BEGIN(?s:.*?)END"], "a -----BEGIN b c d"), 2);
    }

    #[test]
    fn a_finished_match_stays_open_until_the_next_character() {
        assert_eq!(first_open(&[r"\bcat\b"], "a cat"), 2);
        assert_eq!(first_open(&["cat$"], "cat"), 0);
        assert_eq!(first_open(&["cat$"], "cat,"), 4);
        assert!(first_open(&["cat"], "cat, ") >= 4);
    }

    #[test]
    fn a_reluctant_repetition_is_over_when_its_end_was_found() {
        for pattern in [
            "<(?s:.*?)>",
            r"\b<(?s:.*?)(?:>|\z)",
            r"(?m)^<[\s\S]{2,9999}?(>)",
            r"<(?s:.)*?(?:>|(?:\n??\z))",
        ] {
            assert_eq!(first_open(&[pattern], "a\n<b c d"), 2, "{pattern}");
            assert_eq!(first_open(&[pattern], "a\n<b c d> e f"), 13, "{pattern}");
        }
        assert_eq!(first_open(&["<.*?>", "<[a-z]+[.]"], "<b"), 0);
        assert_eq!(first_open(&["<.*?>", "<[a-z>]+[.]"], "<b>c"), 0);
    }

    #[test]
    fn a_reluctant_repetition_before_an_assertion_stays_open() {
        assert_eq!(first_open(&[r"<(?s:.*?)>\b"], "<b> c"), 0);
        assert_eq!(first_open(&[r"(?:\b<|<(?s:.*?))>"], "<b> c"), 0);
    }

    #[test]
    fn a_character_cut_in_the_middle_does_not_occur() {
        assert_eq!(first_open(&["éé"], "aé"), 1);
    }

    #[test]
    fn a_long_word_of_possible_starts_takes_linear_time() {
        let word = "a".repeat(2_000_000) + " ";
        assert_eq!(first_open(&["[a-z]{3,}@", "[a-z]{2,40}!"], &word), word.len());
    }
}
