//! What is told through `tracing` and `metrics`: compared with the tables of `docs/observability.md`, by name and by field.

#[path = "observability/capture.rs"]
mod capture;
#[path = "observability/document.rs"]
mod document;
#[path = "observability/linked.rs"]
mod linked;
#[path = "observability/scenario.rs"]
mod scenario;

use std::collections::BTreeMap;
use std::collections::BTreeSet;

use tower_oauth::TokenKey;
use tower_oauth::TokenManager;
use tower_oauth::token::KeyNames;
use tower_oauth::token::token_source_fn;

use capture::Capture;
use document::Document;
use scenario::KEY;
use scenario::SECRETS;

/// All that a scenario with everything in it told.
async fn told(key_names: KeyNames) -> (Capture, scenario::Shown) {
    let capture = Capture::default();
    let _subscriber = tracing::subscriber::set_default(capture.subscriber());
    let _recorder = metrics::set_default_local_recorder(capture.recorder());
    let shown = scenario::everything(key_names).await;
    (capture, shown)
}

#[tokio::test(start_paused = true)]
async fn all_that_is_told_is_in_the_tables_and_all_that_is_in_the_tables_is_told() {
    let document = Document::read();
    let (capture, _) = told(KeyNames::Hashed).await;
    same("spans", &document.spans, &capture.spans());
    same("events", &document.events, &capture.events());
    same("metrics", &document.metrics, &capture.metrics());
}

#[tokio::test(start_paused = true)]
async fn levels_types_and_units_are_those_of_the_tables() {
    let document = Document::read();
    let (capture, _) = told(KeyNames::Hidden).await;
    assert_eq!(document.levels, capture.levels());
    assert_eq!(document.kinds, capture.kinds());
    assert_eq!(document.kinds, capture.described());
}

#[tokio::test(start_paused = true)]
async fn every_value_of_a_label_is_in_the_tables() {
    let document = Document::read();
    let (capture, _) = told(KeyNames::Hidden).await;
    for (name, value) in capture.label_values() {
        let is_listed = match name.as_str() {
            "manager" => ["shop", "failing"].contains(&value.as_str()),
            "status" => value == "401",
            "method" => value == "HMAC-SHA1",
            "error_kind" => ["reauthorization_required", "unexpected_status"].contains(&value.as_str()),
            _ => document.values.contains(&value),
        };
        assert!(is_listed, "{name}={value}");
    }
}

