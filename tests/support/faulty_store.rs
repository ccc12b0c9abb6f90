//! An object store of which a test counts the requests, lets chosen ones fail, and sets the clock.
//!
//! [`FaultyStore`] passes every request on to the store that it wraps. A [`Rule`] says which requests are meant: their
//! kind, a part of their key, the first of them, how many. A [`Fault`] says whether such a request is done, and what is
//! answered: so an answer can be lost after its request was done, or be `AlreadyExists` of one that was not.
#![allow(dead_code)]

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use atomic_arrow::object_store::multipart::{MultipartStore, PartId};
use atomic_arrow::object_store::path::Path;
use atomic_arrow::object_store::{
    CopyMode, CopyOptions, Error, GetOptions, GetResult, ListResult, MultipartId, MultipartUpload,
    ObjectMeta, ObjectStore, PutMode, PutMultipartOptions, PutOptions, PutPayload, PutResult,
    Result, UploadPart,
};
use bytes::Bytes;
use futures::stream::BoxStream;
use futures::{StreamExt as _, TryStreamExt as _};

/// The kind of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Request {
    /// A PUT, whatever is there.
    Put,
    /// A PUT only if no object is there.
    PutIfAbsent,
    /// A PUT only if a certain version is there.
    PutIfMatch,
    Head,
    /// A GET of a whole object.
    Get,
    /// A GET of some of its bytes.
    GetRange,
    /// A list of all objects below a key.
    List,
    /// A list of what is right below a key.
    ListDirectory,
    Copy,
    /// A copy only if no object is there.
    CopyIfAbsent,
    /// The removal of one object; in a bulk request each counts.
    Delete,
    BeginUpload,
    PutPart,
    CompleteUpload,
    AbortUpload,
}

/// What a request is answered that fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Answer {
    /// Nothing that says what happened: a lost reply, a time-out, a 500.
    Doubtful,
    AlreadyExists,
    Precondition,
    NotFound,
    PermissionDenied,
    NotSupported,
    /// That it was done, which only a copy can be answered.
    Done,
}

/// How a request fails.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Fault {
    done: bool,
    answer: Answer,
}

impl Fault {
    /// The request is not done.
    pub(crate) const fn before(answer: Answer) -> Self {
        Fault {
            done: false,
            answer,
        }
    }

    /// The request is done, and fails all the same.
    pub(crate) const fn after(answer: Answer) -> Self {
        Fault { done: true, answer }
    }
}

/// The requests that something happens to. By default the first of its kind, and only that.
#[derive(Debug, Clone)]
pub(crate) struct Rule {
    /// Any, if there is none.
    request: Option<Request>,
    key_part: String,
    skipped: usize,
    times: usize,
}

impl Rule {
    pub(crate) fn on(request: Request) -> Self {
        Rule {
            request: Some(request),
            ..Rule::on_any()
        }
    }

    /// Requests of any kind.
    pub(crate) fn on_any() -> Self {
        Rule {
            request: None,
            key_part: String::new(),
            skipped: 0,
            times: 1,
        }
    }

    /// Only of requests whose key contains this.
    pub(crate) fn at(mut self, key_part: &str) -> Self {
        self.key_part = key_part.to_owned();
        self
    }

    /// From the `number`-th such request on, of which the first is 1.
    pub(crate) fn nth(mut self, number: usize) -> Self {
        self.skipped = number - 1;
        self
    }

    /// This many times.
    pub(crate) fn times(mut self, times: usize) -> Self {
        self.times = times;
        self
    }

    /// From then on always.
    pub(crate) fn always(self) -> Self {
        self.times(usize::MAX)
    }

    /// Whether the rule is meant by a request, which it then counts.
    fn meets(&mut self, request: Request, key: &str) -> bool {
        let is_kind = self.request.is_none_or(|kind| kind == request);
        if !is_kind || !key.contains(&self.key_part) || self.times == 0 {
            return false;
        }
        if self.skipped > 0 {
            self.skipped -= 1;
            return false;
        }
        self.times -= 1;
        true
    }
}

/// What somebody else does just before a request is done.
type Meanwhile = Arc<dyn Fn() + Send + Sync>;

#[derive(Default)]
struct State {
    faults: Vec<(Rule, Fault)>,
    meanwhile: Vec<(Rule, Meanwhile)>,
    seen: Vec<(Request, String)>,
    /// Parts of keys at which conditions are not kept.
    unconditional: Vec<String>,
    keeps_no_metadata: bool,
    /// The keys of directories for which there are markers.
    markers: Vec<String>,
    /// How far the clock is ahead.
    ahead: Duration,
    /// How far it was when each object was written.
    written: HashMap<String, Duration>,
}

