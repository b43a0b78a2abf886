//! Every list is found by an index: none reads a whole table to throw most of it away.

use sqlx::{AssertSqlSafe, Row};
use thalweg_testkit::folder::Folder;

use super::{Place, audit, deliveries, migrate, page, publications, statistics};
use crate::model::Page;

#[tokio::test]
async fn every_list_is_found_by_an_index() {
    let folder = Folder::new("plans");
    let database = Place::folder(folder.path()).database(true).await.unwrap();
    migrate::migrate(&database, 1).await.unwrap();
    let mut bad = Vec::new();
    for sql in questions() {
        let explain = AssertSqlSafe(format!("EXPLAIN QUERY PLAN {sql}"));
        let rows = sqlx::query(explain).fetch_all(database.reader()).await.unwrap();
        for row in rows {
            let step: String = row.try_get("detail").unwrap();
            // A scan of an index is in its order, and ends with the page.
            let is_found = !step.starts_with("SCAN") || step.contains("USING");
            if !is_found && !WHOLE.contains(&sql.as_str()) || step.contains("TEMP B-TREE FOR ORDER")
            {
                bad.push(format!("{step}: {sql}"));
            }
        }
    }
    assert!(bad.is_empty(), "{}", bad.join("\n"));
}

/// Every question that grows with the history.
fn questions() -> Vec<String> {
    let page = Page { offset: 20, limit: 10 };
    let of = |table, filters: &[&str], order| {
        filters.iter().flat_map(|f| page::queries(table, f, order, page)).collect::<Vec<_>>()
    };
    let filters = [publications::OF_ALL, publications::OF_ACCOUNT, publications::OF_STREAM];
    let mut all = of("publications", &filters, publications::ORDER);
    let filters = [deliveries::OF_ACCOUNT, deliveries::OF_STATE, deliveries::OF_BOTH, ""];
    all.extend(of("deliveries", &filters, "id DESC"));
    all.extend(of("audits", &[audit::OF_ACCOUNT, ""], "id DESC"));
    all.extend(
        [
            publications::OPEN,
            deliveries::NEXT,
            statistics::OF_STREAM,
            statistics::OF_ACCOUNT,
            statistics::OF_ALL,
            statistics::SUM_OF_ACCOUNT,
            statistics::SUM_OF_ALL,
        ]
        .map(str::to_owned),
    );
    all.extend(audit::FORGET.iter().map(|(sql, _)| (*sql).to_owned()));
    all
}

/// Those that want the whole table, in the order that it has.
const WHOLE: [&str; 2] = [
    "SELECT * FROM deliveries  ORDER BY id DESC LIMIT 10 OFFSET 20",
    "SELECT * FROM audits  ORDER BY id DESC LIMIT 10 OFFSET 20",
];
