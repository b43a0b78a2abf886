//! The document for programs and the manual for people say the same.

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::{Value, json};

use crate::home::Home;

/// Method and path of each operation, from the document.
pub(crate) fn operations() -> BTreeSet<(String, String)> {
    let document: Value = serde_json::from_str(&thalweg_console::openapi()).unwrap();
    let paths = document["paths"].as_object().unwrap().iter();
    let each = paths.flat_map(|(path, all)| {
        let methods = all.as_object().unwrap().keys();
        methods.map(move |method| (method.to_uppercase(), path.clone()))
    });
    each.collect()
}

#[test]
fn the_document_that_is_kept_is_the_one_the_program_would_write() {
    let kept = Path::new(DOCUMENTS).join("openapi.json");
    let new = thalweg_console::openapi();
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(&kept, &new).unwrap();
    }
    let beside = Path::new(env!("CARGO_TARGET_TMPDIR")).join("openapi.json");
    std::fs::write(&beside, &new).unwrap();
    let old = std::fs::read_to_string(&kept).unwrap_or_default();
    assert!(
        old == new,
        "docs/ref/openapi.json is not what the program says, which is in {}: \
         UPDATE=1 cargo test -p thalweg-console --test api openapi writes it",
        beside.display()
    );
}

#[test]
fn every_operation_has_an_id_of_its_own_and_a_sentence() {
    let document: Value = serde_json::from_str(&thalweg_console::openapi()).unwrap();
    for (path, all) in document["paths"].as_object().unwrap() {
        for (method, operation) in all.as_object().unwrap() {
            let summary = operation["summary"].as_str().unwrap_or_default();
            assert!(!summary.is_empty(), "{method} {path} says nothing of itself");
        }
    }
}

#[test]
fn every_parameter_is_where_it_is_said_to_be_and_every_refusal_is_named() {
    let document: Value = serde_json::from_str(&thalweg_console::openapi()).unwrap();
    for (path, all) in document["paths"].as_object().unwrap() {
        for (method, operation) in all.as_object().unwrap() {
            let parameters = operation["parameters"].as_array().into_iter().flatten();
            for parameter in parameters {
                let name = parameter["name"].as_str().unwrap();
                let is_in_path = path.contains(&format!("{{{name}}}"));
                let want = if is_in_path { "path" } else { "query" };
                assert_eq!(parameter["in"], want, "{method} {path}: {name}");
            }
            let says = |status: &str| operation["responses"].get(status).is_some();
            let is_public = operation.get("security").is_none();
            assert!(says("503") && (is_public || says("401")), "{method} {path}");
            assert!(operation.get("requestBody").is_none() || says("422"), "{method} {path}");
        }
    }
}

#[tokio::test]
async fn what_the_document_forbids_is_refused() {
    let home = Home::new("document").await;
    let admin = home.admin().await;
    let long = "0".repeat(101);
    for list in ["accounts", "streams"] {
        let path = format!("/api/v1/{list}?query={long}");
        assert_eq!(admin.get(&path).await.refuses(400).1, "query");
    }
    let forbid = "/api/v1/streams/1/live/room/forbid";
    let reason = json!({ "reason": "0".repeat(201) });
    assert_eq!(admin.post(forbid, reason).await.refuses(400).1, "reason");
    // The values without their names.
    admin.post(forbid, json!([null, null])).await.refuses(422);
    admin.patch("/api/v1/users/root", json!([null, null])).await.refuses(422);
    admin.post(forbid, json!({})).await.is(200);
}

#[test]
fn the_manual_names_every_operation_and_no_other() {
    let manual = std::fs::read_to_string(Path::new(DOCUMENTS).join("api.md")).unwrap();
    let named: Vec<(String, String)> = manual.split('`').filter_map(request).collect();
    let operations = operations();
    let fits = |(method, path): &(String, String), (m, p): &(String, String)| {
        // `...` stands for the path of the row before.
        method == m && p.strip_prefix("...").map_or(path == p, |end| path.ends_with(end))
    };
    for operation in &operations {
        let is_named = named.iter().any(|name| fits(operation, name));
        assert!(is_named, "docs/ref/api.md does not name {operation:?}");
    }
    for name in named.iter().filter(|(_, path)| path.starts_with("/api") || path.starts_with(".."))
    {
        let is_there = operations.iter().any(|operation| fits(operation, name));
        assert!(is_there, "docs/ref/api.md names {name:?}, which does not exist");
    }
}

/// A request that is named between backticks, without its parameters.
fn request(span: &str) -> Option<(String, String)> {
    let (method, path) = span.split_once(' ')?;
    let is_method = ["GET", "POST", "PUT", "PATCH", "DELETE"].contains(&method);
    let path = path.split('?').next()?;
    (is_method && !path.contains(' ')).then(|| (method.to_owned(), path.to_owned()))
}

/// Where the documents are.
const DOCUMENTS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/ref");
