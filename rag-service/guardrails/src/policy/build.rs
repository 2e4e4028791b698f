//! From the entries of a policy to stages. Each entry stands or falls alone.

use serde_yaml_ng::Value;

use super::fields::{self, Fields, normalised};
use crate::diagnostic::{Diagnostic, DiagnosticEvent};
use crate::sensitive::Entity;
use crate::span::CompileError;
use crate::stage::{
    BannedSubstrings, Check, Encoding, JsonCheck, MatchType, ReadingTime, SecretMode, Stage, TokenLimit,
    ban_substrings, compile_patterns, invisible_text, secrets, sensitive,
};
use crate::verdict::{Action, ScannerType};

/// Why an entry is not used.
#[derive(Debug)]
enum Rejected {
    /// A field is wrong.
    Config(String),
    /// The fields are right, the scanner can not be made.
    Build(String),
}

/// All entries that can be used, in their order.
pub(super) fn stages(entries: &[Value], default: Action, diagnostics: &mut Vec<Diagnostic>) -> Vec<Stage> {
    let mut stages = Vec::with_capacity(entries.len());
    for (place, entry) in entries.iter().enumerate() {
        let mut tell = |event, scanner, reason: String| {
            diagnostics.push(Diagnostic {
                event,
                entry: Some(place),
                scanner,
                reason,
            });
        };
        let Value::Mapping(entry) = entry else {
            tell(DiagnosticEvent::SkippedEntry, None, "is not a mapping".to_owned());
            continue;
        };
        let fields = Fields::new(entry);
        let name = match fields.value("type") {
            Some(Value::String(name)) if !name.trim().is_empty() => normalised(name),
            None | Some(Value::String(_)) => {
                tell(DiagnosticEvent::SkippedEntry, None, "has no type".to_owned());
                continue;
            }
            Some(_) => {
                tell(DiagnosticEvent::UnknownScanner, None, "type is not a string".to_owned());
                continue;
            }
        };
        let Some(scanner) = ScannerType::from_name(&name) else {
            tell(
                DiagnosticEvent::UnknownScanner,
                None,
                format!("type {name:?} is unknown"),
            );
            continue;
        };
        let action = match fields::action(fields.value("action")) {
            Some(action) => action.unwrap_or(default),
            None => {
                let reason = format!("action is neither redact nor block; {default} is taken");
                tell(DiagnosticEvent::InvalidAction, Some(scanner), reason);
                default
            }
        };
        match check(scanner, &fields) {
            Ok(check) => stages.push(Stage { scanner, action, check }),
            Err(Rejected::Config(reason)) => tell(DiagnosticEvent::InvalidScannerConfig, Some(scanner), reason),
            Err(Rejected::Build(reason)) => tell(DiagnosticEvent::ScannerBuildFailed, Some(scanner), reason),
        }
    }
    stages
}

fn check(scanner: ScannerType, fields: &Fields<'_>) -> Result<Check, Rejected> {
    match scanner {
        ScannerType::BanSubstrings => ban_substrings_check(fields),
        ScannerType::Regex => regex_check(fields),
        ScannerType::Json => Ok(Check::Json(JsonCheck {
            required_elements: fields.count("required_elements", 0, 0)?,
            repair: fields.flag("repair", true)?,
        })),
        ScannerType::ReadingTime => Ok(Check::ReadingTime(ReadingTime {
            max_minutes: fields.positive("max_time")?,
            truncate: fields.flag("truncate", false)?,
        })),
        ScannerType::TokenLimit => token_limit_check(fields),
        ScannerType::InvisibleText => invisible_text_check(fields),
        ScannerType::Secrets => secrets_check(fields),
        ScannerType::Sensitive => sensitive_check(fields),
    }
}

