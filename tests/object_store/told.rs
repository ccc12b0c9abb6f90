//! What is told of single requests to those who listen.

use std::sync::{LazyLock, Mutex, Once};

use atomic_arrow::{CommitMode, trace};
use atomic_arrow_store_servers::{Fault as ServerFault, Kind, Proxy, RequestKind, Server, or_skip};
use tracing::span::{Attributes, Id};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt as _};
use tracing_subscriber::registry::{LookupSpan, Registry};
use tracing_subscriber::util::SubscriberInitExt as _;

use crate::faulty_store::{Answer, Fault, Request, Rule};
use crate::fields::{self, Fields};
use crate::lake::{Lake, write};
use crate::servers::lake_at;

static TOLD: LazyLock<Mutex<Vec<(Level, Fields)>>> = LazyLock::new(Mutex::default);

struct Listening;

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for Listening {
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        fields::keep(attributes, id, &context);
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        if event.metadata().target() != trace::STORE {
            return;
        }
        let (_, fields) = fields::around(event, &context);
        let told = (*event.metadata().level(), fields);
        TOLD.lock().unwrap().push(told);
    }
}

/// What was told of the requests of a named write.
fn told_of(write_id: &str, work: impl FnOnce()) -> Vec<(Level, Fields)> {
    static INSTALLED: Once = Once::new();
    INSTALLED.call_once(|| Registry::default().with(Listening).init());
    work();
    let mut told = TOLD.lock().unwrap().clone();
    let id = Some(write_id.to_owned());
    told.retain(|(_, fields)| fields.get("write_id") == id.as_ref());
    told
}

#[test]
fn each_request_of_a_write_is_told_within_its_span() {
    let (lake, store) = Lake::faulty();
    lake.write(CommitMode::Append, &[("KSEA", 1.0)]).unwrap();
    let told = told_of("each request", || {
        let decision = Rule::on(Request::PutIfMatch).at("/tx/");
        store.fail(decision, Fault::before(Answer::Doubtful));
        let builder = lake.builder().write_id("each request");
        write(builder, &[("KJFK", 2.0)]).unwrap();
    });
    let done = |request: &str, part: &str| {
        let of_it = |(level, fields): &&(Level, Fields)| {
            *level == Level::DEBUG
                && fields["request"] == request
                && fields["key"].contains(part)
                && fields["outcome"] == "done"
        };
        let found: Vec<_> = told.iter().filter(of_it).collect();
        assert!(!found.is_empty(), "{request} {part}: {told:#?}");
        found[0].1.clone()
    };
    assert!(done("put", ".staged").contains_key("milliseconds"));
    done("copy", "weather/station_id=KJFK/");
    done("list", ".weather.atomic/tx");
    done("delete", ".weather.atomic/tx");
    let again: Vec<_> = told
        .iter()
        .filter(|(level, _)| *level == Level::WARN)
        .collect();
    assert_eq!(again.len(), 1, "{told:#?}");
    assert_eq!(again[0].1["attempt"], "2");
    let second = told.iter().filter(|(_, fields)| {
        fields["attempt"] == "2" && fields.get("outcome").is_some_and(|told| told == "done")
    });
    assert_eq!(second.count(), 1, "{told:#?}");
}

#[test]
fn repetitions_by_the_client_are_told_and_no_secret_is() {
    const SECRET: &str = "a-secret-that-nobody-is-told";
    let Some(server) = or_skip(Server::start(Kind::SeaweedFs)) else {
        return;
    };
    server.make_bucket("lake").unwrap();
    let proxy = Proxy::in_front_of(&server).unwrap();
    let mut options = proxy.options();
    options.push(("aws_secret_access_key", SECRET.to_owned()));
    let lake = lake_at(Kind::SeaweedFs, &proxy.url("lake"), &options);
    lake.write(CommitMode::Append, &[("KSEA", 1.0)]).unwrap();
    let told = told_of("by the client", || {
        let rule = atomic_arrow_store_servers::Rule::nth;
        proxy.add(rule(1, RequestKind::Put, ServerFault::RefuseBefore(503)));
        let builder = lake.builder().write_id("by the client");
        write(builder, &[("KJFK", 2.0)]).unwrap();
    });
    let again: Vec<_> = told
        .iter()
        .filter(|(level, _)| *level == Level::INFO)
        .collect();
    assert_eq!(again.len(), 1, "{told:#?}");
    let fields = &again[0].1;
    assert_eq!((&*fields["request"], &*fields["attempt"]), ("put", "2"));
    assert!(fields["failure"].contains("503"), "{fields:?}");
    assert!(!format!("{told:?}").contains(SECRET));
}
