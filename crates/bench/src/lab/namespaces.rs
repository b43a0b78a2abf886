//! Two networks of our own with nothing between them but a [`Bridge`](super::Bridge).
//!
//! ```text
//! server side: 10.77.0.1 - TUN = file        file = TUN - 10.77.0.2 :viewer side
//! ```

use std::fs::{self, File};
use std::io;
use std::net::Ipv4Addr;
use std::path::Path;
use std::process::{Command, Output};

use super::tun;

/// Two network namespaces, and the files of their devices. They go when this does; should the program
/// be killed, their names stay, and the next one made takes them away.
#[derive(Debug)]
pub struct Namespaces {
    devices: [File; 2],
    _names: [Name; 2],
}

/// One of the two.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// Of the server and its publisher.
    Server,
    /// Of the viewer.
    Viewer,
}

/// Why there can be no namespaces.
#[derive(Debug, thiserror::Error)]
pub enum NoRight {
    /// Not the superuser.
    #[error("it takes root, or CAP_NET_ADMIN and CAP_SYS_ADMIN")]
    NotRoot,
    /// No TUN devices.
    #[error("{device}: {0}: a container is given it with --device", device = tun::DEVICE)]
    Tun(io::Error),
    /// No iproute2.
    #[error("ip: {0}: install iproute2")]
    Missing(io::Error),
    /// The system said no.
    #[error("ip {command}: {words}")]
    Ip {
        /// What was asked.
        command: String,
        /// What it said.
        words: String,
    },
}

impl Namespaces {
    /// Makes them. One pair at a time in a process.
    ///
    /// # Errors
    /// [`NoRight`], in words for whoever could give it.
    pub fn new() -> Result<Namespaces, NoRight> {
        if !rustix::process::geteuid().is_root() {
            return Err(NoRight::NotRoot);
        }
        sweep();
        let [(server, one), (viewer, other)] = [make(Side::Server)?, make(Side::Viewer)?];
        Ok(Namespaces { devices: [one, other], _names: [server, viewer] })
    }

    /// What a command has to stand behind to run on one side.
    pub fn command(&self, side: Side, program: &Path) -> Command {
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &side.name(std::process::id())]).arg(program);
        command
    }

    /// Sets the congestion control of TCP from a side to the other. By its route, because a namespace
    /// may set only those that the whole machine allows to everyone.
    ///
    /// # Errors
    /// When the kernel does not have it.
    pub fn set_congestion_control(&self, side: Side, name: &str) -> Result<(), NoRight> {
        let pid = std::process::id();
        let (place, device, source) =
            (side.name(pid), side.device(pid), side.address().to_string());
        ip(&[
            &["-n", place.as_str(), "route", "replace", NETWORK, "dev", &device][..],
            &["proto", "kernel", "scope", "link", "src", &source, "congctl", name],
        ]
        .concat())
    }

    /// The files of the devices, the server's first.
    pub(super) fn devices(&self) -> &[File; 2] {
        &self.devices
    }
}

impl Side {
    /// Its address.
    pub fn address(self) -> Ipv4Addr {
        Ipv4Addr::new(10, 77, 0, if self == Side::Server { 1 } else { 2 })
    }

    fn name(self, pid: u32) -> String {
        format!("{PREFIX}{pid}-{}", if self == Side::Server { "server" } else { "viewer" })
    }

    /// Of the device, while it is outside: no longer than 15 bytes.
    fn device(self, pid: u32) -> String {
        format!("thal{pid}{}", if self == Side::Server { "s" } else { "v" })
    }
}

/// A namespace that goes away. What runs in it keeps it until it ends.
#[derive(Debug)]
struct Name(String);

impl Drop for Name {
    fn drop(&mut self) {
        let _ = ip(&["netns", "delete", &self.0]);
    }
}

/// Makes a namespace with a device in it.
fn make(side: Side) -> Result<(Name, File), NoRight> {
    let pid = std::process::id();
    let (name, device) = (side.name(pid), side.device(pid));
    ip(&["netns", "add", &name])?;
    let name = Name(name);
    let file = tun::open(&device).map_err(NoRight::Tun)?;
    ip(&["link", "set", "dev", &device, "netns", &name.0])?;
    let address = format!("{}/30", side.address());
    for arguments in [
        &["link", "set", "dev", "lo", "up"][..],
        &["address", "add", &address, "dev", &device],
        // Twice the default: a burst of key frames is the path's to drop, not the device's.
        &["link", "set", "dev", &device, "mtu", "1500", "txqueuelen", "1000", "up"],
    ] {
        ip(&[&["-n", name.0.as_str()], arguments].concat())?;
    }
    Ok((name, file))
}

/// Takes away what was left by programs that were killed.
fn sweep() {
    let Ok(entries) = fs::read_dir(NAMES) else { return };
    for name in entries.flatten().filter_map(|e| e.file_name().into_string().ok()) {
        if pid_of(&name).is_some_and(|pid| !Path::new(&format!("/proc/{pid}")).exists()) {
            drop(Name(name));
        }
    }
}

/// Whose a namespace is, if it is one of these.
fn pid_of(name: &str) -> Option<u32> {
    let (pid, _side) = name.strip_prefix(PREFIX)?.split_once('-')?;
    pid.parse().ok()
}

fn ip(arguments: &[&str]) -> Result<(), NoRight> {
    let output = Command::new("ip").args(arguments).output();
    let Output { status, stderr, .. } = output.map_err(NoRight::Missing)?;
    if status.success() {
        return Ok(());
    }
    let words = String::from_utf8_lossy(&stderr).trim().to_owned();
    Err(NoRight::Ip { command: arguments.join(" "), words })
}

/// Where iproute2 keeps the names.
const NAMES: &str = "/run/netns";
const PREFIX: &str = "thalweg-lab-";
/// Both addresses of [`Side::address`].
const NETWORK: &str = "10.77.0.0/30";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_say_whose_they_are_and_fit() {
        for side in [Side::Server, Side::Viewer] {
            assert_eq!(pid_of(&side.name(4_194_304)), Some(4_194_304));
            assert!(side.device(4_194_304).len() <= 15);
        }
        for other in ["thalweg-lab-", "thalweg-lab-x-server", "thalweg", "blue"] {
            assert_eq!(pid_of(other), None);
        }
    }
}
