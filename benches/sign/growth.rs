//! How the cost of a signature grows.

use tower_oauth::oauth1::HmacSha1;
use tower_oauth::oauth1::SignatureMethod as _;
use tower_oauth_benches::Chart;
use tower_oauth_benches::Contest;

use crate::case::Case;
use crate::check::verify;
use crate::limit::L2;
use crate::limit::Sha1Mac;
use crate::ours::Again;
use crate::ours::NONCE;
use crate::ours::SECONDS;
use crate::ours::fixed;
use crate::ours::signer;
use crate::peers::Reqwest;
use crate::peers::oauth_1a;
use crate::peers::oauth1_request;

const LIMIT_2: &str = "limit (L2)";
const OURS: &str = "tower-oauth";
const OAUTH1_REQUEST: &str = "oauth1-request";
const OAUTH_1A: &str = "oauth-1a";
const REQWEST_OAUTH1: &str = "reqwest-oauth1, with the request";
const REQWEST: &str = "reqwest, the request alone";

/// The layer's limit for a form.
const LIMIT: usize = 1024 * 1024;

pub fn measure() -> std::io::Result<()> {
    let title = "OAuth 1 signature (HMAC-SHA1)";
    let mut chart = Chart::new("sign_parameters", title, "parameters in the query", "ns");
    for count in [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000] {
        points(&mut chart, &Case::with_parameters(count), count);
    }
    chart.finish()?;
    let mut chart = Chart::new("sign_form", title, "bytes of the form", "ns");
    for bytes in [128, 1024, 8 * 1024, 64 * 1024, 256 * 1024, LIMIT] {
        points(&mut chart, &Case::with_form(bytes), bytes);
    }
    chart.finish()
}

fn points(chart: &mut Chart, case: &Case, amount: usize) {
    let mut request = case.request().map(|_| case.body());
    let explanation = fixed(signer(), NONCE, SECONDS).explain(&mut request).unwrap();
    let l2 = L2::<Sha1Mac>::new(explanation.base_string().unwrap().expose(), HmacSha1.name());

    let reqwest = Reqwest::new(case);
    let mut contest = Contest::new(case.name.clone()).rounds(15);
    contest.enter(LIMIT_2, || l2.header());
    let mut again = Again::new(signer(), case);
    contest.enter(OURS, move || again.header());
    let sign = oauth1_request(case);
    verify(OAUTH1_REQUEST, signer(), case, &sign());
    contest.enter(OAUTH1_REQUEST, sign);
    let mut sign = oauth_1a(case);
    verify(OAUTH_1A, signer(), case, &sign());
    contest.enter(OAUTH_1A, sign);
    verify(REQWEST_OAUTH1, signer(), reqwest.case(), &reqwest.header());
    contest.enter(REQWEST_OAUTH1, || reqwest.signed());
    contest.enter(REQWEST, || reqwest.plain());
    let standings = contest.run();
    for name in [LIMIT_2, OURS, OAUTH1_REQUEST, OAUTH_1A] {
        chart.point(name, amount as u64, standings.of(name).median);
    }
    let signature = standings.beyond(REQWEST_OAUTH1, REQWEST);
    chart.point("reqwest-oauth1, request subtracted", amount as u64, signature.median);
}
