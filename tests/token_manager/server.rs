//! A token server as a source: hands out tokens that say whose they are, rotates refresh tokens, notices replays.

use std::collections::HashMap;
use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::Mutex;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::yield_now;
use tower_oauth::Error;
use tower_oauth::Token;
use tower_oauth::TokenKey;
use tower_oauth::token::SourceRequest;
use tower_oauth::token::TokenSource;

use crate::HOUR;

/// Clones are the same server.
#[derive(Clone)]
pub struct Server {
    state: Arc<Mutex<State>>,
    held: Arc<watch::Sender<bool>>,
}

struct State {
    lifetime: Option<Duration>,
    yields: usize,
    delay: Duration,
    answers: VecDeque<Answer>,
    requests: Vec<SourceRequest>,
    /// The one refresh token of each key that is still good.
    refresh_tokens: HashMap<TokenKey, String>,
    replays: usize,
    /// Whether refresh tokens are replaced when they are used.
    rotates: bool,
    /// Whether the last one that was replaced is taken a second time.
    leeway: bool,
    replaced: HashMap<TokenKey, String>,
    lost_answers: usize,
    /// Whether a token without a refresh token takes a login.
    needs_login: bool,
    at_once: usize,
    most_at_once: usize,
}

/// What the server does with one request, instead of what it usually does.
pub enum Answer {
    Fail(Error),
    Panic,
    Silence,
    This(Token),
}

impl Server {
    pub fn new() -> Self {
        let state = State {
            lifetime: Some(HOUR),
            yields: 0,
            delay: Duration::ZERO,
            answers: VecDeque::new(),
            requests: Vec::new(),
            refresh_tokens: HashMap::new(),
            replays: 0,
            rotates: true,
            leeway: false,
            replaced: HashMap::new(),
            lost_answers: 0,
            needs_login: false,
            at_once: 0,
            most_at_once: 0,
        };
        Self { state: Arc::new(Mutex::new(state)), held: Arc::new(watch::Sender::new(false)) }
    }

    /// How long tokens live from now on; `None` for tokens that do not say.
    pub fn lifetime(&self, lifetime: impl Into<Option<Duration>>) {
        self.state.lock().unwrap().lifetime = lifetime.into();
    }

    /// How often a request is interrupted before it is answered.
    pub fn yields(&self, times: usize) {
        self.state.lock().unwrap().yields = times;
    }

    /// How long a request takes.
    pub fn delay(&self, delay: Duration) {
        self.state.lock().unwrap().delay = delay;
    }

    /// What the next request (after those that have an answer already) gets.
    pub fn answer(&self, answer: Answer) {
        self.state.lock().unwrap().answers.push_back(answer);
    }

    /// Forgets the answers that are left: requests get the usual ones.
    pub fn forget_answers(&self) {
        self.state.lock().unwrap().answers.clear();
    }

    /// Whether refresh tokens are replaced when they are used; at first they are.
    pub fn rotates(&self, rotates: bool) {
        self.state.lock().unwrap().rotates = rotates;
    }

    /// Whether the last refresh token that was replaced is taken a second time.
    pub fn leeway(&self, leeway: bool) {
        self.state.lock().unwrap().leeway = leeway;
    }

    /// From now on, who has no refresh token has to log in, and no request is made.
    pub fn needs_login(&self) {
        self.state.lock().unwrap().needs_login = true;
    }

    /// Loses the answers to this many requests: what they change at the server happens.
    pub fn lose_answers(&self, number: usize) {
        self.state.lock().unwrap().lost_answers = number;
    }

    /// Keeps answers back: what a request changes at the server happens, and nobody hears of it yet.
    pub fn hold(&self) {
        self.held.send_replace(true);
    }

    pub fn release(&self) {
        self.held.send_replace(false);
    }

    /// The token of a login: `key-login`, with a refresh token that replaces the one before.
    pub fn login(&self, key: &TokenKey) -> Token {
        let mut state = self.state.lock().unwrap();
        let refresh_token = format!("{key}-refresh-login-{}", state.requests.len());
        state.refresh_tokens.insert(key.clone(), refresh_token.clone());
        Token::new(format!("{key}-login")).expires_in(HOUR).with_refresh_token(refresh_token)
    }

