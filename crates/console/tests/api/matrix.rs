//! Who may ask what: every operation, asked by everyone.

/// An operation and what each of them is answered: nobody; with the role read-only, operator, admin for
/// all accounts; read-only and operator of the account it is about; operator of another account.
pub(crate) struct Row {
    pub(crate) method: &'static str,
    pub(crate) path: &'static str,
    pub(crate) query: &'static str,
    pub(crate) body: &'static str,
    pub(crate) answers: [u16; 7],
}

const fn row(
    method: &'static str,
    path: &'static str,
    query: &'static str,
    body: &'static str,
    answers: [u16; 7],
) -> Row {
    Row { method, path, query, body, answers }
}

// What stands in several rows.
const ANYONE: [u16; 7] = [200, 200, 200, 200, 200, 200, 200];
const LOGGED_IN: [u16; 7] = [401, 200, 200, 200, 200, 200, 200];
/// Things of an account that everybody who sees the account may see.
const SEES: [u16; 7] = [401, 200, 200, 200, 200, 200, 404];
/// Things of an account that its operators may do.
const DOES: [u16; 7] = [401, 403, 200, 200, 403, 200, 404];
/// What only operators of all accounts may make.
const HOUSE_MAKES: [u16; 7] = [401, 403, 201, 201, 403, 403, 404];
/// What the account itself may not change.
const HOUSE: [u16; 7] = [401, 403, 200, 200, 403, 403, 404];
const ADMIN: [u16; 7] = [401, 403, 403, 200, 403, 403, 403];
const ADMIN_MAKES: [u16; 7] = [401, 403, 403, 201, 403, 403, 403];
const ADMIN_REMOVES: [u16; 7] = [401, 403, 403, 204, 403, 403, 403];

const ACCOUNT: &str = "/api/v1/accounts/{bizid}";
const STREAM: &str = "/api/v1/streams/{account}/{app}/{name}";
const OF_IT: &str = "?account=@account";
const NEW_USER: &str = r#"{"login": "@new", "password": "long enough", "role": "read-only"}"#;

