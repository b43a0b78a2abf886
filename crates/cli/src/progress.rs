//! A line of statistics that is written over, while a person looks.

use std::io::IsTerminal;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use thalweg_wire::media::{Frame, Kind};

use crate::show;

/// What has been sent or received.
#[derive(Debug)]
pub(crate) struct Progress {
    bar: ProgressBar,
    verb: &'static str,
    began: Instant,
    total: Sums,
    /// The last second, for rates.
    since: Instant,
    then: Sums,
    quiet: bool,
    picture: String,
    /// What else there is to tell.
    more: String,
}

#[derive(Debug, Clone, Copy, Default)]
struct Sums {
    bytes: u64,
    video: u64,
    audio: u64,
    keys: u64,
}

impl Progress {
    /// Begins to count. Nothing moves unless standard error is a terminal.
    pub(crate) fn start(verb: &'static str, quiet: bool) -> Progress {
        let shown = !quiet && std::io::stderr().is_terminal();
        let target =
            if shown { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
        let bar = ProgressBar::with_draw_target(None, target);
        if let Ok(style) = ProgressStyle::with_template("{spinner} {msg}") {
            bar.set_style(style);
        }
        let (began, total) = (Instant::now(), Sums::default());
        let (picture, more) = (String::new(), String::new());
        Progress { bar, verb, began, total, since: began, then: total, quiet, picture, more }
    }

    /// What else there is to tell, if the line is about to be written anew.
    pub(crate) fn tell(&mut self, more: impl FnOnce() -> String) {
        if self.since.elapsed() >= EACH {
            self.more = more();
        }
    }

    /// Counts a frame.
    pub(crate) fn count(&mut self, frame: &Frame) {
        self.total.bytes += frame.payload.len() as u64;
        match frame.kind {
            Kind::Video if frame.config => self.picture = picture(frame),
            Kind::Video => self.total.video += 1,
            Kind::Audio if !frame.config => self.total.audio += 1,
            Kind::Audio | Kind::Data => {}
        }
        self.total.keys += u64::from(frame.key);
        let elapsed = self.since.elapsed();
        if elapsed >= EACH {
            self.show(elapsed);
            self.since = Instant::now();
            self.then = self.total;
        }
    }

    /// Says what it came to.
    pub(crate) fn finish(&self) {
        self.bar.finish_and_clear();
        let Sums { bytes, video, audio, .. } = self.total;
        if !self.quiet && bytes > 0 {
            let seconds = self.began.elapsed().as_secs_f64();
            show::note(format_args!(
                "{} ended after {seconds:.1} s: {video} pictures, {audio} sound frames, {bytes} bytes",
                self.verb
            ));
        }
    }

    fn show(&self, elapsed: Duration) {
        let seconds = elapsed.as_secs_f64();
        let rate = show::rate((self.total.bytes - self.then.bytes) as f64 * 8.0 / seconds);
        let fps = (self.total.video - self.then.video) as f64 / seconds;
        let Progress { verb, picture, more, .. } = self;
        let time = humantime::format_duration(Duration::from_secs(self.began.elapsed().as_secs()));
        let keys = self.total.keys;
        self.bar.set_message(format!(
            "{verb} {time}  {rate}  {fps:.1} fps  {picture}  {keys} key frames  {more}"
        ));
        self.bar.tick();
    }
}

/// Codec and size of a sequence header.
fn picture(header: &Frame) -> String {
    use thalweg_wire::flv::body;
    match (body::video(&header.payload).codec, body::avc_config(&header.payload)) {
        (Some(codec), Some(c)) => format!("{codec} {}x{}", c.width, c.height),
        (Some(codec), None) => codec.to_string(),
        (None, _) => "video".to_owned(),
    }
}

const EACH: Duration = Duration::from_secs(1);
