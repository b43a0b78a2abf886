//! How it goes, at a glance.

use std::collections::BTreeMap;
use std::time::Instant;

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;

use crate::api::error::{Answer, Refusal};
use crate::api::guard::Reader;
use crate::auth::Who;
use crate::console::{Console, now_unix_s};
use crate::health::Ailment;
use crate::model::{DeliveryState, Page};

/// How it goes.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Overview {
    /// Streams there are, waiting ones included.
    streams: usize,
    /// Streams that are published now.
    publishers: usize,
    /// By protocol.
    viewers: BTreeMap<&'static str, u64>,
    /// Payload bytes received: of all accounts since the server started, of one by the streams it has now.
    bytes_in: u64,
    /// Bytes sent to viewers: of all accounts since the server started, of one by the streams it has now.
    bytes_out: u64,
    accounts: usize,
    /// Streams that may not be published.
    forbidden: usize,
    uptime_s: u64,
    version: &'static str,
    /// What an operator has to look after.
    problems: Vec<Problem>,
}

/// What does not work.
#[derive(Debug, Serialize, ToSchema)]
struct Problem {
    /// `store`, `statistics-gap`, `accounts-damaged` or `callbacks-failing`.
    code: &'static str,
    message: String,
    /// UNIX seconds.
    since: u64,
}

/// How it goes: of everything, or of one's account.
#[utoipa::path(get, path = "/api/v1/overview", responses(
    (status = 200, body = Overview), (status = 401, body = Refusal),
))]
pub(crate) async fn overview(
    State(console): State<Console>,
    Reader(who): Reader,
) -> Answer<Overview> {
    let now = Instant::now();
    let snapshot = console.inner.hub.snapshot(now);
    let mut viewers: BTreeMap<_, u64> =
        thalweg_hub::Protocol::ALL.into_iter().map(|p| (p.name(), 0)).collect();
    let (mut streams, mut publishers, mut bytes_in, mut bytes_out) = (0, 0, 0, 0);
    for stream in snapshot.streams.iter().filter(|s| who.sees(&s.key.account)) {
        streams += 1;
        publishers += usize::from(stream.publisher.is_some());
        bytes_in += stream.bytes_in;
        bytes_out += stream.bytes_out.iter().map(|(_, n)| n).sum::<u64>();
        for (protocol, n) in &stream.viewers {
            *viewers.entry(protocol.name()).or_default() += n;
        }
    }
    if who.account.is_none() {
        // Those that are over count as well.
        bytes_in = snapshot.totals.bytes_in;
        bytes_out = snapshot.totals.bytes_out.iter().sum();
    }
    let forbidden = console.store().forbids(who.account.as_deref(), now_unix_s()).await;
    let accounts = console.books().accounts.iter().filter(|a| who.sees(&a.bizid)).count();
    Ok(Json(Overview {
        streams,
        publishers,
        viewers,
        bytes_in,
        bytes_out,
        accounts,
        // The page that shows what is wrong must not fail for it.
        forbidden: forbidden.map_or(0, |f| f.len()),
        uptime_s: console.inner.started.elapsed().as_secs(),
        version: env!("CARGO_PKG_VERSION"),
        problems: problems(&console, &who).await,
    }))
}

/// What an operator has to look after. Each code is there once.
async fn problems(console: &Console, who: &Who) -> Vec<Problem> {
    let mut problems: Vec<Problem> = Vec::new();
    for (part, ailment) in console.inner.health.ailments() {
        let Ailment { since, why, lost } = ailment;
        // What a database says of itself is for whoever runs it.
        let why = if who.account.is_none() { why } else { "the store does not work".to_owned() };
        // Whatever part it is that says so: what it waits for is the store.
        let (code, message) = match lost {
            0 => ("store", format!("{part}: {why}")),
            _ => ("statistics-gap", format!("{part}: {why}; {lost} counts or events are lost")),
        };
        if problems.iter().all(|p| p.code != code) {
            problems.push(Problem { code, message, since });
        }
    }
    problems.extend(damaged(console, who));
    problems.extend(given_up(console, who).await);
    problems
}

/// Accounts that were in the store at the start, but could not be read.
fn damaged(console: &Console, who: &Who) -> Option<Problem> {
    let all = console.inner.register.damaged().iter().map(String::as_str);
    let theirs: Vec<&str> = all.filter(|bizid| who.sees(bizid)).collect();
    let message = format!(
        "these accounts cannot be read, and whoever comes with their URLs is refused: {}. Restore a backup",
        theirs.join(", ")
    );
    let since = now_unix_s().saturating_sub(console.inner.started.elapsed().as_secs());
    (!theirs.is_empty()).then_some(Problem { code: "accounts-damaged", message, since })
}

/// Callbacks of the last day that were given up.
async fn given_up(console: &Console, who: &Who) -> Option<Problem> {
    let (last, state) = (Page { offset: 0, limit: 1 }, Some(DeliveryState::Failed));
    // The page that shows what is wrong must not fail for it.
    let failed = console.store().deliveries(who.account.as_deref(), state, last).await.ok()?;
    let newest = failed.items.first()?;
    // When it was last tried, that is given up; one that others pushed out of the line was never.
    let since = newest.due_ms.max(newest.made_ms) / 1000;
    let is_news = since + DAY_S > now_unix_s();
    let (account, total) = (&newest.account, failed.total);
    let message = format!("{total} were given up, the last one of account {account}");
    is_news.then_some(Problem { code: "callbacks-failing", message, since })
}

const DAY_S: u64 = 86_400;
