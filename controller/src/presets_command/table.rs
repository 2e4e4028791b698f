//! Text in columns.

use std::iter::zip;

/// Lines whose cells stand below each other.
pub(super) fn columns<const WIDTH: usize>(rows: &[[String; WIDTH]]) -> String {
    let mut widths = [0; WIDTH];
    for row in rows {
        for (width, cell) in zip(&mut widths, row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let mut text = String::new();
    for row in rows {
        let cells = zip(&widths, row).map(|(&width, cell)| format!("{cell:width$}"));
        text.push_str(cells.collect::<Vec<_>>().join("  ").trim_end());
        text.push('\n');
    }
    text
}
