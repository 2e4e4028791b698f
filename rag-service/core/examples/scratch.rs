use rag_core::{document::Document, node_parser::*};
use serde_json::{Map, Value, json};
use std::sync::Arc;
use std::time::Instant;
use tokenizers::models::wordpiece::WordPiece;
use tokenizers::{
    Tokenizer,
    models::{
        TrainerWrapper,
        bpe::{BPE, BpeTrainer},
        unigram::{Unigram, UnigramTrainer},
    },
    pre_tokenizers::{byte_level::ByteLevel, metaspace::Metaspace},
};
fn bpe(files: Vec<String>) -> Tokenizer {
    let mut t = Tokenizer::new(BPE::default());
    t.with_pre_tokenizer(Some(ByteLevel::default()));
    let mut tr: TrainerWrapper = BpeTrainer::builder()
        .vocab_size(8000)
        .initial_alphabet(ByteLevel::alphabet().into_iter().collect())
        .show_progress(false)
        .build()
        .into();
    t.train_from_files(&mut tr, files).unwrap();
    t
}
fn uni(files: Vec<String>) -> Tokenizer {
    let mut t = Tokenizer::new(Unigram::default());
    t.with_pre_tokenizer(Some(Metaspace::default()));
    let mut tr: TrainerWrapper = UnigramTrainer::builder()
        .vocab_size(8000)
        .unk_token(Some("<unk>".into()))
        .special_tokens(vec![tokenizers::AddedToken::from("<unk>", true)])
        .show_progress(false)
        .build()
        .unwrap()
        .into();
    t.train_from_files(&mut tr, files).unwrap();
    t
}
fn wp(bpe: &Tokenizer) -> Tokenizer {
    let _ = WordPiece::default();
    let mut v = Map::new();
    v.insert("[UNK]".into(), json!(0));
    let mut n = 1;
    for c in (0x21u8..0x7f).map(|c| (c as char).to_string()) {
        for k in [c.clone(), format!("##{c}")] {
            if v.insert(k, json!(n)).is_none() {
                n += 1
            }
        }
    }
    for (w, _) in bpe.get_vocab(false) {
        let w = w.to_lowercase();
        let k = if let Some(r) = w.strip_prefix('Ġ') {
            r.to_string()
        } else {
            format!("##{w}")
        };
        if !v.contains_key(&k) && !k.is_empty() {
            v.insert(k, json!(n));
            n += 1;
        }
    }
    let j = json!({"version":"1.0","truncation":null,"padding":null,"added_tokens":[],"normalizer":{"type":"BertNormalizer","clean_text":true,"handle_chinese_chars":true,"strip_accents":null,"lowercase":true},"pre_tokenizer":{"type":"BertPreTokenizer"},"post_processor":null,"decoder":null,"model":{"type":"WordPiece","unk_token":"[UNK]","continuing_subword_prefix":"##","max_input_chars_per_word":100,"vocab":v}});
    j.to_string().parse().unwrap()
}
fn main() {
    let only = std::env::args().nth(1).unwrap_or_default();
    let f = vec!["/tmp/scratch/prose.txt".to_string()];
    let b = bpe(f.clone());
    let w = wp(&b);
    let u = uni(f);
    let counters = [
        ("wp", TokenCounter::exact(Arc::new(w))),
        ("bpe", TokenCounter::exact(Arc::new(b))),
        ("uni", TokenCounter::exact(Arc::new(u))),
        ("est", TokenCounter::estimate()),
    ];
    let rd = |p: &str| String::from_utf8_lossy(&std::fs::read(format!("/tmp/scratch/{p}")).unwrap()).into_owned();
    let mut cases: Vec<(String, String, Value)> = vec![];
    for lim in [(); 1] {
        let _ = lim;
        cases.push(("prose".into(), rd("prose.txt"), json!({})));
        cases.push(("prose-md".into(), rd("prose.txt"), json!({"split_type":"markdown"})));
        for (n, l) in [
            ("code.go", "go"),
            ("code.py", "python"),
            ("data.json", "json"),
            ("min.json", "json"),
        ] {
            cases.push((n.into(), rd(n), json!({"split_type":"code","language":l})));
        }
    }
    let hex: String = (0..200_000u64)
        .map(|i| {
            char::from_digit(
                ((i.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407) >> 33) % 16) as u32,
                16,
            )
            .unwrap()
        })
        .collect();
    let b64: String = {
        let a: Vec<char> = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
            .chars()
            .collect();
        let mut s = 1u64;
        (0..200_000)
            .map(|_| {
                s ^= s << 13;
                s ^= s >> 7;
                s ^= s << 17;
                a[(s % 64) as usize]
            })
            .collect()
    };
    let path: Vec<(&str, String)> = vec![
        ("hex", hex.clone()),
        ("b64", b64.clone()),
        ("aaaa", " ".repeat(0) + &"a".repeat(1_000_000)),
        ("spaces", " ".repeat(1_000_000) + "x"),
        ("newlines", "\n".repeat(1_000_000) + "x"),
        ("a-newline", "a\n".repeat(500_000)),
        ("a-sp", "a ".repeat(500_000)),
        ("nlruns", (1..1400).map(|n| "x".to_string() + &"\n".repeat(n)).collect()),
        ("parens", "(".repeat(1_000_000)),
        ("brack", "[".repeat(500_000) + &"]".repeat(500_000)),
        ("brace", "{".repeat(1_000_000)),
        ("tags", "<a>".repeat(330_000)),
        ("quote", ">".repeat(1_000_000)),
        ("quotes", "> > > > a\n".repeat(100_000)),
        ("plus", "a+".repeat(500_000)),
        ("combining", "e".to_string() + &"\u{301}".repeat(500_000)),
        ("emoji", "👨‍👩‍👧".repeat(40_000)),
        ("cjk", "日本語の文章です。".repeat(40_000)),
        ("thai", "ภาษาไทยเป็นภาษา".repeat(30_000)),
        ("fdfa", "\u{fdfa}".repeat(300_000)),
        ("bang", "!".repeat(1_000_000)),
        ("dash", "- ".repeat(500_000)),
        ("star", "*a_".repeat(330_000)),
        ("list", (0..2000).map(|i| " ".repeat(i % 300) + "- x\n").collect()),
        ("pipes", "|".repeat(1_000_000)),
        ("back", "`".repeat(1_000_000)),
        ("lt", "<".repeat(1_000_000)),
        ("heredoc", "<<A\n".repeat(250_000)),
        ("quotes2", "\"'`".repeat(330_000)),
        ("indent", (0..1400).map(|i| " ".repeat(i) + "if x:\n").collect()),
        (
            "garb",
            b64.chars()
                .enumerate()
                .map(|(i, c)| {
                    if i % 3 == 0 {
                        "(){}[];:,.<>=+-*/&|!\"'\n\t#$%@`~^\\"
                            .chars()
                            .nth((c as usize * 7 + i) % 29)
                            .unwrap()
                    } else {
                        c
                    }
                })
                .collect(),
        ),
    ];
    for (n, t) in &path {
        cases.push((n.to_string(), t.clone(), json!({})));
        cases.push((format!("{n}-md"), t.clone(), json!({"split_type":"markdown"})));
        for l in [
            "bash",
            "c",
            "cpp",
            "csharp",
            "css",
            "go",
            "html",
            "java",
            "javascript",
            "json",
            "php",
            "python",
            "ruby",
            "rust",
            "tsx",
            "typescript",
            "yaml",
        ] {
            cases.push((format!("{n}-{l}"), t.clone(), json!({"split_type":"code","language":l})));
        }
    }
    for (cn, c) in &counters {
        for (name, text, md) in &cases {
            if !only.is_empty() && !format!("{cn}/{name}").contains(&only) {
                continue;
            }
            if only.is_empty()
                && *cn != "est"
                && name.contains("-")
                && !name.starts_with("prose")
                && !name.ends_with("-md")
            {
                continue;
            }
            let p = NodeParser::new(
                NodeParserSettings {
                    model_token_limit: Some(510),
                    ..Default::default()
                },
                c.clone(),
            );
            let m: Map<String, Value> = md.as_object().unwrap().clone();
            let d = Document::new(text.clone(), m.into());
            let t = Instant::now();
            let nodes = p.parse(&d).unwrap();
            let e = t.elapsed();
            let toks: Vec<usize> = nodes.iter().map(|n| c.count(&n.text)).collect();
            let mut s = toks.clone();
            s.sort();
            let q = |f: f64| s.get(((s.len() as f64 - 1.) * f) as usize).copied().unwrap_or(0);
            if e.as_secs_f64() > 3.0
                || !name.contains('-')
                || name.starts_with("prose")
                || nodes.iter().any(|n| c.count(&n.text) > 510)
            {
                println!(
                    "{cn:4} {name:14} {:8} bytes {:6.2}s nodes {:5} tok p10 {} p50 {} p90 {} max {} maxchars {}",
                    text.len(),
                    e.as_secs_f64(),
                    nodes.len(),
                    q(0.1),
                    q(0.5),
                    q(0.9),
                    q(1.0),
                    nodes.iter().map(|n| n.span.end - n.span.start).max().unwrap_or(0)
                );
            }
        }
    }
}
