//! Values as rows have them: both databases know whole numbers of 63 bits, text and bytes.

use serde::Serialize;
use serde::de::DeserializeOwned;
use sqlx::Row;
use sqlx::any::AnyRow;

use super::{Result, StoreError};

/// What is in a row, by its column's name.
pub(super) trait Fields {
    fn number(&self, column: &str) -> Result<u64>;
    fn maybe_number(&self, column: &str) -> Result<Option<u64>>;
    fn small(&self, column: &str) -> Result<u32>;
    fn flag(&self, column: &str) -> Result<bool>;
    fn text(&self, column: &str) -> Result<String>;
    fn maybe_text(&self, column: &str) -> Result<Option<String>>;
    fn bytes(&self, column: &str) -> Result<Vec<u8>>;
    fn maybe_bytes(&self, column: &str) -> Result<Option<Vec<u8>>>;
    fn hash(&self, column: &str) -> Result<[u8; 32]>;
    /// One of the words of an enumeration.
    fn word<T: DeserializeOwned>(&self, column: &str) -> Result<T>;
    fn json<T: DeserializeOwned>(&self, column: &str) -> Result<T>;
}

impl Fields for AnyRow {
    fn number(&self, column: &str) -> Result<u64> {
        let number: i64 = self.try_get(column)?;
        u64::try_from(number).map_err(|_| nonsense(column))
    }

    fn maybe_number(&self, column: &str) -> Result<Option<u64>> {
        let number: Option<i64> = self.try_get(column)?;
        number.map(u64::try_from).transpose().map_err(|_| nonsense(column))
    }

    fn small(&self, column: &str) -> Result<u32> {
        u32::try_from(self.number(column)?).map_err(|_| nonsense(column))
    }

    fn flag(&self, column: &str) -> Result<bool> {
        Ok(self.number(column)? != 0)
    }

    fn text(&self, column: &str) -> Result<String> {
        Ok(self.try_get(column)?)
    }

    fn maybe_text(&self, column: &str) -> Result<Option<String>> {
        Ok(self.try_get(column)?)
    }

    fn bytes(&self, column: &str) -> Result<Vec<u8>> {
        Ok(self.try_get(column)?)
    }

    fn maybe_bytes(&self, column: &str) -> Result<Option<Vec<u8>>> {
        Ok(self.try_get(column)?)
    }

    fn hash(&self, column: &str) -> Result<[u8; 32]> {
        self.bytes(column)?.try_into().map_err(|_| nonsense(column))
    }

    fn word<T: DeserializeOwned>(&self, column: &str) -> Result<T> {
        let word = serde_json::Value::String(self.text(column)?);
        serde_json::from_value(word).map_err(|_| nonsense(column))
    }

    fn json<T: DeserializeOwned>(&self, column: &str) -> Result<T> {
        serde_json::from_str(&self.text(column)?).map_err(|_| nonsense(column))
    }
}

fn nonsense(column: &str) -> StoreError {
    StoreError::Damaged(format!("{column} makes no sense"))
}

/// A number as it is written. Above 63 bits are only moments that mean "for ever", and the highest
/// number still does.
pub(super) fn number(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// Text that somebody else wrote. PostgreSQL takes no zero in text, and nobody needs one.
pub(super) fn text(text: &str) -> String {
    text.replace('\0', "\u{fffd}")
}

/// The word of an enumeration.
pub(super) fn word(value: impl Serialize) -> Result<String> {
    match serde_json::to_value(value) {
        Ok(serde_json::Value::String(word)) => Ok(word),
        _ => Err(StoreError::Damaged("a value has no word".to_owned())),
    }
}

/// A value that is only read as a whole.
pub(super) fn json(value: impl Serialize) -> Result<String> {
    serde_json::to_string(&value).map_err(|e| StoreError::Damaged(e.to_string()))
}
