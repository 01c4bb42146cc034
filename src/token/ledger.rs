//! What this process knows of a grant's refresh token, beyond what the store says.

use std::time::Duration;
use std::time::SystemTime;

use crate::error::Error;
use crate::secret::Secret;
use crate::token::Record;

/// Which refresh token is dead, and which one was presented without an answer.
#[derive(Default)]
pub(super) struct Ledger {
    dead: Option<(Secret, Error)>,
    unanswered: Option<(Secret, SystemTime)>,
}

impl Ledger {
    /// The refusal of this refresh token, which is not presented a second time.
    pub(super) fn death_of(&self, refresh_token: &Secret) -> Option<Error> {
        self.dead.as_ref().filter(|(dead, _)| dead == refresh_token).map(|(_, error)| error.clone())
    }

    /// The server refused this refresh token for good.
    pub(super) fn bury(&mut self, refresh_token: &Secret, error: &Error) {
        self.dead = Some((refresh_token.clone(), error.clone()));
    }

    /// This refresh token is about to be presented. Until [`answered`](Self::answered), it may be spent. Says whether
    /// this is the first time, as long as the answer is open.
    pub(super) fn present(&mut self, refresh_token: &Secret, now: SystemTime) -> bool {
        // The first time counts: from then on the server's patience with it runs.
        let is_first = self.presented_at(refresh_token).is_none();
        if is_first {
            self.unanswered = Some((refresh_token.clone(), now));
        }
        is_first
    }

    /// The server answered, or was never reached.
    pub(super) fn answered(&mut self, refresh_token: &Secret) {
        self.unanswered.take_if(|(presented, _)| presented == refresh_token);
    }

    /// When this refresh token was presented without an answer.
    pub(super) fn presented_at(&self, refresh_token: &Secret) -> Option<SystemTime> {
        self.unanswered.as_ref().filter(|(presented, _)| presented == refresh_token).map(|(_, at)| *at)
    }

    /// Whether forgetting it would lose something that the store does not have.
    pub(super) fn is_empty(&self) -> bool {
        self.dead.is_none() && self.unanswered.is_none()
    }
}

/// Since when the refresh token of a record may be spent without anybody knowing: as this process remembers, or as
/// another wrote down before it presented it.
pub(super) fn unanswered_since(ledger: &Ledger, record: &Record) -> Option<SystemTime> {
    let here = ledger.presented_at(record.refresh_token()?);
    let elsewhere = record.intent_at();
    [here, elsewhere].into_iter().flatten().min()
}

/// Whether the refresh token of a record, presented at `since` without an answer, may be presented again at `now`.
///
/// A server that rotates may have spent it, and takes it a second time only for a while, if at all; other servers take
/// it as often as they like.
pub(super) fn may_present_again(
    record: &Record,
    since: SystemTime,
    now: SystemTime,
    reuse_window: Duration,
) -> bool {
    if reuse_window.is_zero() && !record.rotates() {
        return true;
    }
    // The clocks of two hosts differ a little, and a clock may be set back: a moment ahead is as far away as one behind.
    let distance = now.duration_since(since).unwrap_or_else(|ahead| ahead.duration());
    distance < reuse_window
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::token::AccessScope;
    use crate::token::Token;

    const MINUTE: Duration = Duration::from_secs(60);

    fn at(minute: u32) -> SystemTime {
        SystemTime::UNIX_EPOCH + MINUTE * 1_000 + MINUTE * minute
    }

    fn record(rotates: bool) -> Record {
        Record::login(0, rotates, AccessScope::new(), Token::new("a").with_refresh_token("r"))
    }

    #[test]
    fn the_first_presentation_counts_until_an_answer_comes() {
        let (mut ledger, one, other) = (Ledger::default(), Secret::new("r"), Secret::new("s"));
        assert!(ledger.present(&one, at(1)));
        assert!(!ledger.present(&one, at(2)));
        assert_eq!(ledger.presented_at(&one), Some(at(1)));
        assert_eq!(ledger.presented_at(&other), None);
        ledger.answered(&other);
        assert!(!ledger.is_empty());
        ledger.answered(&one);
        assert!(ledger.is_empty());
    }

    #[test]
    fn only_the_refresh_token_that_was_refused_is_dead() {
        let mut ledger = Ledger::default();
        ledger.bury(&Secret::new("r"), &Error::reauthorization_required("gone"));
        assert!(ledger.death_of(&Secret::new("r")).is_some());
        assert!(ledger.death_of(&Secret::new("s")).is_none());
    }

    #[test]
    fn what_another_process_wrote_down_counts_if_it_was_earlier() {
        let announced = record(false).with_intent(at(3));
        let mut ledger = Ledger::default();
        assert_eq!(unanswered_since(&ledger, &record(false)), None);
        assert_eq!(unanswered_since(&ledger, &announced), Some(at(3)));
        ledger.present(&Secret::new("r"), at(5));
        assert_eq!(unanswered_since(&ledger, &announced), Some(at(3)));
        assert_eq!(unanswered_since(&ledger, &record(false)), Some(at(5)));
    }

    #[test]
    fn a_window_that_is_declared_holds_whatever_was_seen() {
        for rotates in [false, true] {
            let may = |minute| may_present_again(&record(rotates), at(10), at(minute), 10 * MINUTE);
            assert!(may(10) && may(19) && !may(20) && !may(39));
            // A clock that is a little behind, and one that was set back.
            assert!(may(9) && !may(0));
        }
    }

    #[test]
    fn without_one_a_server_that_rotates_has_none_and_another_may_be_asked_at_any_time() {
        let may = |rotates, minute| may_present_again(&record(rotates), at(0), at(minute), Duration::ZERO);
        assert!(may(false, 0) && may(false, 1_000));
        assert!(!may(true, 0) && !may(true, 1_000));
    }
}
