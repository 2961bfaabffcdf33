//! Lists in parts.

/// Which part of a list is asked for: at most `limit` entries beyond `after`, the key of the last one that was seen.
#[derive(Clone, Debug, Default)]
pub struct Page {
    /// Where the part before it ended; `None` for the first.
    pub after: Option<String>,
    /// How many entries at most.
    pub limit: u32,
}

impl Page {
    /// The first `limit` entries.
    pub const fn first(limit: u32) -> Self {
        Self { after: None, limit }
    }
}

/// A part of a list.
#[derive(Clone, Debug)]
pub struct Part<T> {
    /// The entries; fewer than asked for also where a search stopped to take a breath.
    pub entries: Vec<T>,
    /// Where the next part begins; `None` at the end of the list.
    pub next: Option<String>,
}