#[tokio::test(start_paused = true)]
async fn nothing_that_is_told_is_secret_and_no_key_is_named() {
    for key_names in [KeyNames::Hidden, KeyNames::Hashed, KeyNames::HashedWith("hush-hash".into())] {
        let (capture, shown) = told(key_names).await;
        let text = capture.text();
        assert!(text.len() > 1_000);
        for secret in SECRETS.iter().copied().chain(shown.secrets.iter().map(String::as_str)).chain([KEY]) {
            assert!(!secret.is_empty() && !text.contains(secret), "{secret} was told:\n{text}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_key_is_named_where_that_was_asked_for_but_never_in_a_metric() {
    let (capture, _) = told(KeyNames::Shown).await;
    assert!(capture.text().contains(KEY));
    assert!(capture.label_values().iter().all(|(_, value)| !value.contains(KEY)));
    let (capture, _) = told(KeyNames::Hashed).await;
    let keys = capture.values("key");
    assert!(keys.iter().all(|key| key.len() == 16), "{keys:?}");
    let (capture, _) = told(KeyNames::Hidden).await;
    assert!(capture.values("key").is_empty());
}

#[tokio::test(start_paused = true)]
async fn what_is_counted_is_what_happened() {
    let (capture, _) = told(KeyNames::Hidden).await;
    let count = |name: &str, labels: &[(&str, &str)]| capture.number(name, labels);
    let manager = ("manager", "shop");
    let refreshes = "tower_oauth_refreshes_total";
    assert_eq!(count(refreshes, &[manager, ("reason", "first"), ("outcome", "refreshed")]), 1.0);
    assert_eq!(count(refreshes, &[manager, ("reason", "expired"), ("outcome", "refreshed")]), 1.0);
    assert_eq!(count(refreshes, &[manager, ("reason", "refused"), ("outcome", "refreshed")]), 1.0);
    assert_eq!(count(refreshes, &[manager, ("reason", "first"), ("outcome", "adopted")]), 1.0);
    assert_eq!(count("tower_oauth_refused_total", &[("protocol", "oauth2"), ("status", "401")]), 1.0);
    assert_eq!(count("tower_oauth_retries_total", &[("protocol", "oauth2")]), 1.0);
    assert_eq!(count("tower_oauth_retries_total", &[("protocol", "oauth1")]), 1.0);
    assert_eq!(count("tower_oauth_signatures_total", &[("placement", "header")]), 3.0);
    assert_eq!(count("tower_oauth_grants_died_total", &[manager]), 1.0);
    let failing = ("manager", "failing");
    assert_eq!(count("tower_oauth_exchanges_total", &[failing, ("outcome", "failed")]), 3.0);
    let failures = "tower_oauth_refresh_failures_total";
    assert_eq!(count(failures, &[failing, ("error_kind", "unexpected_status")]), 1.0);
    assert_eq!(count("tower_oauth_waits_total", &[failing, ("outcome", "failed")]), 1.0);
    let errors = "tower_oauth_store_errors_total";
    assert_eq!(count(errors, &[("operation", "compare_and_swap"), ("outcome", "failed")]), 2.0);
    assert_eq!(count(errors, &[("operation", "compare_and_swap"), ("outcome", "unanswered")]), 1.0);
    assert_eq!(count("tower_oauth_refused_total", &[("protocol", "oauth1"), ("status", "401")]), 1.0);
    // It was kept in memory for a while, and is stored now.
    assert_eq!(capture.most("tower_oauth_unpersisted_tokens"), 1.0);
    assert_eq!(count("tower_oauth_unpersisted_tokens", &[]), 0.0);
    // The clock is moved by hand: the oldest token that was given out was half a life old.
    assert_eq!(capture.most("tower_oauth_token_age_seconds"), 300.0);
}

#[tokio::test(start_paused = true)]
async fn a_recorder_that_comes_after_the_layer_is_told_what_follows() {
    let (layer, clock) = scenario::plain_layer();
    scenario::get(&layer).await;
    let capture = Capture::default();
    let _recorder = metrics::set_default_local_recorder(capture.recorder());
    clock.advance(std::time::Duration::from_secs(7));
    scenario::get(&layer).await;
    scenario::get(&layer).await;
    assert_eq!(capture.recorded("tower_oauth_token_age_seconds"), [7.0, 7.0]);
}

#[tokio::test(start_paused = true)]
async fn what_alerts_look_at_is_there_before_there_is_anything_to_count() {
    let capture = Capture::default();
    let _recorder = metrics::set_default_local_recorder(capture.recorder());
    let (layer, _) = scenario::plain_layer();
    scenario::get(&layer).await;
    for name in
        ["tower_oauth_grants_died_total", "tower_oauth_unpersisted_tokens", "tower_oauth_refused_total"]
    {
        assert!(capture.metrics().contains_key(name), "{name}");
        assert_eq!(capture.number(name, &[("manager", "default")]), 0.0);
    }
}

#[tokio::test(start_paused = true)]
async fn a_refresh_that_panics_is_told_as_one_that_failed() {
    let capture = Capture::default();
    let _subscriber = tracing::subscriber::set_default(capture.subscriber());
    let _recorder = metrics::set_default_local_recorder(capture.recorder());
    let source = token_source_fn(|_| async { panic!("a source that panics") });
    let manager = TokenManager::builder(source).build();
    assert!(manager.token(&TokenKey::default()).await.is_err());
    let failures = "tower_oauth_refresh_failures_total";
    assert_eq!(capture.number(failures, &[("error_kind", "abandoned")]), 1.0);
    assert!(capture.events().contains_key("refresh_failed"));
}

/// That two maps of names and their fields are the same, said so that the difference can be seen.
fn same(what: &str, table: &BTreeMap<String, BTreeSet<String>>, told: &BTreeMap<String, BTreeSet<String>>) {
    for (name, fields) in told {
        let listed = table.get(name).unwrap_or_else(|| panic!("{what}: {name} is not in the table"));
        assert_eq!(fields, listed, "{what}: fields of {name}");
    }
    for name in table.keys() {
        assert!(told.contains_key(name), "{what}: {name} is in the table, and was not told");
    }
}
