//! Every time and bound of a manager, with its default.

use std::sync::Arc;
use std::time::Duration;
use std::time::SystemTime;

use crate::token::Token;
#[cfg(test)]
use crate::token::explorer::Flaw;

/// The longest `Retry-After` that is waited out.
pub(super) const LONGEST_RETRY_AFTER: Duration = Duration::from_secs(3600);

/// What the builder sets. Its docs have the table.
#[derive(Clone)]
pub(super) struct Settings {
    /// Whether tokens are renewed only when somebody says so.
    pub(super) by_hand: bool,
    pub(super) refresh_fraction: f64,
    pub(super) hard_leeway: Duration,
    pub(super) assumed_lifetime: Option<Duration>,
    pub(super) flight_deadline: Duration,
    pub(super) wait_timeout: Duration,
    pub(super) back_off: (Duration, Duration),
    pub(super) configuration_pause: Duration,
    pub(super) dead_recheck: Duration,
    pub(super) cool_down: (Duration, Duration),
    pub(super) persist_patience: Duration,
    pub(super) persist_back_off: (Duration, Duration),
    pub(super) lease_ttl: Duration,
    pub(super) attempts: u32,
    pub(super) reuse_window: Duration,
    pub(super) max_keys: usize,
    pub(super) chance: Arc<dyn Fn() -> f64 + Send + Sync>,
    /// For tests of the tests.
    #[cfg(test)]
    pub(super) flaw: Option<Flaw>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            by_hand: false,
            refresh_fraction: 0.8,
            hard_leeway: Duration::from_secs(10),
            assumed_lifetime: None,
            flight_deadline: Duration::from_secs(30),
            wait_timeout: Duration::from_secs(35),
            back_off: (Duration::from_millis(200), Duration::from_secs(30)),
            configuration_pause: Duration::from_secs(60),
            dead_recheck: Duration::from_secs(30),
            cool_down: (Duration::from_secs(1), Duration::from_secs(60)),
            persist_patience: Duration::from_secs(1),
            persist_back_off: (Duration::from_millis(50), Duration::from_secs(30)),
            lease_ttl: Duration::from_secs(60),
            attempts: 3,
            reuse_window: Duration::ZERO,
            max_keys: 10_000,
            chance: Arc::new(rand::random::<f64>),
            #[cfg(test)]
            flaw: None,
        }
    }
}

/// When a token is renewed, and when it is no longer sent.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Times {
    /// From here on a new one is wanted.
    pub(super) soft: Option<SystemTime>,
    /// From here on it is not sent; never before `soft`.
    pub(super) hard: Option<SystemTime>,
    /// From here on nobody takes it.
    pub(super) end: Option<SystemTime>,
}

impl Settings {
    /// A number from 0 up to, but not including, 1.
    pub(super) fn chance(&self) -> f64 {
        let chance = (self.chance)();
        if chance.is_nan() { 0.0 } else { chance.clamp(0.0, 1.0) }
    }

    /// The times of a token that went through [`Token::stamped`].
    pub(super) fn times(&self, token: &Token) -> Times {
        let times = self.own_times(token);
        // Nobody wants a new one by himself.
        if self.by_hand { Times { soft: None, ..times } } else { times }
    }

    fn own_times(&self, token: &Token) -> Times {
        let obtained_at = token.obtained_at().unwrap_or(SystemTime::UNIX_EPOCH);
        let assumed = || self.assumed_lifetime.and_then(|lifetime| obtained_at.checked_add(lifetime));
        let wanted_after = |delay: Duration| obtained_at.checked_add(delay);
        let Some(expires_at) = token.expires_at().or_else(assumed) else {
            // It may live for ever; what the server asks for still counts.
            return Times { soft: token.refresh_in().and_then(wanted_after), hard: None, end: None };
        };
        let lifetime = expires_at.duration_since(obtained_at).unwrap_or_default();
        let leeway = self.hard_leeway.min(lifetime / 10);
        let hard = expires_at.checked_sub(leeway).unwrap_or(expires_at);
        let planned = part(lifetime, self.refresh_fraction);
        let planned = token.refresh_in().map_or(planned, |asked| asked.min(planned));
        let early = part(lifetime, 0.1 * self.chance());
        let soft = wanted_after(planned.saturating_sub(early)).unwrap_or(hard);
        Times { soft: Some(soft.min(hard)), hard: Some(hard), end: Some(expires_at) }
    }

    /// The pause after the `attempt`th failure in a row: a random part of a bound that doubles each time.
    pub(super) fn pause(&self, bounds: (Duration, Duration), attempt: u32) -> Duration {
        pause(bounds, attempt, self.chance())
    }
}

/// The pause after the `attempt`th failure in a row: a part, by chance, of a bound that doubles each time.
pub(super) fn pause((first, most): (Duration, Duration), attempt: u32, chance: f64) -> Duration {
    part(doubled(first, most, attempt), chance)
}

/// `first`, doubled `times` times, but at most `most`.
pub(super) fn doubled(first: Duration, most: Duration, times: u32) -> Duration {
    first.saturating_mul(2_u32.saturating_pow(times)).min(most)
}

