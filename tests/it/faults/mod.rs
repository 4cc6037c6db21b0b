//! The program between two real clusters while things go wrong.

mod harness;
