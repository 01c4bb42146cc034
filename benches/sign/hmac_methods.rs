//! The HMAC methods.
//!
//! The ratios against L2 are those of `Signer::sign_parts`: from the head of an `http::Request`, and its body, to the
//! header that is on it. What the layer does beyond that is measured beside it, with its defaults, and has no goal here:
//! it looks at the origin, reads the body of a form, keeps a copy of the request for a server whose clock differs, and
//! looks at the response. That takes longer than the signature, and is not hidden in its ratio.
//!
//! The peers sign with HMAC-SHA1 only: none of them knows HMAC-SHA256.

use hmac::KeyInit;
use hmac::Mac;
use tower_oauth::oauth1::HmacSha1;
use tower_oauth::oauth1::HmacSha256;
use tower_oauth::oauth1::Placement;
use tower_oauth::oauth1::SignatureMethod;
use tower_oauth::oauth1::Signer;
use tower_oauth_benches::Contest;
use tower_oauth_benches::Goal;
use tower_oauth_benches::Ratios;
use tower_oauth_benches::Standings;

use crate::case::Case;
use crate::check::verify;
use crate::limit::L0;
use crate::limit::L2;
use crate::limit::Sha1Mac;
use crate::limit::Sha256Mac;
use crate::ours::Again;
use crate::ours::Leaf;
use crate::ours::NONCE;
use crate::ours::SECONDS;
use crate::ours::call;
use crate::ours::fixed;
use crate::ours::layered;
use crate::ours::signer;
use crate::peers::Reqwest;
use crate::peers::oauth_1a;
use crate::peers::oauth1_request;

const LIMIT_0: &str = "L0: HMAC of the base string";
const LIMIT_2: &str = "L2: + base64, nonce, clock, header";
const SIGNER: &str = "tower-oauth, Signer";
const QUERY: &str = "tower-oauth, Signer, into the query";
const LAYER: &str = "tower-oauth, layer, with the request";
const LEAF: &str = "the request alone";
const OAUTH1_REQUEST: &str = "oauth1-request";
const OAUTH_1A: &str = "oauth-1a";
const REQWEST_OAUTH1: &str = "reqwest-oauth1, with the request";
const REQWEST: &str = "reqwest, the request alone";

pub fn measure(ratios: &mut Ratios) {
    for (case, goal) in [(Case::a(), 1.6), (Case::b(), 1.6), (Case::c(), 2.65)] {
        let name = case.name.to_lowercase();
        let standings = contest::<Sha1Mac>(&case, HmacSha1, true);
        ratios.add(format!("sign_{name}"), standings.ratio(SIGNER, LIMIT_2), Goal::AtMost(goal));
        if name == "a" {
            let other = standings.ratio(OAUTH1_REQUEST, SIGNER);
            ratios.add("sign_vs_oauth1_request_a", other, Goal::AtLeast(2.2));
            let other = standings.ratio_beyond(REQWEST_OAUTH1, REQWEST, SIGNER);
            ratios.add("sign_vs_reqwest_oauth1_a", other, Goal::AtLeast(4.0));
        }
        contest::<Sha256Mac>(&case, HmacSha256, false);
    }
    let most = [Case::a(), Case::b(), Case::with_parameters(16)].map(|case| {
        let mut again = Again::new(signer(), &case);
        again.header();
        tower_oauth_benches::allocations(|| drop(again.header()))
    });
    let most = most.into_iter().max().unwrap_or_default();
    ratios.add("sign_allocations", most as f64, Goal::AtMost(1.0));
}

/// How many times L2 each takes.
fn compare(standings: &Standings, with_peers: bool) {
    println!("  in multiples of L2");
    let row = |name: &str, ratio: f64| println!("  {name:<42} {ratio:>10.2}");
    row(SIGNER, standings.ratio(SIGNER, LIMIT_2));
    row(QUERY, standings.ratio(QUERY, LIMIT_2));
    row("tower-oauth, layer, request subtracted", standings.ratio_beyond(LAYER, LEAF, LIMIT_2));
    if with_peers {
        row(OAUTH1_REQUEST, standings.ratio(OAUTH1_REQUEST, LIMIT_2));
        row(OAUTH_1A, standings.ratio(OAUTH_1A, LIMIT_2));
        let ratio = standings.ratio_beyond(REQWEST_OAUTH1, REQWEST, LIMIT_2);
        row("reqwest-oauth1, request subtracted", ratio);
    }
}

fn contest<M>(case: &Case, method: impl SignatureMethod + Clone, with_peers: bool) -> Standings
where
    M: Mac + KeyInit + Clone,
{
    let signer = || signer().signature_method(method.clone());
    let (l0, l2) = limits::<M>(case, &method, signer());
    let mut contest = Contest::new(format!("{}, {}", case.name, method.name()));

    contest.enter(LIMIT_0, || l0.digest());
    contest.enter(LIMIT_2, || l2.header());
    let mut again = Again::new(signer(), case);
    verify(SIGNER, signer(), case, &again.header());
    contest.enter(SIGNER, move || again.header());
    let mut again = Again::new(signer().placement(Placement::Query), case);
    contest.enter(QUERY, move || again.query());
    let mut layer = layered(signer());
    contest.enter(LAYER, move || call(&mut layer, case.request()));
    contest.enter(LEAF, || call(&mut Leaf, case.request()));
    if with_peers {
        let sign = oauth1_request(case);
        verify(OAUTH1_REQUEST, signer(), case, &sign());
        contest.enter(OAUTH1_REQUEST, sign);
        let mut sign = oauth_1a(case);
        verify(OAUTH_1A, signer(), case, &sign());
        contest.enter(OAUTH_1A, sign);
        let reqwest = std::rc::Rc::new(Reqwest::new(case));
        verify(REQWEST_OAUTH1, signer(), reqwest.case(), &reqwest.header());
        let same = std::rc::Rc::clone(&reqwest);
        contest.enter(REQWEST_OAUTH1, move || same.signed());
        contest.enter(REQWEST, move || reqwest.plain());
    }
    let standings = contest.run();
    compare(&standings, with_peers);
    standings
}

/// The limits for a case, after a look at whether their base string is ours.
fn limits<M>(case: &Case, method: &impl SignatureMethod, signer: Signer) -> (L0<M>, L2<M>)
where
    M: Mac + KeyInit + Clone,
{
    let mut request = case.request().map(|_| case.body());
    let explanation = fixed(signer.clone(), NONCE, SECONDS).explain(&mut request).unwrap();
    let base_string = explanation.base_string().unwrap().expose();
    let l0 = L0::<M>::new(base_string);
    assert_eq!(l0.signature(), explanation.signature().expose(), "the signature of L0");
    let l2 = L2::<M>::new(base_string, method.name());
    let value = l2.header();
    let ours = Again::new(signer, case).header();
    let names = |header: &http::HeaderValue| {
        let mut names: Vec<_> = crate::check::parameters(header).into_keys().collect();
        names.sort();
        names
    };
    assert_eq!(names(&value), names(&ours), "the header of L2");
    (l0, l2)
}
