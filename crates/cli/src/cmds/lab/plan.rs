//! What is to be run, from the command line.

use std::str::FromStr;

use thalweg_bench::lab::{Cc, Cell, Way};

use super::Args;
use super::trial::Trial;

/// What each run is made of.
#[derive(Debug)]
pub(super) struct Plan {
    cells: Vec<Cell>,
    rtts_ms: Vec<u64>,
    gops_s: Vec<u64>,
    seeds: u64,
    seconds: u64,
    ways: Vec<Way>,
    kbps: u64,
    beside: Option<Cc>,
}

/// A way, as it is typed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum WayName {
    Udp,
    Cubic,
    Bbr,
}

impl Plan {
    pub(super) fn of(args: &Args) -> Plan {
        let usual = if args.quick { &QUICK[..] } else { &Cell::ALL[..] };
        let (seeds, seconds) = if args.quick { (1, 10) } else { (5, 30) };
        let ways = args.ways.iter().flat_map(|name| match name {
            WayName::Udp => args.cc.iter().copied().map(Way::RtmpUdp).collect(),
            WayName::Cubic => vec![Way::RtmpTcp(Cc::Cubic)],
            WayName::Bbr => vec![Way::RtmpTcp(Cc::Bbr)],
        });
        Plan {
            cells: if args.cells.is_empty() { usual.to_vec() } else { args.cells.clone() },
            rtts_ms: args.rtt.clone(),
            gops_s: args.gop.clone(),
            seeds: args.seeds.unwrap_or(seeds),
            seconds: args.seconds.unwrap_or(seconds),
            ways: ways.collect(),
            kbps: args.kbps,
            beside: args.beside,
        }
    }

    /// The ways of one seed one after the other: whatever the machine does meanwhile, it does to all.
    pub(super) fn trials(&self) -> Vec<Trial> {
        let mut trials = Vec::new();
        for &cell in &self.cells {
            for &rtt_ms in &self.rtts_ms {
                for &gop_s in &self.gops_s {
                    for seed in 1..=self.seeds {
                        let Plan { seconds, kbps, beside, .. } = *self;
                        trials.extend(self.ways.iter().map(|&way| Trial {
                            cell,
                            rtt_ms,
                            gop_s,
                            seed,
                            seconds,
                            way,
                            kbps,
                            beside,
                        }));
                    }
                }
            }
        }
        trials
    }
}

impl FromStr for WayName {
    type Err = String;

    fn from_str(text: &str) -> Result<WayName, String> {
        match text {
            "rtmp-udp" => Ok(WayName::Udp),
            "rtmp-cubic" => Ok(WayName::Cubic),
            "rtmp-bbr" => Ok(WayName::Bbr),
            _ => Err("a way is rtmp-udp, rtmp-cubic or rtmp-bbr".to_owned()),
        }
    }
}

/// Reads a congestion control.
pub(super) fn cc(text: &str) -> Result<Cc, String> {
    let found = [Cc::Live, Cc::Bbr, Cc::Cubic].into_iter().find(|cc| cc.name() == text);
    found.ok_or_else(|| "a congestion control is live, bbr or cubic".to_owned())
}

/// Reads a congestion control of the kernel's.
pub(super) fn kernel_cc(text: &str) -> Result<Cc, String> {
    let found = cc(text).ok().filter(|cc| *cc != Cc::Live);
    found.ok_or_else(|| "a congestion control of TCP is bbr or cubic".to_owned())
}

const QUICK: [Cell; 3] = [Cell::Loss(0), Cell::Loss(5), Cell::Burst];
