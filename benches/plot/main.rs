//! Draws what the benches left in `target/bench-growth` into one picture, `target/growth.svg`: how costs grow.
//!
//! The picture has a ground of its own, so that it can be read on a page of any colour, and the lines are named below each chart,
//! where they cover none. Ours is the thick blue one; grey is what nobody can go below, because nothing is done.

use plotters::coord::Shift;
use plotters::coord::combinators::BindKeyPoints;
use plotters::prelude::*;
use plotters::style::FontStyle;
use tower_oauth_benches::Chart;
use tower_oauth_benches::Series;

type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;
type Outcome<T = ()> = Result<T, Box<dyn std::error::Error>>;

/// From left to right, and from top to bottom.
const CHARTS: [[&str; 2]; 2] = [["sign_parameters", "sign_form"], ["inject", "inject_tasks"]];
/// The width of a chart, and its height without the names below it.
const PANEL: (u32, u32) = (480, 300);
const TITLE: u32 = 34;
const ROW: u32 = 17;
const FONT: &str = "sans-serif";

const GROUND: RGBColor = WHITE;
const FRAME: RGBColor = RGBColor(0xd0, 0xd7, 0xde);
const GRID: RGBColor = RGBColor(0xe6, 0xea, 0xee);
const INK: RGBColor = RGBColor(0x24, 0x29, 0x2f);
const OURS: RGBColor = RGBColor(0x09, 0x69, 0xda);
const LIMIT: RGBColor = RGBColor(0x6e, 0x77, 0x81);
/// Each has its colour wherever it comes.
const PEERS: [(&str, RGBColor); 12] = [
    ("oauth1-request", RGBColor(0xd5, 0x5e, 0x00)),
    ("oauth-1a", RGBColor(0x00, 0x8f, 0x6b)),
    ("reqwest-oauth1", RGBColor(0xb8, 0x4f, 0x93)),
    ("pass-through", RGBColor(0xa8, 0xb0, 0xb8)),
    ("tower-http", RGBColor(0x00, 0x8f, 0x6b)),
    ("middle", RGBColor(0xd5, 0x5e, 0x00)),
    ("yup-oauth2", RGBColor(0xb0, 0x82, 0x00)),
    ("gcp_auth", RGBColor(0x3b, 0x9d, 0xc8)),
    ("google-cloud-auth", RGBColor(0x7a, 0x3d, 0xb8)),
    ("azure_identity", RGBColor(0x8a, 0x5a, 0x3c)),
    ("aws-smithy", RGBColor(0xc2, 0x1f, 0x3a)),
    ("a map behind", RGBColor(0xb8, 0x4f, 0x93)),
];

fn main() -> Outcome {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../target/growth.svg");
    let mut rows = Vec::new();
    for names in CHARTS {
        let charts = [Chart::read(names[0])?, Chart::read(names[1])?];
        // Charts that stand side by side are as high as each other.
        let names = charts.iter().map(|chart| chart.series.len().div_ceil(2)).max().unwrap_or(0);
        rows.push((charts, names as u32 * ROW + 24));
    }
    let height: u32 = rows.iter().map(|(_, names)| PANEL.1 + names).sum();
    let (width, height) = (PANEL.0 * 2, height);
    let area = SVGBackend::new(path, (width, height)).into_drawing_area();
    area.fill(&GROUND)?;
    area.draw(&Rectangle::new([(0, 0), (width as i32 - 1, height as i32 - 1)], FRAME))?;
    let mut rest = area.clone();
    for (charts, names) in rows {
        let (row, below) = rest.split_vertically(PANEL.1 + names);
        for (chart, panel) in charts.iter().zip(row.split_evenly((1, 2))) {
            let (chart_area, names_area) = panel.split_vertically(PANEL.1);
            draw(chart, &chart_area)?;
            name(chart, &names_area)?;
        }
        rest = below;
    }
    area.present()?;
    println!("drawn: target/growth.svg");
    Ok(())
}

