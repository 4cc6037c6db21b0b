//! Buffers of large frames, used again: fresh memory costs a page fault for every 4 KiB, which is more than checking and sending them.

use std::sync::{Mutex, MutexGuard};

use bytes::Bytes;

/// Larger buffers are given back to the system.
const LARGEST: usize = 2 << 20;
/// Idle buffers kept, and their bytes in all.
const KEPT: usize = 32;
const KEPT_BYTES: usize = 8 << 20;

/// The buffers nobody uses; the last one given back is the first to be taken, while it is still in the processor's cache.
static IDLE: Mutex<Vec<Vec<u8>>> = Mutex::new(Vec::new());

fn idle() -> MutexGuard<'static, Vec<Vec<u8>>> {
    IDLE.lock().expect("nothing panics while holding it")
}

/// An empty buffer, with room if one was left by somebody else.
pub fn take() -> Vec<u8> {
    idle().pop().unwrap_or_default()
}

/// The buffer's bytes; the buffer comes back when the last of them is dropped.
pub fn freeze(buffer: Vec<u8>) -> Bytes {
    Bytes::from_owner(Lent(buffer))
}

struct Lent(Vec<u8>);

impl AsRef<[u8]> for Lent {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        let mut buffer = std::mem::take(&mut self.0);
        if buffer.capacity() > LARGEST {
            return;
        }
        buffer.clear();
        let mut idle = idle();
        let bytes: usize = idle.iter().map(Vec::capacity).sum();
        if idle.len() < KEPT && bytes + buffer.capacity() <= KEPT_BYTES {
            idle.push(buffer);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_buffer_is_used_again_once_all_of_its_bytes_are_dropped() {
        let mut buffer = take();
        buffer.resize(100_000, 7);
        let bytes = freeze(buffer);
        let slice = bytes.slice(10..20);
        drop(bytes);
        assert_eq!(&slice[..], [7; 10], "a slice keeps it");
        drop(slice);
        // Other tests take and give back beside this one; none hands out bytes that are still in use.
        assert!(take().is_empty());
    }
}
