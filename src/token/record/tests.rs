use super::*;

fn token(text: &str) -> Token {
    Token::new(text).expires_in(Duration::from_secs(60)).stamped(UNIX_EPOCH + Duration::from_secs(1_000))
}

#[test]
fn an_exchange_that_names_no_refresh_token_keeps_the_one_before() {
    let login = Record::login(0, false, AccessScope::new(), token("a").with_refresh_token("r1"));
    let kept = Record::after_exchange(Some(&login), &AccessScope::new(), token("b"));
    assert_eq!(kept.refresh_token(), Some(&Secret::new("r1")));
    let empty = Record::after_exchange(Some(&kept), &AccessScope::new(), token("c").with_refresh_token(""));
    assert_eq!(empty.refresh_token(), Some(&Secret::new("r1")));
    let rotated =
        Record::after_exchange(Some(&empty), &AccessScope::new(), token("d").with_refresh_token("r2"));
    assert_eq!(rotated.refresh_token(), Some(&Secret::new("r2")));
    assert_eq!(rotated.generation(), 4);
}

#[test]
fn access_tokens_of_other_scopes_stay() {
    let read = AccessScope::new().scope("read");
    let one = Record::after_exchange(None, &AccessScope::new(), token("a"));
    let two = Record::after_exchange(Some(&one), &read, token("b"));
    let three = Record::after_exchange(Some(&two), &read, token("c"));
    assert_eq!(three.tokens().count(), 2);
    assert_eq!(three.token(&read).map(|token| token.access_token().expose()), Some("c"));
    assert_eq!(three.token(&AccessScope::new()).map(|token| token.access_token().expose()), Some("a"));
}

#[test]
fn access_tokens_that_have_ended_leave_with_the_next_exchange() {
    let read = AccessScope::new().scope("read");
    let one = Record::after_exchange(None, &read, token("a"));
    let later = |second| Token::new("b").stamped(UNIX_EPOCH + Duration::from_secs(second));
    let soon = Record::after_exchange(Some(&one), &AccessScope::new(), later(1_059));
    assert_eq!(soon.tokens().count(), 2);
    let ended = Record::after_exchange(Some(&one), &AccessScope::new(), later(1_060));
    assert_eq!(ended.tokens().count(), 1);
}

#[test]
fn a_record_survives_the_way_through_json() {
    let scope = AccessScope::new().scope("read write").resource("urn:api");
    let token =
        token("a").with_refresh_token("r").with_scope(["read"]).with_extra("instance_url", "https://x.test");
    let exchanged = Record::after_exchange(None, &scope, token.clone());
    let dead = exchanged.with_death();
    for record in [exchanged, dead, Record::login(3, false, scope, token)] {
        let json = record.to_json();
        assert_eq!(Record::from_json(json.expose()).unwrap(), record);
    }
}

#[test]
fn a_refresh_token_that_was_refused_is_dead_until_another_takes_its_place() {
    let login = Record::login(0, true, AccessScope::new(), token("a").with_refresh_token("r1"));
    let dead = login.with_death();
    assert!(!login.is_dead() && dead.is_dead());
    assert_eq!(dead.generation(), 2);
    assert!(Record::after_exchange(Some(&dead), &AccessScope::new(), token("b")).is_dead());
    let rotated = token("b").with_refresh_token("r2");
    assert!(!Record::after_exchange(Some(&dead), &AccessScope::new(), rotated).is_dead());
    assert!(!dead.without_refresh_token().is_dead());
}

#[test]
fn what_cannot_be_read_is_an_error_that_shows_nothing_of_it() {
    let error = Record::from_json(r#"{"version":1,"generation":"hunter2"}"#).unwrap_err();
    assert!(!format!("{error} {error:?}").contains("hunter2"));
    let newer = Record::from_json(r#"{"version":9,"generation":1}"#).unwrap_err();
    assert!(newer.to_string().contains("version 9"), "{newer}");
}

#[test]
fn a_number_that_is_too_large_costs_nothing() {
    let json = r#"{"version":1,"generation":3,"refresh_token":"r","tokens":[{"access_token":"a","token_type":"Bearer",
        "extra":{"limit":1e400,"text":"1e400","deep":[-1e999]}}]}"#;
    let record = Record::from_json(json).unwrap();
    assert_eq!(record.refresh_token(), Some(&Secret::new("r")));
    let token = record.token(&AccessScope::new()).unwrap();
    assert_eq!(token.extra("limit").and_then(Value::as_str), Some("1e400"));
    assert_eq!(Record::from_json(record.to_json().expose()).unwrap(), record);
}

#[test]
fn a_record_from_before_rotation_was_noted_is_read() {
    let record = Record::from_json(r#"{"version":1,"generation":3,"refresh_token":"r"}"#).unwrap();
    assert!(!record.rotates());
    assert_eq!(record.intent_at(), None);
}

#[test]
fn a_server_that_gives_another_refresh_token_is_seen_to_rotate_and_stays_so() {
    let scope = AccessScope::new();
    let login = Record::login(0, false, scope.clone(), token("a").with_refresh_token("r1"));
    let same = Record::after_exchange(Some(&login), &scope, token("b").with_refresh_token("r1"));
    assert!(!login.rotates() && !same.rotates());
    let rotated = Record::after_exchange(Some(&same), &scope, token("c").with_refresh_token("r2"));
    let kept = Record::after_exchange(Some(&rotated), &scope, token("d"));
    assert!(rotated.rotates() && kept.rotates());
    assert!(Record::from_json(kept.to_json().expose()).unwrap().rotates());
}

#[test]
fn an_intent_survives_json_and_ends_with_the_next_exchange() {
    let scope = AccessScope::new();
    let login = Record::login(0, false, scope.clone(), token("a").with_refresh_token("r1"));
    let now = UNIX_EPOCH + Duration::from_millis(1_234_567);
    let intent = login.with_intent(now + Duration::from_nanos(89));
    assert_eq!((intent.intent_at(), intent.generation()), (Some(now), 2));
    let read = Record::from_json(intent.to_json().expose()).unwrap();
    assert!(read == intent && read.is_same_write(&intent) && !read.is_same_write(&login));
    assert_eq!(read.without_intent().intent_at(), None);
    let next = Record::after_exchange(Some(&read), &scope, token("b"));
    assert_eq!((next.intent_at(), next.generation()), (None, 3));
    assert!(
        !intent.to_json().expose().contains("r1\",\"intent\":{\"r1"),
        "it says which token, not what it is"
    );
}

#[test]
fn tokens_that_never_end_are_kept_up_to_a_bound() {
    let mut record = None;
    for number in 0..TOKENS as u64 + 50 {
        let scope = AccessScope::new().scope(&format!("scope-{number}"));
        let token = Token::new("t").stamped(UNIX_EPOCH + Duration::from_secs(number));
        record = Some(Record::after_exchange(record.as_ref(), &scope, token));
    }
    let record = record.unwrap();
    assert_eq!(record.tokens().count(), TOKENS);
    assert!(record.token(&AccessScope::new().scope("scope-49")).is_none(), "the oldest leave");
    assert!(record.token(&AccessScope::new().scope("scope-50")).is_some());
    crate::defaults::assert_documented("access tokens that the record of one key keeps", TOKENS);
}