/// A part of `whole`, from 0 to 1.
fn part(whole: Duration, part: f64) -> Duration {
    // Rounding may bring the longest of all durations beyond what one can be.
    Duration::try_from_secs_f64(whole.as_secs_f64() * part).unwrap_or(whole).min(whole)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::defaults::assert_continued;
    use crate::defaults::assert_documented;

    const SECOND: Duration = Duration::from_secs(1);

    fn settings(chance: f64) -> Settings {
        Settings { chance: Arc::new(move || chance), ..Settings::default() }
    }

    fn moment(seconds: u64) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)
    }

    fn times(lifetime: Duration, chance: f64) -> Times {
        settings(chance).times(&Token::new("t").expires_in(lifetime).stamped(moment(1_000)))
    }

    #[test]
    fn the_defaults_are_those_of_the_table() {
        let settings = Settings::default();
        let life = "part of a token's life after which its successor is fetched, while it stays in use";
        assert_documented(life, settings.refresh_fraction);
        let leeway = "time before its end in which a token is no longer sent";
        assert_documented(leeway, settings.hard_leeway);
        assert_continued(leeway, 0.1);
        assert_eq!(settings.assumed_lifetime, None);
        assert_documented("life of a token whose server does not say", "unlimited");
        let exchange = "longest time of one exchange, and of the wait for its turn before it";
        assert_documented(exchange, settings.flight_deadline);
        assert_documented("longest time that a request waits for a token", settings.wait_timeout);
        let pause = "pause after a failed refresh: random, up to";
        assert_documented(pause, settings.back_off.0);
        assert_continued(pause, settings.back_off.1);
        assert_documented("pause after the server refused the client itself", settings.configuration_pause);
        let recheck = "how often the store is looked at for a new login, after a grant has ended";
        assert_documented(recheck, settings.dead_recheck);
        let cool_down = "least time between two refreshes that refused tokens cause";
        assert_documented(cool_down, settings.cool_down.0);
        assert_continued(cool_down, settings.cool_down.1);
        let patience = "how long a failing store is tried before `persist_failure` decides";
        assert_documented(patience, settings.persist_patience);
        let pause = "pause between attempts to store, at first";
        assert_documented(pause, settings.persist_back_off.0);
        assert_continued(pause, settings.persist_back_off.1);
        let lease = "life of a lease in a shared store, renewed after a third of it";
        assert_documented(lease, settings.lease_ttl);
        assert_documented("exchanges that one refresh makes at most", settings.attempts);
        assert_documented(
            "time in which an unanswered refresh token is presented again",
            settings.reuse_window,
        );
        assert_documented("longest `Retry-After` that is obeyed", LONGEST_RETRY_AFTER);
        assert_documented("keys in memory", settings.max_keys);
    }

    #[test]
    fn an_hour_is_renewed_from_80_percent_and_sent_until_10_seconds_before_its_end() {
        let times = times(3_600 * SECOND, 0.0);
        assert_eq!(times.soft, Some(moment(1_000 + 2_880)));
        assert_eq!(times.hard, Some(moment(1_000 + 3_590)));
    }

    #[test]
    fn chance_brings_the_renewal_forward_by_up_to_a_tenth() {
        assert_eq!(times(1_000 * SECOND, 1.0).soft, Some(moment(1_000 + 700)));
    }

    #[test]
    fn by_hand_nothing_is_wanted_early() {
        assert_documented("who renews tokens", "the manager");
        assert!(!Settings::default().by_hand);
        let by_hand = Settings { by_hand: true, ..settings(0.0) };
        let token = Token::new("t").expires_in(100 * SECOND).stamped(moment(0));
        let expected = Times { soft: None, ..settings(0.0).times(&token) };
        assert_eq!(by_hand.times(&token), expected);
    }

    #[test]
    fn a_short_life_keeps_nine_tenths() {
        let times = times(5 * SECOND, 0.0);
        assert_eq!(times.hard, Some(moment(1_000) + Duration::from_millis(4_500)));
        assert!(times.soft <= times.hard);
    }

    #[test]
    fn no_life_at_all_ends_at_once() {
        let times = times(Duration::ZERO, 0.5);
        assert_eq!(times.hard, Some(moment(1_000)));
        assert_eq!(times.soft, Some(moment(1_000)));
    }

    #[test]
    fn an_unknown_end_never_comes_unless_a_lifetime_is_assumed() {
        let token = Token::new("t").stamped(moment(1_000));
        assert_eq!(settings(0.0).times(&token), Times { soft: None, hard: None, end: None });
        let assumed = Settings { assumed_lifetime: Some(100 * SECOND), ..settings(0.0) };
        assert_eq!(assumed.times(&token).hard, Some(moment(1_090)));
    }

    #[test]
    fn a_server_may_ask_for_an_earlier_renewal_but_not_for_a_later_one() {
        let token = |delay: u64| {
            Token::new("t")
                .expires_in(100 * SECOND)
                .with_refresh_in(Duration::from_secs(delay))
                .stamped(moment(0))
        };
        assert_eq!(settings(0.0).times(&token(50)).soft, Some(moment(50)));
        assert_eq!(settings(0.0).times(&token(99)).soft, Some(moment(80)));
    }

    #[test]
    fn an_absurd_lifetime_is_no_end() {
        assert_eq!(times(Duration::MAX, 0.0), Times { soft: None, hard: None, end: None });
    }

    #[test]
    fn pauses_double_up_to_a_bound() {
        let settings = settings(1.0);
        let pauses =
            [0, 1, 2, 7, 8, 100].map(|attempt| settings.pause(settings.back_off, attempt).as_millis());
        assert_eq!(pauses, [200, 400, 800, 25_600, 30_000, 30_000]);
    }
}