/// A store whose requests are counted, and fail as a test says.
pub(crate) struct FaultyStore<S> {
    inner: Arc<S>,
    state: Arc<Mutex<State>>,
}

impl<S> FaultyStore<S> {
    pub(crate) fn new(inner: Arc<S>) -> Self {
        FaultyStore {
            inner,
            state: Arc::default(),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        locked(&self.state)
    }

    /// Lets requests fail.
    pub(crate) fn fail(&self, rule: Rule, fault: Fault) {
        self.state().faults.push((rule, fault));
    }

    /// Calls `meanwhile` before a request is done, for what somebody else does then. Requests that it makes of this store
    /// count as any.
    pub(crate) fn meanwhile(&self, rule: Rule, meanwhile: impl Fn() + Send + Sync + 'static) {
        let meanwhile: Meanwhile = Arc::new(meanwhile);
        self.state().meanwhile.push((rule, meanwhile));
    }

    /// Does not keep the conditions of PUTs at keys that contain this, as a store that has none.
    pub(crate) fn ignore_conditions(&self, key_part: &str) {
        self.state().unconditional.push(key_part.to_owned());
    }

    /// Keeps no metadata.
    pub(crate) fn ignore_metadata(&self) {
        self.state().keeps_no_metadata = true;
    }

    /// Tells of an empty object with the key of a directory and a slash, as consoles make it and clients tell of it.
    pub(crate) fn mark_directory(&self, key: &str) {
        self.state().markers.push(key.to_owned());
    }

    /// The options of a PUT as far as they are kept.
    fn weakened(&self, key: &Path, mut options: PutOptions) -> PutOptions {
        let state = self.state();
        let mut parts = state.unconditional.iter();
        if parts.any(|part| key.as_ref().contains(part)) {
            options.mode = PutMode::Overwrite;
        }
        if state.keeps_no_metadata {
            options.attributes = Default::default();
        }
        options
    }

    /// Forgets all rules.
    pub(crate) fn heal(&self) {
        let mut state = self.state();
        state.faults.clear();
        state.meanwhile.clear();
    }

    /// Sets the clock of the store forward: what is written from now on is younger by that than what was written before.
    pub(crate) fn advance(&self, time: Duration) {
        self.state().ahead += time;
    }

    /// The requests since the last call, in order, with their keys.
    pub(crate) fn take_seen(&self) -> Vec<(Request, String)> {
        std::mem::take(&mut self.state().seen)
    }

    /// The number of requests of each kind since the last call.
    pub(crate) fn take_counts(&self) -> BTreeMap<Request, usize> {
        let mut counts = BTreeMap::new();
        for (request, _) in self.take_seen() {
            *counts.entry(request).or_default() += 1;
        }
        counts
    }
}

fn locked(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What is to happen to a request, which is noted.
fn met(state: &Mutex<State>, request: Request, key: &str) -> Option<Fault> {
    let (calls, fault) = {
        let mut state = locked(state);
        state.seen.push((request, key.to_owned()));
        let calls = state.meanwhile.iter_mut();
        let calls: Vec<Meanwhile> = calls
            .filter_map(|(rule, call)| rule.meets(request, key).then(|| Arc::clone(call)))
            .collect();
        // Every rule counts the requests that it is meant by; the first one decides.
        let mut fault = None;
        for (rule, of_rule) in &mut state.faults {
            if rule.meets(request, key) {
                fault = fault.or(Some(*of_rule));
            }
        }
        (calls, fault)
    };
    for call in calls {
        // Others make requests on the same threads meanwhile.
        tokio::task::block_in_place(|| call());
    }
    fault
}

/// Does a request unless it is to fail before that, and answers as it is to.
async fn answer<T>(
    state: &Mutex<State>,
    (request, key): (Request, &str),
    done: impl Future<Output = Result<T>>,
) -> Result<T> {
    answer_as(met(state, request, key), key, done).await
}

async fn answer_as<T>(
    fault: Option<Fault>,
    key: &str,
    done: impl Future<Output = Result<T>>,
) -> Result<T> {
    match fault {
        None => done.await,
        Some(fault) => {
            if fault.done {
                done.await?;
            }
            Err(error(fault.answer, key))
        }
    }
}

/// Notes when an object was written, by the clock of the store.
fn written(state: &Mutex<State>, key: &Path) {
    let mut state = locked(state);
    let ahead = state.ahead;
    state.written.insert(key.to_string(), ahead);
}

/// An object with the time by the clock of the store.
fn dated(state: &Mutex<State>, mut meta: ObjectMeta) -> ObjectMeta {
    if let Some(ahead) = locked(state).written.get(meta.location.as_ref()) {
        meta.last_modified += *ahead;
    }
    meta
}

/// The marker of a directory, as a list tells of it.
fn marker(key: &str) -> ObjectMeta {
    ObjectMeta {
        location: Path::from(key),
        last_modified: Default::default(),
        size: 0,
        e_tag: None,
        version: None,
    }
}

fn error(answer: Answer, key: &str) -> Error {
    let path = key.to_owned();
    let source = || format!("a test answers {answer:?}").into();
    match answer {
        Answer::Doubtful | Answer::Done => Error::Generic {
            store: "FaultyStore",
            source: source(),
        },
        Answer::AlreadyExists => Error::AlreadyExists {
            path,
            source: source(),
        },
        Answer::Precondition => Error::Precondition {
            path,
            source: source(),
        },
        Answer::NotFound => Error::NotFound {
            path,
            source: source(),
        },
        Answer::PermissionDenied => Error::PermissionDenied {
            path,
            source: source(),
        },
        Answer::NotSupported => Error::NotSupported { source: source() },
    }
}

impl<S: fmt::Display> fmt::Display for FaultyStore<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Each is a store of its own, also where what it wraps is not.
        write!(f, "FaultyStore({}, {:p})", self.inner, self.state)
    }
}

