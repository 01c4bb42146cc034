//! What is particular to Redis.

use std::time::Duration;

use tower_oauth::store::RedisStore;
use tower_oauth::token::TokenStore;

use crate::generation;
use crate::put;
use crate::record;
use crate::redis_connection;
use crate::unique;

#[tokio::test]
async fn prefixes_are_kept_apart() {
    let connection = redis_connection().await;
    let store = |prefix: &str| RedisStore::new(connection.clone()).prefix(prefix);
    let (one, other) = (store(&unique("one:")), store(&unique("other:")));
    put(&one, "alice", None, 1).await;
    assert_eq!(generation(&other, "alice").await, None);
    assert!(one.lease(&"alice".into(), "one", Duration::from_secs(60)).await.unwrap());
    assert!(other.lease(&"alice".into(), "other", Duration::from_secs(60)).await.unwrap());
}

#[tokio::test]
async fn a_record_is_forgotten_some_time_after_its_last_change_if_that_is_asked_for() {
    let (mut connection, prefix) = (redis_connection().await, unique("ttl:"));
    let name = format!("{prefix}record:alice");
    let forgetful = RedisStore::new(connection.clone()).prefix(&prefix).forget_after(Duration::from_secs(90));
    let life = async |connection: &mut redis::aio::ConnectionManager| -> i64 {
        redis::cmd("PTTL").arg(&name).query_async(connection).await.unwrap()
    };
    put(&forgetful, "alice", None, 1).await;
    assert!((1..=90_000).contains(&life(&mut connection).await));
    redis::cmd("PEXPIRE").arg(&name).arg(50_000).exec_async(&mut connection).await.unwrap();
    put(&forgetful, "alice", Some(1), 2).await;
    assert!((50_001..=90_000).contains(&life(&mut connection).await));
    // Who keeps records for ever keeps those of others, too.
    put(&RedisStore::new(connection.clone()).prefix(&prefix), "alice", Some(2), 3).await;
    assert_eq!(life(&mut connection).await, -1);
}

#[tokio::test]
async fn what_is_no_record_is_an_error_that_shows_nothing_of_it_and_is_never_replaced() {
    let (mut connection, prefix) = (redis_connection().await, unique("foreign:"));
    let store = RedisStore::new(connection.clone()).prefix(&prefix);
    let name = format!("{prefix}record:alice");
    for command in [
        &["SET", &name, "hunter2"][..],
        &["HSET", &name, "hunter2", "hunter2"],
        &["HSET", &name, "record", "hunter2"],
        &["HSET", &name, "generation", "1", "record", "hunter2"],
        &["HSET", &name, "generation", "1"],
        &["HSET", &name, "generation", "hunter2", "record", "{}"],
        &[
            "HSET",
            &name,
            "generation",
            "2",
            "record",
            r#"{"version":1,"generation":1,"refresh_token":"hunter2"}"#,
        ],
        &[
            "HSET",
            &name,
            "generation",
            "1",
            "record",
            r#"{"version":2,"generation":1,"refresh_token":"hunter2"}"#,
        ],
    ] {
        redis::cmd(command[0]).arg(&command[1..]).exec_async(&mut connection).await.unwrap();
        let dump: Vec<u8> = redis::cmd("DUMP").arg(&name).query_async(&mut connection).await.unwrap();
        let has_fields = !command.contains(&"HSET") || command[2] != "hunter2";
        let first = store.compare_and_swap(&"alice".into(), None, &record(1)).await.unwrap_err();
        let mut errors = vec![first];
        errors.extend(store.load(&"alice".into()).await.err());
        assert!(errors.len() == 2 || !has_fields, "{command:?} was loaded");
        for error in errors {
            assert!(!format!("{error} {error:?}").contains("hunter2"), "{error:?}");
        }
        let after: Vec<u8> = redis::cmd("DUMP").arg(&name).query_async(&mut connection).await.unwrap();
        assert_eq!(after, dump, "{command:?}");
        redis::cmd("DEL").arg(&name).exec_async(&mut connection).await.unwrap();
    }
}

#[tokio::test]
async fn it_goes_on_when_the_server_has_forgotten_its_scripts() {
    let mut connection = redis_connection().await;
    let store = RedisStore::new(connection.clone()).prefix(&unique("scripts:"));
    put(&store, "alice", None, 1).await;
    redis::cmd("SCRIPT").arg("FLUSH").exec_async(&mut connection).await.unwrap();
    put(&store, "alice", Some(1), 2).await;
    assert_eq!(generation(&store, "alice").await, Some(2));
}
