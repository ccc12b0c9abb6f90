//! Ports of the loopback interface.

use std::net::{Ipv4Addr, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

/// How long a server may take to end once its processes were killed.
const END: Duration = Duration::from_secs(10);

/// Waits, for a while, until nobody answers at a port any more.
pub(crate) fn wait_until_closed(port: u16) {
    let start = Instant::now();
    while TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_ok() && start.elapsed() < END {
        thread::sleep(Duration::from_millis(5));
    }
}
