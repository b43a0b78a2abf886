//! AMF0, the values inside RTMP commands and metadata (Action Message Format 0, 2007).
//!
//! A peer's value may nest at most [`DEPTH_MAX`] deep and hold at most [`NODES_MAX`] values a
//! message: a few bytes a level would otherwise buy a stack overflow, and a few bytes a value a
//! large allocation.

use crate::bytes::Reader;

/// One AMF0 value.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// Marker 0.
    Number(f64),
    /// Marker 1.
    Boolean(bool),
    /// Markers 2 and 12 (long). Bytes that are not UTF-8 are replaced.
    String(String),
    /// Marker 3; 16 (typed) loses its class name.
    Object(Vec<(String, Value)>),
    /// Marker 5.
    Null,
    /// Marker 6, and 13 (unsupported).
    Undefined,
    /// Marker 8. Read as an object, but written with its own marker: metadata is customarily one.
    EcmaArray(Vec<(String, Value)>),
    /// Marker 10.
    StrictArray(Vec<Value>),
    /// Marker 11: milliseconds since 1970, UTC. The time zone field is reserved and dropped.
    Date(f64),
    /// Marker 15.
    Xml(String),
}

/// Why a value could not be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[expect(missing_docs, reason = "each variant's text says it")]
pub enum Error {
    #[error("AMF0 value is cut short")]
    Short,
    #[error("AMF0 values nest deeper than {DEPTH_MAX}")]
    TooDeep,
    #[error("more than {NODES_MAX} AMF0 values in one message")]
    TooMany,
    #[error("AMF0 marker {0} is reserved or unknown")]
    Marker(u8),
    #[error("AMF3 values are not supported, only AMF0")]
    Amf3,
}

/// Reads the values of one message, one after the other, within one budget.
#[derive(Debug)]
pub struct Decoder<'a> {
    r: Reader<'a>,
    nodes_left: usize,
}

impl<'a> Decoder<'a> {
    /// A decoder at the front of a message body.
    pub fn new(body: &'a [u8]) -> Self {
        Decoder { r: Reader::new(body), nodes_left: NODES_MAX }
    }

    /// The next value, or `None` at the end of the message.
    ///
    /// # Errors
    /// [`Error`] when the bytes are not AMF0 or over a limit.
    pub fn next_value(&mut self) -> Result<Option<Value>, Error> {
        if self.r.is_empty() { Ok(None) } else { self.value(0).map(Some) }
    }

    fn value(&mut self, depth: usize) -> Result<Value, Error> {
        self.nodes_left = self.nodes_left.checked_sub(1).ok_or(Error::TooMany)?;
        if depth >= DEPTH_MAX {
            return Err(Error::TooDeep);
        }
        Ok(match self.r.u8().ok_or(Error::Short)? {
            NUMBER => Value::Number(self.r.f64().ok_or(Error::Short)?),
            BOOLEAN => Value::Boolean(self.r.u8().ok_or(Error::Short)? != 0),
            STRING => Value::String(self.short_string()?),
            OBJECT => Value::Object(self.properties(depth)?),
            NULL => Value::Null,
            UNDEFINED | UNSUPPORTED => Value::Undefined,
            ECMA_ARRAY => {
                // The count is a hint: writers get it wrong, and the end marker decides.
                self.r.u32().ok_or(Error::Short)?;
                Value::EcmaArray(self.properties(depth)?)
            }
            STRICT_ARRAY => Value::StrictArray(self.items(depth)?),
            DATE => {
                let ms = self.r.f64().ok_or(Error::Short)?;
                self.r.u16().ok_or(Error::Short)?;
                Value::Date(ms)
            }
            LONG_STRING => Value::String(self.long_string()?),
            XML => Value::Xml(self.long_string()?),
            TYPED_OBJECT => {
                self.short_string()?;
                Value::Object(self.properties(depth)?)
            }
            AVMPLUS => return Err(Error::Amf3),
            marker => return Err(Error::Marker(marker)),
        })
    }

    fn properties(&mut self, depth: usize) -> Result<Vec<(String, Value)>, Error> {
        let mut out = Vec::new();
        loop {
            let name = self.short_string()?;
            if name.is_empty() && self.r.peek() == Some(OBJECT_END) {
                self.r.u8();
                return Ok(out);
            }
            out.push((name, self.value(depth + 1)?));
        }
    }

    fn items(&mut self, depth: usize) -> Result<Vec<Value>, Error> {
        let count = self.r.u32().ok_or(Error::Short)?;
        // Grown as values are read, never from the count.
        let mut out = Vec::new();
        for _ in 0..count {
            out.push(self.value(depth + 1)?);
        }
        Ok(out)
    }

    fn short_string(&mut self) -> Result<String, Error> {
        let len = self.r.u16().ok_or(Error::Short)?;
        self.text(usize::from(len))
    }

    fn long_string(&mut self) -> Result<String, Error> {
        let len = self.r.u32().ok_or(Error::Short)?;
        self.text(len as usize)
    }

