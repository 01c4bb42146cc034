//! Answers with a byte changed, taken out, put in or repeated: nothing panics, and no token comes out that is not the one
//! that was in there.

use std::sync::Arc;
use std::sync::Mutex;

use tower_oauth::ClientAuth;
use tower_oauth::Token;
use tower_oauth::endpoint::ResponseRules;
use tower_oauth::endpoint::TokenEndpoint;
use tower_oauth::grant::ExtensionGrant;
use tower_oauth::provider;
use tower_oauth::token::Reason;
use tower_oauth::token::TokenSource;

use crate::Played;
use crate::samples;

/// Dice that fall the same way each time.
struct Dice(u64);

impl Dice {
    fn below(&mut self, limit: usize) -> usize {
        // SplitMix64.
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut bits = self.0;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((bits ^ (bits >> 31)) % limit as u64).unwrap()
    }
}

/// `body` with one byte that is another, is missing, is new, or comes twice.
fn mutated(dice: &mut Dice, body: &str) -> Vec<u8> {
    let mut bytes = body.as_bytes().to_vec();
    let place = dice.below(bytes.len());
    const TELLING: &[u8] = b"{}[]\",:=&\\0123456789-+.eE \n\t<>%#/ntfu_aA\x00\x7f\x80\xff";
    let byte = match dice.below(3) {
        0 => u8::try_from(dice.below(256)).unwrap(),
        _ => TELLING[dice.below(TELLING.len())],
    };
    match dice.below(6) {
        0..=2 => bytes[place] = byte,
        3 => drop(bytes.remove(place)),
        4 => bytes.insert(place, byte),
        _ => bytes.insert(place, bytes[place]),
    }
    bytes
}

/// As far as one byte can change a text: one that becomes a part of an escape changes those after it too. Two tokens are
/// farther from each other.
const NEAR: usize = 5;

