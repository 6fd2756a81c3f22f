//! The flags of a program, from clap's description of its command line.

use std::fmt::Write as _;

use clap::{Arg, Command};

use super::cell;

/// The commands and flags of a program as Markdown: one section for each command, in the order of
/// `--help`.
pub fn flag_tables(program: &Command) -> String {
    let mut page = String::new();
    let global: Vec<_> = program.get_arguments().filter(|arg| arg.is_global_set()).collect();
    if !global.is_empty() {
        let _ = writeln!(page, "All commands of `{}`:\n", program.get_name());
        table(&mut page, &global);
    }
    commands(&mut page, program, program.get_name());
    page
}

fn commands(page: &mut String, command: &Command, path: &str) {
    let own: Vec<_> =
        command.get_arguments().filter(|arg| !arg.is_global_set() && !arg.is_hide_set()).collect();
    if !command.has_subcommands() {
        let _ = writeln!(page, "### `{path}`\n");
        if let Some(about) = command.get_long_about().or(command.get_about()) {
            let _ = writeln!(page, "{}\n", sentence(&about.to_string()));
        }
        table(page, &own);
    }
    for command in command.get_subcommands().filter(|command| !command.is_hide_set()) {
        commands(page, command, &format!("{path} {}", command.get_name()));
    }
}

fn table(page: &mut String, args: &[&Arg]) {
    if args.is_empty() {
        return;
    }
    page.push_str("| flag | environment | default | meaning |\n|---|---|---|---|\n");
    for arg in args {
        let name = match arg.get_long() {
            Some(long) => format!("`--{long}`"),
            None => format!("`<{}>`", arg.get_id()),
        };
        let environment =
            arg.get_env().map_or_else(String::new, |name| format!("`{}`", name.to_string_lossy()));
        let values: Vec<_> =
            arg.get_default_values().iter().map(|value| value.to_string_lossy()).collect();
        let default = match (values.as_slice(), arg.is_required_set()) {
            // Of a switch, the default says nothing.
            ([], true) => "required".to_owned(),
            ([], false) => String::new(),
            _ if !arg.get_action().takes_values() => String::new(),
            (values, _) => format!("`{}`", values.join(",")),
        };
        let help = arg.get_long_help().or(arg.get_help()).map(ToString::to_string);
        let help = help.unwrap_or_default();
        let _ =
            writeln!(page, "| {name} | {environment} | {default} | {} |", cell(&sentence(&help)));
    }
    page.push('\n');
}

/// With a full stop, which clap takes from descriptions of one paragraph.
fn sentence(text: &str) -> String {
    let text = text.trim();
    let ends = text.is_empty() || text.ends_with(['.', '!', '?', ':']);
    if ends { text.to_owned() } else { format!("{text}.") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_flag_of_every_command_has_a_row() {
        let log = Arg::new("log").long("log").env("X_LOG").default_value("info").global(true);
        let url = Arg::new("url").long("url").required(true).help("Where it is | or was");
        let hidden = Arg::new("secret").long("secret").hide(true);
        let file = Arg::new("file").help("What to read.");
        let program = Command::new("x")
            .arg(log)
            .subcommand(Command::new("serve").about("Serves").args([url, hidden]))
            .subcommand(Command::new("audit").subcommand(Command::new("verify").arg(file)));
        let expected = "\
All commands of `x`:

| flag | environment | default | meaning |
|---|---|---|---|
| `--log` | `X_LOG` | `info` |  |

### `x serve`

Serves.

| flag | environment | default | meaning |
|---|---|---|---|
| `--url` |  | required | Where it is \\| or was. |

### `x audit verify`

| flag | environment | default | meaning |
|---|---|---|---|
| `<file>` |  |  | What to read. |

";
        assert_eq!(flag_tables(&program), expected);
    }
}
