//! Parameters on the command line of a program that serves a model.

use std::fmt;

use serde::Deserialize;

/// `--name=value`, or `--name` alone.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(from = "String")]
pub struct RunParameter {
    /// Without the dashes.
    pub name: String,
    /// `None` for a parameter that is only there or not. A value may carry the quotes that a shell needs.
    pub value: Option<String>,
}

/// Parameters in a fixed order, each name once.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RunParameters(Vec<RunParameter>);

impl RunParameters {
    /// Gives `name` a value: where it stands already, or else at the end.
    pub fn set(&mut self, name: &str, value: impl Into<String>) {
        self.put(name, Some(value.into()));
    }

    /// Adds `name` without a value.
    pub fn set_flag(&mut self, name: &str) {
        self.put(name, None);
    }

    /// Takes `name` out.
    pub fn remove(&mut self, name: &str) {
        self.0.retain(|parameter| parameter.name != name);
    }

    /// The parameter of this name.
    #[must_use]
    pub fn find(&self, name: &str) -> Option<&RunParameter> {
        self.0.iter().find(|parameter| parameter.name == name)
    }

    /// All of them, in their order.
    pub fn iter(&self) -> impl Iterator<Item = &RunParameter> {
        self.0.iter()
    }

    fn put(&mut self, name: &str, value: Option<String>) {
        match self.0.iter_mut().find(|parameter| parameter.name == name) {
            Some(parameter) => parameter.value = value,
            None => self.0.push(RunParameter {
                name: name.to_owned(),
                value,
            }),
        }
    }
}

/// Later ones replace earlier ones of their name.
impl Extend<RunParameter> for RunParameters {
    fn extend<Parameters: IntoIterator<Item = RunParameter>>(&mut self, parameters: Parameters) {
        for parameter in parameters {
            self.put(&parameter.name, parameter.value);
        }
    }
}

impl FromIterator<RunParameter> for RunParameters {
    fn from_iter<Parameters: IntoIterator<Item = RunParameter>>(parameters: Parameters) -> Self {
        let mut all = Self::default();
        all.extend(parameters);
        all
    }
}

impl IntoIterator for RunParameters {
    type Item = RunParameter;
    type IntoIter = std::vec::IntoIter<RunParameter>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

/// From `name=value` or `name`.
impl From<String> for RunParameter {
    fn from(text: String) -> Self {
        match text.split_once('=') {
            Some((name, value)) => Self {
                name: name.to_owned(),
                value: Some(value.to_owned()),
            },
            None => Self {
                name: text,
                value: None,
            },
        }
    }
}

impl fmt::Display for RunParameter {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "--{}", self.name)?;
        self.value
            .as_ref()
            .map_or(Ok(()), |value| write!(formatter, "={value}"))
    }
}

/// As they stand on a command line.
impl fmt::Display for RunParameters {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, parameter) in self.0.iter().enumerate() {
            let space = if index == 0 { "" } else { " " };
            write!(formatter, "{space}{parameter}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_keep_their_order_and_each_name_is_there_once() {
        let mut parameters = RunParameters::default();
        parameters.set("dtype", "auto");
        parameters.set_flag("enable-lora");
        parameters.set("max-model-len", "auto");
        parameters.set("dtype", "bfloat16");
        assert_eq!(
            parameters.to_string(),
            "--dtype=bfloat16 --enable-lora --max-model-len=auto"
        );
        parameters.remove("enable-lora");
        parameters.extend(["dtype=half".to_owned(), "port=5001".to_owned()].map(RunParameter::from));
        assert_eq!(parameters.to_string(), "--dtype=half --max-model-len=auto --port=5001");
        assert_eq!(
            parameters.find("port").and_then(|port| port.value.as_deref()),
            Some("5001")
        );
        assert_eq!(parameters.find("enable-lora"), None);
    }
}
