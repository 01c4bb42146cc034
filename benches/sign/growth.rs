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
use crate::peers::oauth_1a;
use crate::peers::oauth1_request;

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

    let mut contest = Contest::new(case.name.clone()).rounds(15);
    contest.enter("limit (L2)", || l2.header());
    let mut again = Again::new(signer(), case);
    contest.enter("tower-oauth", move || again.header());
    let sign = oauth1_request(case);
    verify("oauth1-request", signer(), case, &sign());
    contest.enter("oauth1-request", sign);
    let mut sign = oauth_1a(case);
    verify("oauth-1a", signer(), case, &sign());
    contest.enter("oauth-1a", sign);
    for standing in contest.run().all() {
        chart.point(&standing.name, amount as u64, standing.median);
    }
}
