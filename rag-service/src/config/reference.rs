//! The table of environment variables in the README, made from the options themselves.

use clap::CommandFactory;

use super::Config;

/// A Markdown table of every option that is not hidden: variable, default, meaning; grouped as `--help` groups them.
pub fn environment_table() -> String {
    let command = Config::command();
    let mut table = String::new();
    let mut heading = "";
    for argument in command.get_arguments().filter(|argument| !argument.is_hide_set()) {
        let Some(variable) = argument.get_env() else { continue };
        let own_heading = argument.get_help_heading().unwrap_or_default();
        if own_heading != heading {
            heading = own_heading;
            table.push_str(&format!(
                "\n**{heading}**\n\n| variable | default | meaning |\n| --- | --- | --- |\n"
            ));
        }
        let defaults: Vec<String> = argument
            .get_default_values()
            .iter()
            .map(|value| format!("`{}`", value.to_string_lossy()))
            .collect();
        let help = argument
            .get_help()
            .map(ToString::to_string)
            .unwrap_or_default()
            .replace('|', "\\|");
        // clap drops the last full stop of a doc comment.
        let end = if help.ends_with(['.', ']', ')']) { "" } else { "." };
        let allowed: Vec<String> = argument
            .get_possible_values()
            .iter()
            .map(|value| format!("`{}`", value.get_name()))
            .collect();
        let is_flag = allowed.len() == 2 && allowed.iter().any(|value| value == "`true`");
        let allowed = if allowed.is_empty() || is_flag {
            String::new()
        } else {
            format!(" One of {}.", allowed.join(", "))
        };
        table.push_str(&format!(
            "| `{}` | {} | {help}{end}{allowed} |\n",
            variable.to_string_lossy(),
            defaults.join(", ")
        ));
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_option_can_be_set_by_a_variable_of_the_name_that_its_errors_show() {
        for argument in Config::command()
            .get_arguments()
            .filter(|argument| argument.get_id() != "help" && argument.get_id() != "version")
        {
            let variable = argument.get_env().map(|name| name.to_string_lossy().into_owned());
            let shown = argument
                .get_value_names()
                .and_then(|names| names.first())
                .map(ToString::to_string);
            assert_eq!(variable, shown, "{}", argument.get_id());
        }
    }

    #[test]
    fn the_readme_has_the_present_table() {
        let readme = concat!(env!("CARGO_MANIFEST_DIR"), "/../README.md");
        let readme = std::fs::read_to_string(readme).unwrap();
        assert!(
            readme.contains(&environment_table()),
            "README.md is stale; run `make docs`"
        );
    }
}
