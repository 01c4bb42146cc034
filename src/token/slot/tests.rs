use std::sync::atomic::AtomicU32;
use std::sync::atomic::Ordering;
use std::time::UNIX_EPOCH;

use http::StatusCode;

use super::*;
use crate::error::ServerError;

const SECOND: Duration = Duration::from_secs(1);

/// The life of every token here: renewed from 75 s, sent until 90 s after it was obtained.
const LIFE: Duration = Duration::from_secs(100);

fn settings() -> Settings {
    Settings { chance: Arc::new(|| 0.5), ..Settings::default() }
}

fn at(second: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(1_000_000 + second)
}

fn millis(millis: u64) -> SystemTime {
    at(0) + Duration::from_millis(millis)
}

/// A token that was obtained at `second`, from the record of `generation`.
fn token(text: &str, second: u64, generation: u64) -> Arc<Published> {
    static SERIAL: AtomicU32 = AtomicU32::new(0);
    let token = Token::new(text).expires_in(LIFE).stamped(at(second));
    let times = settings().times(&token);
    let serial = SERIAL.fetch_add(1, Ordering::Relaxed);
    Arc::new(Published::new(token, serial, generation, times).unwrap())
}

/// A slot with the token `a`, obtained at 0 from generation 1.
fn slot() -> Slot {
    let mut slot = Slot::default();
    slot.login(token("a", 0, 1));
    slot
}

fn down() -> Error {
    Error::transient("down")
}

fn dead() -> Error {
    Error::reauthorization_required("gone")
}

/// A decision in a word or two.
fn told(decision: Decision) -> String {
    match decision {
        Decision::Serve(published) => published.token.access_token().expose().to_owned(),
        Decision::ServeAndRefresh(published, reason) => {
            format!("{}, {}", published.token.access_token().expose(), reason.as_str())
        }
        Decision::Refresh(reason, delay) if delay.is_zero() => reason.as_str().to_owned(),
        Decision::Refresh(reason, delay) => format!("{} after {delay:?}", reason.as_str()),
        Decision::Wait => "wait".to_owned(),
        Decision::Fail(error) => error.kind().as_str().to_owned(),
    }
}

fn read(slot: &mut Slot, now: SystemTime) -> String {
    told(slot.read(now, &settings()))
}

fn fail(slot: &mut Slot, error: &Error, now: SystemTime) -> bool {
    slot.fail(error, now, 0.5, &settings())
}

#[test]
fn the_first_reader_of_nothing_starts_a_flight_and_the_others_wait() {
    let mut slot = Slot::default();
    assert_eq!(read(&mut slot, at(0)), "first");
    assert_eq!(read(&mut slot, at(0)), "wait");
    slot.succeed(token("a", 0, 1));
    assert_eq!(read(&mut slot, at(0)), "a");
}

#[test]
fn a_fresh_token_is_served_until_its_renewal_is_due() {
    let mut slot = slot();
    assert_eq!(slot.next_look(), Some(at(75)));
    assert_eq!(read(&mut slot, millis(74_999)), "a");
    assert_eq!(read(&mut slot, at(75)), "a, expiring");
}

#[test]
fn while_it_is_renewed_a_valid_token_is_served_and_nobody_has_to_look() {
    let mut slot = slot();
    read(&mut slot, at(75));
    assert_eq!(slot.next_look(), None);
    assert_eq!(read(&mut slot, at(89)), "a");
    assert_eq!(read(&mut slot, at(90)), "wait");
    slot.succeed(token("b", 90, 2));
    assert_eq!(read(&mut slot, at(90)), "b");
    assert_eq!(slot.next_look(), Some(at(165)));
}

#[test]
fn an_ended_token_is_not_served() {
    let mut slot = slot();
    assert_eq!(read(&mut slot, at(90)), "expired");
    assert_eq!(read(&mut slot, at(90)), "wait");
}

#[test]
fn a_failure_does_not_hide_a_valid_token_and_puts_off_the_next_attempt() {
    let mut slot = slot();
    read(&mut slot, at(75));
    assert!(fail(&mut slot, &down(), at(75)));
    assert_eq!(slot.next_look(), Some(millis(75_100)));
    assert_eq!(read(&mut slot, millis(75_099)), "a");
    assert_eq!(read(&mut slot, millis(75_100)), "a, expiring");
}

