//! What the library tells of its work, for Python's `logging`: one logger for each target, as `atomic_arrow.commit`.
//!
//! Any thread of the library may tell something, also while the calling thread holds the GIL and waits for it. So what is told
//! is queued, without the GIL, and the calling thread hands it to the loggers when it looks up, and when a call ends. Which
//! levels are wanted is asked of the loggers when a call begins: what nobody wants is not even put into words.

use std::fmt;
use std::sync::atomic::{AtomicU8, AtomicUsize, Ordering};
use std::sync::{Mutex, Once, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use atomic_arrow::trace;
use pyo3::exceptions::PyException;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyTuple};
use tracing::field::{Field, Visit};
use tracing::level_filters::LevelFilter;
use tracing::span::{Attributes, Id};
use tracing::subscriber::Interest;
use tracing::{Event, Level, Metadata, callsite};
use tracing_subscriber::layer::{Context, Layer};
use tracing_subscriber::registry::Registry;
use tracing_subscriber::util::SubscriberInitExt as _;

const TARGETS: [&str; 5] = [
    trace::WRITE,
    trace::COMMIT,
    trace::RECOVER,
    trace::VERIFY,
    trace::STORE,
];

/// The number of messages that wait at most, for a thread that does not look up.
const MOST: usize = 100_000;

/// The numbers of Python's levels.
const DEBUG: u8 = 10;
const INFO: u8 = 20;
const WARNING: u8 = 30;
const ERROR: u8 = 40;
/// More than any level that the library has.
const NONE: u8 = u8::MAX;

/// The lowest level that a logger wants.
static WANTED: AtomicU8 = AtomicU8::new(NONE);
static INSTALLED: Once = Once::new();

struct Queue {
    messages: Mutex<Vec<Message>>,
    waiting: AtomicUsize,
    dropped: AtomicUsize,
}

/// A process that is forked takes the next one: a thread that it does not have may have locked its parent's at that moment.
static QUEUES: [Queue; 16] = [const {
    Queue {
        messages: Mutex::new(Vec::new()),
        waiting: AtomicUsize::new(0),
        dropped: AtomicUsize::new(0),
    }
}; 16];
static FORKS: AtomicUsize = AtomicUsize::new(0);

fn queue() -> &'static Queue {
    &QUEUES[FORKS.load(Ordering::Relaxed) % QUEUES.len()]
}

struct Message {
    target: &'static str,
    level: u8,
    time: SystemTime,
    fields: Fields,
}

/// The value of a field, as Python gets it.
#[derive(Clone, IntoPyObject)]
enum Value {
    Text(String),
    Number(u64),
    Flag(bool),
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Value::Text(text) => f.write_str(text),
            Value::Number(number) => number.fmt(f),
            Value::Flag(flag) => flag.fmt(f),
        }
    }
}

/// The fields of an event, with those of the spans that it is in.
#[derive(Clone, Default)]
struct Fields {
    message: String,
    named: Vec<(&'static str, Value)>,
}

impl Fields {
    fn set(&mut self, field: &Field, value: Value) {
        match (field.name(), value) {
            ("message", value) => self.message = value.to_string(),
            (name, value) => {
                self.named.retain(|(other, _)| *other != name);
                self.named.push((name, value));
            }
        }
    }
}

impl Visit for Fields {
    fn record_u64(&mut self, field: &Field, value: u64) {
        self.set(field, Value::Number(value));
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.set(field, Value::Flag(value));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.set(field, Value::Text(value.to_owned()));
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.set(field, Value::Text(format!("{value:?}")));
    }

    fn record_error(&mut self, field: &Field, value: &(dyn std::error::Error + 'static)) {
        self.set(field, Value::Text(value.to_string()));
    }
}

fn number_of(level: Level) -> u8 {
    match level {
        Level::ERROR => ERROR,
        Level::WARN => WARNING,
        Level::INFO => INFO,
        _ => DEBUG,
    }
}

/// Queues what somebody wants.
struct Queueing;

impl Queueing {
    /// Spans too if any message is wanted, which says what it is of.
    fn wants(metadata: &Metadata<'_>) -> bool {
        let wanted = WANTED.load(Ordering::Relaxed);
        match metadata.is_span() {
            true => wanted <= ERROR,
            false => wanted <= number_of(*metadata.level()),
        }
    }
}

impl Layer<Registry> for Queueing {
    fn register_callsite(&self, metadata: &'static Metadata<'static>) -> Interest {
        match Self::wants(metadata) {
            true => Interest::always(),
            false => Interest::never(),
        }
    }

