//! A network device whose other side is a file: what the kernel routes to it is read, packet by
//! packet, and what is written comes in.

use std::fs::File;
use std::io;

use rustix::ffi::c_int;
use rustix::ioctl::{Opcode, Updater, ioctl, opcode};

/// Makes a device of this name, for bare IP packets. It is there until the file is closed. Reads and
/// writes do not wait.
#[expect(
    unsafe_code,
    reason = "this one request has no safe wrapper in rustix; libraries of TUN devices bring two or \
              three others with them for it"
)]
pub(super) fn open(name: &str) -> io::Result<File> {
    let file = File::options().read(true).write(true).open(DEVICE)?;
    let mut request = [0u8; IFREQ_BYTES];
    // The last byte of the name stays 0.
    let name = name.as_bytes().get(..NAME_BYTES - 1).unwrap_or(name.as_bytes());
    request[..name.len()].copy_from_slice(name);
    request[NAME_BYTES..NAME_BYTES + 2].copy_from_slice(&(IFF_TUN | IFF_NO_PI).to_ne_bytes());
    // SAFETY: TUNSETIFF reads and writes one `struct ifreq`, which is no longer than the request.
    unsafe { ioctl(&file, Updater::<TUNSETIFF, _>::new(&mut request))? };
    rustix::io::ioctl_fionbio(&file, true)?;
    Ok(file)
}

/// Where devices are made.
pub(super) const DEVICE: &str = "/dev/net/tun";

/// linux/if_tun.h and linux/if.h: a name, then what the request says of it.
const TUNSETIFF: Opcode = opcode::write::<c_int>(b'T', 202);
const IFREQ_BYTES: usize = 40;
const NAME_BYTES: usize = 16;
const IFF_TUN: u16 = 0x0001;
const IFF_NO_PI: u16 = 0x1000;