#[test]
fn without_a_valid_token_a_failure_is_told_at_once_until_the_pause_is_over() {
    let mut slot = slot();
    read(&mut slot, at(90));
    fail(&mut slot, &down(), at(90));
    let Decision::Fail(error) = slot.read(at(90), &settings()) else { panic!("a pause") };
    assert_eq!((error.kind(), error.retry_at()), (ErrorKind::BackOff, Some(millis(90_100))));
    assert_eq!(read(&mut slot, millis(90_100)), "expired");
}

#[test]
fn pauses_double_with_each_failure_in_a_row_and_end_with_a_success() {
    let mut slot = slot();
    let mut now = at(90);
    for pause in [100, 200, 400, 800] {
        assert_eq!(read(&mut slot, now), "expired");
        fail(&mut slot, &down(), now);
        now += Duration::from_millis(pause);
    }
    assert_eq!(read(&mut slot, now), "expired");
    slot.succeed(token("b", 92, 2));
    assert_eq!(told(slot.force(now)), "forced");
    fail(&mut slot, &down(), now);
    assert_eq!(told(slot.force(now + Duration::from_millis(100))), "forced");
}

#[test]
fn a_server_that_asks_to_be_left_alone_is_left_alone() {
    let mut slot = Slot::default();
    read(&mut slot, at(0));
    let error = Error::new(ErrorKind::UnexpectedStatus).with_retry_after(7 * SECOND);
    fail(&mut slot, &error, at(0));
    assert_eq!(read(&mut slot, millis(6_999)), "back_off");
    assert_eq!(told(slot.force(millis(6_999))), "back_off");
    assert_eq!(read(&mut slot, at(7)), "first");
}

#[test]
fn a_refused_client_is_not_tried_again_for_a_minute() {
    let mut slot = Slot::default();
    read(&mut slot, at(0));
    let error = Error::new(ErrorKind::Refused)
        .with_status(StatusCode::UNAUTHORIZED)
        .with_server(ServerError::new("invalid_client"));
    fail(&mut slot, &error, at(0));
    assert_eq!(read(&mut slot, at(59)), "back_off");
    assert_eq!(read(&mut slot, at(60)), "first");
}

#[test]
fn whoever_has_to_log_in_is_told_so_each_time() {
    let mut slot = Slot::default();
    read(&mut slot, at(0));
    fail(&mut slot, &Error::new(ErrorKind::NoToken), at(0));
    assert_eq!(read(&mut slot, millis(999)), "no_token");
    assert_eq!(read(&mut slot, at(1)), "first");
    fail(&mut slot, &dead(), at(1));
    assert_eq!(read(&mut slot, at(2)), "reauthorization_required");
}

#[test]
fn what_says_nothing_of_the_source_causes_no_pause() {
    for kind in [ErrorKind::ShutDown, ErrorKind::Reentrant] {
        let mut slot = slot();
        read(&mut slot, at(90));
        assert!(fail(&mut slot, &Error::new(kind), at(90)));
        assert_eq!(read(&mut slot, at(90)), "expired");
    }
}

#[test]
fn a_dead_grant_is_looked_at_now_and_then_but_not_spent_again() {
    let mut slot = slot();
    read(&mut slot, at(90));
    assert!(slot.spend(Some(1)).is_none());
    fail(&mut slot, &dead(), at(90));
    assert_eq!(read(&mut slot, at(119)), "reauthorization_required");
    assert_eq!(read(&mut slot, at(120)), "expired");
    let error = slot.spend(Some(1)).unwrap();
    assert_eq!(error.kind(), ErrorKind::ReauthorizationRequired);
    fail(&mut slot, &error, at(120));
    assert_eq!(read(&mut slot, at(149)), "reauthorization_required");
    // The store shows another generation: somebody logged in.
    assert_eq!(read(&mut slot, at(150)), "expired");
    assert!(slot.spend(Some(2)).is_none());
    slot.succeed(token("b", 150, 3));
    assert_eq!(read(&mut slot, at(150)), "b");
    assert!(slot.spend(Some(1)).is_none(), "that is over");
}

#[test]
fn a_dead_grant_serves_the_token_that_is_still_valid() {
    let mut slot = slot();
    read(&mut slot, at(75));
    slot.spend(Some(1));
    fail(&mut slot, &dead(), at(75));
    assert_eq!(slot.next_look(), Some(at(105)));
    assert_eq!(read(&mut slot, at(89)), "a");
    assert_eq!(read(&mut slot, at(90)), "reauthorization_required");
}

