//! What is learned from which response, case by case.

use std::sync::Arc;
use std::sync::Mutex;

use http::HeaderValue;
use http::Uri;

use super::*;
use crate::clock::Clock;
use crate::defaults::assert_continued;
use crate::defaults::assert_documented;
use crate::origin::Origin;

/// The time at which the tests begin, in seconds since 1970.
const START: u64 = 1_700_000_000;

/// A wall clock and a monotonic clock, in seconds.
#[derive(Clone)]
struct Clocks(Arc<Mutex<(u64, u64)>>);

impl Clock for Clocks {
    fn now(&self) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(self.0.lock().unwrap().0)
    }

    fn monotonic(&self) -> Duration {
        Duration::from_secs(self.0.lock().unwrap().1)
    }
}

/// A client whose clock shows `START` when it begins.
struct Client {
    skew: Skew,
    clocks: Clocks,
    clock: SharedClock,
}

impl Client {
    fn new() -> Self {
        let clocks = Clocks(Arc::new(Mutex::new((START, 77))));
        Self { skew: Skew::default(), clock: SharedClock::new(clocks.clone()), clocks }
    }

    fn pass(&self, seconds: u64) {
        let mut clocks = self.clocks.0.lock().unwrap();
        clocks.0 += seconds;
        clocks.1 += seconds;
    }

    fn set(&self, seconds: u64) {
        self.clocks.0.lock().unwrap().0 = seconds;
    }

    fn stamp_for(&self, uri: &'static str) -> Stamp {
        let uri = Uri::from_static(uri);
        self.skew.stamp(&self.clock, Origin::of(&uri).unwrap().number())
    }

    fn stamp(&self) -> Stamp {
        self.stamp_for("https://api.test")
    }

    fn hear(&self, stamp: &Stamp, answer: &Answer) -> bool {
        let problem = OAuthProblem::from_headers(&answer.headers);
        let status = StatusCode::from_u16(answer.status).unwrap();
        self.skew.hear(&self.clock, stamp, status, &answer.headers, problem.as_ref())
    }

    /// Sends and is answered at once.
    fn exchange(&self, answer: &Answer) -> bool {
        self.hear(&self.stamp(), answer)
    }
}

/// The head of a response.
struct Answer {
    status: u16,
    headers: HeaderMap,
}

impl Answer {
    fn new(status: u16) -> Self {
        Self { status, headers: HeaderMap::new() }
    }

    fn date(mut self, seconds: u64) -> Self {
        let date = httpdate::fmt_http_date(SystemTime::UNIX_EPOCH + Duration::from_secs(seconds));
        self.headers.insert(DATE, date.parse().unwrap());
        self
    }

    fn problem(self, parameters: &str) -> Self {
        self.header("www-authenticate", &format!("OAuth {parameters}"))
    }

    fn header(mut self, name: &'static str, value: &str) -> Self {
        self.headers.append(name, HeaderValue::from_str(value).unwrap());
        self
    }
}

fn refused() -> Answer {
    Answer::new(401).problem("oauth_problem=timestamp_refused")
}

#[test]
fn the_defaults_are_those_of_the_table() {
    assert_continued("timestamp that a server refuses", NAMED);
    let guess = "the same after a 400 or 401 that does not say why, if farther than";
    assert_documented(guess, GUESSED);
    assert_continued(guess, QUIET);
    assert_documented("servers whose clocks `OAuth1Layer` remembers", SERVERS);
}

#[test]
fn nothing_is_known_at_first() {
    let client = Client::new();
    assert_eq!(client.stamp().seconds, START);
    client.set(7);
    assert_eq!(client.stamp().seconds, 7);
}

#[test]
fn the_date_of_a_refusal_is_the_servers_time() {
    for (server, status) in [(START + 600, 401), (START - 600, 400), (START + 2, 403)] {
        let client = Client::new();
        let answer = Answer { status, ..refused().date(server) };
        assert!(client.exchange(&answer));
        assert_eq!(client.stamp().seconds, server);
        client.pass(5);
        assert_eq!(client.stamp().seconds, server + 5);
    }
}

