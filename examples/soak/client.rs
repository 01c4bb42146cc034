//! One client: its HTTP client, its layer, and the requests that it sends.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::Client as Hyper;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use tokio::time::{sleep, timeout};
use tower::{BoxError, Layer, Service, ServiceExt};
use tower_oauth::body::Buffered;
use tower_oauth::grant::RefreshToken;
use tower_oauth::oauth2::{OAuth2, Refusal, WithoutToken};
use tower_oauth::testing::Provider;
use tower_oauth::token::{SourceRequest, TokenManagerBuilder, TokenSource, token_source_fn};
use tower_oauth::{
    ClientAuth, ClientCredentials, Error, OAuth2Layer, Origins, Token, TokenKey, TokenManager,
};

use super::arguments::Sabotage;
use super::clock::SoakClock;
use super::courier::{Courier, Errand, Knowledge};
use super::dice::Dice;
use super::judge::Judge;

/// Requests that one client sends at a time.
pub const LANES: usize = 2;
/// The longest pause between two requests.
const PAUSE: Duration = Duration::from_millis(50);
/// The longest time that a request may take.
const DEADLINE: Duration = Duration::from_secs(30);
/// How soon somebody who goes away does so, at the latest.
const IMPATIENCE: Duration = Duration::from_millis(5);
/// The longest body.
const BODY: usize = 4096;

type Http = Courier<Hyper<HttpConnector, Full<Bytes>>>;

/// What all clients have in common.
#[derive(Clone)]
pub struct World {
    pub origin: String,
    pub clock: SoakClock,
    pub judge: Arc<Judge>,
    pub tally: Arc<Tally>,
    pub sabotage: Option<Sabotage>,
    pub stop: Arc<AtomicBool>,
}

/// What came of the requests, as their senders saw it.
#[derive(Debug, Default)]
pub struct Tally {
    pub sent: AtomicU64,
    pub answered: AtomicU64,
    /// Refused twice, because the second token was revoked as well.
    pub refused_twice: AtomicU64,
    pub abandoned: AtomicU64,
    pub errors: AtomicU64,
}

#[derive(Clone)]
pub struct Client {
    world: World,
    service: OAuth2<Http, Buffered>,
    /// Where one manager has many tenants.
    key: Option<TokenKey>,
    knowledge: Knowledge,
}

impl World {
    /// The clients: half with client credentials, a quarter with a rotating refresh token of their own, and a quarter
    /// tenants of one manager.
    pub async fn clients(&self, count: usize, provider: &Provider) -> Result<Vec<Client>, BoxError> {
        let sources: Vec<_> = (0..count).map(|number| self.rotating(number)).collect::<Result<_, _>>()?;
        let own = sources.clone();
        let of_tenants = token_source_fn(move |request: SourceRequest| {
            let tenant = request.key().as_str().parse::<usize>().ok();
            let source = tenant.and_then(|tenant| sources.get(tenant).cloned());
            async move { source.ok_or_else(|| Error::transient("no such tenant"))?.token(request).await }
        });
        let tenants = self.manager(of_tenants);
        let mut clients = Vec::new();
        for (number, source) in own.into_iter().enumerate() {
            let key = TokenKey::new(number.to_string());
            let client = match number % 4 {
                0 | 1 => self.client(number, self.manager(self.credentials(number)?), None)?,
                2 => {
                    let manager = self.manager(source);
                    self.log_in(number, provider, &manager, &TokenKey::default()).await?;
                    self.client(number, manager, None)?
                }
                _ => {
                    self.log_in(number, provider, &tenants, &key).await?;
                    self.client(number, tenants.clone(), Some(key))?
                }
            };
            clients.push(client);
        }
        Ok(clients)
    }

    fn client(
        &self,
        number: usize,
        manager: TokenManager,
        key: Option<TokenKey>,
    ) -> Result<Client, BoxError> {
        let mut layer = OAuth2Layer::with_manager(Origins::one(&self.origin)?, manager);
        if key.is_some() {
            layer = layer.key_per_request();
        }
        if self.sabotage == Some(Sabotage::Refusal) {
            layer = layer.refusal(Refusal::when(|_, _| false));
        }
        let service = layer.body_policy(Buffered::new(BODY)).layer(http(number));
        Ok(Client { world: self.clone(), service, key, knowledge: Knowledge::default() })
    }

