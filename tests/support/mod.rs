//! What every test binary of the workspace shares: the readers of other projects, and skipping aloud.
//!
//! Depends on std alone, so that the command's tests take it in through `#[path]`. Each binary uses
//! a part of it.
#![allow(dead_code)]

pub(crate) mod peers;
mod skip;

pub(crate) use skip::skip;
