//! OAuth 1 signatures, beside the least that they can cost and beside what others make.
//!
//! `cargo bench --bench sign` measures everything; with the names of parts behind `--`, only those: `hmac`, `rsa`,
//! `growth`. `python.py` signs the same requests with Python's libraries.

mod case;
mod check;
mod growth;
mod hmac_methods;
mod limit;
mod ours;
mod peers;
mod rsa;

#[global_allocator]
static COUNTING: tower_oauth_benches::Counting = tower_oauth_benches::Counting;

fn main() -> std::io::Result<()> {
    let parts: Vec<_> = std::env::args().skip(1).filter(|argument| !argument.starts_with('-')).collect();
    let is_wanted = |part: &str| parts.is_empty() || parts.iter().any(|wanted| wanted == part);
    let mut ratios = tower_oauth_benches::Ratios::new("sign");
    if is_wanted("hmac") {
        hmac_methods::measure(&mut ratios);
    }
    if is_wanted("rsa") {
        rsa::measure(&mut ratios);
    }
    if is_wanted("growth") {
        growth::measure()?;
    }
    ratios.finish()
}
