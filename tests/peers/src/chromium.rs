//! Chromium without a window, steered through WebDriver.
//!
//! It finds no host but 127.0.0.1, whatever a page asks for: nothing leaves this machine, and nothing from elsewhere decides a
//! test. Its profile is a folder of its own, which is gone afterwards.

use std::env;
use std::fs;
use std::process::Child;
use std::process::Command;
use std::process::Stdio;
use std::time::Duration;
use std::time::Instant;

use fantoccini::Client;
use fantoccini::ClientBuilder;
use fantoccini::Locator;
use http::Method;
use http::StatusCode;
use http::header::CONTENT_TYPE;
use hyper_util::client::legacy::connect::HttpConnector;
use serde_json::Value;
use serde_json::json;

use crate::http_client::send_bare;
use crate::process::keep;
use crate::process::lines;
use crate::process::repository;
use crate::process::text;

/// How long anything may take, on a machine that is busy with other things. It takes a second.
const WITHIN: Duration = Duration::from_secs(60);

/// How often a page is looked at while something is waited for.
const LOOK_EVERY: Duration = Duration::from_millis(25);

/// Runs ChromeDriver until the standard input is closed, by whatever end of the process that started it; then nothing of it,
/// of its browser, or of their files is left.
const SCRIPT: &str = r#"
folder=$(mktemp -d -t tower-oauth-chromium.XXXXXX)
HOME=$folder TMPDIR=$folder setsid chromedriver --port=0 </dev/null &
driver=$!
trap '' HUP INT TERM
cat >/dev/null
kill -s KILL -- "-$driver"
wait $driver 2>/dev/null
for again in 1 2 3 4 5; do rm -rf "$folder" 2>/dev/null && exit; sleep 0.1; done
"#;

const ARGUMENTS: [&str; 9] = [
    "--headless=new",
    // Chromium does not run as root otherwise, which is who runs tests in a container.
    "--no-sandbox",
    // Which is small in a container.
    "--disable-dev-shm-usage",
    "--disable-gpu",
    "--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1",
    "--no-proxy-server",
    "--no-first-run",
    "--disable-background-networking",
    "--hide-scrollbars",
];

/// A browser with one window and nothing in it. It ends when this is dropped.
#[derive(Debug)]
pub struct Chromium {
    /// The WebDriver session.
    pub client: Client,
    driver: Driver,
    session: String,
}

#[derive(Debug)]
struct Driver {
    shell: Child,
    origin: String,
}

impl Chromium {
    /// Starts it.
    ///
    /// # Panics
    ///
    /// If Chromium or ChromeDriver is not installed, or does not start.
    pub async fn start() -> Self {
        let driver = Driver::start();
        let capabilities = json!({
            "goog:chromeOptions": { "args": ARGUMENTS },
            "goog:loggingPrefs": { "browser": "ALL", "performance": "ALL" },
        });
        let Value::Object(capabilities) = capabilities else { unreachable!("it is an object") };
        let mut builder = ClientBuilder::new(HttpConnector::new());
        let client = builder.capabilities(capabilities).connect(&driver.origin).await;
        let client = client.unwrap_or_else(|error| panic!("Chromium does not start: {error}"));
        let session = client.session_id().await.expect("a session").expect("an identifier");
        Self { client, driver, session }
    }

    /// Opens a page, and waits until it is there.
    ///
    /// # Panics
    ///
    /// If it cannot be opened.
    pub async fn open(&self, url: &str) {
        self.client.goto(url).await.unwrap_or_else(|error| panic!("{url}: {error}"));
    }