fn ban_substrings_check(fields: &Fields<'_>) -> Result<Check, Rejected> {
    let substrings = fields.required_strings("substrings")?;
    let match_type = fields.text("match_type")?.unwrap_or("word").to_ascii_lowercase();
    let contains_all = fields.flag("contains_all", false)?;
    let spans = ban_substrings(&BannedSubstrings {
        substrings: &substrings,
        whole_words: match match_type.as_str() {
            "word" => true,
            "str" => false,
            _ => return Err(Rejected::Config("match_type is neither word nor str".to_owned())),
        },
        case_sensitive: fields.flag("case_sensitive", false)?,
    })?;
    Ok(if contains_all {
        Check::AllSpans(spans)
    } else {
        Check::Spans(spans)
    })
}

fn regex_check(fields: &Fields<'_>) -> Result<Check, Rejected> {
    let patterns = fields.required_strings("patterns")?;
    let match_type = fields.text("match_type")?.unwrap_or("search").to_ascii_lowercase();
    let match_type = match match_type.as_str() {
        // KAITO's `search` replaces one match and its `all` every match. Here every match is replaced.
        "search" | "all" => MatchType::Search,
        "fullmatch" | "full_match" => MatchType::FullMatch,
        _ => {
            return Err(Rejected::Config(
                "match_type is none of search, fullmatch and all".to_owned(),
            ));
        }
    };
    let is_blocked = fields.flag("is_blocked", true)?;
    compile_patterns(&patterns, match_type, is_blocked).map_err(|error| Rejected::Config(error.to_string()))
}

fn token_limit_check(fields: &Fields<'_>) -> Result<Check, Rejected> {
    let limit = fields.count("limit", 1, 4096)?;
    let encoding_name = fields.text("encoding_name")?;
    let encoding = match fields.text("model_name")? {
        Some(model) => Encoding::of_model(model),
        None => encoding_name.map_or(Some(Encoding::Cl100kBase), Encoding::from_name),
    };
    let encoding = encoding.ok_or_else(|| {
        Rejected::Build(format!(
            "the encoding is not part of this program; there are {} and the models that use them",
            Encoding::NAMES
        ))
    })?;
    Ok(Check::TokenLimit(TokenLimit { limit, encoding }))
}

fn invisible_text_check(fields: &Fields<'_>) -> Result<Check, Rejected> {
    match fields.names().find(|name| !matches!(*name, "type" | "action")) {
        Some(name) => Err(Rejected::Config(format!(
            "{name:?} is no field of this scanner, which has none"
        ))),
        None => Ok(Check::Spans(invisible_text()?)),
    }
}

fn secrets_check(fields: &Fields<'_>) -> Result<Check, Rejected> {
    let mode = match fields
        .text("redact_mode")?
        .unwrap_or("all")
        .to_ascii_lowercase()
        .as_str()
    {
        "all" => SecretMode::All,
        "partial" => SecretMode::Partial,
        "hash" => SecretMode::Hash,
        _ => {
            return Err(Rejected::Config(
                "redact_mode is none of all, partial and hash".to_owned(),
            ));
        }
    };
    secrets(mode)
        .map(Check::Spans)
        .map_err(|error| Rejected::Build(error.to_string()))
}

fn sensitive_check(fields: &Fields<'_>) -> Result<Check, Rejected> {
    let Some(names) = fields.strings("detectors")? else {
        return Ok(Check::Spans(sensitive(&Entity::DEFAULT)?));
    };
    let mut entities: Vec<Entity> = Vec::with_capacity(names.len());
    for name in &names {
        let entity = name.trim().parse().map_err(|_| {
            let known = Entity::ALL.map(Entity::name).join(", ");
            Rejected::Config(format!("detectors holds something other than {known}"))
        })?;
        if !entities.contains(&entity) {
            entities.push(entity);
        }
    }
    Ok(Check::Spans(sensitive(&entities)?))
}

impl From<String> for Rejected {
    fn from(reason: String) -> Self {
        Self::Config(reason)
    }
}

impl From<CompileError> for Rejected {
    fn from(error: CompileError) -> Self {
        Self::Build(match error {
            CompileError::Pattern { .. } => "a pattern is not usable".to_owned(),
            CompileError::Horizon(_) | CompileError::Keywords(_) => error.to_string(),
        })
    }
}
