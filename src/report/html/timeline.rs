//! The timeline: when each step ran, and on which load each lane worked.
//!
//! Each row says in numbers what its bar shows, so the bars are hidden from screen readers.

use super::escape::{breakable, text};
use crate::model::record::{LaneSpan, Report, StepKind};
use crate::text::{grouped, seconds};

/// Loads that the row of a lane names, the longest first.
const NAMED: usize = 4;

/// The head of the seconds between the start of the command and the start of the row's work.
const START: &str = "start (s)";

/// The head of the seconds that the row's work took.
const TOOK: &str = "took (s)";

/// A time on the axis, in seconds after the start of the command.
#[derive(Clone, Copy)]
struct Bar {
    started: f64,
    seconds: f64,
}

/// The table of the timeline. `None` if the report has no times, or only one.
pub fn draw(report: &Report) -> Option<String> {
    let bars = report.steps.iter().map(|s| Bar { started: s.started, seconds: s.seconds });
    let bars = bars.chain(report.timeline.iter().map(|s| Bar { started: s.started, seconds: s.seconds }));
    let ends: Vec<f64> = bars.map(|bar| bar.started + bar.seconds).collect();
    let whole = ends.into_iter().fold(0.0, f64::max);
    if report.steps.len() < 2 || !whole.is_finite() || whole <= 0.0 {
        return None;
    }
    let mut out =
        String::from("<table class=\"timeline\">\n<caption>Timeline of steps and lanes</caption>\n<thead><tr>");
    for (class, head) in [("name", "step"), ("number", START), ("number", TOOK)] {
        out.push_str(&format!("<th scope=\"col\" class=\"{class}\">{head}</th>"));
    }
    out.push_str("<td class=\"bar\"></td><th scope=\"col\" class=\"text\">loads</th></tr></thead>\n<tbody>\n");
    for step in &report.steps {
        let bar = Bar { started: step.started, seconds: step.seconds };
        row(&mut out, step.step.shown(), &[bar], Scale { whole, loads: "", class: "step" });
        if step.step == StepKind::Load {
            lanes(&mut out, &report.timeline, whole);
        }
    }
    out.push_str("</tbody>\n</table>\n");
    Some(out)
}

/// The axis, and the last cell and the look of a row.
#[derive(Clone, Copy)]
struct Scale<'a> {
    whole: f64,
    /// As HTML.
    loads: &'a str,
    class: &'a str,
}

fn lanes(out: &mut String, spans: &[LaneSpan], whole: f64) {
    let mut numbers: Vec<u32> = spans.iter().map(|span| span.lane).collect();
    numbers.sort_unstable();
    numbers.dedup();
    for lane in numbers {
        let own: Vec<&LaneSpan> = spans.iter().filter(|span| span.lane == lane).collect();
        let bars: Vec<Bar> = own.iter().map(|s| Bar { started: s.started, seconds: s.seconds }).collect();
        let loads = longest(&own);
        row(out, &format!("lane {lane}"), &bars, Scale { whole, loads: &loads, class: "lane" });
    }
}

/// `transactions 0.40 s, users 0.01 s and 3 more`
fn longest(spans: &[&LaneSpan]) -> String {
    let mut loads: Vec<(&str, f64)> = Vec::new();
    for span in spans {
        match loads.iter_mut().find(|(load, _)| *load == span.load) {
            Some((_, time)) => *time += span.seconds,
            None => loads.push((&span.load, span.seconds)),
        }
    }
    loads.sort_by(|a, b| b.1.total_cmp(&a.1));
    let named: Vec<String> =
        loads.iter().take(NAMED).map(|(load, time)| format!("{} {} s", breakable(load), seconds(*time))).collect();
    let more = match loads.len().saturating_sub(NAMED) {
        0 => String::new(),
        more => format!(" and {} more", grouped(more as u64)),
    };
    named.join(", ") + &more
}

fn row(out: &mut String, name: &str, bars: &[Bar], scale: Scale<'_>) {
    let began = bars.iter().map(|bar| bar.started).fold(f64::INFINITY, f64::min);
    let worked: f64 = bars.iter().map(|bar| bar.seconds).sum();
    out.push_str(&format!("<tr class=\"{}\"><th scope=\"row\" class=\"name\">{}</th>", scale.class, text(name)));
    out.push_str(&format!("<td class=\"number\" data-head=\"{START}\">{}</td>", seconds(began)));
    out.push_str(&format!("<td class=\"number\" data-head=\"{TOOK}\">{}</td>", seconds(worked)));
    let drawn: String = bars.iter().map(|bar| rect(*bar, scale.whole)).collect();
    out.push_str(&format!(
        "<td class=\"bar\"><svg viewBox=\"0 0 1000 10\" preserveAspectRatio=\"none\" aria-hidden=\"true\">{drawn}</svg></td>"
    ));
    let empty = if scale.loads.is_empty() { " empty" } else { "" };
    out.push_str(&format!("<td class=\"text{empty}\" data-head=\"loads\">{}</td></tr>\n", scale.loads));
}

/// A bar on an axis of a thousand. A short time stays visible.
fn rect(bar: Bar, whole: f64) -> String {
    let wide = (bar.seconds / whole * 1000.0).clamp(4.0, 1000.0);
    let from = (bar.started / whole * 1000.0).clamp(0.0, 1000.0 - wide);
    format!("<rect x=\"{from:.1}\" width=\"{wide:.1}\" height=\"10\"/>")
}
