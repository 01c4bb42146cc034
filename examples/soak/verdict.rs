//! What is said in the end.

use std::sync::atomic::{AtomicU64, Ordering};

use tower_oauth::testing::Stats;

use super::arguments::Arguments;
use super::client::Tally;
use super::judge::Counts;

pub struct Verdict {
    line: String,
    broken: Vec<String>,
}

impl Verdict {
    /// Compares what the judge, the provider and the clients counted.
    pub fn new(arguments: &Arguments, counts: Counts, tally: &Tally, provider: Stats) -> Self {
        let wrong = &counts.wrong;
        let told = |count: &AtomicU64| count.load(Ordering::Relaxed);
        let resource = provider.resource;
        let none = [
            ("requests came without a token", wrong.without_token.max(resource.missing)),
            ("requests came with a token that their client knew to have expired", wrong.known_expired),
            ("requests came with a token that their client knew to be refused", wrong.known_refused),
            ("requests came with another client's token", wrong.foreign),
            ("requests came with a token that nobody was given", wrong.unknown.max(resource.unknown)),
            ("requests were refused for no reason", wrong.unexplained),
            ("requests failed", told(&tally.errors)),
            ("refresh tokens were spent twice", provider.reuse_detections),
            ("logins were revoked", provider.families_revoked),
        ];
        let mut broken: Vec<String> = none
            .into_iter()
            .filter(|(_, count)| *count > 0)
            .map(|(what, count)| format!("{count} {what}"))
            .collect();
        // The judge saw what the provider saw.
        let refused = resource.expired + resource.revoked + resource.unknown + resource.missing;
        let excused = counts.refused + counts.expired_on_the_way;
        let agree = [
            ("requests", counts.requests, resource.valid + refused),
            ("refusals", excused + wrong.unexplained, refused),
        ];
        for (what, judge, provider) in agree {
            if judge != provider {
                broken.push(format!("the judge counted {judge} {what}, and the provider {provider}"));
            }
        }
        // A run in which nothing happened proves nothing.
        let clients = arguments.clients as u64;
        let least = [
            ("requests", counts.requests, clients * 2),
            // Each had one, and another after it.
            ("tokens", counts.tokens, clients * if arguments.seconds > 2 { 2 } else { 1 }),
            ("revocations", counts.revocations, 1),
            ("refusals of revoked tokens", counts.refused, 1),
        ];
        for (what, count, least) in least {
            if count < least {
                broken.push(format!(
                    "there were {count} {what}, and at least {least} are needed to say anything"
                ));
            }
        }
        let line = format!(
            "soak: {} seconds={} clients={} requests={} tokens={} revocations={} refused={} expired_on_the_way={} \
             abandoned={} refused_twice={} without_token={} known_expired={} known_refused={} foreign_token={} \
             unknown_token={} unexplained_refusals={} reused_refresh_tokens={} errors={}",
            if broken.is_empty() { "ok" } else { "BROKEN" },
            arguments.seconds,
            arguments.clients,
            counts.requests,
            counts.tokens,
            counts.revocations,
            counts.refused,
            counts.expired_on_the_way,
            told(&tally.abandoned),
            told(&tally.refused_twice),
            wrong.without_token.max(resource.missing),
            wrong.known_expired,
            wrong.known_refused,
            wrong.foreign,
            wrong.unknown.max(resource.unknown),
            wrong.unexplained,
            provider.reuse_detections,
            told(&tally.errors),
        );
        Self { line, broken }
    }

    pub fn line(&self) -> String {
        self.line.clone()
    }

    pub fn broken(&self) -> &[String] {
        &self.broken
    }
}
