//! `--feature-gates`, as KAITO's operators write it.

use std::str::FromStr;

/// What is on and off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FeatureGates {
    /// vLLM serves models that do not ask for another program. When off, Transformers does.
    pub vllm: bool,
    /// GPUs may be divided into MIG slices.
    pub mig: bool,
    /// Some of a machine's GPUs may be used.
    pub accelerator: bool,
}

/// Why the text is no list of feature gates.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParseFeatureGates {
    /// Not of the form.
    #[error("{0:?} is not a feature gate such as enableMIG=true")]
    SplitGate(String),
    /// There are no such gates.
    #[error("invalid feature gate(s): {}; known are vLLM, enableMIG and enableAccelerator", .0.join(", "))]
    FindGates(Vec<String>),
}

impl Default for FeatureGates {
    fn default() -> Self {
        Self {
            vllm: true,
            mig: false,
            accelerator: false,
        }
    }
}

impl FromStr for FeatureGates {
    type Err = ParseFeatureGates;

    fn from_str(text: &str) -> Result<Self, ParseFeatureGates> {
        let mut gates = Self::default();
        let mut unknown = Vec::new();
        for item in text.split(',').map(str::trim).filter(|item| !item.is_empty()) {
            let wrong = || ParseFeatureGates::SplitGate(item.to_owned());
            let (name, value) = item.split_once('=').ok_or_else(wrong)?;
            let on = match value.trim().to_ascii_lowercase().as_str() {
                "true" => true,
                "false" => false,
                _ => return Err(wrong()),
            };
            match name.trim() {
                "vLLM" => gates.vllm = on,
                "enableMIG" => gates.mig = on,
                "enableAccelerator" => gates.accelerator = on,
                // KAITO derives it from who makes machines, whatever is given; so its installations may still give it.
                "disableNodeAutoProvisioning" => {}
                other => unknown.push(other.to_owned()),
            }
        }
        if unknown.is_empty() {
            Ok(gates)
        } else {
            Err(ParseFeatureGates::FindGates(unknown))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gates_are_read_and_unknown_ones_are_named() {
        assert_eq!("".parse(), Ok(FeatureGates::default()));
        assert_eq!(
            "vLLM=false, enableMIG=True,disableNodeAutoProvisioning=true".parse(),
            Ok(FeatureGates {
                vllm: false,
                mig: true,
                accelerator: false,
            })
        );
        let refused = |text: &str| text.parse::<FeatureGates>().unwrap_err().to_string();
        assert_eq!(
            refused("ModelStreaming=true,enableMIG=true,foo=false"),
            "invalid feature gate(s): ModelStreaming, foo; known are vLLM, enableMIG and enableAccelerator"
        );
        assert_eq!(
            refused("enableMIG"),
            "\"enableMIG\" is not a feature gate such as enableMIG=true"
        );
        assert_eq!(
            refused("enableMIG=maybe"),
            "\"enableMIG=maybe\" is not a feature gate such as enableMIG=true"
        );
    }
}
