//! What a bench says in the end.

use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::path::PathBuf;

use serde::Deserialize;
use serde::Serialize;

/// By how much a goal may be missed before it counts: the machines are noisy.
const TOLERANCE: f64 = 0.10;

/// What a ratio should be.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Goal {
    /// No more than this.
    AtMost(f64),
    /// No less than this.
    AtLeast(f64),
}

/// A ratio, or a count, with its goal.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct Ratio {
    /// Stable, without spaces.
    pub name: String,
    /// What was measured.
    pub value: f64,
    /// What it should be.
    pub goal: Goal,
}

impl Ratio {
    /// Whether the goal is missed by more than a tenth.
    pub fn is_missed(&self) -> bool {
        match self.goal {
            Goal::AtMost(goal) => self.value > goal * (1.0 + TOLERANCE),
            Goal::AtLeast(goal) => self.value < goal * (1.0 - TOLERANCE),
        }
    }
}

impl fmt::Display for Ratio {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (relation, goal) = match self.goal {
            Goal::AtMost(goal) => ("<=", goal),
            Goal::AtLeast(goal) => (">=", goal),
        };
        write!(formatter, "ratio {} {:.3} (goal {relation} {goal})", self.name, self.value)
    }
}

/// The ratios of one bench.
pub struct Ratios {
    bench: &'static str,
    ratios: Vec<Ratio>,
}

impl Ratios {
    /// None yet.
    pub fn new(bench: &'static str) -> Self {
        Self { bench, ratios: Vec::new() }
    }

    /// Adds one.
    pub fn add(&mut self, name: impl Into<String>, value: f64, goal: Goal) {
        self.ratios.push(Ratio { name: name.into(), value, goal });
    }

    /// Prints them, and puts them into `target/bench-ratios.json` in place of this bench's last ones.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn finish(self) -> std::io::Result<()> {
        println!();
        for ratio in &self.ratios {
            println!("{ratio}");
        }
        let mut all = read_ratios();
        all.insert(self.bench.to_owned(), self.ratios);
        let file = file();
        if let Some(folder) = file.parent() {
            fs::create_dir_all(folder)?;
        }
        fs::write(file, serde_json::to_string_pretty(&all)? + "\n")
    }
}

/// The last ratios of every bench, by its name; none if there were none, or if they cannot be read.
pub fn read_ratios() -> BTreeMap<String, Vec<Ratio>> {
    let text = fs::read_to_string(file()).unwrap_or_default();
    serde_json::from_str(&text).unwrap_or_default()
}

fn file() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../target/bench-ratios.json"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_goal_is_missed_by_more_than_a_tenth() {
        let ratio = |value, goal| Ratio { name: "x".into(), value, goal };
        assert!(!ratio(1.75, Goal::AtMost(1.6)).is_missed());
        assert!(ratio(1.77, Goal::AtMost(1.6)).is_missed());
        assert!(!ratio(2.0, Goal::AtLeast(2.2)).is_missed());
        assert!(ratio(1.97, Goal::AtLeast(2.2)).is_missed());
        assert!(ratio(1.0, Goal::AtMost(0.0)).is_missed());
        assert!(!ratio(0.0, Goal::AtMost(0.0)).is_missed());
    }

    #[test]
    fn it_is_printed_in_plain_decimals() {
        let ratio = Ratio { name: "sign/A".into(), value: 1.5, goal: Goal::AtMost(1.6) };
        assert_eq!(ratio.to_string(), "ratio sign/A 1.500 (goal <= 1.6)");
    }
}
