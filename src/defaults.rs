//! Holds `docs/defaults.md` against the code: each module asks here whether the table says what it does.

use std::fmt::Debug;

/// Checks that the row which begins with `what` says `default`.
#[track_caller]
pub(crate) fn assert_documented(what: &str, default: impl Debug) {
    let table = include_str!("../docs/defaults.md");
    let default = format!("{default:?}");
    let mut rows = table.lines().filter(|row| row.starts_with(&format!("| {what} |")));
    let row = rows.next().unwrap_or_else(|| panic!("no row of the table begins with `{what}`"));
    assert!(rows.next().is_none(), "more than one row of the table begins with `{what}`");
    assert!(row.contains(&format!("| {} |", default.trim_matches('"'))), "{default} is not in the row {row}");
}

/// The same for the row after the one that begins with `what`, which continues it.
#[track_caller]
pub(crate) fn assert_continued(what: &str, default: impl Debug) {
    let table = include_str!("../docs/defaults.md");
    let row =
        table.lines().skip_while(|row| !row.starts_with(&format!("| {what} |"))).nth(1).unwrap_or_default();
    assert!(row.starts_with("| … "), "the row after `{what}` does not continue it: {row}");
    assert!(row.contains(&format!("| {default:?} |")), "{default:?} is not in the row {row}");
}
