//! The flags of vLLM, and of KAITO's server with the Transformers library, that say what is served.

/// What is served.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Flags {
    /// Name of the model.
    pub(super) model: String,
    /// Its context window, if the flags give it in tokens.
    pub(super) max_model_len: Option<u64>,
}

impl Flags {
    /// Finds them in a command line, or in a script that has one in it.
    pub(super) fn of(called: &str) -> Self {
        let value = |names: [&str; 2]| {
            let mut words = called
                .split_whitespace()
                .map(|word| word.trim_matches([';', '"', '\'']));
            words.find_map(|word| {
                let (name, value) = word.split_once('=')?;
                names
                    .contains(&name)
                    .then(|| value.trim_matches(['"', '\'']).to_owned())
            })
        };
        let length = value(["--max-model-len", "--max_model_len"]);
        Self {
            model: value(["--served-model-name", "--served_model_name"]).unwrap_or_else(|| "model".to_owned()),
            max_model_len: length.and_then(|length| length.parse().ok()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_are_found_in_scripts() {
        for (called, model, max_model_len) in [
            (
                "-c python3 api.py --served-model-name=phi --max-model-len=auto",
                "phi",
                None,
            ),
            (
                "-c if x; then a --max-model-len=4096 --served-model-name='phi'; else b; fi",
                "phi",
                Some(4096),
            ),
            ("-c accelerate launch api.py --served_model_name=phi", "phi", None),
            ("", "model", None),
        ] {
            let expected = Flags {
                model: model.to_owned(),
                max_model_len,
            };
            assert_eq!(Flags::of(called), expected, "{called}");
        }
    }
}
