//! Every list is found by an index: none reads a whole table to throw most of it away.

use sqlx::{AssertSqlSafe, Row};
use thalweg_testkit::folder::Folder;

use super::{Place, audit, deliveries, migrate, page, publications, statistics};
use crate::model::Page;

#[tokio::test]
async fn every_list_is_found_by_its_index() {
    let folder = Folder::new("plans");
    let database = Place::folder(folder.path()).database(true).await.unwrap();
    migrate::migrate(&database, 1).await.unwrap();
    let mut bad = Vec::new();
    for (sql, index) in questions() {
        let explain = AssertSqlSafe(format!("EXPLAIN QUERY PLAN {sql}"));
        let rows = sqlx::query(explain).fetch_all(database.reader()).await.unwrap();
        let steps: Vec<String> = rows.iter().map(|row| row.try_get("detail").unwrap()).collect();
        let is_sorted = steps.iter().any(|step| step.contains("TEMP B-TREE FOR ORDER"));
        if is_sorted || !steps.iter().any(|step| step.contains(index)) {
            bad.push(format!("not by {index}, but {steps:?}: {sql}"));
        }
    }
    assert!(bad.is_empty(), "{}", bad.join("\n"));
}

/// Every question that grows with the history, and what has to find its rows.
fn questions() -> Vec<(String, &'static str)> {
    let page = Page { offset: 20, limit: 10 };
    let of_table = |table, order, filters: &[(&str, &'static str)]| {
        let both = |(filter, index): &(&str, &'static str)| {
            page::queries(table, filter, order, page).map(|sql| (sql, *index))
        };
        filters.iter().flat_map(both).collect::<Vec<_>>()
    };
    let filters = [
        (publications::OF_ALL, "publications_by_began"),
        (publications::OF_ACCOUNT, "publications_of_account"),
        (publications::OF_STREAM, "publications_of_stream"),
    ];
    let mut all = of_table("publications", publications::ORDER, &filters);
    let filters = [
        (deliveries::OF_ACCOUNT, "deliveries_of_account"),
        (deliveries::OF_STATE, "deliveries_of_state"),
        (deliveries::OF_BOTH, "deliveries_of_both"),
        // The order that the table has; the page is its beginning.
        ("", "SCAN deliveries"),
    ];
    all.extend(of_table("deliveries", "id DESC", &filters));
    let filters = [(audit::OF_ACCOUNT, "audits_of_account"), ("", "SCAN audits")];
    all.extend(of_table("audits", "id DESC", &filters));
    let others = [
        (publications::OPEN, "publications_by_end"),
        (deliveries::WAITING, "USING COVERING INDEX deliveries_of_"),
        (deliveries::OLDEST, "deliveries_of_state"),
        (deliveries::NEXT, "USING COVERING INDEX deliveries_of_both"),
        (statistics::OF_STREAM, "(account=? AND app=? AND name=? AND at>? AND at<?)"),
        (statistics::OF_ACCOUNT, "(account=? AND at>? AND at<?)"),
        (statistics::OF_ALL, "(rowid>? AND rowid<?)"),
        (statistics::SUMS_OF_ACCOUNTS, "minutes_by_at"),
        (statistics::SUM_OF_ALL, "minutes_of_account_by_at"),
    ];
    all.extend(others.map(|(sql, index)| (sql.to_owned(), index)));
    // By an index, whichever.
    all.extend(audit::FORGET.iter().flat_map(audit::Forget::queries).map(|sql| (sql, "SEARCH")));
    all
}
