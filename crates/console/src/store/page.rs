//! Parts of long lists.

use sqlx::Any;
use sqlx::any::{AnyArguments, AnyRow};
use sqlx::query::Query;

use super::Result;
use super::row::{Fields, number};
use super::sql::SqlStore;
use crate::model::{PAGE_MAX, Page, Part};

/// A query, its values bound.
pub(super) type Asked<'q> = Query<'q, Any, AnyArguments>;

/// How many rows of a table there are, and a page of them.
pub(super) fn queries(table: &str, filter: &str, order: &str, page: Page) -> [String; 2] {
    let (limit, offset) = (page.limit.clamp(1, PAGE_MAX), number(page.offset));
    [
        format!("SELECT COUNT(*) AS total FROM {table} {filter}"),
        format!("SELECT * FROM {table} {filter} ORDER BY {order} LIMIT {limit} OFFSET {offset}"),
    ]
}

/// What two queries say, of one moment: how many there are, and a page of them.
pub(super) async fn part<T>(
    store: &SqlStore,
    count: Asked<'_>,
    items: Asked<'_>,
    read: impl Fn(&AnyRow) -> Result<T>,
) -> Result<Part<T>> {
    let mut step = store.database.read().await?;
    let total = count.fetch_one(&mut *step).await?.number("total")?;
    let rows = items.fetch_all(&mut *step).await?;
    step.commit().await?;
    let items: Result<Vec<T>> = rows.iter().map(read).collect();
    Ok(Part { items: items?, total })
}
