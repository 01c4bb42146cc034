//! The tables of `docs/observability.md`.

use std::collections::BTreeMap;
use std::collections::BTreeSet;

const TEXT: &str = include_str!("../../docs/observability.md");

/// What the page promises.
#[derive(Debug, Default)]
pub struct Document {
    /// Spans with their fields.
    pub spans: BTreeMap<String, BTreeSet<String>>,
    /// Events with their fields.
    pub events: BTreeMap<String, BTreeSet<String>>,
    /// Metrics with their labels.
    pub metrics: BTreeMap<String, BTreeSet<String>>,
    /// The levels of spans and events.
    pub levels: BTreeMap<String, String>,
    /// The types and units of metrics.
    pub kinds: BTreeMap<String, (String, String)>,
    /// The values of labels and fields.
    pub values: BTreeSet<String>,
}

impl Document {
    pub fn read() -> Self {
        let mut document = Self::default();
        let mut section = "";
        let mut header = "";
        let mut lines = TEXT.lines().peekable();
        while let Some(line) = lines.next() {
            section = line.strip_prefix("# ").unwrap_or(section);
            if lines.peek().is_some_and(|next| next.starts_with("|---")) {
                header = line;
                continue;
            }
            let Some(row) = line.strip_prefix("| ") else { continue };
            let cells: Vec<&str> = row.trim_end_matches(" |").split(" | ").collect();
            let name = quoted(cells[0]).into_iter().next().unwrap_or_default();
            match (section, cells.as_slice()) {
                ("Spans", [_, level, fields, _]) => {
                    document.levels.insert(name.clone(), (*level).to_owned());
                    document.spans.insert(name, quoted(fields));
                }
                ("Events", [_, level, fields, _]) => {
                    document.levels.insert(name.clone(), (*level).to_owned());
                    document.events.insert(name, quoted(fields));
                }
                ("Metrics", [_, kind, unit, labels, _]) => {
                    document.kinds.insert(name.clone(), ((*kind).to_owned(), (*unit).to_owned()));
                    document.metrics.insert(name, quoted(labels));
                }
                ("Metrics", [_, values]) if header.starts_with("| label") => {
                    document.values.extend(quoted(values));
                }
                _ => {}
            }
        }
        assert!(!document.spans.is_empty() && !document.events.is_empty() && !document.metrics.is_empty());
        document
    }
}

/// What a cell has in backquotes.
fn quoted(cell: &str) -> BTreeSet<String> {
    cell.split('`').skip(1).step_by(2).map(str::to_owned).collect()
}
