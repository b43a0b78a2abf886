//! The query of a URL: names and values, as received.

/// Parameters of a URL. Nothing is decoded: signatures are made of the characters as they stand.
#[derive(Clone, Copy, Default)]
pub struct Query<'a> {
    text: &'a str,
}

impl<'a> Query<'a> {
    /// A query without its `?`.
    pub fn new(text: &'a str) -> Self {
        Query { text }
    }

    /// The first value of a name. A name without `=` has an empty value.
    pub fn get(&self, name: &str) -> Option<&'a str> {
        self.iter().find_map(|(n, value)| (n == name).then_some(value))
    }

    /// Names and values in order.
    pub fn iter(&self) -> impl Iterator<Item = (&'a str, &'a str)> + use<'a> {
        self.text
            .split('&')
            .filter(|part| !part.is_empty())
            .map(|part| part.split_once('=').unwrap_or((part, "")))
    }
}

/// Secrets stay out of logs: only the names are shown.
impl std::fmt::Debug for Query<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_set().entries(self.iter().map(|(name, _)| name)).finish()
    }
}
