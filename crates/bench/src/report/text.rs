//! The report for a terminal.

use comfy_table::{CellAlignment, ContentArrangement, presets};

use super::Report;
use super::tables::Table;

impl Report {
    /// The form for people, without a final line break.
    pub fn text(&self) -> String {
        let mut blocks = vec![self.description().join("\n")];
        for table in self.tables() {
            let mut block = table.title.to_uppercase();
            if !table.note.is_empty() {
                block.extend(["\n", &table.note]);
            }
            blocks.push(format!("{block}\n\n{}", drawn(&table)));
        }
        blocks.extend(self.remarks.iter().cloned());
        blocks.join("\n\n")
    }

    /// Machine, build and way of measuring, as lines.
    pub(super) fn description(&self) -> Vec<String> {
        let (machine, settings) = (&self.machine, &self.settings);
        let list = |cores: &[usize]| cores.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
        let pinned = match settings.server_cores.is_empty() {
            true => "nothing pinned to cores".to_owned(),
            false => {
                let (servers, generator) = (list(&settings.server_cores), list(&settings.generator_cores));
                format!("servers on core {servers}, load generator on core {generator}")
            }
        };
        let governor = machine.governor.as_deref().map(|governor| format!(", governor {governor}"));
        let kind = if machine.virtual_machine { ", virtual machine" } else { "" };
        let memory = machine.memory_bytes as f64 / (1_u64 << 30) as f64;
        vec![
            format!(
                "{}, {} cores{kind}{}, {memory:.1} GiB, {}, {}",
                machine.cpu,
                machine.cores,
                governor.unwrap_or_default(),
                machine.kernel,
                machine.file_system,
            ),
            format!(
                "obol {} ({}), {} build, {}",
                machine.version,
                machine.commit.as_deref().unwrap_or("no checkout"),
                machine.profile,
                machine.rustc,
            ),
            format!(
                "{}: {}{}, {} loop, {} × {:.1} s each, {pinned}",
                self.at,
                settings.protocol,
                if settings.tls { " over TLS" } else { "" },
                settings.load,
                settings.repeats,
                settings.duration_ms as f64 / 1e3,
            ),
        ]
    }
}

/// Ranges stand under their medians, so that the table stays narrow.
fn drawn(table: &Table) -> String {
    let mut drawn = comfy_table::Table::new();
    drawn.load_style(presets::NOTHING).set_content_arrangement(ContentArrangement::Disabled);
    drawn.set_header(&table.header);
    for row in &table.rows {
        drawn.add_row(row.iter().map(|cell| match &cell.range {
            Some(range) => format!("{}\n{range}", cell.main),
            None => cell.main.clone(),
        }));
    }
    for (number, column) in drawn.column_iter_mut().enumerate() {
        column.set_padding((0, 2));
        if number >= table.texts {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    drawn.lines().map(|line| line.trim_end().to_owned()).collect::<Vec<_>>().join("\n")
}