impl<S: fmt::Debug> fmt::Debug for FaultyStore<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("FaultyStore").field(&self.inner).finish()
    }
}

#[async_trait]
impl<S: ObjectStore> ObjectStore for FaultyStore<S> {
    async fn put_opts(
        &self,
        key: &Path,
        payload: PutPayload,
        options: PutOptions,
    ) -> Result<PutResult> {
        let request = match options.mode {
            PutMode::Overwrite => Request::Put,
            PutMode::Create => Request::PutIfAbsent,
            PutMode::Update(_) => Request::PutIfMatch,
        };
        let options = self.weakened(key, options);
        let done = async {
            let put = self.inner.put_opts(key, payload, options).await?;
            written(&self.state, key);
            Ok(put)
        };
        answer(&self.state, (request, key.as_ref()), done).await
    }

    async fn put_multipart_opts(
        &self,
        key: &Path,
        options: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        let done = self.inner.put_multipart_opts(key, options);
        let inner = answer(&self.state, (Request::BeginUpload, key.as_ref()), done).await?;
        Ok(Box::new(FaultyUpload {
            inner,
            key: key.clone(),
            state: Arc::clone(&self.state),
        }))
    }

    async fn get_opts(&self, key: &Path, options: GetOptions) -> Result<GetResult> {
        let request = match (options.head, &options.range) {
            (true, _) => Request::Head,
            (false, Some(_)) => Request::GetRange,
            (false, None) => Request::Get,
        };
        let done = self.inner.get_opts(key, options);
        let mut found = answer(&self.state, (request, key.as_ref()), done).await?;
        found.meta = dated(&self.state, found.meta);
        Ok(found)
    }

    async fn get_ranges(&self, key: &Path, ranges: &[Range<u64>]) -> Result<Vec<Bytes>> {
        let done = self.inner.get_ranges(key, ranges);
        answer(&self.state, (Request::GetRange, key.as_ref()), done).await
    }