    /// Ends the grant of a key.
    pub fn revoke(&self, key: &TokenKey) {
        self.state.lock().unwrap().refresh_tokens.insert(key.clone(), "revoked".to_owned());
    }

    /// How many requests came.
    pub fn count(&self) -> usize {
        self.state.lock().unwrap().requests.len()
    }

    pub fn requests(&self) -> Vec<SourceRequest> {
        self.state.lock().unwrap().requests.clone()
    }

    /// How many requests came with a refresh token that is spent or revoked.
    pub fn replays(&self) -> usize {
        self.state.lock().unwrap().replays
    }

    /// The most requests that were under way at the same time.
    pub fn most_at_once(&self) -> usize {
        self.state.lock().unwrap().most_at_once
    }

    /// The refresh token that is good now.
    pub fn refresh_token(&self, key: &TokenKey) -> Option<String> {
        self.state.lock().unwrap().refresh_tokens.get(key).cloned()
    }

    /// `key-1`, `key-2 for scope` …: the number counts all requests.
    fn usual(state: &mut State, request: &SourceRequest) -> Result<Token, Error> {
        let key = request.key();
        let number = state.requests.len();
        let asked: Vec<_> = request.scope().scopes().chain(request.scope().resources()).collect();
        let mut token = Token::new(
            [format!("{key}-{number}")]
                .into_iter()
                .chain(asked.iter().map(|asked| format!("-for-{asked}")))
                .collect::<String>(),
        );
        if let Some(lifetime) = state.lifetime {
            token = token.expires_in(lifetime);
        }
        let Some(spent) = request.previous().and_then(|record| record.refresh_token()) else {
            return Ok(token);
        };
        let is_good = state.refresh_tokens.get(key).map(String::as_str) == Some(spent.expose());
        let is_late = state.leeway && state.replaced.get(key).map(String::as_str) == Some(spent.expose());
        if !is_good && !is_late {
            state.replays += 1;
            return Err(Error::reauthorization_required("the refresh token is spent"));
        }
        if !state.rotates {
            return Ok(token);
        }
        state.replaced.insert(key.clone(), spent.expose().to_owned());
        let next = format!("{key}-refresh-{number}");
        state.refresh_tokens.insert(key.clone(), next.clone());
        Ok(token.with_refresh_token(next))
    }
}

impl TokenSource for Server {
    async fn token(&self, request: SourceRequest) -> Result<Token, Error> {
        let (answer, yields, delay) = {
            let mut state = self.state.lock().unwrap();
            if state.needs_login && request.previous().is_none_or(|record| record.refresh_token().is_none()) {
                return Err(Error::reauthorization_required("nobody has logged in"));
            }
            state.requests.push(request.clone());
            assert!(state.requests.len() < 10_000, "the server is asked in a loop");
            state.at_once += 1;
            state.most_at_once = state.most_at_once.max(state.at_once);
            let answer = match state.answers.pop_front() {
                Some(answer) => answer,
                None => match Self::usual(&mut state, &request) {
                    Ok(token) => Answer::This(token),
                    Err(error) => Answer::Fail(error),
                },
            };
            let answer = if state.lost_answers > 0 {
                state.lost_answers -= 1;
                Answer::Fail(Error::answer_lost("reset"))
            } else {
                answer
            };
            (answer, state.yields, state.delay)
        };
        let _under_way = UnderWay(self);
        for _ in 0..yields {
            yield_now().await;
        }
        tokio::time::sleep(delay).await;
        let mut held = self.held.subscribe();
        held.wait_for(|held| !held).await.unwrap();
        match answer {
            Answer::This(token) => Ok(token),
            Answer::Fail(error) => Err(error),
            Answer::Silence => std::future::pending().await,
            Answer::Panic => panic!("the source panics, as the test asked"),
        }
    }
}

struct UnderWay<'a>(&'a Server);

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        self.0.state.lock().unwrap().at_once -= 1;
    }
}
