//! The rules that the simulation keeps, each seen by a client over a socket.

mod admin;
mod cleaning;
mod client;
mod faults;
mod fetching;
mod identity;
mod producing;
mod transactions;
