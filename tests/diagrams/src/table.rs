//! The tables of `benches/README.md`.

/// A table of Markdown, as text.
pub(crate) struct Table<'a> {
    /// The cells above the columns. The first is the title.
    pub(crate) head: Vec<&'a str>,
    pub(crate) rows: Vec<Vec<&'a str>>,
}

/// Returns the tables between the marks of this name.
pub(crate) fn tables<'a>(markdown: &'a str, name: &str) -> Vec<Table<'a>> {
    let mark = |what| format!("<!-- {name}: {what} -->");
    let (_, rest) = markdown.split_once(&mark("begin")).expect("the first mark");
    let (text, _) = rest.split_once(&mark("end")).expect("the last mark");
    text.split("\n\n").filter_map(table).collect()
}

fn table(paragraph: &str) -> Option<Table<'_>> {
    let mut rows = paragraph.lines().filter_map(|line| {
        let cells = line.strip_prefix('|')?.strip_suffix('|')?;
        Some(cells.split('|').map(str::trim).collect())
    });
    let head = rows.next()?;
    // Below the head is a row of dashes.
    let rows = rows.skip(1).collect();
    Some(Table { head, rows })
}

/// Returns the ratio in a cell such as `27.0 µs, 1.39x`.
pub(crate) fn ratio(cell: &str) -> Option<f64> {
    let (_, ratio) = cell.split_once(", ")?;
    ratio.strip_suffix('x')?.parse().ok()
}

/// Returns the microseconds in such a cell, and their text.
pub(crate) fn micros(cell: &str) -> (f64, &str) {
    let text = cell.split(',').next().unwrap_or_default();
    let (number, unit) = text.split_once(' ').expect("a number and a unit");
    let number: f64 = number.parse().expect("a number");
    match unit {
        "µs" => (number, text),
        "ms" => (number * 1000.0, text),
        _ => panic!("'{unit}' is unknown"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_are_read() {
        let markdown = "<!-- a: begin -->\nOn a day.\n\n| on disk | fresh |\n|---|---|\n\
                        | floor | 17.3 µs |\n| **us** | 1.50 ms, 13x |\n<!-- a: end -->\n";
        let tables = tables(markdown, "a");
        assert_eq!(tables.len(), 1);
        assert_eq!(tables[0].head, ["on disk", "fresh"]);
        assert_eq!(tables[0].rows[1], ["**us**", "1.50 ms, 13x"]);
        assert_eq!(ratio("1.50 ms, 13x"), Some(13.0));
        assert_eq!(ratio("–"), None);
        assert_eq!(micros("1.50 ms, 13x"), (1500.0, "1.50 ms"));
        assert_eq!(micros("17.3 µs"), (17.3, "17.3 µs"));
    }
}