    /// Waits for the page with this heading.
    ///
    /// # Panics
    ///
    /// If another one is there to stay; the message has its source.
    pub async fn see(&self, heading: &str) {
        let deadline = Instant::now() + WITHIN;
        // Between two pages there may be none to ask.
        while self.heading().await.as_deref() != Some(heading) {
            if Instant::now() > deadline {
                let (url, source) = (self.client.current_url().await, self.client.source().await);
                panic!("no page `{heading}`, but {url:?}:\n{source:?}");
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    async fn heading(&self) -> Option<String> {
        self.client.find(Locator::Css("h1")).await.ok()?.text().await.ok()
    }

    /// What the page says, as a reader sees it.
    ///
    /// # Panics
    ///
    /// If there is no page.
    pub async fn text(&self) -> String {
        let body = self.client.find(Locator::Css("body")).await.expect("a page");
        body.text().await.expect("a text")
    }

    /// Writes into the field of this name.
    ///
    /// # Panics
    ///
    /// If there is none.
    pub async fn write(&self, field: &str, text: &str) {
        let field = self.client.find(Locator::Css(&format!("input[name={field}]"))).await.expect("a field");
        field.send_keys(text).await.expect("a field that takes text");
    }

    /// Clicks on the button or the link that says this.
    ///
    /// # Panics
    ///
    /// If there is none, or something covers it.
    pub async fn press(&self, says: &str) {
        let path = format!("//button[normalize-space()='{says}'] | //a[normalize-space()='{says}']");
        let found = self.client.find(Locator::XPath(&path)).await;
        let found = found.unwrap_or_else(|error| panic!("nothing says `{says}`: {error}"));
        found.click().await.unwrap_or_else(|error| panic!("`{says}`: {error}"));
    }

    /// Runs a script in the page, and gives what it returns.
    ///
    /// # Panics
    ///
    /// If it throws.
    pub async fn evaluate(&self, script: &str) -> Value {
        self.client.execute(script, Vec::new()).await.expect("a script that runs")
    }

    /// A command of the Chrome DevTools Protocol.
    ///
    /// # Panics
    ///
    /// If it fails.
    pub async fn command(&self, name: &str, parameters: Value) -> Value {
        self.post("goog/cdp/execute", &json!({ "cmd": name, "params": parameters })).await
    }

    /// What was written to a log, `browser` or `performance`, since the last time.
    ///
    /// # Panics
    ///
    /// If there is no such log.
    pub async fn log(&self, name: &str) -> Vec<Value> {
        let entries = self.post("se/log", &json!({ "type": name })).await;
        entries.as_array().expect("entries").clone()
    }

    /// Ends it, in good order.
    ///
    /// # Panics
    ///
    /// If it is gone already.
    pub async fn close(self) {
        self.client.close().await.expect("a session");
        drop(self.driver);
    }

    async fn post(&self, what: &str, body: &Value) -> Value {
        let url = format!("{}/session/{}/{what}", self.driver.origin, self.session);
        let headers = [(CONTENT_TYPE.as_str(), "application/json")];
        let answer = send_bare(Method::POST, &url, &headers, body.to_string()).await;
        assert_eq!(answer.status, StatusCode::OK, "{what}: {}", String::from_utf8_lossy(&answer.body));
        answer.json()["value"].take()
    }
}

impl Driver {
    fn start() -> Self {
        for program in ["chromium", "chromedriver"] {
            assert!(is_installed(program), "{program} is not installed; run ./scripts/test --only setup");
        }
        let mut command = Command::new("sh");
        command.args(["-c", SCRIPT]).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut shell = command.spawn().expect("a shell");
        let errors = keep(shell.stderr.take().expect("a piped standard error"));
        let lines = lines(shell.stdout.take().expect("a piped standard output"));
        let mut driver = Self { shell, origin: String::new() };
        let deadline = Instant::now() + WITHIN;
        while let Ok(line) = lines.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
            let port = line.strip_prefix("ChromeDriver was started successfully on port ");
            if let Some(port) = port {
                driver.origin = format!("http://127.0.0.1:{}", port.trim_end_matches('.'));
                return driver;
            }
        }
        panic!("ChromeDriver does not start:\n{}", text(&errors));
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        drop(self.shell.stdin.take());
        let _ = self.shell.wait();
    }
}

fn is_installed(program: &str) -> bool {
    let folders = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&folders).any(|folder| folder.join(program).is_file())
}

/// Keeps a picture for people to look at: `target/screenshots/NAME.png`.
///
/// # Panics
///
/// If it cannot be written.
pub fn keep_picture(name: &str, png: &[u8]) {
    let folder = repository().join("target/screenshots");
    let path = folder.join(format!("{name}.png"));
    let written = fs::create_dir_all(&folder).and_then(|()| fs::write(&path, png));
    written.unwrap_or_else(|error| panic!("{}: {error}", path.display()));
}
