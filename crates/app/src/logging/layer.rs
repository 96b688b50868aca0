//! What takes records from `tracing`. Our own, because the library's formatters neither cap a value nor encode every
//! character that can forge a line.

use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Subscriber};
use tracing_subscriber::layer::{Context, Layer};
use tracing_subscriber::registry::LookupSpan;

use super::fields::Fields;
use super::line::{self, Form};

/// Makes one line of each record, with the fields of the spans around it, and hands it on.
pub(super) struct LogLayer<W> {
    form: Form,
    write: W,
}

impl<W: Fn(String)> LogLayer<W> {
    /// Lines of this form go to `write`, each with its line break.
    pub(super) const fn new(form: Form, write: W) -> Self {
        Self { form, write }
    }
}

impl<S, W> Layer<S> for LogLayer<W>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    W: Fn(String) + 'static,
{
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        let Some(span) = context.span(id) else { return };
        let mut fields = Fields::default();
        attributes.record(&mut fields);
        span.extensions_mut().insert(fields);
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, context: Context<'_, S>) {
        let Some(span) = context.span(id) else { return };
        if let Some(fields) = span.extensions_mut().get_mut::<Fields>() {
            values.record(fields);
        }
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        let mut fields = Fields::default();
        event.record(&mut fields);
        for span in context.event_scope(event).into_iter().flatten() {
            if let Some(outer) = span.extensions().get::<Fields>() {
                fields.inherit(outer);
            }
        }
        (self.write)(line::line(self.form, event.metadata(), &fields));
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use serde_json::Value;
    use tracing_subscriber::Registry;
    use tracing_subscriber::layer::SubscriberExt;

    use super::*;

    fn logged(form: Form, log: impl FnOnce()) -> Vec<String> {
        let lines = Arc::new(Mutex::new(Vec::new()));
        let to_lines = Arc::clone(&lines);
        let layer = LogLayer::new(form, move |line| to_lines.lock().unwrap().push(line));
        tracing::subscriber::with_default(Registry::default().with(layer), log);
        let lines = lines.lock().unwrap();
        assert!(
            lines.iter().all(|line| line.ends_with('\n') && line.matches('\n').count() == 1),
            "{lines:?}"
        );
        lines.clone()
    }

    fn json(log: impl FnOnce()) -> Value {
        serde_json::from_str(&logged(Form::Json, log).concat()).unwrap()
    }

    #[test]
    fn the_record_of_the_listener_is_flat_json() {
        let record = json(|| tracing::info!(url = "http://127.0.0.1:41234", "listening"));
        assert_eq!(record["message"], "listening");
        assert_eq!(record["url"], "http://127.0.0.1:41234");
        assert_eq!(record["level"], "INFO");
        assert!(record["target"].as_str().unwrap().starts_with("obol::logging"));
        assert!(record["timestamp"].as_str().unwrap().ends_with('Z'));
    }

    #[test]
    fn fields_of_spans_are_in_each_record_and_the_inner_ones_win() {
        let record = json(|| {
            let outer =
                tracing::info_span!("request", request_id = "r-1", step = 1, late = tracing::field::Empty);
            outer.record("late", true);
            let _outer = outer.enter();
            let _inner = tracing::info_span!("step", step = 2).entered();
            tracing::warn!(step = 3, "done");
        });
        assert_eq!(
            (&record["request_id"], &record["step"], &record["late"]),
            (&"r-1".into(), &3.into(), &true.into())
        );
    }

    #[test]
    fn asvs_16_4_1_values_forge_no_line_and_hide_nothing() {
        let hostile = "a\r\nb\u{1b}[31mc\u{202e}d\u{85}e\0f";
        for form in [Form::Text, Form::Json] {
            let lines = logged(form, || tracing::info!(hostile, shown = %hostile, "said {hostile}"));
            assert!(!lines.concat().trim_end_matches('\n').contains(char::is_control), "{lines:?}");
            assert!(!lines.concat().contains('\u{202e}'), "{lines:?}");
        }
        assert_eq!(json(|| tracing::info!(hostile))["hostile"], hostile);
    }

    #[test]
    fn long_values_are_cut() {
        let long = "x".repeat(1 << 20);
        for form in [Form::Text, Form::Json] {
            let lines = logged(form, || tracing::info!(long, shown = ?long, "{long}"));
            assert!(lines.concat().len() < 4 * super::super::fields::MOST_CHARS);
        }
    }

    #[test]
    fn a_field_cannot_take_the_place_of_the_level() {
        let record = json(|| tracing::error!(level = "INFO", timestamp = 0, target_ = 1, "x"));
        assert_eq!((&record["level"], &record["field_level"]), (&"ERROR".into(), &"INFO".into()));
        assert_eq!(record["field_timestamp"], 0);
    }

    #[test]
    fn text_is_one_readable_line() {
        let line = logged(Form::Text, || {
            tracing::info!(url = "http://x", name = "two words", left = 3, "listening")
        });
        let line = line.concat();
        let (_, rest) = line.split_once("Z  INFO ").unwrap();
        assert!(rest.ends_with(": listening url=http://x name=\"two words\" left=3\n"), "{rest}");
    }
}
