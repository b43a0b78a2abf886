//! How single values are read. What is wrong with one is said while it is read, so that the error
//! can show its line.

use std::fmt;
use std::marker::PhantomData;
use std::net::SocketAddr;

use serde::Deserialize;
use serde::de::{Deserializer, Error, Unexpected, Visitor};
use thalweg_wire::rtmp::address::{host_of, name_of};

/// A whole number of a range.
pub(super) fn within<'de, D, T, const LEAST: u64, const MOST: u64>(d: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: TryFrom<u64>,
{
    d.deserialize_u64(Within::<T, LEAST, MOST>(PhantomData))
}

struct Within<T, const LEAST: u64, const MOST: u64>(PhantomData<T>);

impl<T: TryFrom<u64>, const LEAST: u64, const MOST: u64> Visitor<'_> for Within<T, LEAST, MOST> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a whole number, {LEAST} to {MOST}")
    }

    fn visit_u64<E: Error>(self, n: u64) -> Result<T, E> {
        let fits = (LEAST..=MOST).contains(&n).then(|| T::try_from(n).ok()).flatten();
        fits.ok_or_else(|| E::custom(OutOfRange(n.into(), LEAST, MOST)))
    }

    fn visit_i64<E: Error>(self, n: i64) -> Result<T, E> {
        match u64::try_from(n) {
            Ok(n) => self.visit_u64(n),
            Err(_) => Err(E::custom(OutOfRange(n.into(), LEAST, MOST))),
        }
    }
}

struct OutOfRange(i128, u64, u64);

impl fmt::Display for OutOfRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let OutOfRange(n, least, most) = self;
        write!(f, "{n} is out of range: {least} to {most}")
    }
}

/// A port that peers can reach, which 0 is not.
pub(super) fn some_port<'de, D: Deserializer<'de>>(d: D) -> Result<Option<u16>, D::Error> {
    within::<_, _, 1, 65_535>(d).map(Some)
}

/// Where to listen.
pub(super) fn address<'de, D: Deserializer<'de>>(d: D) -> Result<SocketAddr, D::Error> {
    d.deserialize_str(Address)
}

struct Address;

impl Visitor<'_> for Address {
    type Value = SocketAddr;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an IP address and a port, as \"0.0.0.0:1935\" or \"[::]:1935\"")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<SocketAddr, E> {
        text.parse().map_err(|_| E::invalid_value(Unexpected::Str(text), &self))
    }
}

pub(super) fn some_address<'de, D>(d: D) -> Result<Option<SocketAddr>, D::Error>
where
    D: Deserializer<'de>,
{
    address(d).map(Some)
}

/// A host, in lower case and without brackets.
pub(super) fn host<'de, D: Deserializer<'de>>(d: D) -> Result<String, D::Error> {
    host_of(&String::deserialize(d)?)
        .map_err(|bad| D::Error::custom(format_args!("{bad}; a port goes into public_port")))
}

pub(super) fn some_host<'de, D: Deserializer<'de>>(d: D) -> Result<Option<String>, D::Error> {
    host(d).map(Some)
}

/// A UNIX time in seconds, which milliseconds are too many for.
pub(super) fn moment<'de, D: Deserializer<'de>>(d: D) -> Result<u64, D::Error> {
    within::<_, _, 0, 9_999_999_999>(d)
}

pub(super) fn some_moment<'de, D: Deserializer<'de>>(d: D) -> Result<Option<u64>, D::Error> {
    moment(d).map(Some)
}

/// An app and the name of a stream: `live/room`.
pub(super) fn stream<'de, D: Deserializer<'de>>(d: D) -> Result<String, D::Error> {
    let text = String::deserialize(d)?;
    let segments: Vec<&str> = text.split('/').collect();
    match name_of(&segments) {
        Ok((app, stream)) => Ok(format!("{app}/{stream}")),
        Err(_) => Err(D::Error::custom(format_args!("{text:?} should be app/stream: live/room"))),
    }
}

/// An account's number, with quotes or without.
pub(super) fn bizid<'de, D: Deserializer<'de>>(d: D) -> Result<String, D::Error> {
    d.deserialize_any(Bizid)
}

struct Bizid;

impl Visitor<'_> for Bizid {
    type Value = String;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the number of an account, as \"1\"")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<String, E> {
        Ok(text.to_owned())
    }

    fn visit_i64<E: Error>(self, n: i64) -> Result<String, E> {
        u64::try_from(n)
            .map(|n| n.to_string())
            .map_err(|_| E::invalid_value(Unexpected::Signed(n), &self))
    }

    fn visit_u64<E: Error>(self, n: u64) -> Result<String, E> {
        Ok(n.to_string())
    }
}