    fn text(&mut self, len: usize) -> Result<String, Error> {
        let bytes = self.r.take(len).ok_or(Error::Short)?;
        Ok(String::from_utf8_lossy(bytes).into_owned())
    }
}

impl Value {
    /// A string value.
    pub fn string(text: &str) -> Value {
        Value::String(text.to_owned())
    }

    /// An object of the given properties, in order.
    pub fn object<const N: usize>(properties: [(&str, Value); N]) -> Value {
        Value::Object(properties.into_iter().map(|(k, v)| (k.to_owned(), v)).collect())
    }

    /// The text of a string.
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Value::String(s) => Some(s),
            _ => None,
        }
    }

    /// The number of a number.
    pub fn as_f64(&self) -> Option<f64> {
        match self {
            Value::Number(n) => Some(*n),
            _ => None,
        }
    }

    /// The truth of a boolean, or of a number, which some encoders send instead.
    pub fn as_bool(&self) -> Option<bool> {
        match self {
            Value::Boolean(b) => Some(*b),
            Value::Number(n) => Some(*n != 0.0),
            _ => None,
        }
    }

    /// A property of an object or associative array.
    pub fn property(&self, name: &str) -> Option<&Value> {
        match self {
            Value::Object(p) | Value::EcmaArray(p) => {
                p.iter().find(|(k, _)| k == name).map(|(_, v)| v)
            }
            _ => None,
        }
    }

    /// Appends the value's bytes. Strings over 65 535 bytes take the long form; property names
    /// longer than that are cut.
    pub fn encode(&self, out: &mut Vec<u8>) {
        match self {
            Value::Number(n) => {
                out.push(NUMBER);
                out.extend_from_slice(&n.to_be_bytes());
            }
            Value::Boolean(b) => out.extend_from_slice(&[BOOLEAN, u8::from(*b)]),
            Value::String(s) => encode_str(s, out),
            Value::Object(p) => {
                out.push(OBJECT);
                encode_properties(p, out);
            }
            Value::Null => out.push(NULL),
            Value::Undefined => out.push(UNDEFINED),
            Value::EcmaArray(p) => {
                out.push(ECMA_ARRAY);
                out.extend_from_slice(&(p.len() as u32).to_be_bytes());
                encode_properties(p, out);
            }
            Value::StrictArray(items) => {
                out.push(STRICT_ARRAY);
                out.extend_from_slice(&(items.len() as u32).to_be_bytes());
                items.iter().for_each(|v| v.encode(out));
            }
            Value::Date(ms) => {
                out.push(DATE);
                out.extend_from_slice(&ms.to_be_bytes());
                out.extend_from_slice(&[0, 0]);
            }
            Value::Xml(s) => {
                out.push(XML);
                out.extend_from_slice(&(s.len() as u32).to_be_bytes());
                out.extend_from_slice(s.as_bytes());
            }
        }
    }
}

/// The bytes of the string that a body begins with, without decoding anything else.
pub fn first_string(body: &[u8]) -> Option<&[u8]> {
    let mut r = Reader::new(body);
    match r.u8()? {
        STRING => {
            let len = r.u16()?;
            r.take(usize::from(len))
        }
        _ => None,
    }
}

/// Appends a string value.
pub fn encode_str(s: &str, out: &mut Vec<u8>) {
    if let Ok(len) = u16::try_from(s.len()) {
        out.push(STRING);
        out.extend_from_slice(&len.to_be_bytes());
    } else {
        out.push(LONG_STRING);
        out.extend_from_slice(&(s.len() as u32).to_be_bytes());
    }
    out.extend_from_slice(s.as_bytes());
}

fn encode_properties(properties: &[(String, Value)], out: &mut Vec<u8>) {
    for (name, value) in properties {
        let bytes = name.as_bytes();
        let bytes = bytes.get(..usize::from(u16::MAX)).unwrap_or(bytes);
        out.extend_from_slice(&(bytes.len() as u16).to_be_bytes());
        out.extend_from_slice(bytes);
        value.encode(out);
    }
    out.extend_from_slice(&[0, 0, OBJECT_END]);
}

/// Metadata nests two or three deep; a stack frame of the reader is a few hundred bytes.
pub const DEPTH_MAX: usize = 16;
/// A recorded file's seek index may hold an entry a second for two arrays: 16 384 is over two
/// hours. A named property is 56 bytes and a growing list twice as long as it need be: 1.8 MiB.
pub const NODES_MAX: usize = 16_384;

const NUMBER: u8 = 0;
const BOOLEAN: u8 = 1;
const STRING: u8 = 2;
const OBJECT: u8 = 3;
const NULL: u8 = 5;
const UNDEFINED: u8 = 6;
const ECMA_ARRAY: u8 = 8;
const OBJECT_END: u8 = 9;
const STRICT_ARRAY: u8 = 10;
const DATE: u8 = 11;
const LONG_STRING: u8 = 12;
const UNSUPPORTED: u8 = 13;
const XML: u8 = 15;
const TYPED_OBJECT: u8 = 16;
const AVMPLUS: u8 = 17;
