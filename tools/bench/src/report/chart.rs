//! A bar chart of the ratios and their goals. The SVG consists only of rectangles, lines and text,
//! so it needs no library.

use crate::{
    figures::{OfMode, Results},
    goals::least_ratio,
};
use std::fmt::Write;

const WIDTH: f64 = 760.0;
const ROW: f64 = 22.0;
const LABELS: f64 = 310.0;
/// The length of a bar whose ratio is 1.
const WHOLE: f64 = 380.0;

struct Bar {
    label: String,
    ratio: f64,
    goal: Option<f64>,
}

/// Draws a bar for each kind of request that has a limit.
pub fn chart(results: &Results) -> String {
    let bars: Vec<Bar> = results.modes.iter().flat_map(bars_of).collect();
    let rows = u32::try_from(bars.len()).unwrap_or(u32::MAX);
    let height = ROW * (f64::from(rows) + 3.0);
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" font-family=\"sans-serif\" \
         font-size=\"12\">\n<rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>\n\
         <text x=\"10\" y=\"{ROW}\" font-size=\"14\">Requests per second as a part of the limit ({}, {} cores)</text>\n",
        results.date, results.cores
    );
    let mut top = ROW * 1.5;
    for bar in &bars {
        write_bar(&mut svg, bar, top);
        top += ROW;
    }
    let (limit, text) = (LABELS + WHOLE, top + ROW * 0.7);
    let _ = write!(
        svg,
        "<line x1=\"{limit}\" x2=\"{limit}\" y1=\"{}\" y2=\"{top}\" stroke=\"#000\"/>\n\
         <text x=\"{LABELS}\" y=\"{text}\">red line: the goal; black line: the limit</text>\n</svg>\n",
        ROW * 1.5
    );
    svg
}

fn bars_of(of: &OfMode) -> Vec<Bar> {
    let bar = |work| {
        let ratio = of.ratio(work)?;
        Some(Bar {
            label: format!("{}: {}", of.mode.name(), work.work.name()),
            ratio,
            goal: least_ratio(of.mode, work.work),
        })
    };
    of.works.iter().filter_map(bar).collect()
}

fn write_bar(svg: &mut String, bar: &Bar, top: f64) {
    let (length, baseline) = (bar.ratio * WHOLE, top + ROW * 0.7);
    let _ = write!(
        svg,
        "<text x=\"{}\" y=\"{baseline}\" text-anchor=\"end\">{}</text>\n\
         <rect x=\"{LABELS}\" y=\"{}\" width=\"{length:.1}\" height=\"{}\" fill=\"#4c78a8\"/>\n\
         <text x=\"{}\" y=\"{baseline}\" fill=\"#fff\">{:.2}</text>\n",
        LABELS - 8.0,
        bar.label,
        top + 2.0,
        ROW - 4.0,
        LABELS + 6.0,
        bar.ratio
    );
    if let Some(goal) = bar.goal {
        let x = LABELS + goal * WHOLE;
        let _ = writeln!(
            svg,
            "<line x1=\"{x:.1}\" x2=\"{x:.1}\" y1=\"{top}\" y2=\"{}\" stroke=\"#d62728\" stroke-width=\"2\"/>",
            top + ROW
        );
    }
}
