//! The report as Markdown, for a document.

use super::Report;
use super::tables::Table;

/// What stands before the generated part of a document, and after it.
const BEGIN: &str = "<!-- begin: written by `obol bench --markdown`, do not edit -->";
const END: &str = "<!-- end: written by `obol bench --markdown` -->";

impl Report {
    /// `document` with this report in its generated part; at its end, if it has none.
    pub fn put_into_markdown(&self, document: &str) -> String {
        let generated = format!("{BEGIN}\n\n{}\n\n{END}", self.markdown());
        let begin = document.find(BEGIN);
        let end = document.find(END).map(|at| at + END.len());
        match begin.zip(end) {
            Some((begin, end)) if begin < end => [&document[..begin], &generated, &document[end..]].concat(),
            _ if document.is_empty() => generated + "\n",
            _ => format!("{}\n\n{generated}\n", document.trim_end()),
        }
    }

    fn markdown(&self) -> String {
        let mut blocks = vec![self.description().join("  \n")];
        for table in self.tables() {
            blocks.push(format!("### {}", table.title));
            blocks.extend(Some(table.note.clone()).filter(|note| !note.is_empty()));
            blocks.push(drawn(&table));
        }
        blocks.extend(self.remarks.iter().cloned());
        blocks.join("\n\n")
    }
}

fn drawn(table: &Table) -> String {
    let line = |cells: &mut dyn Iterator<Item = String>| {
        let cells: Vec<String> = cells.map(|cell| cell.replace('|', "\\|")).collect();
        format!("| {} |", cells.join(" | "))
    };
    let rule = |number: usize| if number < table.texts { "---" } else { "---:" }.to_owned();
    let mut lines = vec![line(&mut table.header.iter().map(|&name| name.to_owned()))];
    lines.push(line(&mut (0..table.header.len()).map(rule)));
    lines.extend(table.rows.iter().map(|row| line(&mut row.iter().map(super::cell::Cell::line))));
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::super::tests::sample;

    #[test]
    fn only_the_generated_part_of_a_document_changes() {
        let report = sample();
        let first = report.put_into_markdown("# Speed\n\nBy hand.\n");
        assert!(first.starts_with("# Speed\n\nBy hand.\n\n<!-- begin"), "{first}");
        let between = first.replace("### ", "### OLD ") + "\nMore by hand.\n";
        let again = report.put_into_markdown(&between);
        assert!(!again.contains("OLD") && again.ends_with("\nMore by hand.\n"), "{again}");
        assert_eq!(report.put_into_markdown(&again), again, "twice is once");
    }

    #[test]
    fn every_row_has_the_columns_of_its_header() {
        let markdown = sample().put_into_markdown("");
        let mut columns = 0;
        for line in markdown.lines() {
            let found = line.matches(" |").count();
            assert!(!line.starts_with('|') || columns == 0 || found == columns, "{line}");
            columns = if line.starts_with('|') { found } else { 0 };
        }
        assert!(markdown.contains("| verify-valid | 64 | obol | 90,000 |"), "{markdown}");
    }
}
