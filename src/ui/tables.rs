//! The tables of every command.

use comfy_table::{CellAlignment, ContentArrangement, Table, presets};

/// Below so many columns a table is not wrapped.
const NARROWEST: u16 = 40;

/// Columns under a header, two spaces apart, numbers to the right; wrapped to the width of the terminal, if stdout is one. Ends with a newline.
pub fn grid<const N: usize>(header: &[&str; N], rows: &[[String; N]]) -> String {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    table.set_header(header.iter().copied());
    table.add_rows(rows.iter().map(|row| row.iter().cloned()));
    // A terminal that knows no width says 0: nothing could be written into so little.
    let is_known = table.width().is_some_and(|width| width >= NARROWEST);
    table.set_content_arrangement(if is_known {
        ContentArrangement::Dynamic
    } else {
        ContentArrangement::Disabled
    });
    for (index, column) in table.column_iter_mut().enumerate() {
        column.set_padding((0, 2));
        let numbers = rows
            .iter()
            .filter_map(|row| row.get(index))
            .all(|cell| is_number(cell));
        if numbers && !rows.is_empty() {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    let lines: Vec<String> = table
        .lines()
        .map(|line| line.trim_end().to_owned())
        .collect();
    lines.join("\n") + "\n"
}

fn is_number(cell: &str) -> bool {
    !cell.is_empty()
        && cell
            .bytes()
            .all(|byte| byte.is_ascii_digit() || matches!(byte, b',' | b'-'))
}