    fn enabled(&self, metadata: &Metadata<'_>, _: Context<'_, Registry>) -> bool {
        Self::wants(metadata)
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        let wanted = WANTED.load(Ordering::Relaxed);
        Some(if wanted <= DEBUG {
            LevelFilter::TRACE
        } else if wanted <= ERROR {
            LevelFilter::INFO // The spans' level.
        } else {
            LevelFilter::OFF
        })
    }

    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, Registry>) {
        let mut fields = Fields::default();
        attributes.record(&mut fields);
        if let Some(span) = context.span(id) {
            span.extensions_mut().insert(fields);
        }
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, Registry>) {
        let mut fields = Fields::default();
        for span in context
            .event_scope(event)
            .into_iter()
            .flat_map(|scope| scope.from_root())
        {
            if let Some(of_span) = span.extensions().get::<Fields>() {
                for (name, value) in &of_span.named {
                    fields.named.retain(|(other, _)| other != name);
                    fields.named.push((name, value.clone()));
                }
            }
        }
        event.record(&mut fields);
        let message = Message {
            target: event.metadata().target(),
            level: number_of(*event.metadata().level()),
            time: SystemTime::now(),
            fields,
        };
        let queue = queue();
        let mut messages = queue
            .messages
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if messages.len() < MOST {
            messages.push(message);
            queue.waiting.store(messages.len(), Ordering::Relaxed);
        } else {
            queue.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// Has what is still queued told when Python ends, and gives forked processes a queue of their own.
pub(crate) fn install(module: &Bound<'_, PyModule>) -> PyResult<()> {
    let py = module.py();
    let at_exit = wrap_pyfunction!(tell_the_rest, module)?;
    py.import("atexit")?.call_method1("register", (at_exit,))?;
    let os = py.import("os")?;
    if os.hasattr("register_at_fork")? {
        let after = PyDict::new(py);
        after.set_item("after_in_child", wrap_pyfunction!(forget, module)?)?;
        os.call_method("register_at_fork", (), Some(&after))?;
    }
    let logger = logger(py, "atomic_arrow")?;
    let silent = py.import("logging")?.call_method0("NullHandler")?;
    logger.call_method1("addHandler", (silent,))?;
    Ok(())
}

#[pyfunction]
fn tell_the_rest(py: Python<'_>) -> PyResult<()> {
    tell(py)
}

#[pyfunction]
fn forget() {
    FORKS.fetch_add(1, Ordering::Relaxed);
}

fn logger<'py>(py: Python<'py>, name: &str) -> PyResult<Bound<'py, PyAny>> {
    let logging = py.import(intern!(py, "logging"))?;
    logging.call_method1(intern!(py, "getLogger"), (name,))
}

fn name_of(target: &str) -> String {
    target.replace("::", ".")
}

/// Asks the loggers which levels are wanted from now on.
pub(crate) fn ask(py: Python<'_>) -> PyResult<()> {
    let mut wanted = NONE;
    for target in TARGETS {
        let logger = logger(py, &name_of(target))?;
        let level = logger.call_method0(intern!(py, "getEffectiveLevel"))?;
        let manager = logger.getattr(intern!(py, "manager"))?;
        let disabled: i64 = manager.getattr(intern!(py, "disable"))?.extract()?;
        let level = level.extract::<i64>()?.max(disabled.saturating_add(1));
        wanted = wanted.min(u8::try_from(level.max(0)).unwrap_or(NONE));
    }
    if WANTED.swap(wanted, Ordering::Relaxed) != wanted {
        // In a process in which somebody listens already, that one goes on.
        INSTALLED.call_once(|| drop(Queueing.with_subscriber(Registry::default()).try_init()));
        callsite::rebuild_interest_cache();
    }
    Ok(())
}

/// Hands what is queued to the loggers. What a handler raises is no matter of the call, unless it is to end the program.
pub(crate) fn tell(py: Python<'_>) -> PyResult<()> {
    let queue = queue();
    if queue.waiting.swap(0, Ordering::Relaxed) == 0 {
        return Ok(());
    }
    let messages = std::mem::take(
        &mut *queue
            .messages
            .lock()
            .unwrap_or_else(PoisonError::into_inner),
    );
    let dropped = queue.dropped.swap(0, Ordering::Relaxed);
    let told = messages.iter().map(|message| message.tell(py));
    let mut ending = None;
    for told in told.chain([tell_dropped(py, dropped)]) {
        match told {
            Err(raised) if raised.is_instance_of::<PyException>(py) => {
                raised.write_unraisable(py, None);
            }
            Err(raised) => ending = ending.or(Some(raised)),
            Ok(()) => {}
        }
    }
    ending.map_or(Ok(()), Err)
}

fn tell_dropped(py: Python<'_>, dropped: usize) -> PyResult<()> {
    if dropped > 0 {
        let text = format!("{dropped} messages were dropped: nobody took them in time");
        logger(py, "atomic_arrow")?.call_method1("warning", (text,))?;
    }
    Ok(())
}

impl Message {
    /// Makes a record of it, with all fields in `fields`, if the logger wants its level.
    fn tell(&self, py: Python<'_>) -> PyResult<()> {
        let logger = logger(py, &name_of(self.target))?;
        let wanted = logger.call_method1(intern!(py, "isEnabledFor"), (self.level,))?;
        if !wanted.is_truthy()? {
            return Ok(());
        }
        let fields = PyDict::new(py);
        let mut text = self.fields.message.clone();
        for (name, value) in &self.fields.named {
            fields.set_item(name, value.clone())?;
            text.push_str(&format!(" {name}={value}"));
        }
        let record = logger.call_method1(
            intern!(py, "makeRecord"),
            (
                logger.getattr(intern!(py, "name"))?,
                self.level,
                "(atomic_arrow)",
                0,
                text,
                PyTuple::empty(py),
                py.None(),
            ),
        )?;
        let time = self.time.duration_since(UNIX_EPOCH).unwrap_or_default();
        record.setattr(intern!(py, "created"), time.as_secs_f64())?;
        record.setattr(intern!(py, "msecs"), time.subsec_millis())?;
        record.setattr(intern!(py, "fields"), fields)?;
        logger.call_method1(intern!(py, "handle"), (record,))?;
        Ok(())
    }
}
