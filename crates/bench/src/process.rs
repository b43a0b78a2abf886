//! What a process and its children have used, from `/proc`, and which core runs what.

use std::collections::HashMap;
use std::fs;
use std::process::{Command, Stdio};
use std::time::Duration;

use rustix::process::{Pid, setpriority_process};
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};
use rustix::time::{ClockId, clock_gettime};

/// What a process and its descendants have used so far.
#[derive(Debug, Clone, Copy, Default)]
pub struct Usage {
    /// Time in its own code.
    pub user: Duration,
    /// Time in the kernel's.
    pub system: Duration,
    /// Bytes of memory it has, now.
    pub resident_bytes: u64,
}

impl Usage {
    /// Of a process, now; `None` when there is none of that number, or no `/proc`.
    pub fn of(pid: u32) -> Option<Usage> {
        let mut all = HashMap::new();
        for entry in fs::read_dir("/proc").ok()?.flatten() {
            let number = entry.file_name().to_str().and_then(|n| n.parse::<u32>().ok());
            if let Some((number, stat)) = number.and_then(|n| Some((n, Stat::of(n)?))) {
                all.insert(number, stat);
            }
        }
        all.get(&pid)?;
        let is_ours = |mut n: u32| {
            while n != pid {
                match all.get(&n) {
                    Some(stat) if stat.parent != 0 => n = stat.parent,
                    _ => return false,
                }
            }
            true
        };
        let ours = all.iter().filter(|(n, _)| is_ours(**n)).map(|(_, stat)| stat.usage);
        Some(ours.fold(Usage::default(), |a, b| Usage {
            user: a.user + b.user,
            system: a.system + b.system,
            resident_bytes: a.resident_bytes + b.resident_bytes,
        }))
    }

    /// What was used since an earlier moment; the memory is that of now.
    pub fn since(self, earlier: Usage) -> Usage {
        Usage {
            user: self.user.saturating_sub(earlier.user),
            system: self.system.saturating_sub(earlier.system),
            resident_bytes: self.resident_bytes,
        }
    }
}

struct Stat {
    parent: u32,
    usage: Usage,
}

impl Stat {
    /// Fields of proc(5): 4 parent, 14 user and 15 system time in ticks, 24 resident pages. The
    /// second, a name, may hold anything, so what counts begins after its last bracket.
    fn of(pid: u32) -> Option<Stat> {
        let text = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        let fields: Vec<&str> = text.rsplit_once(')')?.1.split_whitespace().collect();
        let field = |n: usize| fields.get(n - 3)?.parse::<u64>().ok();
        let ticks = |n| {
            let per_s = rustix::param::clock_ticks_per_second().max(1);
            Some(Duration::from_secs_f64(field(n)? as f64 / per_s as f64))
        };
        let resident_bytes = field(24)? * rustix::param::page_size() as u64;
        let usage = Usage { user: ticks(14)?, system: ticks(15)?, resident_bytes };
        Some(Stat { parent: field(4)?.try_into().ok()?, usage })
    }
}

/// The clock of this machine that all processes share and that never leaps, in ns.
pub fn monotonic_ns() -> u64 {
    let now = clock_gettime(ClockId::Monotonic);
    now.tv_sec as u64 * 1_000_000_000 + now.tv_nsec as u64
}

/// Lets a thread, or a process with all its threads, run before whatever is ordinary, so that a busy
/// machine is not taken for a slow path. As far as may be asked for: if not by the real-time scheduler,
/// then by niceness.
pub fn put_first(id: Pid, and_its_threads: bool) {
    let mut chrt = Command::new("chrt");
    chrt.args(["--fifo", "--pid"]).args(and_its_threads.then_some("--all-tasks"));
    chrt.args([FIFO_PRIORITY, &id.as_raw_nonzero().to_string()]);
    let asked = chrt.stdout(Stdio::null()).stderr(Stdio::null()).status();
    if !asked.is_ok_and(|status| status.success()) {
        let _ = setpriority_process(Some(id), NICENESS);
    }
}

/// Does some work on one core, or on any. What it starts, threads or programs, stays there.
///
/// # Errors
/// When there is no such core, or it may not be had.
pub fn on_core<T>(core: Option<usize>, work: impl FnOnce() -> T) -> std::io::Result<T> {
    let Some(core) = core else { return Ok(work()) };
    if core >= CpuSet::MAX_CPU {
        return Err(std::io::ErrorKind::InvalidInput.into());
    }
    let before = sched_getaffinity(None)?;
    let mut one = CpuSet::new();
    one.set(core);
    sched_setaffinity(None, &one)?;
    let done = work();
    sched_setaffinity(None, &before)?;
    Ok(done)
}

/// Over all that is ordinary; the lowest tenth of what is real-time.
const FIFO_PRIORITY: &str = "10";
const NICENESS: i32 = -20;