fn draw(chart: &Chart, panel: &Area<'_>) -> Outcome {
    let points = || chart.series.iter().flat_map(|series| series.points.iter().copied());
    let mut amounts: Vec<u64> = points().map(|(amount, _)| amount).collect();
    amounts.sort_unstable();
    amounts.dedup();
    let (Some(&least), Some(&most)) = (amounts.first(), amounts.last()) else {
        return Err(format!("{} has no points", chart.title).into());
    };
    let dearest = points().map(|(_, cost)| cost).fold(f64::MIN, f64::max) * 1.3;
    let cheapest = points().map(|(_, cost)| cost).fold(f64::MAX, f64::min).max(0.1) / 1.3;

    let title = (FONT, 15).into_font().style(FontStyle::Bold).color(&INK);
    panel.draw_text(&chart.title, &title, (66, 12))?;
    let (_, body) = panel.split_vertically(TITLE);
    let amounts: Vec<f64> = amounts.into_iter().map(|amount| amount as f64).collect();
    let mut context = ChartBuilder::on(&body)
        .margin_right(34)
        .x_label_area_size(44)
        .y_label_area_size(66)
        .build_cartesian_2d(
            (least as f64..most as f64).log_scale().with_key_points(amounts),
            (cheapest..dearest).log_scale().with_key_points(steps(cheapest, dearest)),
        )?;
    let is_bytes = chart.x_axis.starts_with("bytes");
    let is_time = chart.y_axis == "ns";
    context
        .configure_mesh()
        .x_desc(&chart.x_axis)
        .axis_style(LIMIT)
        .bold_line_style(GRID)
        .light_line_style(GROUND)
        .x_label_formatter(&|amount| if is_bytes { bytes(*amount) } else { whole(*amount) })
        .y_label_formatter(&|cost| if is_time { time(*cost) } else { whole(*cost) })
        .label_style((FONT, 11).into_font().color(&INK))
        .axis_desc_style((FONT, 12).into_font().color(&INK))
        .draw()?;
    // Ours comes last, so that it lies on top.
    let mut series: Vec<_> = styles(chart).collect();
    series.sort_by_key(|(series, _)| is_ours(series));
    for (series, style) in series {
        let line = || series.points.iter().map(|(amount, cost)| (*amount as f64, *cost));
        context.draw_series(LineSeries::new(line(), style))?;
        let radius = if is_ours(series) { 3 } else { 2 };
        context.draw_series(line().map(|point| Circle::new(point, radius, style.color.filled())))?;
    }
    Ok(())
}

/// Says whose line is whose, in two columns.
fn name(chart: &Chart, area: &Area<'_>) -> Outcome {
    for (index, (series, style)) in styles(chart).enumerate() {
        let x = 66 + (index % 2) as i32 * 200;
        let y = 10 + (index / 2) as i32 * ROW as i32;
        area.draw(&PathElement::new([(x, y + 5), (x + 20, y + 5)], style))?;
        area.draw(&Circle::new((x + 10, y + 5), style.stroke_width.min(2) + 1, style.color.filled()))?;
        let font = (FONT, 12).into_font();
        let font = if is_ours(series) { font.style(FontStyle::Bold) } else { font };
        area.draw_text(&series.name, &font.color(&INK), (x + 26, y))?;
    }
    Ok(())
}

/// Each line with its looks.
fn styles(chart: &Chart) -> impl Iterator<Item = (&Series, ShapeStyle)> {
    chart.series.iter().map(|series| {
        let peer = PEERS.into_iter().find(|(start, _)| series.name.starts_with(start));
        let color = match peer {
            _ if is_ours(series) => OURS,
            _ if is_limit(series) => LIMIT,
            peer => peer.map_or(INK, |(_, color)| color),
        };
        (series, color.stroke_width(if is_ours(series) { 3 } else { 1 }))
    })
}

fn is_ours(series: &Series) -> bool {
    series.name.starts_with("tower-oauth")
}

fn is_limit(series: &Series) -> bool {
    ["limit", "bare", "a bare"].iter().any(|start| series.name.starts_with(start))
}

/// Powers of ten from one number to another; with their doubles and fivefolds, if there would be few.
fn steps(from: f64, to: f64) -> Vec<f64> {
    let factors: &[f64] = if to / from < 500.0 { &[1.0, 2.0, 5.0] } else { &[1.0] };
    let powers = from.log10().floor() as i32..=to.log10().ceil() as i32;
    let all = powers.flat_map(|power| factors.iter().map(move |factor| factor * 10_f64.powi(power)));
    all.filter(|step| (from..=to).contains(step)).collect()
}

/// `1 000 000`.
fn whole(number: f64) -> String {
    let digits = format!("{number:.0}");
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index) % 3 == 0 {
            text.push(' ');
        }
        text.push(digit);
    }
    text
}

fn bytes(number: f64) -> String {
    scaled(number, 1024.0, &["", " Ki", " Mi"])
}

/// Of nanoseconds.
fn time(number: f64) -> String {
    scaled(number, 1000.0, &[" ns", " µs", " ms", " s"])
}

/// A number in the largest unit that leaves something before the point.
fn scaled(number: f64, step: f64, units: &[&str]) -> String {
    let mut scaled = number;
    let mut units = units.iter().peekable();
    while let Some(unit) = units.next() {
        if scaled < step * 0.999 || units.peek().is_none() {
            return format!("{scaled:.0}{unit}");
        }
        scaled /= step;
    }
    whole(number)
}
