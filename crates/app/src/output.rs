//! Answers of commands: a table for people, or one line of JSON with its keys in alphabetical order.

use std::io::{self, ErrorKind, Write};

use anyhow::Context;
use comfy_table::{ContentArrangement, Table, presets};
use serde::Serialize;
use serde_json::Value;

use crate::printable::{printable, printable_json};

/// The most characters in a cell of a table.
const MOST_CHARS: usize = 4_096;

/// What a command answers. The JSON form is its serialization.
pub(crate) trait Answer: Serialize {
    /// The form for people, without a final line break.
    fn text(&self) -> String;
}

/// Where answers go, and in which form.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Output {
    /// JSON rather than text.
    pub(crate) json: bool,
}

impl Output {
    /// Writes an answer to standard output. A reader that has gone is no error.
    ///
    /// # Errors
    /// When standard output cannot be written.
    pub(crate) fn show(self, answer: &impl Answer) -> anyhow::Result<()> {
        let text = match self.json {
            true => json(answer)?,
            false => answer.text(),
        };
        print_line(&text)
    }
}

/// Writes lines to standard output. A reader that has gone is no error.
///
/// # Errors
/// When standard output cannot be written.
pub(crate) fn print_line(text: &str) -> anyhow::Result<()> {
    let mut stdout = io::stdout().lock();
    let written = writeln!(stdout, "{text}").and_then(|()| stdout.flush());
    match written {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => {
            Err(error).context("cannot write the answer to standard output")
        }
        _ => Ok(()),
    }
}

/// A `Value` sorts the keys of every object.
fn json(answer: &impl Serialize) -> anyhow::Result<String> {
    let value: Value = serde_json::to_value(answer).context("the answer cannot be written as JSON")?;
    Ok(printable_json(value.to_string()))
}

/// A table with a row for each thing.
pub(crate) fn table(header: &[&str], rows: impl IntoIterator<Item = Vec<String>>) -> String {
    let mut table = plain_table();
    table.set_header(header.iter().copied());
    for row in rows {
        table.add_row(row.iter().map(|cell| printable(cell, MOST_CHARS).into_owned()));
    }
    trimmed(table)
}

/// One thing: a name and a value on each line.
pub(crate) fn sheet<'a>(rows: impl IntoIterator<Item = (&'a str, String)>) -> String {
    let mut table = plain_table();
    for (name, value) in rows {
        table.add_row([name.to_owned(), printable(&value, MOST_CHARS).into_owned()]);
    }
    trimmed(table)
}

/// `yes` or `no`.
pub(crate) fn yes_no(yes: bool) -> String {
    if yes { "yes" } else { "no" }.to_owned()
}

/// What stands for nothing in a table.
pub(crate) fn or_dash(text: Option<&str>) -> String {
    text.filter(|text| !text.is_empty()).unwrap_or("-").to_owned()
}

fn plain_table() -> Table {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_content_arrangement(ContentArrangement::Disabled);
    table
}

fn trimmed(mut table: Table) -> String {
    for column in table.column_iter_mut() {
        column.set_padding((0, 2));
    }
    table.lines().map(|line| line.trim_end().to_owned()).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Serialize)]
    struct Thing {
        name: &'static str,
        age: u32,
    }

    #[test]
    fn json_is_one_line_with_its_keys_in_alphabetical_order() {
        let text = json(&[Thing { name: "a\nb\u{202e}", age: 1 }]).unwrap();
        assert_eq!(text, r#"[{"age":1,"name":"a\nb\u202e"}]"#);
    }

    #[test]
    fn tables_are_aligned_and_their_cells_clean() {
        let rows = [vec!["fcare".to_owned(), "a\nb".to_owned()], vec!["x".to_owned(), "y".to_owned()]];
        assert_eq!(table(&["client", "name"], rows), "client  name\nfcare   a\\u{a}b\nx       y");
        assert_eq!(sheet([("client", "x".to_owned()), ("name", "y z".to_owned())]), "client  x\nname    y z");
    }
}
