//! Words of a shell's command line.

use std::borrow::Cow;

/// `text` as one word of a container's command, whatever is in it: as it is when every character stands for itself, else
/// in single quotes, in which a single quote is written as a quote's end, an escaped quote, and a new beginning.
/// Kubernetes puts one dollar sign where there are two, and would replace `$(NAME)`.
pub(super) fn quoted(text: &str) -> Cow<'_, str> {
    let stands_for_itself = |character: char| character.is_ascii_alphanumeric() || "-_./:@%+,".contains(character);
    if !text.is_empty() && text.chars().all(stands_for_itself) {
        Cow::Borrowed(text)
    } else {
        Cow::Owned(format!("'{}'", text.replace('\'', r"'\''").replace('$', "$$")))
    }
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn plain_words_stay_as_they_are() {
        assert_eq!(quoted("/workspace/weights"), "/workspace/weights");
        assert_eq!(quoted("microsoft/phi-4"), "microsoft/phi-4");
        assert_eq!(quoted(r#"{"a":true}"#), r#"'{"a":true}'"#);
        assert_eq!(quoted("it's"), r"'it'\''s'");
        assert_eq!(quoted("$(HF_TOKEN)"), "'$$(HF_TOKEN)'");
        assert_eq!(quoted(""), "''");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        /// A shell is asked, since it is the one that has to understand it, after Kubernetes.
        #[test]
        fn a_shell_reads_every_word_as_it_was(text in r#"[^\x00]{0,40}|['"\\$`;&|<>(){}*?~# \n]{0,20}"#) {
            let script = format!("printf %s {}", quoted(&text).replace("$$", "$"));
            let output = Command::new("/bin/sh").args(["-c", &script]).output().unwrap();
            prop_assert_eq!(output.stdout, text.into_bytes());
        }
    }
}
