//! Adapters beside a model.

use std::collections::BTreeSet;

use kaito_api::v1beta1::{AdapterSpec, DataSource};

use super::volume::volume;
use crate::workspace::workload::{Adapter, AdapterSource, ImageSource, Runtime};

/// Most adapters beside a model; KAITO's limit.
const MOST: usize = 10;

/// Why an adapter cannot be served.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum InvalidAdapter {
    /// Too many.
    #[error("inference.adapters has {0} adapters, and at most {MOST} are allowed")]
    Count(usize),
    /// No source.
    #[error("adapter number {0} has no source; set its name, and an image or a volumeSource")]
    FindSource(usize),
    /// Its name is a directory's and part of others.
    #[error(
        "{0:?} cannot be an adapter's name; use lower-case letters, digits, hyphens and dots, with a letter or digit at \
         both ends"
    )]
    Name(String),
    /// Two of one name.
    #[error("two adapters are named {0:?}; give one of them another name")]
    Repeat(String),
    /// Neither an image nor a volume, or both.
    #[error("adapter {0:?} needs exactly one of source.image and source.volumeSource, and no urls")]
    ChooseSource(String),
    /// The volume is none.
    #[error("source.volumeSource of adapter {name:?} cannot be used: {problem}")]
    Volume {
        /// The adapter.
        name: String,
        /// Why.
        problem: String,
    },
    /// vLLM has no strengths.
    #[error(
        "vLLM does not support adapter strength; remove it from adapter {0:?}, or set the annotation kaito.sh/runtime to \
         transformers"
    )]
    UseStrength(String),
    /// Not a share.
    #[error("strength {strength:?} of adapter {name:?} must be a number from \"0.0\" to \"1.0\"")]
    Strength {
        /// The adapter.
        name: String,
        /// As the user wrote it.
        strength: String,
    },
}

pub(super) fn adapters(specs: &[AdapterSpec], runtime: Runtime) -> Result<Vec<Adapter>, InvalidAdapter> {
    if specs.len() > MOST {
        return Err(InvalidAdapter::Count(specs.len()));
    }
    let mut names = BTreeSet::new();
    specs
        .iter()
        .enumerate()
        .map(|(index, spec)| {
            let source = spec.source.as_ref().ok_or(InvalidAdapter::FindSource(index + 1))?;
            let adapter = Adapter {
                name: name(source)?,
                source: adapter_source(source)?,
                strength: strength(spec, source, runtime)?,
            };
            if names.insert(adapter.name.clone()) {
                Ok(adapter)
            } else {
                Err(InvalidAdapter::Repeat(adapter.name))
            }
        })
        .collect()
}

fn name(source: &DataSource) -> Result<String, InvalidAdapter> {
    let name = source.name.clone().unwrap_or_default();
    let is_end = |character: char| character.is_ascii_lowercase() || character.is_ascii_digit();
    let is_part = |part: &str| {
        part.starts_with(is_end)
            && part.ends_with(is_end)
            && part.chars().all(|character| character == '-' || is_end(character))
    };
    if name.len() <= 253 && name.split('.').all(is_part) {
        Ok(name)
    } else {
        Err(InvalidAdapter::Name(name))
    }
}

fn adapter_source(source: &DataSource) -> Result<AdapterSource, InvalidAdapter> {
    let name = || source.name.clone().unwrap_or_default();
    let image = source.image.as_ref().filter(|image| !image.is_empty());
    let has_urls = source.urls.as_ref().is_some_and(|urls| !urls.is_empty());
    match (image, &source.volume_source) {
        (Some(image), None) if !has_urls => Ok(AdapterSource::Image(ImageSource {
            image: image.clone(),
            pull_secrets: source.image_pull_secrets.clone().unwrap_or_default(),
        })),
        (None, Some(raw)) if !has_urls => match volume(raw) {
            Ok(volume) => Ok(AdapterSource::Volume(Box::new(volume))),
            Err(problem) => Err(InvalidAdapter::Volume { name: name(), problem }),
        },
        _ => Err(InvalidAdapter::ChooseSource(name())),
    }
}

fn strength(spec: &AdapterSpec, source: &DataSource, runtime: Runtime) -> Result<Option<String>, InvalidAdapter> {
    let name = || source.name.clone().unwrap_or_default();
    let Some(strength) = &spec.strength else {
        return Ok(None);
    };
    if runtime == Runtime::Vllm {
        return Err(InvalidAdapter::UseStrength(name()));
    }
    match strength.parse::<f64>() {
        Ok(share) if (0.0..=1.0).contains(&share) => Ok(Some(strength.clone())),
        _ => Err(InvalidAdapter::Strength {
            name: name(),
            strength: strength.clone(),
        }),
    }
}
