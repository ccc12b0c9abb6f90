//! The command `atomic-arrow`.

fn main() {}
