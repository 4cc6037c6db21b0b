//! Records of a batch that may have stayed in the kernel: most go from the source's socket to the target's, and nobody here looks at them.

use std::sync::{Arc, Mutex, MutexGuard};

use bytes::Bytes;

use super::pipes::Pipe;

/// Bytes that stayed in the kernel when they came. Clones share them.
#[derive(Clone)]
pub struct Kept(Arc<Inner>);

struct Inner {
    length: usize,
    place: Mutex<Place>,
}

enum Place {
    Kernel(Pipe),
    Here(Bytes),
    /// Being moved, or given back.
    Nowhere,
}

/// What to write to a socket.
pub(super) enum Ready {
    /// A pipe of its own with the same bytes.
    Pipe(Pipe),
    /// The bytes.
    Bytes(Bytes),
}

impl Kept {
    /// All that a pipe holds.
    pub(super) fn new(pipe: Pipe) -> Self {
        Self(Arc::new(Inner {
            length: pipe.holds(),
            place: Mutex::new(Place::Kernel(pipe)),
        }))
    }

    /// In bytes.
    pub fn len(&self) -> usize {
        self.0.length
    }

    /// Are there none?
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Reads them; from then on they are here. Zeros, which no checksum fits, where the kernel does not give them.
    pub fn bytes(&self) -> Bytes {
        let mut place = self.0.place();
        if let Place::Here(bytes) = &*place {
            return bytes.clone();
        }
        let mut bytes = Vec::with_capacity(self.len());
        if let Place::Kernel(mut pipe) = std::mem::replace(&mut *place, Place::Nowhere)
            && pipe.read(&mut bytes).is_ok()
        {
            pipe.give_back();
        }
        bytes.resize(self.len(), 0);
        let bytes = Bytes::from(bytes);
        *place = Place::Here(bytes.clone());
        bytes
    }

    /// The same bytes once more, to be written.
    pub(super) fn ready(&self) -> Ready {
        if let Place::Kernel(pipe) = &*self.0.place()
            && let Some(mut line) = Pipe::take_spare()
        {
            if pipe.share_with(&mut line) {
                return Ready::Pipe(line);
            }
            line.give_back();
        }
        Ready::Bytes(self.bytes())
    }
}

impl Inner {
    fn place(&self) -> MutexGuard<'_, Place> {
        self.place.lock().expect("nothing panics while holding it")
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        if let Place::Kernel(pipe) = std::mem::replace(&mut *self.place(), Place::Nowhere) {
            pipe.give_back();
        }
    }
}

impl std::fmt::Debug for Kept {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Kept({} bytes)", self.len())
    }
}

/// The records of a batch: bytes at hand, and behind them those that stayed in the kernel.
#[derive(Debug, Clone)]
pub struct Body {
    /// At hand.
    pub here: Bytes,
    /// The rest.
    pub kept: Option<Kept>,
}

impl Body {
    /// In bytes.
    pub fn len(&self) -> usize {
        self.here.len() + self.kept.as_ref().map_or(0, Kept::len)
    }

    /// Are there no records?
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// All of it, read where it is not at hand.
    pub fn bytes(&self) -> Bytes {
        match &self.kept {
            None => self.here.clone(),
            Some(kept) => [&self.here[..], &kept.bytes()].concat().into(),
        }
    }
}

impl From<Bytes> for Body {
    fn from(here: Bytes) -> Self {
        Self { here, kept: None }
    }
}

/// A piece of a request.
#[derive(Debug, Clone)]
pub enum Chunk {
    /// Bytes at hand.
    Bytes(Bytes),
    /// Bytes in the kernel.
    Kept(Kept),
}

impl Chunk {
    /// In bytes.
    pub fn len(&self) -> usize {
        match self {
            Self::Bytes(bytes) => bytes.len(),
            Self::Kept(kept) => kept.len(),
        }
    }

    /// Is there nothing in it?
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl From<Bytes> for Chunk {
    fn from(bytes: Bytes) -> Self {
        Self::Bytes(bytes)
    }
}