#[test]
fn a_step_of_the_wall_clock_changes_nothing_once_a_time_is_learned() {
    let client = Client::new();
    client.exchange(&refused().date(START + 600));
    for wall in [START + 600, 0, START * 2] {
        client.set(wall);
        assert_eq!(client.stamp().seconds, START + 600);
    }
}

#[test]
fn the_acceptable_timestamps_count_more_than_a_date_outside_of_them() {
    let range = |range: &str| {
        Answer::new(401)
            .problem(&format!(r#"oauth_problem="timestamp_refused", oauth_acceptable_timestamps="{range}""#))
    };
    let inside = format!("{}-{}", START + 300, START + 900);
    let wide = format!("{}-{}", START + 10, START + 10 + RANGE + 1);
    for (answer, expected) in [
        (range(&inside), Some(START + 600)),
        (range(&inside).date(START + 310), Some(START + 310)),
        (range(&inside).date(START), Some(START + 600)),
        (range(&wide), None),
        (range(&wide).date(START), None),
        (range(&wide).date(START + 20), Some(START + 20)),
        (range("nonsense").date(START + 20), Some(START + 20)),
        (range("nonsense"), None),
    ] {
        let client = Client::new();
        assert_eq!(client.exchange(&answer), expected.is_some(), "{:?}", answer.headers);
        assert_eq!(client.stamp().seconds, expected.unwrap_or(START), "{:?}", answer.headers);
    }
}

#[test]
fn without_a_named_problem_only_a_clock_that_is_far_away_counts() {
    for (answer, expected) in [
        (Answer::new(401).date(START + 60), false),
        (Answer::new(401).date(START + 61), true),
        (Answer::new(400).date(START - 61), true),
        (Answer::new(401), false),
        (Answer::new(403).date(START + 600), false),
        (Answer::new(500).date(START + 600), false),
        (Answer::new(200).date(START + 600), false),
        (Answer::new(401).date(START + 600).problem("oauth_problem=signature_invalid"), false),
        (Answer::new(401).date(START + 600).problem("realm=x"), true),
        (Answer::new(401).date(START + 600).header("age", "5"), false),
        (Answer::new(401).header("date", "yesterday"), false),
    ] {
        let client = Client::new();
        assert_eq!(client.exchange(&answer), expected, "{} {:?}", answer.status, answer.headers);
        assert_eq!(client.stamp().seconds != START, expected, "{} {:?}", answer.status, answer.headers);
    }
}

#[test]
fn a_timestamp_is_no_problem_in_a_response_that_refuses_nothing() {
    let client = Client::new();
    for status in [200, 302, 500] {
        let answer = Answer { status, ..refused().date(START + 600) };
        assert!(!client.exchange(&answer), "{status}");
    }
    assert_eq!(client.stamp().seconds, START);
}

#[test]
fn the_time_that_a_response_takes_is_no_difference() {
    let client = Client::new();
    let stamp = client.stamp();
    client.pass(300);
    for date in [START - 1, START, START + 150, START + 301] {
        assert!(!client.hear(&stamp, &refused().date(date)), "{date}");
    }
    assert!(client.hear(&stamp, &refused().date(START + 302)));
}

#[test]
fn each_server_has_a_clock_of_its_own() {
    let client = Client::new();
    client.exchange(&refused().date(START + 600));
    assert_eq!(client.stamp_for("https://API.test:443").seconds, START + 600);
    for other in ["http://api.test", "https://api.test:8443", "https://other.test"] {
        assert_eq!(client.stamp_for(other).seconds, START, "{other}");
    }
}

#[test]
fn a_request_that_was_under_way_while_the_time_was_learned_is_sent_again_too() {
    let client = Client::new();
    let late = client.stamp();
    client.exchange(&refused().date(START + 600));
    client.pass(1);
    // Its own response says nothing of the time.
    assert!(client.hear(&late, &refused()));
    assert_eq!(client.stamp().seconds, START + 601);
}

#[test]
fn a_guess_that_does_not_help_is_given_up_and_not_made_again_for_a_while() {
    let client = Client::new();
    // A cache in front of the server has a wrong clock; it is the token that is refused.
    let answer = || Answer::new(401).date(START + 600);
    assert!(client.exchange(&answer()));
    assert_eq!(client.stamp().seconds, START + 600);
    // Signed by the guess and refused again: back to this machine's clock.
    assert!(client.exchange(&answer()));
    assert_eq!(client.stamp().seconds, START);
    assert!(!client.exchange(&answer()));
    client.pass(599);
    assert!(!client.exchange(&Answer::new(401).date(START + 600 + 599)));
    client.pass(1);
    assert!(client.exchange(&Answer::new(401).date(START + 1200)));
    assert_eq!(client.stamp().seconds, START + 1200);
}

#[test]
fn what_the_server_itself_says_counts_in_the_meantime() {
    let client = Client::new();
    let answer = || Answer::new(401).date(START + 600);
    client.exchange(&answer());
    client.exchange(&answer());
    assert!(client.exchange(&refused().date(START + 300)));
    assert_eq!(client.stamp().seconds, START + 300);
}

#[test]
fn a_guess_under_which_a_request_was_accepted_stays() {
    for accepted in [200, 304] {
        let client = Client::new();
        client.exchange(&Answer::new(401).date(START + 600));
        assert!(!client.exchange(&Answer::new(accepted)));
        // The token is refused later, and nothing is wrong with the time.
        assert!(!client.exchange(&Answer::new(401).date(START + 600)));
        assert_eq!(client.stamp().seconds, START + 600);
    }
}

#[test]
fn an_older_request_proves_nothing_for_a_newer_guess() {
    let client = Client::new();
    let older = client.stamp();
    client.exchange(&Answer::new(401).date(START + 600));
    client.hear(&older, &Answer::new(200));
    assert!(client.exchange(&Answer::new(401).date(START + 600)));
    assert_eq!(client.stamp().seconds, START);
}

#[test]
fn a_learned_time_that_the_server_refuses_by_name_is_given_up() {
    let client = Client::new();
    client.exchange(&refused().date(START + 600));
    // Signed by what was learned, and nothing new is said: this machine's clock may be better after all.
    assert!(client.exchange(&refused().date(START + 600)));
    assert_eq!(client.stamp().seconds, START);
    // By now that has been tried too, and a server without a date leaves nothing to try.
    assert!(!client.exchange(&refused()));
}

#[test]
fn a_server_whose_clock_moves_is_followed() {
    let client = Client::new();
    client.exchange(&refused().date(START + 600));
    client.exchange(&Answer::new(200));
    assert!(client.exchange(&refused().date(START - 600)));
    assert_eq!(client.stamp().seconds, START - 600);
    // Also where it does not name the problem, as after a suspension, in which the monotonic clock may stand still.
    assert!(client.exchange(&Answer::new(401).date(START + 3600)));
    assert_eq!(client.stamp().seconds, START + 3600);
}

#[test]
fn the_number_of_clocks_is_bounded_and_the_oldest_leaves() {
    let client = Client::new();
    let origin = |number: usize| {
        let uri: &'static str = Box::leak(format!("https://s{number}.test").into_boxed_str());
        uri
    };
    for number in 0..SERVERS + 2 {
        client.pass(1);
        let now = START + 1 + number as u64;
        client.hear(&client.stamp_for(origin(number)), &refused().date(now + 600));
    }
    let now = START + SERVERS as u64 + 2;
    let learned = |number| client.stamp_for(origin(number)).seconds != now;
    assert!(!learned(0) && !learned(1));
    assert!((2..SERVERS + 2).all(learned));
}

#[test]
fn times_at_the_end_of_time_do_no_harm() {
    let client = Client::new();
    client.set(0);
    let range = r#"oauth_problem=timestamp_refused, oauth_acceptable_timestamps="18446744073709551615-18446744073709551615""#;
    assert!(client.exchange(&Answer::new(401).problem(range)));
    client.pass(10);
    assert_eq!(client.stamp().seconds, u64::MAX);
    client.exchange(&refused().date(START));
    assert_eq!(client.stamp().seconds, START);
}