#[test]
fn a_forced_refresh_of_a_dead_grant_looks_for_a_login_elsewhere() {
    let mut slot = slot();
    read(&mut slot, at(90));
    slot.spend(Some(1));
    fail(&mut slot, &dead(), at(90));
    assert_eq!(told(slot.force(at(91))), "forced");
    assert!(slot.spend(Some(1)).is_some());
}

#[test]
fn a_forced_refresh_joins_a_flight_and_respects_a_pause() {
    let mut slot = slot();
    assert_eq!(told(slot.force(at(1))), "forced");
    assert_eq!(told(slot.force(at(1))), "wait");
    assert_eq!(read(&mut slot, at(1)), "a");
    fail(&mut slot, &down(), at(1));
    assert_eq!(told(slot.force(at(1))), "back_off");
    assert_eq!(told(slot.force(at(2))), "forced");
}

#[test]
fn only_the_token_that_was_refused_is_refused() {
    let mut slot = slot();
    let old = slot.last().unwrap().0.serial;
    slot.login(token("b", 1, 2));
    assert!(!slot.reject(old));
    assert_eq!(read(&mut slot, at(1)), "b");
    let current = slot.last().unwrap().0.serial;
    assert!(slot.reject(current));
    assert!(slot.servable().is_none());
    assert_eq!(slot.next_look(), None);
    assert_eq!(read(&mut slot, at(1)), "refused");
    assert_eq!(read(&mut slot, at(1)), "wait");
}

/// Refuses the current token at `now`, reads, and lets the flight bring another; what the reader was told.
fn refuse(slot: &mut Slot, now: SystemTime) -> String {
    slot.reject(slot.last().unwrap().0.serial);
    let told = read(slot, now);
    if slot.is_flying() {
        slot.succeed(token("another", 0, 1));
    }
    told
}

#[test]
fn refreshes_that_refusals_cause_keep_a_distance_that_doubles() {
    let mut slot = slot();
    assert_eq!(refuse(&mut slot, at(0)), "refused");
    assert_eq!(refuse(&mut slot, at(0)), "refused after 1s");
    assert_eq!(refuse(&mut slot, at(1)), "refused after 2s");
    assert_eq!(refuse(&mut slot, at(3)), "refused after 4s");
    assert_eq!(refuse(&mut slot, at(8)), "refused after 7s");
    // One that comes late enough begins anew.
    assert_eq!(refuse(&mut slot, at(32)), "refused");
    assert_eq!(refuse(&mut slot, at(32)), "refused after 1s");
}

#[test]
fn a_distance_longer_than_anybody_waits_is_an_error_at_once() {
    let mut slot = slot();
    let mut now = at(0);
    loop {
        let told = refuse(&mut slot, now);
        if told == "back_off" {
            break;
        }
        assert!(told.starts_with("refused"), "{told}");
        let ahead = slot.refusals.last.unwrap().duration_since(now).unwrap_or_default();
        now += ahead;
    }
    assert_eq!(read(&mut slot, now), "back_off");
    assert_eq!(read(&mut slot, now + 60 * SECOND), "refused");
}

#[test]
fn a_clock_that_is_set_back_ends_pauses_deaths_and_distances() {
    let mut slot = slot();
    read(&mut slot, at(90));
    fail(&mut slot, &down(), at(90));
    slot.current = None;
    assert_eq!(read(&mut slot, at(89)), "first");
    slot.spend(Some(1));
    fail(&mut slot, &dead(), at(90));
    assert_eq!(read(&mut slot, at(89)), "first");
    let mut slot = self::slot();
    assert_eq!(refuse(&mut slot, at(10_000)), "refused");
    assert_eq!(refuse(&mut slot, at(0)), "refused");
}

#[test]
fn a_login_ends_every_trouble() {
    let fails = |slot: &mut Slot, error: &Error| {
        read(slot, at(90));
        fail(slot, error, at(90))
    };
    let (mut paused, mut ended, mut refused) = (slot(), slot(), slot());
    assert!(fails(&mut paused, &down()));
    assert!(fails(&mut ended, &dead()));
    assert!(refused.reject(refused.last().unwrap().0.serial));
    for mut slot in [paused, ended, refused] {
        assert!(!slot.is_idle(at(90)));
        slot.login(token("b", 90, 2));
        assert_eq!(read(&mut slot, at(90)), "b");
        assert!(slot.is_idle(at(90)));
    }
}

