//! The report as one page that needs nothing else: no script, no font, no picture from elsewhere.

use std::borrow::Cow;

use super::cell::Cell;
use super::tables::Table;
use super::{Report, bars, curve};

const STYLE: &str = include_str!("page.css");

impl Report {
    /// The page.
    pub fn html(&self) -> String {
        let description: Vec<Cow<'_, str>> =
            self.description().iter().map(|line| escaped(line).into_owned().into()).collect();
        let remarks =
            self.remarks.iter().map(|remark| format!("<p class=\"remark\">{}</p>", escaped(remark)));
        let sections = self.tables().iter().map(|table| self.section(table)).collect::<String>();
        format!(
            "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\
             <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\
             <title>obol bench</title><style>\n{STYLE}</style></head>\n<body><main>\
             <h1>How fast obol is on this machine</h1><p class=\"machine\">{}</p>{}\n{sections}</main></body></html>\n",
            description.join("<br>"),
            remarks.collect::<String>(),
        )
    }

    fn section(&self, table: &Table) -> String {
        let sweeps = &self.sweeps;
        let plot = match table.id {
            "paths" => bars::paths(&self.paths),
            "revocations" => bars::revocations(&sweeps.revocations),
            "connections" => sweeps.connections.as_ref().map(bars::connections).unwrap_or_default(),
            "storm" => sweeps.storm.as_ref().map(bars::storm).unwrap_or_default(),
            "rate" => sweeps.rate.as_ref().map(curve::rate).unwrap_or_default(),
            _ => String::new(),
        };
        let note = match table.note.is_empty() {
            true => String::new(),
            false => format!("<p>{}</p>", escaped(&table.note)),
        };
        let Table { id, title, .. } = table;
        format!("<section id=\"{id}\"><h2>{title}</h2>{note}{plot}{}</section>\n", drawn(table))
    }
}

/// Each cell names its column, for narrow screens that show a row as a list.
fn drawn(table: &Table) -> String {
    let class = |number: usize| if number < table.texts { "text" } else { "number" };
    let header: String = table
        .header
        .iter()
        .enumerate()
        .map(|(number, name)| format!("<th scope=\"col\" class=\"{}\">{}</th>", class(number), escaped(name)))
        .collect();
    let cell = |(number, (cell, name)): (usize, (&Cell, &&str))| {
        let range = cell.range.as_ref().map(|range| format!("<small>{}</small>", escaped(range)));
        let (main, name) = (escaped(&cell.main), escaped(name));
        let verdict = match cell.main.as_str() {
            "kept" => " kept",
            "not kept" => " broken",
            _ => "",
        };
        format!(
            "<td class=\"{}{verdict}\" data-column=\"{name}\"><span>{main}{}</span></td>",
            class(number),
            range.unwrap_or_default()
        )
    };
    let row = |row: &Vec<Cell>| {
        let cells: String = row.iter().zip(&table.header).enumerate().map(cell).collect();
        format!("<tr>{cells}</tr>")
    };
    let rows: String = table.rows.iter().map(row).collect();
    format!(
        "<div class=\"table\" tabindex=\"0\"><table><thead><tr>{header}</tr></thead><tbody>{rows}</tbody></table></div>"
    )
}

/// Text that means nothing to HTML.
pub(super) fn escaped(text: &str) -> Cow<'_, str> {
    if !text.contains(['&', '<', '>', '"']) {
        return Cow::Borrowed(text);
    }
    let text = text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    Cow::Owned(text.replace('"', "&quot;"))
}