/// How many letters have to be changed, taken out or put in to make one text of the other.
fn distance(left: &str, right: &str) -> usize {
    let right: Vec<char> = right.chars().collect();
    let mut row: Vec<usize> = (0..=right.len()).collect();
    for (i, letter) in left.chars().enumerate() {
        let mut diagonal = std::mem::replace(&mut row[0], i + 1);
        for (j, other) in right.iter().enumerate() {
            let change = diagonal + usize::from(letter != *other);
            diagonal = row[j + 1];
            row[j + 1] = change.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[right.len()]
}

#[test]
fn the_tokens_of_the_samples_are_far_from_each_other() {
    for sample in samples::ALL {
        let refresh_token = sample.refresh_token.unwrap_or_default();
        assert!(distance(sample.access_token, refresh_token) > 2 * NEAR, "{}", sample.provider);
    }
}

#[test]
fn a_distance_counts_letters() {
    assert_eq!(
        [distance("abc", "abc"), distance("abc", "axc"), distance("abc", "ab"), distance("", "ab")],
        [0, 1, 1, 2]
    );
}

/// A grant whose answers are read by `rules`, and who answers.
fn grant(rules: ResponseRules) -> (ExtensionGrant, Played) {
    let played = Played::new();
    let auth = ClientAuth::none("id");
    let endpoint = TokenEndpoint::new("https://auth.test/token", auth, played.clone()).unwrap();
    (ExtensionGrant::at(endpoint.response_rules(rules), "any"), played)
}

/// What a source answers, without a manager.
struct Asked<S>(S, Arc<Mutex<Option<Token>>>);

impl<S: TokenSource> TokenSource for Asked<S> {
    async fn token(&self, request: tower_oauth::token::SourceRequest) -> Result<Token, tower_oauth::Error> {
        assert_eq!(request.reason(), Reason::Forced);
        let answer = self.0.token(request).await;
        *self.1.lock().unwrap() = answer.as_ref().ok().cloned();
        answer
    }
}

async fn outcomes(
    rules: ResponseRules,
    bodies: impl Iterator<Item = Vec<u8>>,
    mut check: impl FnMut(&[u8], Option<Token>),
) {
    let (grant, played) = grant(rules);
    let answer = Arc::new(Mutex::new(None));
    let source = Asked(grant, Arc::clone(&answer));
    let manager = tower_oauth::TokenManager::builder(source).build();
    let login = Token::new("another token").expires_in(crate::seconds(3600));
    for body in bodies {
        // A new grant each time, so that none has to wait for the failure of the one before.
        let key = tower_oauth::TokenKey::new(format!("{}", played.count()));
        let _ = manager.put(&key, login.clone()).await;
        played.says(200, body.clone());
        let _ = manager.refresh(&key).await;
        check(&body, answer.lock().unwrap().take());
    }
}

const ROUNDS: usize = 150;

#[tokio::test(start_paused = true)]
async fn a_mutated_token_is_that_token_or_none() {
    let mut dice = Dice(1);
    let mut tokens = 0;
    for sample in samples::ALL {
        let bodies: Vec<_> = (0..ROUNDS).map(|_| mutated(&mut dice, sample.body)).collect();
        outcomes(ResponseRules::lenient(), bodies.into_iter(), |body, token| {
            let Some(token) = token else { return };
            tokens += 1;
            let shown = String::from_utf8_lossy(body);
            let access_token = token.access_token().expose();
            let is_near = access_token.is_empty() || distance(access_token, sample.access_token) <= NEAR;
            assert!(is_near, "{}: {access_token} from {shown}", sample.provider);
            if let Some(refresh_token) = token.refresh_token() {
                let original =
                    sample.refresh_token.unwrap_or_else(|| panic!("{} from {shown}", sample.provider));
                assert!(distance(refresh_token.expose(), original) <= NEAR, "{}: {shown}", sample.provider);
            }
            assert!(!access_token.is_empty() || token.refresh_token().is_some(), "{shown}");
        })
        .await;
    }
    assert!(tokens > samples::ALL.len() * ROUNDS / 10, "most mutations of values leave a token: {tokens}");
}

#[tokio::test(start_paused = true)]
async fn a_mutated_refusal_never_becomes_a_token() {
    let mut dice = Dice(2);
    for body in samples::REFUSALS {
        let bodies: Vec<_> = (0..4 * ROUNDS).map(|_| mutated(&mut dice, body)).collect();
        outcomes(ResponseRules::lenient(), bodies.into_iter(), |body, token| {
            assert!(token.is_none(), "{:?}", String::from_utf8_lossy(body));
        })
        .await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_nested_token_is_never_replaced_by_the_one_around_it() {
    let mut dice = Dice(3);
    let bodies: Vec<_> = (0..20 * ROUNDS).map(|_| mutated(&mut dice, samples::SLACK)).collect();
    let mut tokens = 0;
    outcomes(provider::slack_user().response_rules, bodies.into_iter(), |body, token| {
        let Some(token) = token else { return };
        tokens += 1;
        let near = distance(token.access_token().expose(), "xoxp-23Gd6RfTy1cJ");
        assert!(near <= NEAR, "{:?}", String::from_utf8_lossy(body));
    })
    .await;
    assert!(tokens > ROUNDS);
}

#[tokio::test(start_paused = true)]
async fn every_byte_of_a_plain_answer_may_be_any_other() {
    let good = r#"{"access_token":"AAAAAAAAAAAAAAAA","refresh_token":"BBBBBBBBBBBBBBBB","id_token":"CCCCCCCCCCCC","scope":"a=b&access_token=DDDDDDDDDDDD","expires_in":60}"#;
    let places = (0..good.len()).flat_map(|place| {
        (0..=255u8).step_by(17).chain(*b"{}[]\",:=&\\<> \n").map(move |byte| {
            let mut bytes = good.as_bytes().to_vec();
            bytes[place] = byte;
            bytes
        })
    });
    for rules in [ResponseRules::lenient(), ResponseRules::strict()] {
        outcomes(rules, places.clone(), |body, token| {
            let Some(token) = token else { return };
            let (access, shown) = (token.access_token().expose(), String::from_utf8_lossy(body));
            assert!(access.is_empty() || distance(access, "AAAAAAAAAAAAAAAA") <= NEAR, "{shown}");
            let refresh = token.refresh_token().map(|token| token.expose().to_owned());
            assert!(refresh.is_none_or(|refresh| distance(&refresh, "BBBBBBBBBBBBBBBB") <= NEAR), "{shown}");
        })
        .await;
    }
}
