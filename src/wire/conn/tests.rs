//! What is written to a socket, from memory and from the kernel.

use std::sync::atomic::AtomicBool;

use tokio::{
    io::AsyncReadExt,
    net::{TcpListener, TcpStream},
};

use super::*;
use crate::wire::{
    kept::Kept,
    pipes::{Moved, Pipe},
    socket::Gated,
};

async fn pair() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("it has one");
    tokio::join!(
        async { TcpStream::connect(address).await.expect("it connects") },
        async { listener.accept().await.expect("it is accepted").0 }
    )
}

/// Bytes that came through a socket and stayed in the kernel.
async fn kept(bytes: &[u8]) -> Kept {
    let (mut into, from) = pair().await;
    into.write_all(bytes).await.expect("it is taken");
    let mut pipe = Pipe::take().expect("there are some");
    while pipe.holds() < bytes.len() {
        from.readable().await.expect("a socket");
        let left = bytes.len() - pipe.holds();
        let moved = from.try_io(tokio::io::Interest::READABLE, || pipe.fill(&from, left));
        assert!(!matches!(moved, Ok(Moved::Full)), "it has room");
    }
    Kept::new(pipe)
}

/// Some bytes, told apart by their number.
fn some(number: u8, length: usize) -> Bytes {
    let bytes = (0..length).map(|at| (at % 251) as u8 ^ number);
    bytes.collect::<Vec<u8>>().into()
}

#[tokio::test]
async fn what_stays_in_the_kernel_is_written_in_its_place_as_often_as_it_is_asked_for() {
    let bodies = [some(1, 60_000), some(2, 100_000)];
    let chunks = vec![
        some(3, 100).into(),
        Bytes::new().into(),
        Chunk::Kept(kept(&bodies[0]).await),
        some(4, 5).into(),
        Chunk::Kept(kept(&bodies[1]).await),
        some(5, 300).into(),
    ];
    let wanted = [
        &some(3, 100)[..],
        &bodies[0],
        &some(4, 5),
        &bodies[1],
        &some(5, 300),
    ]
    .concat();
    // Twice from the kernel, and once more after somebody looked at it.
    for time in 0..3 {
        if let (2, Chunk::Kept(kept)) = (time, &chunks[2]) {
            assert_eq!(kept.bytes(), bodies[0]);
        }
        let (socket, mut other) = pair().await;
        let (_read, half) = socket.into_split();
        let mut write = Gated::new(half, None);
        let mut read = vec![0; wanted.len()];
        let (written, _) = tokio::join!(
            write_all(&mut write, chunks.clone()),
            other.read_exact(&mut read)
        );
        written.expect("it is read");
        assert!(read == wanted, "time {time}");
    }
}

#[tokio::test]
async fn without_the_right_to_write_nothing_leaves_the_kernel() {
    let right = Arc::new(AtomicBool::new(true));
    let asked = right.clone();
    let (socket, mut other) = pair().await;
    let (_read, half) = socket.into_split();
    let may_send: MaySend = Arc::new(move || asked.load(Ordering::Relaxed));
    let mut write = Gated::new(half, Some(may_send));
    let head = vec![some(1, 10).into()];
    write_all(&mut write, head).await.expect("it may");
    right.store(false, Ordering::Relaxed);
    let body = vec![
        Chunk::Kept(kept(&some(2, 60_000)).await),
        some(3, 10).into(),
    ];
    let error = write_all(&mut write, body).await.expect_err("it may not");
    assert!(error.get_ref().is_some_and(|inner| inner.is::<RightLost>()));
    drop(write);
    let mut all = Vec::new();
    other.read_to_end(&mut all).await.expect("it ends");
    assert_eq!(all, some(1, 10));
}
