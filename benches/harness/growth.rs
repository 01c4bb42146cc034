//! How costs grow, kept for the plot.

use std::fs;
use std::path::PathBuf;

use serde::Deserialize;
use serde::Serialize;

/// A chart: what something costs, for one contender or several, against how much there is of something.
///
/// ```no_run
/// use tower_oauth_benches::Chart;
///
/// let mut chart = Chart::new("parameters", "OAuth 1 signature", "parameters", "ns");
/// chart.point("tower-oauth", 1, 650.0);
/// chart.point("tower-oauth", 10, 1200.0);
/// chart.finish()?;
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Chart {
    name: String,
    /// What is measured.
    pub title: String,
    /// What there is more and more of.
    pub x_axis: String,
    /// The unit of the cost.
    pub y_axis: String,
    /// The contenders, in the order in which they came.
    pub series: Vec<Series>,
}

/// One contender's line.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Series {
    /// The contender.
    pub name: String,
    /// Amount and cost, by rising amount.
    pub points: Vec<(u64, f64)>,
}

impl Chart {
    /// One without points. The name is that of its file.
    pub fn new(name: &str, title: &str, x_axis: &str, y_axis: &str) -> Self {
        let [name, title, x_axis, y_axis] = [name, title, x_axis, y_axis].map(str::to_owned);
        Self { name, title, x_axis, y_axis, series: Vec::new() }
    }

    /// Adds a point to a contender's line.
    pub fn point(&mut self, series: &str, amount: u64, cost: f64) {
        let known = self.series.iter_mut().find(|known| known.name == series);
        match known {
            Some(known) => known.points.push((amount, cost)),
            None => self.series.push(Series { name: series.to_owned(), points: vec![(amount, cost)] }),
        }
    }

    /// Keeps it in `target/bench-growth`, from where the plot is made.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn finish(&self) -> std::io::Result<()> {
        fs::create_dir_all(folder())?;
        fs::write(folder().join(&self.name).with_extension("json"), serde_json::to_string_pretty(self)?)
    }

    /// The one of that name, if a bench has made it.
    ///
    /// # Errors
    /// When it is not there, or cannot be read.
    pub fn read(name: &str) -> std::io::Result<Self> {
        let text = fs::read_to_string(folder().join(name).with_extension("json"))?;
        Ok(serde_json::from_str(&text)?)
    }
}

fn folder() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../target/bench-growth"))
}
