//! Checks of leases.

use std::time::Duration;

use tokio::time::sleep;

use crate::testing::store_conformance::Outcome;
use crate::testing::store_conformance::Subject;
use crate::testing::store_conformance::answered;
use crate::testing::store_conformance::concurrency::CROWD;
use crate::testing::store_conformance::concurrency::all;
use crate::testing::store_conformance::ensure;
use crate::testing::store_conformance::sample::record;
use crate::token::TokenKey;
use crate::token::TokenStore;

/// A lease that does not end while a check runs.
const LONG: Duration = Duration::from_secs(120);
/// One that ends soon.
const SHORT: Duration = Duration::from_millis(20);

impl<S: TokenStore> Subject<S> {
    pub(super) async fn lease_excludes(&self) -> Outcome {
        let (key, another) = (self.key("a"), self.key("b"));
        self.granted(&key, "one", LONG, true).await?;
        self.granted(&key, "other", LONG, false).await?;
        // The answer to the first request may have been lost.
        self.granted(&key, "one", LONG, true).await?;
        self.granted(&key, "other", LONG, false).await?;
        self.granted(&another, "other", LONG, true).await?;
        for (key, owner) in [(key, "one"), (another, "other")] {
            answered("release", self.one.release(&key, owner).await)?;
        }
        Ok(())
    }

    pub(super) async fn one_leaseholder(&self) -> Outcome {
        for round in 0..4 {
            let key = self.key(&round.to_string());
            let ask = |number: u64| {
                let (store, key, owner) = (self.either(number), key.clone(), format!("owner-{number}"));
                async move {
                    let granted = answered("lease", store.lease(&key, &owner, LONG).await)?;
                    Ok(granted.then_some(owner))
                }
            };
            let holders: Vec<String> =
                all((0..CROWD).map(ask).collect()).await?.into_iter().flatten().collect();
            let [holder] = holders.as_slice() else {
                return Err(format!("{} of {CROWD} owners have the lease", holders.len()));
            };
            answered("release", self.one.release(&key, holder).await)?;
        }
        Ok(())
    }

    pub(super) async fn renewal_by_holder(&self) -> Outcome {
        let key = self.key("");
        self.renewed(&key, "one", false).await?;
        self.granted(&key, "one", LONG, true).await?;
        self.renewed(&key, "other", false).await?;
        self.renewed(&key, "one", true).await?;
        answered("release", self.one.release(&key, "one").await)?;
        self.renewed(&key, "one", false).await
    }

    pub(super) async fn release_by_holder(&self) -> Outcome {
        let key = self.key("");
        answered("release", self.one.release(&key, "nobody").await)?;
        self.granted(&key, "one", LONG, true).await?;
        answered("release", self.other.release(&key, "other").await)?;
        self.granted(&key, "other", LONG, false).await?;
        answered("release", self.one.release(&key, "one").await)?;
        self.granted(&key, "other", LONG, true).await?;
        answered("release", self.one.release(&key, "other").await)
    }

    pub(super) async fn lease_ends(&self) -> Outcome {
        let key = self.key("");
        self.granted(&key, "crashed", SHORT, true).await?;
        self.until_granted(&key, "next").await?;
        answered("release", self.one.release(&key, "next").await)
    }

    pub(super) async fn renewal_prolongs(&self) -> Outcome {
        // A machine that is slow may let the short lease end before it is renewed: then it is tried with a longer one.
        for (attempt, short) in (0..8).map(|attempt| SHORT * (1 << attempt)).enumerate() {
            let key = self.key(&attempt.to_string());
            self.granted(&key, "one", short, true).await?;
            if answered("renew", self.one.renew(&key, "one", LONG).await)? {
                sleep(2 * short).await;
                self.granted(&key, "other", LONG, false).await?;
                return answered("release", self.one.release(&key, "one").await);
            }
        }
        Err("`renew` never gives true to who has the lease".to_owned())
    }

    pub(super) async fn lease_is_no_record(&self) -> Outcome {
        let key = self.key("");
        self.granted(&key, "one", LONG, true).await?;
        self.expect(&key, None).await?;
        // A login does not ask for the lease.
        self.put(&key, None, &record(1, "a")?).await?;
        self.put(&key, Some(1), &record(2, "b")?).await?;
        self.granted(&key, "other", LONG, false).await?;
        self.tidy(&key).await?;
        self.granted(&key, "other", LONG, false).await?;
        self.put(&key, None, &record(3, "c")?).await?;
        answered("release", self.one.release(&key, "one").await)?;
        self.expect(&key, Some(&record(3, "c")?)).await?;
        self.tidy(&key).await
    }

    pub(super) async fn former_holder(&self) -> Outcome {
        let key = self.key("");
        self.put(&key, None, &record(1, "a")?).await?;
        self.granted(&key, "former", SHORT, true).await?;
        self.until_granted(&key, "next").await?;
        let renewed = answered("renew", self.one.renew(&key, "former", LONG).await)?;
        ensure(!renewed, || "a lease that another has by now was renewed".to_owned())?;
        answered("release", self.one.release(&key, "former").await)?;
        self.granted(&key, "third", LONG, false).await?;
        self.put(&key, Some(1), &record(2, "next")?).await?;
        self.refuse(&key, Some(1), &record(2, "former")?, Some(&record(2, "next")?)).await?;
        answered("release", self.other.release(&key, "next").await)?;
        self.tidy(&key).await
    }

    /// That a lease is granted, or is not.
    async fn granted(&self, key: &TokenKey, owner: &str, ttl: Duration, expected: bool) -> Outcome {
        let store = if owner == "one" { &self.one } else { &self.other };
        let granted = answered("lease", store.lease(key, owner, ttl).await)?;
        ensure(granted == expected, || {
            let but = if granted { "is granted to two" } else { "is refused, and nobody has it" };
            format!("a lease {but} (asked for by `{owner}`)")
        })
    }

    async fn renewed(&self, key: &TokenKey, owner: &str, expected: bool) -> Outcome {
        let renewed = answered("renew", self.one.renew(key, owner, LONG).await)?;
        ensure(renewed == expected, || format!("`renew` gives {renewed} to `{owner}`"))
    }

    /// Asks until the lease is granted; the limit of the check ends it otherwise.
    pub(super) async fn until_granted(&self, key: &TokenKey, owner: &str) -> Outcome {
        while !answered("lease", self.other.lease(key, owner, LONG).await)? {
            sleep(Duration::from_millis(5)).await;
        }
        Ok(())
    }
}
