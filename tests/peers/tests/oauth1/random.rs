//! Random requests in every way to sign.
//!
//! `PEER_SEED` in the environment repeats a run, `PEER_REQUESTS` sets the number of requests.

use tower::Layer;
use tower_oauth::oauth1::Placement;
use tower_oauth_peers::dice::Dice;
use tower_oauth_peers::http_client::http_client;
use tower_oauth_peers::oauth1::Account;
use tower_oauth_peers::process::Peer;
use tower_oauth_peers::requests;
use tower_oauth_peers::requests::Draft;
use tower_oauth_peers::requests::Grows;

use crate::AS_THEY_COME;
use crate::STRICT;
use crate::layer;
use crate::send;
use crate::signatures::Counts;
use crate::signatures::Method;
use crate::signatures::signature_method;
use crate::signatures::ways;

/// How many random requests each pair of verifiers gets, unless `PEER_REQUESTS` says otherwise: fifty for each
/// way to sign.
const REQUESTS: usize = 1050;

/// Random accounts among which the random requests are shared out.
const ACCOUNTS: usize = 12;

#[tokio::test]
async fn every_odd_request_satisfies_both_strict_verifiers() {
    let mut dice = Dice::for_test("odd requests");
    let mut accounts = vec![Account::well_known(), Account::well_known().two_legged()];
    for number in 0..ACCOUNTS {
        let account = requests::odd_account(&mut dice, number);
        for verifier in &*STRICT {
            account.register(verifier).await;
        }
        accounts.push(account);
    }
    let draw = |dice: &mut Dice, _: Method, placement: Placement| {
        let account = accounts[dice.below(accounts.len())].clone();
        let draft = match placement {
            Placement::Form => requests::odd_form_request(dice, &account),
            _ => requests::odd(dice, &account),
        };
        (account, draft)
    };
    random_requests(&*STRICT, dice, draw).await;
}

#[tokio::test]
async fn every_ordinary_request_satisfies_both_libraries_as_they_come() {
    let dice = Dice::for_test("ordinary requests");
    for verifier in &*AS_THEY_COME {
        Account::plain().register(verifier).await;
    }
    let draw = |dice: &mut Dice, method: Method, placement: Placement| {
        // oauthlib decodes the parameters of a query or a form twice: it refuses a signature by PLAINTEXT
        // there, its own too, if a secret needs escaping.
        let account = if method == "PLAINTEXT" { Account::plain() } else { Account::well_known() };
        let account = if dice.once_in(2) { account } else { account.two_legged() };
        let draft = match placement {
            Placement::Form => requests::ordinary_form_request(dice, &account),
            _ => requests::ordinary(dice, &account),
        };
        (account, draft)
    };
    random_requests(&*AS_THEY_COME, dice, draw).await;
}

/// Sends each request to each verifier and fails with the first few that were refused or changed on the way.
async fn random_requests(
    verifiers: &[Peer],
    mut dice: Dice,
    draw: impl Fn(&mut Dice, Method, Placement) -> (Account, Draft),
) {
    let count = match std::env::var("PEER_REQUESTS") {
        Ok(number) => number.parse().expect("PEER_REQUESTS is a number"),
        Err(_) => REQUESTS,
    };
    let http = http_client();
    let ways: Vec<_> = ways().collect();
    let mut accepted = Counts::default();
    let mut failures = Vec::new();
    for number in 0..count {
        let (method, placement) = ways[number % ways.len()];
        let (account, draft) = draw(&mut dice, method, placement);
        for verifier in verifiers {
            let layer = layer(verifier, &account).signature_method(signature_method(method));
            let service = layer.placement(placement).layer(http.clone());
            let report = send(verifier, service, &draft).await;
            let problem = match draft.changed_on_the_way(grows(placement), &report) {
                _ if !report.is_accepted() => "refused".to_owned(),
                _ if report.parameter("oauth_signature_method") != Some(method) => {
                    "another method".to_owned()
                }
                Some(change) => change,
                None => {
                    accepted.add(method, placement, verifier.name());
                    continue;
                }
            };
            let name = verifier.name();
            failures.push(format!(
                "request {number}, {name}, {method}, {placement:?}: {problem}\n{draft:?}\n{report}"
            ));
        }
    }
    println!("accepted random requests:\n{accepted}");
    let shown = failures.iter().take(3).cloned().collect::<Vec<_>>().join("\n\n");
    assert!(failures.is_empty(), "{} of {count} requests failed; the first:\n\n{shown}", failures.len());
    for verifier in verifiers {
        assert_eq!(accepted.of(verifier.name()), count);
    }
}

/// What a placement makes longer.
fn grows(placement: Placement) -> Grows {
    match placement {
        Placement::Query => Grows::Target,
        Placement::Form => Grows::Body,
        _ => Grows::Headers,
    }
}
