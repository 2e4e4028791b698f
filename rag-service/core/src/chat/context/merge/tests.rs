use proptest::prelude::*;

use super::*;
use crate::node::CharSpan;

fn document(name: &str) -> DocumentId {
    DocumentId::from(name.to_owned())
}

fn candidate<'node>(
    document_id: &'node DocumentId,
    position: u32,
    (start, end): (u32, u32),
    text: &'node str,
) -> Candidate<'node> {
    Candidate {
        document_id,
        position,
        span: CharSpan { start, end },
        text,
        dense_score: None,
        sparse_score: None,
        source: format!("{document_id} {position}"),
    }
}

fn texts(passages: &[Passage]) -> Vec<&str> {
    passages.iter().map(|passage| passage.text.as_str()).collect()
}

#[test]
fn neighbours_are_joined_without_what_they_share() {
    let id = document("d");
    // Spans and texts of two neighbours, and what they make.
    let cases = [
        (((0, 6), "abcdef"), ((4, 9), "efghi"), "abcdefghi"),
        (((0, 4), "größ"), ((2, 6), "ößer"), "größer"),
        (((0, 3), "abc"), ((3, 6), "def"), "abcdef"),
        (((0, 3), "abc"), ((4, 7), "def"), "abc\ndef"),
        (((0, 3), "abc"), ((9, 12), "def"), "abc\ndef"),
        (((0, 6), "abcdef"), ((4, 6), "ef"), "abcdef"),
        (((0, 6), "abcdef"), ((2, 4), "cd"), "abcdef"),
        // The spans are wrong; nothing is dropped.
        (((0, 6), "abcdef"), ((4, 9), "xyzhi"), "abcdef\nxyzhi"),
        (((0, 99), "abcdef"), ((4, 9), "xyzhi"), "abcdef\nxyzhi"),
        (((50, 60), "abcdef"), ((4, 9), "xyzhi"), "abcdef\nxyzhi"),
    ];
    for ((first_span, first), (second_span, second), expected) in cases {
        let candidates = [
            candidate(&id, 0, first_span, first),
            candidate(&id, 1, second_span, second),
        ];
        assert_eq!(texts(&passages(&candidates, &[0, 1])), [expected]);
        assert_eq!(
            texts(&passages(&candidates, &[1, 0])),
            [expected],
            "whichever is better"
        );
    }
}

#[test]
fn passages_are_numbered_by_their_best_node_and_read_forwards() {
    let (first, second) = (document("first"), document("second"));
    let candidates = [
        candidate(&first, 4, (40, 41), "e"),
        candidate(&second, 4, (4, 5), "x"),
        candidate(&first, 3, (30, 31), "d"),
        candidate(&first, 1, (10, 11), "b"),
        candidate(&second, 5, (5, 6), "y"),
    ];
    assert_eq!(
        passages(&candidates, &[1, 0, 2, 3, 4]),
        [
            Passage {
                number: 1,
                members: vec![1, 4],
                source: "second 4".to_owned(),
                text: "xy".to_owned(),
            },
            Passage {
                number: 2,
                members: vec![2, 0],
                source: "first 4".to_owned(),
                text: "d\ne".to_owned(),
            },
            Passage {
                number: 3,
                members: vec![3],
                source: "first 1".to_owned(),
                text: "b".to_owned(),
            },
        ]
    );
}

#[test]
fn no_nodes_make_no_passages() {
    assert_eq!(passages(&[], &[]), []);
}

/// Cuts a text into trimmed windows that start `step` characters apart, as (span, text).
fn windows(text: &[char], size: usize, step: usize) -> Vec<(CharSpan, String)> {
    (0..text.len())
        .step_by(step)
        .filter_map(|start| {
            let window = &text[start..(start + size).min(text.len())];
            let blanks = window.iter().take_while(|character| character.is_whitespace()).count();
            let trimmed = String::from_iter(window).trim().to_owned();
            let start = u32::try_from(start + blanks).unwrap();
            let end = start + u32::try_from(trimmed.chars().count()).unwrap();
            (!trimmed.is_empty()).then_some((CharSpan { start, end }, trimmed))
        })
        .collect()
}

proptest! {
    #[test]
    fn merging_the_windows_of_a_text_gives_the_text_back(
        text in "[ab é\n]{0,60}",
        step in 1_usize..12,
        overlap in 0_usize..8,
        shuffled in Just((0..60).collect::<Vec<usize>>()).prop_shuffle(),
    ) {
        let characters: Vec<char> = text.chars().collect();
        let windows = windows(&characters, step + overlap, step);
        let id = document("d");
        let candidates: Vec<Candidate<'_>> = (0..)
            .zip(&windows)
            .map(|(position, (span, text))| candidate(&id, position, (span.start, span.end), text))
            .collect();
        let nodes: Vec<usize> = shuffled.into_iter().filter(|place| *place < candidates.len()).collect();
        let merged = passages(&candidates, &nodes);
        prop_assert_eq!(merged.len(), usize::from(!windows.is_empty()));
        let Some(merged) = merged.first() else { return Ok(()) };
        let words = |text: &str| text.split_whitespace().collect::<String>();
        prop_assert_eq!(words(&merged.text), words(&text));
        let has_gap = windows.windows(2).any(|pair| pair[1].0.start > pair[0].0.end);
        if !has_gap {
            prop_assert_eq!(&merged.text, text.trim());
        }
    }
}
