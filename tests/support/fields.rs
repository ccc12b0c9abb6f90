//! The fields of spans and events, as texts.

use std::collections::BTreeMap;
use std::fmt;

use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id};
use tracing::{Event, Subscriber};
use tracing_subscriber::layer::Context;
use tracing_subscriber::registry::LookupSpan;

pub(crate) type Fields = BTreeMap<String, String>;

#[derive(Default)]
struct Reading(Fields);

impl Visit for Reading {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.0.insert(field.name().to_owned(), format!("{value:?}"));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.0.insert(field.name().to_owned(), value.to_owned());
    }
}

/// Keeps the fields of a new span with it.
pub(crate) fn keep<S: Subscriber + for<'a> LookupSpan<'a>>(
    attributes: &Attributes<'_>,
    id: &Id,
    context: &Context<'_, S>,
) {
    let mut fields = Reading::default();
    attributes.record(&mut fields);
    context.span(id).unwrap().extensions_mut().insert(fields.0);
}

/// The names of the spans around an event, from the outermost, and all fields, those of inner spans and of the event in the
/// place of outer ones of the same name.
pub(crate) fn around<S: Subscriber + for<'a> LookupSpan<'a>>(
    event: &Event<'_>,
    context: &Context<'_, S>,
) -> (Vec<String>, Fields) {
    let (mut spans, mut fields) = (Vec::new(), Reading::default());
    let scope = context.event_scope(event).into_iter();
    for span in scope.flat_map(|scope| scope.from_root()) {
        spans.push(span.name().to_owned());
        fields
            .0
            .extend(span.extensions().get::<Fields>().unwrap().clone());
    }
    event.record(&mut fields);
    (spans, fields.0)
}
