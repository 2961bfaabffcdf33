//! Lines of JSON, as `tracing-subscriber` writes them.

use std::fmt;

use serde::ser::{Error as _, SerializeMap as _, Serializer as _};
use tracing::{Event, Subscriber};
use tracing_serde::SerdeMapVisitor;
use tracing_subscriber::fmt::format::{Format, Json, Writer};
use tracing_subscriber::fmt::time::{FormatTime as _, SystemTime};
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::registry::LookupSpan;

/// Room for the line of a request.
const USUAL: usize = 320;

/// Writes an event as the library would with the settings it has by itself, in half of the instructions: each line at once, where the library passes on each of its
/// eighty pieces and looks whether that is a text.
#[derive(Debug)]
pub(crate) struct JsonLines(pub(crate) Format<Json>);

impl<S, N> FormatEvent<S, N> for JsonLines
where
    S: Subscriber + for<'span> LookupSpan<'span>,
    N: for<'writer> FormatFields<'writer> + 'static,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        // Spans are not for the log, unless somebody asks for those of a dependency.
        if event.parent().is_some() || context.lookup_current().is_some() {
            return self.0.format_event(context, writer, event);
        }
        writer.write_str(&line(event).map_err(|_| fmt::Error)?)
    }
}

fn line(event: &Event<'_>) -> serde_json::Result<String> {
    let mut timestamp = String::with_capacity(32);
    SystemTime.format_time(&mut Writer::new(&mut timestamp)).map_err(serde_json::Error::custom)?;
    let mut line = Vec::with_capacity(USUAL);
    let mut serializer = serde_json::Serializer::new(&mut line);
    let mut members = serializer.serialize_map(None)?;
    members.serialize_entry("timestamp", &timestamp)?;
    members.serialize_entry("level", event.metadata().level().as_str())?;
    let mut fields = SerdeMapVisitor::new(members);
    event.record(&mut fields);
    let mut members = fields.take_serializer()?;
    members.serialize_entry("target", event.metadata().target())?;
    members.end()?;
    line.push(b'\n');
    String::from_utf8(line).map_err(serde_json::Error::custom)
}

#[cfg(test)]
mod tests {
    use std::io::{self, Write};
    use std::sync::{Arc, Mutex};

    use serde_json::Value;
    use tracing_subscriber::fmt::format::JsonFields;
    use tracing_subscriber::fmt::{Layer, MakeWriter};
    use tracing_subscriber::layer::SubscriberExt as _;

    use super::{Format, Json, JsonLines};

    #[derive(Clone, Default)]
    struct Kept(Arc<Mutex<Vec<u8>>>);

    impl Write for Kept {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    impl MakeWriter<'_> for Kept {
        type Writer = Self;

        fn make_writer(&self) -> Self {
            self.clone()
        }
    }

    impl Kept {
        /// The lines, of which each has a time of its own.
        fn lines(&self) -> Vec<String> {
            let text = String::from_utf8(self.0.lock().unwrap().clone()).unwrap();
            let timed = |line: &str| {
                let time =
                    serde_json::from_str::<Value>(line).unwrap()["timestamp"].as_str().unwrap().to_owned();
                assert!(time.len() == 27 && time.ends_with('Z'), "{time}");
                line.replacen(&time, "", 1)
            };
            text.lines().map(timed).collect()
        }
    }

    fn layer<S>() -> Layer<S, JsonFields, Format<Json>> {
        tracing_subscriber::fmt::layer().with_ansi(false).json().flatten_event(true)
    }

    #[test]
    fn a_line_is_the_librarys() {
        let (ours, the_librarys) = (Kept::default(), Kept::default());
        let subscriber = tracing_subscriber::registry()
            .with(layer().with_writer(ours.clone()).map_event_format(JsonLines))
            .with(layer().with_writer(the_librarys.clone()));
        tracing::subscriber::with_default(subscriber, || {
            let error = io::Error::other("no \"disk\"");
            let error: &dyn std::error::Error = &error;
            tracing::info!(target: "a::target", id = %"x\n", method = "GET \u{1}ü", status = 200_u16, took = 0.25, "said");
            tracing::warn!(error, large = u128::MAX, less = -1, nothing = f64::NAN, yes = true, "{}", "ä\\");
            tracing::error!(debug = ?Some("x"));
            tracing::info_span!("span", of = 7).in_scope(|| tracing::info!("in a span"));
        });
        let lines = ours.lines();
        assert_eq!((&lines, lines.len()), (&the_librarys.lines(), 4));
    }
}
