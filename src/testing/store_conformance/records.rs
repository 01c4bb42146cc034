//! Checks of what is stored, by one after the other.

use crate::testing::store_conformance::Outcome;
use crate::testing::store_conformance::Subject;
use crate::testing::store_conformance::answered;
use crate::testing::store_conformance::ensure;
use crate::testing::store_conformance::sample::full_record;
use crate::testing::store_conformance::sample::record;
use crate::token::Record;
use crate::token::TokenStore;

impl<S: TokenStore> Subject<S> {
    pub(super) async fn nothing_at_first(&self) -> Outcome {
        let key = self.key("");
        self.expect(&key, None).await?;
        self.refuse(&key, Some(1), &record(2, "a")?, None).await?;
        let deleted = answered("delete_if", self.one.delete_if(&key, 1).await)?;
        ensure(!deleted, || "`delete_if` says that it deleted what was never there".to_owned())
    }

    pub(super) async fn what_was_stored(&self) -> Outcome {
        let key = self.key("");
        for (expected, record) in [(None, full_record(1, "")?), (Some(1), record(2, "b")?)] {
            self.put(&key, expected, &record).await?;
            self.expect(&key, Some(&record)).await?;
        }
        self.tidy(&key).await
    }

    pub(super) async fn long_records(&self) -> Outcome {
        let (key, long) = (self.key(""), full_record(1, &"ä\n".repeat(33_000))?);
        self.put(&key, None, &long).await?;
        self.expect(&key, Some(&long)).await?;
        self.put(&key, Some(1), &record(2, "short")?).await?;
        self.expect(&key, Some(&record(2, "short")?)).await?;
        self.tidy(&key).await
    }

    pub(super) async fn large_generations(&self) -> Outcome {
        let key = self.key("");
        let mut expected = None;
        // As 64-bit floating-point numbers, neighbours here are the same.
        for generation in [(1 << 53) + 1, i64::MAX as u64 - 1, i64::MAX as u64] {
            let next = record(generation, "a")?;
            self.put(&key, expected, &next).await?;
            self.refuse(&key, Some(generation - 1), &record(1, "b")?, Some(&next)).await?;
            let deleted = answered("delete_if", self.one.delete_if(&key, generation - 1).await)?;
            ensure(!deleted, || format!("generation {generation} was deleted as the one before it"))?;
            expected = Some(generation);
        }
        self.tidy(&key).await
    }

    pub(super) async fn sealed_records(&self) -> Outcome {
        let (key, sealed) = (self.key(""), Record::sealed(3, "1.key.c2VhbGVk"));
        self.put(&key, None, &sealed).await?;
        self.expect(&key, Some(&sealed)).await?;
        self.refuse(&key, Some(2), &record(4, "a")?, Some(&sealed)).await?;
        self.put(&key, Some(3), &record(4, "a")?).await?;
        self.expect(&key, Some(&record(4, "a")?)).await?;
        self.tidy(&key).await
    }

    pub(super) async fn first_only_if_none(&self) -> Outcome {
        let (key, first) = (self.key(""), record(1, "a")?);
        self.put(&key, None, &first).await?;
        self.refuse(&key, None, &record(1, "b")?, Some(&first)).await?;
        self.refuse(&key, None, &record(2, "b")?, Some(&first)).await?;
        self.tidy(&key).await?;
        self.put(&key, None, &record(7, "c")?).await?;
        self.expect(&key, Some(&record(7, "c")?)).await?;
        self.tidy(&key).await
    }

    pub(super) async fn swap_only_expected(&self) -> Outcome {
        let (key, second) = (self.key(""), record(5, "b")?);
        self.put(&key, None, &record(4, "a")?).await?;
        self.put(&key, Some(4), &second).await?;
        for expected in [None, Some(0), Some(1), Some(4), Some(6), Some(50), Some(i64::MAX as u64)] {
            self.refuse(&key, expected, &record(6, "c")?, Some(&second)).await?;
        }
        self.tidy(&key).await
    }

    pub(super) async fn delete_only_expected(&self) -> Outcome {
        let (key, first) = (self.key(""), record(5, "a")?);
        self.put(&key, None, &first).await?;
        for generation in [0, 4, 6, 50] {
            let deleted = answered("delete_if", self.one.delete_if(&key, generation).await)?;
            ensure(!deleted, || format!("generation 5 was deleted as generation {generation}"))?;
            self.expect(&key, Some(&first)).await?;
        }
        let deleted = answered("delete_if", self.other.delete_if(&key, 5).await)?;
        ensure(deleted, || "`delete_if` says that it did not delete the record".to_owned())?;
        self.expect(&key, None).await?;
        let deleted = answered("delete_if", self.one.delete_if(&key, 5).await)?;
        ensure(!deleted, || "`delete_if` says that it deleted the record twice".to_owned())?;
        self.refuse(&key, Some(5), &record(6, "b")?, None).await
    }
}
