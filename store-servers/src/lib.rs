//! Object stores for tests: real servers that start on this machine, and a proxy that lets requests fail.
//!
//! [`Server::start`] installs a server below Cargo's target directory when it is first asked for, starts it on a free
//! port of the loopback interface with an empty data directory, and waits until it answers. It ends with its value, and
//! with the process that started it, however that ends. [`Proxy::in_front_of`] stands between a client and a server: it
//! counts the requests by [`RequestKind`], and does to some of them what a [`Rule`] says ([`Fault`]).
//!
//! None of the servers keeps everything that the real stores promise. [`self_check`] asks each one for every
//! [`Guarantee`] that the tests of the library may rest on, and [`Guarantee::expected`] is the table of what they answer,
//! so that a weakness of a server is not taken for one of the library.
//!
//! | ability | seaweedfs | moto | azurite | fake-gcs |
//! |---|---|---|---|---|
//! | create if absent | refused: AlreadyExists | refused: AlreadyExists | refused: AlreadyExists | refused: AlreadyExists |
//! | one winner of a race to create | yes | yes | yes | yes |
//! | replace if it matches | yes | yes | yes | yes |
//! | replace a stale version | refused: Precondition | refused: Precondition | refused: Precondition | refused: Precondition |
//! | replace what is gone | refused: Precondition | refused: Precondition | refused: Precondition | refused: Precondition |
//! | delete a stale version | refused: 412 | refused: 412 | refused: 412 | refused: 412 |
//! | copy if absent | refused: 412 | no: done | refused: AlreadyExists | refused: 412 |
//! | metadata | yes | yes | yes | yes |
//! | metadata of a copy | yes | yes | yes | yes |
//! | `ETag` in a list | yes | yes | without its quotes | without its quotes |
//! | new `ETag` of bytes that were there before | no | no | yes | no |
//! | complete from another client | yes | yes | yes | yes |
//! | complete if absent | refused: 412 | refused: 412 | refused: 409 | no: done |
//! | list unfinished uploads | yes | yes | yes | yes |
//! | complete after abort | refused: NotFound | refused: Generic | - | refused: Generic |
//! | wrong SHA-256 | refused: 400 | no: stored | - | - |
//! | wrong MD5 | refused: 400 | no: stored | refused: 400 | - |
//!
//! *Yes* and *refused* are what the real stores do, but that S3 too gives bytes that were there before the `ETag` that they
//! had then. A number is a status, a name a variant of `object_store::Error`; `-` is what the protocol has no request for.
//! fake-gcs-server stands behind a translator of the XML API, which `object_store` speaks, to what it keeps itself.

mod client;
mod exchange;
mod gcs;
mod http;
mod install;
mod kind;
mod port;
mod proxy;
mod self_check;
mod server;
mod skip;

pub use kind::{Kind, Protocol};
pub use proxy::{Fault, Moment, Proxy, RequestKind, Rule, Seen};
pub use self_check::{Finding, Guarantee, self_check, table};
pub use server::Server;
pub use skip::{Skipped, or_skip};