/// `@account` stands for the account's number, `@host` for its host, `@login` for somebody who can log
/// in, `@new` for a name and `@number` for a number that nobody has yet.
#[rustfmt::skip]
pub(crate) const ROWS: &[Row] = &[
    row("GET", "/api/v1/setup", "", "", ANYONE),
    row("POST", "/api/v1/setup", "", r#"{"token": "x", "login": "eve", "password": "long enough"}"#, [404; 7]),
    row("POST", "/api/v1/session", "", r#"{"login": "@login", "password": "long enough"}"#, ANYONE),
    row("GET", "/api/v1/session", "", "", LOGGED_IN),
    row("DELETE", "/api/v1/session", "", "", [401, 204, 204, 204, 204, 204, 204]),
    // Those who ask here have tokens, and a token has no password.
    row("PUT", "/api/v1/session/password", "", r#"{"old": "long enough", "new": "longer still"}"#, [401, 403, 403, 403, 403, 403, 403]),
    row("GET", "/api/v1/users", "", "", ADMIN),
    row("POST", "/api/v1/users", "", NEW_USER, ADMIN_MAKES),
    row("PATCH", "/api/v1/users/{login}", "", r#"{"role": "read-only"}"#, ADMIN),
    row("DELETE", "/api/v1/users/{login}", "", "", ADMIN_REMOVES),
    row("GET", "/api/v1/tokens", "", "", ADMIN),
    row("POST", "/api/v1/tokens", "", r#"{"name": "a program", "role": "operator"}"#, ADMIN_MAKES),
    row("DELETE", "/api/v1/tokens/{id}", "", "", ADMIN_REMOVES),
    row("GET", "/api/v1/overview", "", "", LOGGED_IN),
    row("GET", "/api/v1/gate", "", "", LOGGED_IN),
    row("PUT", "/api/v1/gate", "", r#"{"mode": "enforce"}"#, ADMIN),
    row("GET", "/api/v1/accounts", "", "", LOGGED_IN),
    row("POST", "/api/v1/accounts", "", r#"{"bizid": "@number", "name": "New"}"#, [401, 403, 201, 201, 403, 403, 403]),
    row("GET", ACCOUNT, "", "", SEES),
    row("PATCH", ACCOUNT, "", r#"{"live_pusher": false, "live_player": false, "udp": false}"#, DOES),
    row("PATCH", ACCOUNT, "", r#"{"subject": "government"}"#, HOUSE),
    row("PATCH", ACCOUNT, "", r#"{"category": {"main": "social", "sub": "live"}}"#, HOUSE),
    row("PATCH", ACCOUNT, "", r#"{"service": false}"#, HOUSE),
    row("PATCH", ACCOUNT, "", r#"{"profile": "vendor"}"#, HOUSE),
    row("PATCH", ACCOUNT, "", r#"{"udp_viewers_max": 7}"#, HOUSE),
    row("PATCH", ACCOUNT, "", r#"{"old_api": true}"#, HOUSE),
    row("DELETE", ACCOUNT, "", "", ADMIN_REMOVES),
    row("POST", "/api/v1/accounts/{bizid}/api-key/reveal", "", "", DOES),
    row("POST", "/api/v1/accounts/{bizid}/api-key/rotate", "", "", DOES),
    row("POST", "/api/v1/accounts/{bizid}/revoke", "", "{}", DOES),
    row("POST", "/api/v1/accounts/{bizid}/domains", "", r#"{"action": "play", "host": "more.@host"}"#, HOUSE_MAKES),
    row("PATCH", "/api/v1/accounts/{bizid}/domains/{number}", "", r#"{"host": "other.@host"}"#, HOUSE),
    row("PATCH", "/api/v1/accounts/{bizid}/domains/{number}", "", r#"{"host": null}"#, HOUSE),
    row("PATCH", "/api/v1/accounts/{bizid}/domains/{number}", "", r#"{"validity_s": 60}"#, DOES),
    row("DELETE", "/api/v1/accounts/{bizid}/domains/{number}", "", "", DOES),
    row("POST", "/api/v1/accounts/{bizid}/domains/{number}/reveal", "", "", DOES),
    row("POST", "/api/v1/accounts/{bizid}/domains/{number}/rotate", "", r#"{"keep_backup": true}"#, DOES),
    row("DELETE", "/api/v1/accounts/{bizid}/domains/{number}/backup", "", "", DOES),
    row("POST", "/api/v1/sign", "", r#"{"account": "@account", "name": "room"}"#, DOES),
    row("POST", "/api/v1/sign", "", r#"{"account": "@account", "name": "room", "only": "play"}"#, SEES),
    row("POST", "/api/v1/check-url", "", r#"{"url": "rtmp://push.@host/live/room?txTime=1"}"#, SEES),
    row("GET", "/api/v1/streams", OF_IT, "", SEES),
    row("GET", STREAM, "", "", SEES),
    row("POST", "/api/v1/streams/{account}/{app}/{name}/drop", "", "", DOES),
    row("POST", "/api/v1/streams/{account}/{app}/{name}/forbid", "", "{}", DOES),
    row("POST", "/api/v1/streams/{account}/{app}/{name}/resume", "", "", DOES),
    row("GET", "/api/v1/streams/{account}/{app}/{name}/history", "", "", SEES),
    row("GET", "/api/v1/forbidden", OF_IT, "", SEES),
    row("GET", "/api/v1/history", OF_IT, "", SEES),
    row("GET", "/api/v1/viewers", OF_IT, "", SEES),
    row("POST", "/api/v1/viewers/{id}/kick", "", r#"{"for": 10}"#, DOES),
    row("GET", "/api/v1/viewers/bars", OF_IT, "", SEES),
    row("DELETE", "/api/v1/viewers/bars/{account}/{app}/{name}/{address}", "", "", DOES),
    row("GET", "/api/v1/callbacks", OF_IT, "", SEES),
    row("GET", "/api/v1/callbacks/{id}", "", "", SEES),
    row("POST", "/api/v1/callbacks/{id}/retry", "", "", DOES),
    row("GET", "/api/v1/statistics", OF_IT, "", SEES),
    row("GET", "/api/v1/audit", OF_IT, "", SEES),
];
