//! The rules.

use std::fmt;

macro_rules! rules {
    ($($name:ident, $text:literal, $sentence:literal;)*) => {
        /// A rule that every store keeps.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum Rule {
            $(#[doc = $sentence] $name,)*
        }

        impl Rule {
            /// All of them, in the order in which they are checked.
            pub const ALL: &'static [Self] = &[$(Self::$name),*];

            /// A stable name in snake case.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$name => $text),* }
            }

            fn sentence(self) -> &'static str {
                match self { $(Self::$name => $sentence),* }
            }
        }
    };
}

rules! {
    NothingAtFirst, "nothing_at_first", "There is no record of a key before one is stored.";
    WhatWasStored, "what_was_stored", "What is loaded is what was stored, in every field, by whoever opens the store.";
    LongRecords, "long_records", "Records of 100 kB are kept whole.";
    LargeGenerations, "large_generations", "Generations are exact up to the largest 63-bit number.";
    SealedRecords, "sealed_records", "Sealed records, which encryption makes, are kept as they are.";
    FirstOnlyIfNone, "first_only_if_none", "A first record is stored only where there is none; a conflict gives the one there is.";
    SwapOnlyExpected, "swap_only_expected", "A record is replaced only if it has the expected generation; a conflict gives the one there is.";
    DeleteOnlyExpected, "delete_only_expected", "A record is deleted only if it has the expected generation, and it is gone then.";
    KeysApart, "keys_apart", "What happens to one key has no effect on another, however alike their names are.";
    OddKeys, "odd_keys", "A name that is empty, very long, or has a NUL in it, is kept apart as well, or refused with an error.";
    OneWinner, "one_winner", "Of many swaps at once that expect the same generation, exactly one is stored.";
    NoLostChange, "no_lost_change", "Many who replace the record, each again after a conflict, lose no change.";
    WholeRecords, "whole_records", "Who loads while others store sees one record or the next, whole, and never an older one again.";
    CancelledSwap, "cancelled_swap", "A swap that is dropped half-way happens or does not, and holds nobody up.";
    LeaseExcludes, "lease_excludes", "While one owner has the lease of a key, no other gets it; the same one may ask again.";
    OneLeaseholder, "one_leaseholder", "Of many who ask for a lease at once, exactly one gets it.";
    RenewalByHolder, "renewal_by_holder", "Only who has the lease can renew it.";
    ReleaseByHolder, "release_by_holder", "Only who has the lease can give it back, and another gets it at once then.";
    LeaseEnds, "lease_ends", "A lease that nobody renews ends by itself.";
    RenewalProlongs, "renewal_prolongs", "A lease that is renewed lasts from then on.";
    LeaseIsNoRecord, "lease_is_no_record", "A lease is no record, outlives changes of the record, and keeps nobody from storing.";
    FormerHolder, "former_holder", "Who had the lease once can neither renew nor give back another's, and replaces nothing that is newer.";
    CancelledLease, "cancelled_lease", "A lease whose request is dropped half-way ends like any other, and holds nobody up for longer.";
}

impl Rule {
    /// Whether it only binds stores with leases.
    pub fn is_about_leases(self) -> bool {
        matches!(
            self,
            Self::LeaseExcludes
                | Self::OneLeaseholder
                | Self::RenewalByHolder
                | Self::ReleaseByHolder
                | Self::LeaseEnds
                | Self::RenewalProlongs
                | Self::LeaseIsNoRecord
                | Self::FormerHolder
                | Self::CancelledLease
        )
    }
}

impl fmt::Display for Rule {
    /// The rule as a sentence, without its full stop.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.sentence().trim_end_matches('.'))
    }
}
