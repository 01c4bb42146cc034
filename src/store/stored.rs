//! What the stores that keep rows have in common: how a record is written and read.

use std::time::Duration;

use crate::error::Error;
use crate::error::ErrorKind;
use crate::token::Record;
use crate::token::TokenKey;

/// The longest time that a server is told; far beyond what anybody asks for, and within what each can add to its clock.
const LONGEST: Duration = Duration::from_secs(100 * 365 * 24 * 60 * 60);

/// The record of a row. Its generation is also in a column of its own, which decides who may replace it.
pub(super) fn record(key: &TokenKey, generation: u64, text: &str) -> Result<Record, Error> {
    let record = Record::from_json(text).map_err(|error| unreadable(key).caused_by(error))?;
    if record.generation() == generation {
        return Ok(record);
    }
    let (other, key) = (record.generation(), key.as_str());
    let detail =
        format!("the record of {key:?} has generation {other}, and its row has generation {generation}");
    Err(Error::new(ErrorKind::Store).detail(detail))
}

pub(super) fn unreadable(key: &TokenKey) -> Error {
    Error::new(ErrorKind::Store).detail(format!("the record of {:?} could not be read", key.as_str()))
}

/// A time in whole milliseconds, at least one.
pub(super) fn millis(ttl: Duration) -> i64 {
    i64::try_from(ttl.min(LONGEST).as_millis()).unwrap_or(i64::MAX).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_whose_generations_differ_is_an_error_that_names_the_key() {
        let json = r#"{"version":1,"generation":2,"tokens":[]}"#;
        assert_eq!(record(&"alice".into(), 2, json).unwrap().generation(), 2);
        let error = record(&"alice".into(), 3, json).unwrap_err();
        assert!(
            error.to_string().contains(r#""alice" has generation 2, and its row has generation 3"#),
            "{error}"
        );
        let error = record(&"alice".into(), 3, "{}").unwrap_err();
        assert!(error.to_string().contains(r#"the record of "alice" could not be read"#), "{error}");
    }

    #[test]
    fn a_time_is_neither_empty_nor_endless() {
        assert_eq!(millis(Duration::ZERO), 1);
        assert_eq!(millis(Duration::from_millis(1500)), 1500);
        assert_eq!(millis(Duration::MAX), 3_153_600_000_000);
    }
}
