//! The tables of every command.

use comfy_table::{ContentArrangement, Table, presets};

/// Columns under a header, two spaces apart; wrapped to the width of the terminal, if stdout is one. Ends with a newline.
pub fn grid<const N: usize>(header: &[&str; N], rows: &[[String; N]]) -> String {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    table.set_header(header.iter().copied());
    table.add_rows(rows.iter().map(|row| row.iter().cloned()));
    table.set_content_arrangement(ContentArrangement::Dynamic);
    for column in table.column_iter_mut() {
        column.set_padding((0, 2));
    }
    let lines: Vec<String> = table
        .lines()
        .map(|line| line.trim_end().to_owned())
        .collect();
    lines.join("\n") + "\n"
}
