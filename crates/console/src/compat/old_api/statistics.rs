//! The old API's statistics: what is live now, and what was.

use serde_json::{Value, json};
use thalweg_hub::StreamSnapshot;

use super::{
    Call, NO_DATA, NOT_LIVE, Output, Point, Refusal, StatusCode, StreamId, bad, now_unix_s,
};

impl Call<'_> {
    /// `Get_LiveStat`, `Get_LivePushStat`, `Get_LivePlayStat`: streams with what is pushed, what is played,
    /// or both.
    pub(super) async fn stat(&self, push: bool, play: bool) -> Output {
        let (page, size) = self.page()?;
        let only = self.params.get("stream_id").copied();
        let live: Vec<_> =
            self.live().filter(|s| only.is_none_or(|only| only == &*s.key.name)).collect();
        if only.is_some() && live.is_empty() {
            return Err(Refusal(
                StatusCode::OK,
                NOT_LIVE,
                "there is no such live stream".to_owned(),
            ));
        }
        let count = live.len();
        let (mut rows, mut bandwidth, mut online) = (Vec::new(), 0.0, 0);
        for stream in live.iter().skip((page - 1) * size).take(size) {
            let row = self.row(stream, push, play).await?;
            bandwidth += row["bandwidth"].as_f64().unwrap_or_default();
            online += row["online"].as_u64().unwrap_or_default();
            rows.push(row);
        }
        Ok(json!([{
            "stream_count": count,
            "stream_info": rows,
            "total_bandwidth": rounded(bandwidth),
            "total_online": online,
        }]))
    }

    async fn row(&self, stream: &StreamSnapshot, push: bool, play: bool) -> Result<Value, Refusal> {
        let mut row = json!({ "stream_name": &*stream.key.name });
        if play {
            row["bandwidth"] = json!(rounded(self.played(stream).await?));
            row["online"] = json!(stream.viewers.iter().map(|(_, n)| n).sum::<u64>());
        }
        if push {
            let bits =
                stream.video.map_or(0, |v| v.bits_per_s) + stream.audio.map_or(0, |a| a.bits_per_s);
            row["fps"] = json!(stream.video.map_or(0, |v| v.fps.round() as u64));
            row["speed"] = json!(bits);
            let peer = stream.publisher.as_ref().map(|p| p.peer.ip().to_string());
            row["client_ip"] = json!(peer);
            row["server_ip"] = json!(self.console.inner.places.host);
        }
        Ok(row)
    }

    /// Mbit/s sent to viewers, mean of the last minute that is over.
    async fn played(&self, stream: &StreamSnapshot) -> Result<f64, Refusal> {
        let id = StreamId::from(stream);
        let to = now_unix_s() / 60 * 60;
        let points =
            self.console.store().points(Some(&id.account), Some(&id), to - 60, to, 60).await?;
        Ok(mbit_per_s(points.iter().map(|p| p.bytes_out).sum(), 60))
    }

    /// `Get_LivePushStatHistory`, `Get_LivePlayStatHistory`: five minutes a row.
    pub(super) async fn history(
        &self,
        bytes: fn(&Point) -> u64,
        online: fn(&Point) -> u64,
    ) -> Output {
        let now = now_unix_s();
        let to = self.number("end_time")?.unwrap_or(now).min(now);
        let from = self.number("start_time")?.unwrap_or(to.saturating_sub(7200));
        if from >= to || now - from > DAYS_15_S {
            return Err(bad("Param.n.start_time is before end_time, 15 days back at most"));
        }
        let bizid = Some(self.account.bizid.as_str());
        let stream = self.params.get("stream_id").map(|name| StreamId {
            account: self.account.bizid.clone(),
            app: self.params.get("path").copied().unwrap_or("live").to_owned(),
            name: (*name).to_owned(),
        });
        let store = self.console.store();
        let points = store.points(bizid, stream.as_ref(), from, to, STEP_S).await?;
        if points.is_empty() {
            return Err(Refusal(StatusCode::OK, NO_DATA, "there is no data".to_owned()));
        }
        let row = |p: &Point| {
            json!({
                "time": p.at,
                "bandwidth": rounded(mbit_per_s(bytes(p), STEP_S)),
                "online": online(p),
                "flux": rounded(bytes(p) as f64 / 1e6),
            })
        };
        let sum: u64 = points.iter().map(bytes).sum();
        let rows: Vec<_> = points.iter().map(row).collect();
        Ok(json!([{ "stat_info": rows, "sum_info": { "sum_flux": rounded(sum as f64 / 1e6) } }]))
    }

    fn page(&self) -> Result<(usize, usize), Refusal> {
        let page = self.number("page_no")?.unwrap_or(1);
        let size = self.number("page_size")?.unwrap_or(SIZE_MAX);
        match (1..=1_000_000).contains(&page) && (1..=SIZE_MAX).contains(&size) {
            true => Ok((page as usize, size as usize)),
            false => Err(bad("Param.n.page_no is from 1, Param.n.page_size 1 to 300")),
        }
    }
}

fn mbit_per_s(bytes: u64, seconds: u64) -> f64 {
    bytes as f64 * 8.0 / 1e6 / seconds as f64
}

/// Three digits after the point.
fn rounded(number: f64) -> f64 {
    (number * 1000.0).round() / 1000.0
}

const SIZE_MAX: u64 = 300;
/// The vendor's rows.
const STEP_S: u64 = 300;
const DAYS_15_S: u64 = 15 * 86_400;
