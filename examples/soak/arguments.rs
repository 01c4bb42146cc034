//! What the command line says.

use std::fmt::Display;
use std::str::FromStr;

pub const HELP: &str = "\
Drives many clients over loopback with tokens that live for a second and are revoked at random.

  cargo run --release --all-features --example soak -- [OPTIONS]

  --seconds N      how long, from 1 to 86400 [60]
  --clients N      how many clients at once, from 1 to 4096 [64]
  --seed N         the same chance again: pauses, revocations, bodies [from the clock]
  --keys N         another check instead: touch N keys once through one manager, and print the memory
  --bound N        with --keys, the bound of the manager [10000]
  --sabotage WHAT  break the clients on purpose, to see that the judge notices:
                     expiry    their clock stands still, so that tokens never seem to end
                     refusal   they do not take a 401 for a refusal
                     token     they send requests without a token
                     errors    they give up after a wait that is too short
  --help           this

Progress goes to stderr. The last line on stdout has the counts. The exit status is 0 when every promise was kept,
1 when one was broken, and 2 when it could not be run as asked.";

pub enum Wish {
    Help,
    Run(Arguments),
}

#[derive(Clone, Debug)]
pub struct Arguments {
    pub seconds: u64,
    pub clients: usize,
    pub seed: u64,
    pub keys: Option<usize>,
    pub bound: usize,
    pub sabotage: Option<Sabotage>,
}

/// How the clients are broken, where the judge himself is to be tested.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Sabotage {
    Expiry,
    Refusal,
    Token,
    Errors,
}

impl FromStr for Sabotage {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "expiry" => Ok(Self::Expiry),
            "refusal" => Ok(Self::Refusal),
            "token" => Ok(Self::Token),
            "errors" => Ok(Self::Errors),
            _ => Err("it is one of expiry, refusal, token, errors".to_owned()),
        }
    }
}

impl Arguments {
    pub fn parse(mut given: impl Iterator<Item = String>) -> Result<Wish, String> {
        let mut arguments =
            Self { seconds: 60, clients: 64, seed: chance(), keys: None, bound: 10_000, sabotage: None };
        while let Some(option) = given.next() {
            match option.as_str() {
                "--help" | "-h" => return Ok(Wish::Help),
                "--seconds" => arguments.seconds = within(&option, given.next(), 1, 86_400)?,
                "--clients" => arguments.clients = within(&option, given.next(), 1, 4096)?,
                "--seed" => arguments.seed = value(&option, given.next())?,
                "--keys" => arguments.keys = Some(within(&option, given.next(), 1, 100_000_000)?),
                "--bound" => arguments.bound = within(&option, given.next(), 1, 10_000_000)?,
                "--sabotage" => arguments.sabotage = Some(value(&option, given.next())?),
                _ => return Err(format!("there is no option {option:?}")),
            }
        }
        Ok(Wish::Run(arguments))
    }
}

fn value<T: FromStr<Err: Display>>(option: &str, text: Option<String>) -> Result<T, String> {
    let text = text.ok_or_else(|| format!("{option} wants a value"))?;
    text.parse().map_err(|problem| format!("{option} cannot be {text:?}: {problem}"))
}

fn within<T>(option: &str, text: Option<String>, least: T, most: T) -> Result<T, String>
where
    T: FromStr<Err: Display> + PartialOrd + Display,
{
    let number = value(option, text)?;
    if number < least || number > most {
        return Err(format!("{option} is from {least} to {most}, not {number}"));
    }
    Ok(number)
}

fn chance() -> u64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    since.map_or(0, |since| since.as_nanos() as u64)
}
