//! Applications that move between two real clusters while a copier runs both ways: nothing is lost, and what is read again was announced.

pub mod applications;
pub mod judged;
pub mod kills;
mod positions;
mod story;
pub mod three;