    fn manager(&self, source: impl TokenSource) -> TokenManager {
        // A token lives for a second, so what is right for one that lives for an hour is scaled down.
        let builder: TokenManagerBuilder =
            TokenManager::builder(source).cool_down(Duration::from_millis(100), Duration::from_secs(1));
        match self.sabotage {
            Some(Sabotage::Expiry) => builder.clock(self.clock.standing_still()).build(),
            Some(Sabotage::Errors) => {
                builder.clock(self.clock.clone()).wait_timeout(Duration::from_millis(1)).build()
            }
            _ => builder.clock(self.clock.clone()).build(),
        }
    }

    fn credentials(&self, number: usize) -> Result<ClientCredentials, BoxError> {
        let url = format!("{}/token", self.origin);
        Ok(ClientCredentials::new(&url, ClientAuth::basic("test-client", "test-secret"), http(number))?)
    }

    fn rotating(&self, number: usize) -> Result<RefreshToken, BoxError> {
        let url = format!("{}/token", self.origin);
        Ok(RefreshToken::new(&url, ClientAuth::post("test-client", "test-secret"), http(number))?)
    }

    async fn log_in(
        &self,
        number: usize,
        provider: &Provider,
        manager: &TokenManager,
        key: &TokenKey,
    ) -> Result<(), BoxError> {
        let login = provider.issue("test-client", "");
        self.judge.issued(number, login.access_token.expose(), self.clock.elapsed());
        let token = Token::new(login.access_token)
            .with_expires_at(login.expires_at)
            .with_refresh_token(login.refresh_token);
        Ok(manager.put(key, token).await?)
    }
}

fn http(number: usize) -> Http {
    Courier::new(number, Hyper::builder(TokioExecutor::new()).build_http())
}

impl Client {
    /// Sends one request after the other until it is told to stop.
    pub async fn drive(mut self, mut dice: Dice) {
        while !self.world.stop.load(Ordering::Relaxed) {
            let number = self.world.tally.sent.fetch_add(1, Ordering::Relaxed) + 1;
            if let Err(error) = self.send(number, &mut dice).await {
                // The first few say what it is.
                if self.world.tally.errors.fetch_add(1, Ordering::Relaxed) < 5 {
                    eprintln!("soak: request {number} failed: {error}");
                }
            }
            sleep(dice.up_to(PAUSE)).await;
        }
    }

    async fn send(&mut self, number: u64, dice: &mut Dice) -> Result<(), BoxError> {
        let World { tally, judge, sabotage, .. } = self.world.clone();
        let length = if dice.once_in(2) { 0 } else { dice.below(BODY) };
        let mut request = Request::post(format!("{}/resource/orders", self.world.origin))
            .body(Full::from(vec![b'x'; length]))?;
        let errand = Errand::new(number, &self.knowledge);
        request.extensions_mut().insert(errand.clone());
        if let Some(key) = &self.key {
            request.extensions_mut().insert(key.clone());
        }
        if sabotage == Some(Sabotage::Token) && dice.once_in(10) {
            request.extensions_mut().insert(WithoutToken);
        }
        let goes_away = dice.once_in(50);
        let patience = if goes_away { dice.up_to(IMPATIENCE) } else { DEADLINE };

        let ready = self.service.ready().await?;
        let answer = SoakClock::in_call(|| ready.call(request));
        let response = match timeout(patience, answer).await {
            Ok(answer) => answer?,
            Err(_) if goes_away => {
                tally.abandoned.fetch_add(1, Ordering::Relaxed);
                return Ok(());
            }
            Err(_) => return Err(format!("it took more than {DEADLINE:?}").into()),
        };
        errand.done();
        match response.status() {
            StatusCode::OK => {
                judge.settled(number);
                check_length(response, length).await?;
                tally.answered.fetch_add(1, Ordering::Relaxed);
                Ok(())
            }
            StatusCode::UNAUTHORIZED if judge.is_excused(number) => {
                tally.refused_twice.fetch_add(1, Ordering::Relaxed);
                Ok(())
            }
            status => Err(format!("it was answered with {status}").into()),
        }
    }
}

/// Whether the whole body arrived, the second time as well.
async fn check_length<R>(response: Response<R>, length: usize) -> Result<(), BoxError>
where
    R: http_body::Body<Error: Into<BoxError>>,
{
    let body = response.into_body().collect().await.map_err(Into::into)?.to_bytes();
    let answer: serde_json::Value = serde_json::from_slice(&body)?;
    if answer["body_length"] == length {
        return Ok(());
    }
    Err(format!("of {length} bytes, {} arrived", answer["body_length"]).into())
}
