//! Changing a server that runs: configuration and certificates, without dropping anyone.

use std::sync::Arc;

use crate::config::Config;
use crate::context::Context;
use crate::tls::{CertificateError, Expired};

/// Puts new configuration into a running server. Whoever is in stays as it was let in; what is new
/// holds for who comes.
#[derive(Debug, Clone)]
pub struct Reloader {
    ctx: Arc<Context>,
    /// What it was started with: ports and the like are still those.
    started: Arc<Config>,
}

impl Reloader {
    pub(crate) fn new(ctx: Arc<Context>) -> Reloader {
        let started = ctx.config.get();
        Reloader { ctx, started }
    }

    /// Puts `config` in place: certificates, bounds, publishing and watching. Answers the keys that
    /// differ and hold only from the next start on.
    ///
    /// # Errors
    /// When a certificate cannot be used: then everything stays as it was.
    pub fn reload(&self, config: Config) -> Result<Vec<&'static str>, CertificateError> {
        let ctx = &self.ctx;
        // Whether there is TLS at all was decided at the start, with what listens for it.
        if config.has_certificate() == self.started.has_certificate() {
            ctx.tls.load(&config.certificates, Expired::Refuse)?;
        }
        let waiting = waiting(&self.started, &config);
        ctx.gate.set_limits(config.gate_limits());
        ctx.hub.set_limits(config.hub_limits());
        ctx.config.replace(config);
        Ok(waiting)
    }
}

/// What differs and cannot change while the server runs.
fn waiting(old: &Config, new: &Config) -> Vec<&'static str> {
    let keys = [
        ("rtmp.listen", old.rtmp.listen == new.rtmp.listen),
        ("http.listen", old.http.listen == new.http.listen),
        ("https.listen", old.https.listen == new.https.listen),
        ("operator.listen", old.operator.listen == new.operator.listen),
        ("udp.enabled", old.udp.enabled == new.udp.enabled),
        ("udp.listen", old.udp.listen == new.udp.listen),
        ("udp.congestion", old.udp.congestion == new.udp.congestion),
        ("udp.certificate", old.udp.certificate == new.udp.certificate),
        ("console.enabled", old.console.enabled == new.console.enabled),
        ("console.store", old.console.store == new.console.store),
        ("console.callback_allow", old.console.callback_allow == new.console.callback_allow),
        ("data_dir", old.data_dir == new.data_dir),
        ("certificate", old.has_certificate() == new.has_certificate()),
        (
            "limits.viewer_bytes_per_s_min",
            old.limits.viewer_bytes_per_s_min == new.limits.viewer_bytes_per_s_min,
        ),
        (
            "limits.metrics_streams_max",
            old.limits.metrics_streams_max == new.limits.metrics_streams_max,
        ),
        (
            "limits.counts_waiting_max",
            old.limits.counts_waiting_max == new.limits.counts_waiting_max,
        ),
    ];
    keys.into_iter().filter(|(_, same)| !same).map(|(key, _)| key).collect()
}
