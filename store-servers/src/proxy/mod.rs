//! A proxy that counts requests and lets some of them fail.
//!
//! It forwards each request unchanged, its `Host` too: that is signed with S3, where the servers take any host. A
//! request and its reply are held in memory whole.

mod forward;
mod request;
mod rule;

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::net::TcpListener;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::watch;

pub use request::{RequestKind, Seen};
pub use rule::{Fault, Rule};

use crate::kind::Kind;
use crate::server::Server;

/// When a hook is called: see [`Proxy::on_request`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moment {
    /// The request is there, and the server has not seen it.
    Arrived,
    /// The server has answered, and the client has not seen that.
    Answered,
}

type Hook = Arc<dyn Fn(Moment, &Seen) + Send + Sync>;

/// A proxy in front of a server. It ends, with every connection, when the value is dropped.
pub struct Proxy {
    kind: Kind,
    port: u16,
    shared: Arc<Shared>,
    /// `Some` until it is dropped.
    runtime: Option<Runtime>,
}

/// What the proxy and its connections share.
struct Shared {
    kind: Kind,
    server: SocketAddr,
    state: Mutex<State>,
    /// How often what hangs was released.
    released: watch::Sender<u64>,
}

#[derive(Default)]
struct State {
    rules: Vec<Rule>,
    hook: Option<Hook>,
    seen: Vec<Seen>,
    counts: BTreeMap<RequestKind, usize>,
    hanging: usize,
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        // What it holds is whole between any two statements.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Proxy {
    /// Starts a proxy on a free port of the loopback interface.
    ///
    /// # Errors
    /// If the port or a thread cannot be had.
    pub fn in_front_of(server: &Server) -> io::Result<Self> {
        let runtime = Builder::new_multi_thread()
            .worker_threads(1)
            .thread_name("store-proxy")
            .enable_all()
            .build()?;
        let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let port = listener.local_addr()?.port();
        listener.set_nonblocking(true)?;
        let (released, _) = watch::channel(0);
        let shared = Arc::new(Shared {
            kind: server.kind(),
            server: SocketAddr::from((Ipv4Addr::LOCALHOST, server.port())),
            state: Mutex::default(),
            released,
        });
        let listener = {
            let _inside = runtime.enter();
            TcpListener::from_std(listener)?
        };
        runtime.spawn(forward::serve(listener, Arc::clone(&shared)));
        Ok(Self {
            kind: server.kind(),
            port,
            shared,
            runtime: Some(runtime),
        })
    }

    /// What a client is configured with to reach the server through this proxy, in the words of `object_store`.
    #[must_use]
    pub fn options(&self) -> Vec<(&'static str, String)> {
        self.kind.options(self.port)
    }

    /// The address of this proxy: `http://127.0.0.1:PORT`, with Azure's account behind it.
    #[must_use]
    pub fn endpoint(&self) -> String {
        self.kind.endpoint(self.port)
    }

    /// The address of a bucket, or of a container.
    #[must_use]
    pub fn url(&self, bucket: &str) -> String {
        self.kind.url(bucket)
    }

    /// Adds a rule. Of several rules that are for a request the one that was added first is followed.
    pub fn add(&self, rule: Rule) {
        self.shared.state().rules.push(rule);
    }

    /// Removes every rule; what hangs goes on hanging.
    pub fn clear(&self) {
        self.shared.state().rules.clear();
    }

    /// Lets every request and reply go on that hangs now.
    pub fn release(&self) {
        self.shared.released.send_modify(|times| *times += 1);
    }

    /// How many requests and replies hang now.
    #[must_use]
    pub fn hanging(&self) -> usize {
        self.shared.state().hanging
    }

    /// Has `hook` called for each request, before it is forwarded and before it is answered, in the place of the hook
    /// of before. The request waits until the hook returns.
    pub fn on_request(&self, hook: impl Fn(Moment, &Seen) + Send + Sync + 'static) {
        self.shared.state().hook = Some(Arc::new(hook));
    }

    /// How many requests of each kind there were; kinds without any are not in it.
    #[must_use]
    pub fn counts(&self) -> BTreeMap<RequestKind, usize> {
        self.shared.state().counts.clone()
    }

    /// How many requests of a kind there were.
    #[must_use]
    pub fn count(&self, kind: RequestKind) -> usize {
        self.shared.state().counts.get(&kind).copied().unwrap_or(0)
    }

    /// Every request, in the order in which they came.
    #[must_use]
    pub fn seen(&self) -> Vec<Seen> {
        self.shared.state().seen.clone()
    }

    /// Forgets the requests that there were: counts begin anew.
    pub fn forget(&self) {
        let mut state = self.shared.state();
        state.seen.clear();
        state.counts.clear();
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            // Also within a task of another runtime, where waiting is not allowed.
            runtime.shutdown_background();
        }
    }
}

impl fmt::Debug for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Proxy")
            .field("kind", &self.kind)
            .field("port", &self.port)
            .finish_non_exhaustive()
    }
}
