//! The schedules.

use std::env;
use std::time::Duration;

use crate::token::explorer::Flaw;
use crate::token::explorer::scenario::Found;
use crate::token::explorer::scenario::Scenario;
use crate::token::explorer::world::Faults;

/// Schedules of each scenario.
const SCHEDULES: u64 = 200;

/// A process with some callers, some of whom go away.
const ONE: Scenario = Scenario {
    managers: 1,
    callers: 3,
    cancel: true,
    cancel_after: None,
    login: false,
    invalidate: false,
    force: false,
    crash: false,
    reuse_window: Duration::ZERO,
    faults: Faults { down: false, answer_lost: false, swap: false, touch: false },
    flaw: None,
};

/// Two such processes on one store.
const TWO: Scenario = Scenario { managers: 2, ..ONE };

/// Runs the schedules of a scenario, each of which has to keep every promise.
#[track_caller]
fn explore(scenario: Scenario) -> Vec<Found> {
    let number = |name: &str| env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
    let seeds = match number("EXPLORE_SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..number("EXPLORE_SCHEDULES").unwrap_or(SCHEDULES),
    };
    let run = |seed| match scenario.run(seed) {
        Ok(found) => found,
        Err(broken) => panic!("{broken}; run it again with EXPLORE_SEED={seed}"),
    };
    seeds.map(run).collect()
}

/// The first schedule that catches a manager which is broken on purpose.
fn first_to_catch(scenario: Scenario) -> Option<u64> {
    (0..SCHEDULES).find(|seed| scenario.run(*seed).is_err())
}

#[test]
fn callers_that_come_and_go_cause_one_exchange_and_lose_nothing() {
    let found = explore(ONE);
    assert!(found.iter().all(|found| found.exchanges <= 3));
    assert!(found.iter().any(|found| found.turns > 30), "there is something to choose from");
}

#[test]
fn callers_that_go_away_at_any_step_lose_nothing() {
    for step in 0..40 {
        explore_some(Scenario { cancel_after: Some(step), ..ONE });
    }
}

/// A few schedules, where another loop makes many of them.
#[track_caller]
fn explore_some(scenario: Scenario) {
    for seed in 0..25 {
        if let Err(broken) = scenario.run(seed) {
            panic!("{broken}; seed {seed}, after step {:?}", scenario.cancel_after);
        }
    }
}

#[test]
fn two_processes_on_one_store_make_one_exchange() {
    explore(TWO);
}

#[test]
fn a_login_wins_over_whatever_is_under_way() {
    explore(Scenario { login: true, ..ONE });
    explore(Scenario { login: true, ..TWO });
}

#[test]
fn a_token_that_is_no_longer_good_is_never_given_out_again() {
    explore(Scenario { invalidate: true, ..ONE });
    explore(Scenario { invalidate: true, force: true, ..TWO });
}

#[test]
fn a_store_that_conflicts_or_fails_loses_nothing() {
    let faults = Faults { swap: true, touch: true, ..Faults::default() };
    explore(Scenario { faults, ..ONE });
    explore(Scenario { faults, force: true, ..TWO });
}

#[test]
fn a_server_that_is_down_now_and_then_costs_no_grant() {
    let faults = Faults { down: true, touch: true, ..Faults::default() };
    explore(Scenario { faults, ..TWO });
}

#[test]
fn all_of_it_at_once() {
    let faults = Faults { down: true, swap: true, touch: true, ..Faults::default() };
    explore(Scenario { faults, login: true, invalidate: true, force: true, ..TWO });
}

#[test]
fn an_answer_that_is_lost_leads_to_no_second_presentation() {
    let faults = Faults { answer_lost: true, ..Faults::default() };
    explore(Scenario { faults, ..TWO });
}

#[test]
fn within_a_reuse_window_a_lost_answer_is_asked_for_again() {
    let faults = Faults { answer_lost: true, ..Faults::default() };
    explore(Scenario { faults, reuse_window: Duration::from_secs(600), ..TWO });
}

#[test]
fn a_process_that_ends_in_the_middle_costs_at_most_what_it_had_not_stored() {
    let found = explore(Scenario { crash: true, ..TWO });
    assert!(found.iter().any(|found| found.lost_by_crash), "some crash between the answer and the store");
    assert!(found.iter().any(|found| !found.lost_by_crash), "and some do not");
}

#[test]
fn within_a_reuse_window_a_crash_costs_nothing() {
    let found = explore(Scenario { crash: true, reuse_window: Duration::from_secs(600), ..TWO });
    assert!(found.iter().any(|found| found.lost_by_crash), "some crash between the answer and the store");
}

#[test]
fn a_manager_that_gives_out_what_it_has_not_stored_is_caught() {
    assert!(first_to_catch(Scenario { flaw: Some(Flaw::PublishBeforePersist), ..ONE }).is_some());
}

#[test]
fn a_manager_whose_flight_ends_with_its_caller_is_caught() {
    assert!(first_to_catch(Scenario { flaw: Some(Flaw::DropWithCaller), ..ONE }).is_some());
}

#[test]
fn a_manager_that_does_not_read_again_after_the_lease_is_caught() {
    assert!(first_to_catch(Scenario { flaw: Some(Flaw::NoReloadAfterLease), ..TWO }).is_some());
}
