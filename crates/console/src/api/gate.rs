//! Which categories are admitted.

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use thalweg_access::Preset;
use utoipa::ToSchema;

use crate::api::ApiError;
use crate::api::body::Body;
use crate::api::error::{Answer, Refusal};
use crate::api::guard::{Admin, Reader};
use crate::console::Console;
use crate::policy::{GateMode, GateRow, GateSetting, NO_CATEGORY, Title, rows};

/// The gate, and what it could be.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Gate {
    mode: GateMode,
    /// Whose rows these are; null: the operator's own.
    preset: Option<String>,
    rows: Vec<GateRow>,
    presets: Vec<PresetView>,
}

/// A table that ships.
#[derive(Debug, Serialize, ToSchema)]
struct PresetView {
    name: &'static str,
    title: Title,
    rows: Vec<GateRow>,
}

/// What it is to be: rows, or the preset that has them.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct GateChange {
    mode: GateMode,
    #[serde(default)]
    preset: Option<String>,
    #[serde(default)]
    rows: Option<Vec<GateRow>>,
}

/// The gate.
#[utoipa::path(get, path = "/api/v1/gate", responses(
    (status = 200, body = Gate), (status = 401, body = Refusal),
))]
pub(crate) async fn show(State(console): State<Console>, _: Reader) -> Answer<Gate> {
    Ok(Json(Gate::of(&console.books().gate)))
}

/// Sets the gate: it holds from the next connection on.
#[utoipa::path(put, path = "/api/v1/gate", request_body = GateChange, responses(
    (status = 200, body = Gate), (status = 400, body = Refusal), (status = 403, body = Refusal),
))]
pub(crate) async fn set(
    State(console): State<Console>,
    Admin(who): Admin,
    body: Result<Body<GateChange>, ApiError>,
) -> Answer<Gate> {
    let Body(GateChange { mode, preset, rows }) = body?;
    let old = console.books().gate.clone();
    let gate = match (preset, rows) {
        (Some(name), None) => {
            let preset = Preset::parse(&name)
                .ok_or_else(|| ApiError::bad("preset", format!("there is no preset {name}")))?;
            GateSetting { mode, ..GateSetting::of_preset(preset) }
        }
        (None, Some(rows)) => {
            check(&rows)?;
            GateSetting { mode, preset: None, rows }
        }
        (None, None) => GateSetting { mode, ..old },
        (Some(_), Some(_)) => {
            return Err(ApiError::bad("rows", "a preset has its rows: say one of the two"));
        }
    };
    console.inner.register.set_gate(gate.clone()).await?;
    let detail = format!("{:?}, {}", gate.mode, gate.preset.as_deref().unwrap_or("own rows"));
    console.note(&who, None, "gate.set", detail.to_lowercase()).await;
    Ok(Json(Gate::of(&gate)))
}

fn check(rows: &[GateRow]) -> Result<(), ApiError> {
    let subs = |row: &GateRow| row.subs.len();
    if rows.len() > ROWS_MAX || rows.iter().any(|row| subs(row) > ROWS_MAX) {
        return Err(ApiError::bad("rows", format!("at most {ROWS_MAX}, of {ROWS_MAX} subs each")));
    }
    let is_id = |id: &str| {
        let fits = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
        (1..=64).contains(&id.len()) && id.bytes().all(fits) && id != NO_CATEGORY
    };
    let ids = rows.iter().flat_map(|r| r.subs.iter().map(|s| &s.id).chain([&r.main]));
    for id in ids {
        if !is_id(id) {
            let words = format!("{id:?}: an id has lower-case letters, digits and hyphens");
            return Err(ApiError::bad("rows", words));
        }
    }
    Ok(())
}

impl Gate {
    fn of(gate: &GateSetting) -> Gate {
        let GateSetting { mode, preset, rows: own } = gate.clone();
        let view = |preset: Preset| {
            let (en, zh) = title(preset);
            PresetView {
                name: preset.name(),
                title: Title { en: en.to_owned(), zh: zh.to_owned() },
                rows: rows(&preset.table()),
            }
        };
        let presets = Preset::ALL.into_iter().map(view).collect();
        Gate { mode, preset, rows: own, presets }
    }
}

/// What people call a preset: English, Chinese.
fn title(preset: Preset) -> (&'static str, &'static str) {
    match preset {
        Preset::Seed => ("The first table", "最初的类目表"),
        Preset::Tencent2018 => ("Cloud, 2018 to 2020", "云文档，2018–2020"),
        Preset::Tencent2021 => ("Cloud, 2021 to 2022", "云文档，2021–2022"),
        Preset::Wechat2022 => ("WeChat, from 2022", "微信文档，2022 起"),
    }
}

/// Main categories of a table, and sub-categories of each: the longest preset has a dozen.
const ROWS_MAX: usize = 200;
