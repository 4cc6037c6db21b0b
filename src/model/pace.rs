//! How fast records may be copied.

/// A limit of bytes per second, as stored on the source.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pace {
    /// As fast as both clusters can.
    Unlimited,
    /// As fast as both clusters can without others suffering from it.
    Auto,
    /// At most so many bytes per second.
    Fixed(u64),
}

impl Pace {
    /// The fixed limit, if there is one.
    pub fn fixed(self) -> Option<u64> {
        match self {
            Self::Fixed(limit) => Some(limit),
            Self::Unlimited | Self::Auto => None,
        }
    }
}
