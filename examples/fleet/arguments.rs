//! What the command line says.

use std::fmt::{self, Display};
use std::str::FromStr;
use std::time::{SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

pub const HELP: &str = "\
Starts several processes on one store, against a server that rotates refresh tokens and detects their reuse.

  cargo run --release --all-features --example fleet -- --store STORE [OPTIONS]

  --store STORE         file, sqlite, postgres or redis
  --url URL             the store: a path for file, sqlite:PATH, postgres://…, redis://…
                        [a temporary one: a file in a new folder, or a server of its own, which is stopped in the end]
  --processes N         from 1 to 64 [8]
  --generations N       how often all of them need a new token, from 1 to 100000 [100]
  --kill                kill processes (SIGKILL) at random moments, and start others in their place
  --seed N              the same chance again: what a generation is about, who is killed and when [from the clock]
  --issuer URL          an authorization server on this machine [the embedded one]

An issuer has to rotate refresh tokens, and is called by plain http. Its endpoints are found by its metadata (OpenID
Connect Discovery or RFC 8414). How the fleet is known there, and how somebody logs in:

  --client-id ID        [web]
  --client-secret TEXT  sent by Basic; empty for a public client [web-secret]
  --redirect-uri URI    registered for the client; nobody has to listen there [http://127.0.0.1:1/callback]
  --scope TEXT          [openid offline_access]
  --login-command TEXT  what to run (by sh) for a login: it prints the token endpoint's answer, as JSON
                        [the code flow with PKCE: redirects are followed, and forms sent with the name and password below]
  --user TEXT           [alice]
  --password TEXT       [password]
  --api URL             called by each process with each token, which has to be answered with 200
                        [with --issuer: nothing; else the resource of the embedded provider]
  --sabotage lease      break the fleet on purpose, to see that it is noticed: every process gets every lease
  --help                this

Progress goes to stderr. The last line on stdout has the counts. The exit status is 0 when every promise was kept,
1 when one was broken, and 2 when it could not be run as asked.";

pub enum Wish {
    Help,
    /// To be one of the processes.
    Work,
    Run(Box<Arguments>),
}

#[derive(Clone, Debug)]
pub struct Arguments {
    pub store: StoreKind,
    pub url: Option<String>,
    pub processes: usize,
    pub generations: u64,
    pub kill: bool,
    pub seed: u64,
    pub issuer: Option<String>,
    pub client_id: String,
    pub client_secret: String,
    pub redirect_uri: String,
    pub scope: String,
    pub login_command: Option<String>,
    pub user: String,
    pub password: String,
    pub api: Option<String>,
    /// Whether leases are given to everybody, where the verdict itself is to be tested.
    pub sabotage: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub enum StoreKind {
    File,
    Sqlite,
    Postgres,
    Redis,
}

impl FromStr for StoreKind {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "file" => Ok(Self::File),
            "sqlite" => Ok(Self::Sqlite),
            "postgres" => Ok(Self::Postgres),
            "redis" => Ok(Self::Redis),
            _ => Err("it is one of file, sqlite, postgres, redis".to_owned()),
        }
    }
}

impl Display for StoreKind {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::File => "file",
            Self::Sqlite => "sqlite",
            Self::Postgres => "postgres",
            Self::Redis => "redis",
        })
    }
}

impl Arguments {
    pub fn parse(mut given: impl Iterator<Item = String>) -> Result<Wish, String> {
        let mut store = None;
        let mut arguments = Self::default();
        while let Some(option) = given.next() {
            let mut text = || given.next().ok_or_else(|| format!("{option} wants a value"));
            match option.as_str() {
                "--help" | "-h" => return Ok(Wish::Help),
                "--worker" => return Ok(Wish::Work),
                "--store" => store = Some(value(&option, &text()?)?),
                "--url" => arguments.url = Some(text()?),
                "--processes" => arguments.processes = within(&option, &text()?, 1, 64)?,
                "--generations" => arguments.generations = within(&option, &text()?, 1, 100_000)?,
                "--kill" => arguments.kill = true,
                "--seed" => arguments.seed = value(&option, &text()?)?,
                "--issuer" => arguments.issuer = Some(text()?.trim_end_matches('/').to_owned()),
                "--client-id" => arguments.client_id = text()?,
                "--client-secret" => arguments.client_secret = text()?,
                "--redirect-uri" => arguments.redirect_uri = text()?,
                "--scope" => arguments.scope = text()?,
                "--login-command" => arguments.login_command = Some(text()?),
                "--user" => arguments.user = text()?,
                "--password" => arguments.password = text()?,
                "--api" => arguments.api = Some(text()?),
                "--sabotage" => match text()?.as_str() {
                    "lease" => arguments.sabotage = true,
                    other => return Err(format!("--sabotage cannot be {other:?}: it is lease")),
                },
                _ => return Err(format!("there is no option {option:?}")),
            }
        }
        arguments.store = store.ok_or("--store is missing: file, sqlite, postgres or redis")?;
        Ok(Wish::Run(Box::new(arguments)))
    }
}

impl Default for Arguments {
    fn default() -> Self {
        let since = SystemTime::now().duration_since(UNIX_EPOCH);
        Self {
            store: StoreKind::File,
            url: None,
            processes: 8,
            generations: 100,
            kill: false,
            seed: since.map_or(0, |since| since.as_nanos() as u64),
            issuer: None,
            client_id: "web".to_owned(),
            client_secret: "web-secret".to_owned(),
            redirect_uri: "http://127.0.0.1:1/callback".to_owned(),
            scope: "openid offline_access".to_owned(),
            login_command: None,
            user: "alice".to_owned(),
            password: "password".to_owned(),
            api: None,
            sabotage: false,
        }
    }
}

fn value<T: FromStr<Err: Display>>(option: &str, text: &str) -> Result<T, String> {
    text.parse().map_err(|problem| format!("{option} cannot be {text:?}: {problem}"))
}

fn within<T>(option: &str, text: &str, least: T, most: T) -> Result<T, String>
where
    T: FromStr<Err: Display> + PartialOrd + Display,
{
    let number = value(option, text)?;
    if number < least || number > most {
        return Err(format!("{option} is from {least} to {most}, not {number}"));
    }
    Ok(number)
}
