//! Draws what the benches left in `target/bench-growth` into one picture, `target/growth.svg`: how costs grow.

use plotters::coord::Shift;
use plotters::prelude::*;
use tower_oauth_benches::Chart;

/// From left to right, and from top to bottom.
const CHARTS: [&str; 4] = ["sign_parameters", "sign_form", "inject", "inject_tasks"];
const PANEL: (u32, u32) = (470, 330);
const COLORS: [RGBColor; 8] = [
    RGBColor(0xd9, 0x48, 0x01),
    RGBColor(0x1f, 0x77, 0xb4),
    RGBColor(0x2c, 0x8a, 0x3c),
    RGBColor(0x7b, 0x4f, 0xa3),
    RGBColor(0x8c, 0x6d, 0x31),
    RGBColor(0x17, 0x8f, 0x9c),
    RGBColor(0xb0, 0x3a, 0x6b),
    RGBColor(0x55, 0x55, 0x55),
];

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../target/growth.svg");
    let area = SVGBackend::new(path, (PANEL.0 * 2, PANEL.1 * 2)).into_drawing_area();
    area.fill(&WHITE)?;
    for (name, panel) in CHARTS.into_iter().zip(area.split_evenly((2, 2))) {
        draw(&Chart::read(name)?, &panel)?;
    }
    area.present()?;
    println!("drawn: target/growth.svg");
    Ok(())
}

fn draw(chart: &Chart, panel: &DrawingArea<SVGBackend<'_>, Shift>) -> Result<(), Box<dyn std::error::Error>> {
    let points = || chart.series.iter().flat_map(|series| series.points.iter().copied());
    let most = points().map(|(amount, _)| amount).max().ok_or("a chart without points")?;
    let least = points().map(|(amount, _)| amount).min().unwrap_or(1).max(1);
    let dearest = points().map(|(_, cost)| cost).fold(1.0, f64::max);
    let cheapest = points().map(|(_, cost)| cost).fold(f64::MAX, f64::min);
    // As much room above the lines as the legend needs, which is a part of what the axis shows.
    let legend = (chart.series.len() as f64 * 14.0 + 16.0) / f64::from(PANEL.1 - 80);
    let top = cheapest * (dearest / cheapest).powf(1.0 / (1.0 - legend).max(0.3));
    let mut context = ChartBuilder::on(panel)
        .caption(format!("{}, {}", chart.title, chart.y_axis), ("sans-serif", 15))
        .margin(10)
        .x_label_area_size(34)
        .y_label_area_size(58)
        .build_cartesian_2d(
            (least as f64..most as f64 * 1.1).log_scale(),
            (cheapest * 0.7..top * 1.2).log_scale(),
        )?;
    context
        .configure_mesh()
        .x_desc(&chart.x_axis)
        .light_line_style(WHITE)
        .x_label_formatter(&|amount| whole(*amount))
        .y_label_formatter(&|cost| whole(*cost))
        .label_style(("sans-serif", 11))
        .axis_desc_style(("sans-serif", 12))
        .draw()?;
    for (series, color) in chart.series.iter().zip(COLORS.into_iter().cycle()) {
        let style = color.stroke_width(if series.name.starts_with("tower-oauth") { 3 } else { 1 });
        let line: Vec<(f64, f64)> =
            series.points.iter().map(|(amount, cost)| (*amount as f64, *cost)).collect();
        context
            .draw_series(LineSeries::new(line.clone(), style))?
            .label(&series.name)
            .legend(move |(x, y)| PathElement::new([(x, y), (x + 16, y)], style));
        context.draw_series(line.into_iter().map(|point| Circle::new(point, 2, color.filled())))?;
    }
    context
        .configure_series_labels()
        .position(SeriesLabelPosition::UpperLeft)
        .background_style(WHITE.mix(0.85))
        .label_font(("sans-serif", 11))
        .draw()?;
    Ok(())
}

/// `1 000 000`, and a decimal where it is a small number.
fn whole(number: f64) -> String {
    if number < 10.0 && number.fract() != 0.0 {
        return format!("{number:.1}");
    }
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