    fn delete_stream(
        &self,
        keys: BoxStream<'static, Result<Path>>,
    ) -> BoxStream<'static, Result<Path>> {
        let (inner, state) = (Arc::clone(&self.inner), Arc::clone(&self.state));
        let delete = move |key: Result<Path>| {
            let (inner, state) = (Arc::clone(&inner), Arc::clone(&state));
            async move {
                let key = key?;
                let one = futures::stream::iter([Ok(key.clone())]).boxed();
                let done = async { inner.delete_stream(one).try_collect::<Vec<_>>().await };
                answer(&state, (Request::Delete, key.as_ref()), done).await?;
                Ok(key)
            }
        };
        keys.then(delete).boxed()
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        let key = prefix.map_or("", AsRef::as_ref).to_owned();
        let (state, inner) = (Arc::clone(&self.state), Arc::clone(&self.inner));
        let prefix = prefix.cloned();
        let markers = self.state().markers.clone();
        let is_listed =
            |marker: &String| Path::from(marker.as_str()).prefix_matches(&key.as_str().into());
        let markers: Vec<_> = markers.into_iter().filter(is_listed).collect();
        let markers = futures::stream::iter(markers.into_iter().map(|key| Ok(marker(&key))));
        let listed = async move {
            let done = async { Ok(()) };
            let begun = answer(&state, (Request::List, &key), done).await;
            let dates = Arc::clone(&state);
            // What is there once others have done what they do meanwhile.
            let objects = markers.chain(inner.list(prefix.as_ref()));
            let objects = objects.map_ok(move |meta| dated(&dates, meta));
            match begun {
                Ok(()) => objects.boxed(),
                Err(error) => futures::stream::iter([Err(error)]).boxed(),
            }
        };
        futures::stream::once(listed).flatten().boxed()
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        let key = prefix.map_or("", AsRef::as_ref);
        let done = self.inner.list_with_delimiter(prefix);
        let mut listed = answer(&self.state, (Request::ListDirectory, key), done).await?;
        let objects = listed.objects.into_iter();
        listed.objects = objects.map(|meta| dated(&self.state, meta)).collect();
        for name in &self.state().markers {
            let Some(below) = name.strip_prefix(key) else {
                continue;
            };
            match below.trim_start_matches('/').split('/').next() {
                Some("") | None => listed.objects.push(marker(name)),
                Some(next) => {
                    let directory = Path::from(format!("{key}/{next}"));
                    if !listed.common_prefixes.contains(&directory) {
                        listed.common_prefixes.push(directory);
                    }
                }
            }
        }
        Ok(listed)
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        let request = match options.mode {
            CopyMode::Overwrite => Request::Copy,
            CopyMode::Create => Request::CopyIfAbsent,
        };
        let done = async {
            self.inner.copy_opts(from, to, options).await?;
            written(&self.state, to);
            Ok(())
        };
        match met(&self.state, request, to.as_ref()) {
            Some(Fault {
                done: false,
                answer: Answer::Done,
            }) => Ok(()),
            fault => answer_as(fault, to.as_ref(), done).await,
        }
    }
}

/// An upload in parts of a faulty store.
struct FaultyUpload {
    inner: Box<dyn MultipartUpload>,
    key: Path,
    state: Arc<Mutex<State>>,
}

impl fmt::Debug for FaultyUpload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("FaultyUpload").field(&self.inner).finish()
    }
}

#[async_trait]
impl MultipartUpload for FaultyUpload {
    fn put_part(&mut self, payload: PutPayload) -> UploadPart {
        let done = self.inner.put_part(payload);
        let (state, key) = (Arc::clone(&self.state), self.key.clone());
        Box::pin(async move { answer(&state, (Request::PutPart, key.as_ref()), done).await })
    }

    async fn complete(&mut self) -> Result<PutResult> {
        let (inner, key) = (&mut self.inner, &self.key);
        let done = async {
            let put = inner.complete().await?;
            written(&self.state, key);
            Ok(put)
        };
        answer(&self.state, (Request::CompleteUpload, key.as_ref()), done).await
    }

    async fn abort(&mut self) -> Result<()> {
        let done = self.inner.abort();
        answer(&self.state, (Request::AbortUpload, self.key.as_ref()), done).await
    }
}

#[async_trait]
impl<S: MultipartStore> MultipartStore for FaultyStore<S> {
    async fn create_multipart(&self, key: &Path) -> Result<MultipartId> {
        let done = self.inner.create_multipart(key);
        answer(&self.state, (Request::BeginUpload, key.as_ref()), done).await
    }

    async fn put_part(
        &self,
        key: &Path,
        id: &MultipartId,
        number: usize,
        payload: PutPayload,
    ) -> Result<PartId> {
        let done = self.inner.put_part(key, id, number, payload);
        answer(&self.state, (Request::PutPart, key.as_ref()), done).await
    }

    async fn complete_multipart(
        &self,
        key: &Path,
        id: &MultipartId,
        parts: Vec<PartId>,
    ) -> Result<PutResult> {
        let done = async {
            let put = self.inner.complete_multipart(key, id, parts).await?;
            written(&self.state, key);
            Ok(put)
        };
        answer(&self.state, (Request::CompleteUpload, key.as_ref()), done).await
    }

    async fn abort_multipart(&self, key: &Path, id: &MultipartId) -> Result<()> {
        let done = self.inner.abort_multipart(key, id);
        answer(&self.state, (Request::AbortUpload, key.as_ref()), done).await
    }
}
