//! The command `atomic-arrow`.
#![allow(dead_code)]

mod input;

fn main() {}
