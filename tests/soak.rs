//! The example `soak`: its judge finds out clients that break their promises. That ours keep them is said by running it.

#[expect(dead_code, reason = "its `main` is not called")]
#[path = "../examples/soak/main.rs"]
mod program;

use program::Arguments;
use program::Sabotage;
use program::Wish;
use program::run;

#[test]
fn clients_that_do_not_see_the_time_pass_send_tokens_that_have_expired() {
    let line = convicted(Sabotage::Expiry);
    assert!(count(&line, "known_expired") > 0, "{line}");
    assert_eq!(count(&line, "without_token"), 0, "{line}");
}

#[test]
fn clients_that_ignore_refusals_send_tokens_that_were_refused() {
    let line = convicted(Sabotage::Refusal);
    assert!(count(&line, "known_refused") > 0 && count(&line, "errors") > 0, "{line}");
    assert_eq!(count(&line, "known_expired"), 0, "{line}");
}

#[test]
fn clients_that_send_no_token_are_noticed() {
    let line = convicted(Sabotage::Token);
    assert!(count(&line, "without_token") > 0, "{line}");
    assert_eq!(count(&line, "known_refused"), 0, "{line}");
}

#[test]
fn clients_that_do_not_wait_for_a_token_fail() {
    let line = convicted(Sabotage::Errors);
    assert!(count(&line, "errors") > 0, "{line}");
    assert_eq!(count(&line, "without_token"), 0, "{line}");
}

#[test]
fn arguments_that_make_no_sense_are_refused() {
    for arguments in [
        &["--seconds"][..],
        &["--seconds", "0"],
        &["--seconds", "soon"],
        &["--clients", "5000"],
        &["--sabotage", "everything"],
        &["--verbose"],
        &["60"],
    ] {
        let parsed = Arguments::parse(arguments.iter().map(|&argument| argument.to_owned()));
        assert!(parsed.is_err(), "{arguments:?}");
    }
    let help = Arguments::parse(["--seconds", "5", "--help"].map(str::to_owned).into_iter());
    assert!(matches!(help, Ok(Wish::Help)));
}

/// The last line of a soak whose clients are broken on purpose.
fn convicted(sabotage: Sabotage) -> String {
    let options = ["--seconds", "2", "--clients", "16", "--seed", "1"].map(str::to_owned);
    let Ok(Wish::Run(mut arguments)) = Arguments::parse(options.into_iter()) else {
        panic!("arguments as they should be");
    };
    arguments.sabotage = Some(sabotage);
    let (line, ok) = run(&arguments).unwrap();
    assert!(!ok && line.starts_with("soak: BROKEN "), "{line}");
    line
}

fn count(line: &str, name: &str) -> u64 {
    let count = line.split(' ').find_map(|word| word.strip_prefix(&format!("{name}=")));
    count.unwrap_or_else(|| panic!("no {name}: {line}")).parse().unwrap()
}