#[test]
fn what_a_flight_brings_from_before_a_login_is_not_taken() {
    for generation in [2, 3] {
        let mut slot = slot();
        read(&mut slot, at(90));
        slot.login(token("login", 90, 3));
        slot.succeed(token("late", 90, generation));
        assert_eq!(read(&mut slot, at(90)), "login");
    }
}

#[test]
fn what_a_flight_makes_of_a_login_is_taken() {
    let mut slot = slot();
    read(&mut slot, at(90));
    slot.login(token("login", 90, 3));
    slot.succeed(token("b", 90, 4));
    assert_eq!(read(&mut slot, at(90)), "b");
}

#[test]
fn the_failure_of_a_flight_that_a_login_overtook_does_not_matter() {
    for error in [down(), dead()] {
        let mut slot = slot();
        read(&mut slot, at(90));
        slot.spend(Some(1));
        slot.login(token("login", 90, 2));
        assert!(!fail(&mut slot, &error, at(90)));
        assert_eq!(read(&mut slot, at(90)), "login");
        assert!(slot.is_idle(at(90)));
    }
}

#[test]
fn a_login_under_another_scope_forgets_the_token_and_what_its_flight_brings() {
    let mut slot = slot();
    read(&mut slot, at(75));
    slot.forget(2);
    assert_eq!(read(&mut slot, at(75)), "wait");
    slot.succeed(token("late", 75, 2));
    assert_eq!(read(&mut slot, at(75)), "first");
    slot.succeed(token("b", 75, 3));
    assert_eq!(read(&mut slot, at(75)), "b");
}

#[test]
fn of_two_logins_the_later_one_stays_whichever_is_told_last() {
    let mut slot = slot();
    slot.login(token("second", 0, 3));
    slot.login(token("first", 0, 2));
    assert_eq!(read(&mut slot, at(0)), "second");
    slot.forget(2);
    assert_eq!(read(&mut slot, at(0)), "second");
}

#[test]
fn a_store_that_begins_anew_with_lower_generations_is_followed() {
    let mut slot = slot();
    slot.login(token("b", 0, 9));
    assert_eq!(read(&mut slot, at(90)), "expired");
    slot.succeed(token("c", 90, 1));
    assert_eq!(read(&mut slot, at(90)), "c");
}

#[test]
fn news_is_what_the_flight_was_started_for() {
    let news = |slot: &Slot, text: &str, reason| slot.is_news(&Token::new(text), reason);
    let mut fresh = Slot::default();
    read(&mut fresh, at(0));
    assert!(news(&fresh, "a", Reason::First));
    // Somebody asked for another token than the one that the store has, and this process has not seen.
    let mut forced = Slot::default();
    forced.force(at(0));
    assert!(!news(&forced, "a", Reason::Forced));
    let mut expired = slot();
    read(&mut expired, at(90));
    assert!(!news(&expired, "a", Reason::Expired));
    assert!(news(&expired, "b", Reason::Expired));
    // A login came after the flight began: its token is news, though it is the current one.
    expired.login(token("b", 90, 2));
    assert!(news(&expired, "b", Reason::Expired));
    // But not once a server refused it.
    expired.reject(expired.last().unwrap().0.serial);
    assert!(!news(&expired, "b", Reason::Expired));
    assert!(news(&expired, "c", Reason::Expired));
}

#[test]
fn idle_is_what_the_store_could_give_back() {
    assert!(Slot::default().is_idle(at(0)));
    assert!(slot().is_idle(at(0)));
    assert!(slot().is_idle(at(1_000)), "an ended token");
    let mut flying = slot();
    read(&mut flying, at(90));
    assert!(flying.is_flying() && !flying.is_idle(at(90)));
    fail(&mut flying, &down(), at(90));
    assert!(!flying.is_flying() && !flying.is_idle(at(90)));
    assert!(flying.is_idle(at(91)));
    let mut rejected = slot();
    rejected.reject(rejected.last().unwrap().0.serial);
    assert!(!rejected.is_idle(at(0)));
}

#[test]
fn a_token_without_an_end_is_never_looked_at() {
    let mut slot = Slot::default();
    let token = Token::new("a").stamped(at(0));
    let times = settings().times(&token);
    slot.login(Arc::new(Published::new(token, 0, 1, times).unwrap()));
    assert_eq!(slot.next_look(), None);
    assert_eq!(read(&mut slot, at(1_000_000_000)), "a");
}
