//! What the stores over `sqlx` have in common.

use crate::error::Error;
use crate::error::ErrorKind;

/// A generation as a column holds it.
pub(super) fn column(generation: u64) -> Result<i64, Error> {
    let too_big = |_| Error::new(ErrorKind::Store).detail("the generation is too big for a database");
    i64::try_from(generation).map_err(too_big)
}

/// A generation as it was in a column.
pub(super) fn generation(column: i64) -> Result<u64, Error> {
    let negative = |_| Error::new(ErrorKind::Store).detail("a row has a negative generation");
    u64::try_from(column).map_err(negative)
}

/// An error of the database, in its own words. What can quote a record is left out: of a row that breaks a constraint, PostgreSQL
/// repeats all in the details, which `Debug` prints.
pub(super) fn failed(error: sqlx::Error) -> Error {
    let quotes = matches!(
        error,
        sqlx::Error::Database(_)
            | sqlx::Error::ColumnDecode { .. }
            | sqlx::Error::Encode(_)
            | sqlx::Error::Decode(_)
    );
    let detail = error.to_string();
    if quotes { Error::new(ErrorKind::Store) } else { Error::store(error) }.detail(detail)
}

/// Refuses tables of a later version of this crate.
pub(super) fn check_version(found: i64, known: usize) -> Result<(), Error> {
    if usize::try_from(found).is_ok_and(|found| found <= known) {
        return Ok(());
    }
    let detail = format!(
        "the tables of tower-oauth have version {found}, and this program knows versions up to {known}"
    );
    Err(Error::new(ErrorKind::Store).detail(detail))
}
