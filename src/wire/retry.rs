//! Which error codes retry, which refresh leaders, which leave the outcome unknown, which end the partition.

/// What a broker's error code means for a produce request of one batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProduceVerdict {
    /// Appended now, or before under the same sequence.
    Appended,
    /// Not appended; send the same again, after asking who leads if `refresh`.
    Retry { refresh: bool },
    /// May or may not be appended.
    Unknown,
    /// The sequence or the epoch is not what we believe (45, 47, and the transactional refusals never
    /// expected on the data path): the identity has to be looked at.
    Identity,
    /// This batch will never be accepted, or this partition is closed to us: the partition stops.
    Refused,
}
