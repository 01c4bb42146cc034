//! The shortest way of a request, which nearly every one takes: to an origin as that was listed, with a token that is at
//! hand and goes into `Authorization`, and never sent again.
//!
//! Whatever is decided here comes to the same as [`Shared::plan_for`] and what follows it; it takes a fourth of the time.
//! Nothing is counted for the request but its header: what its response needs is noted in plain numbers.

use std::task::Poll;

use http::HeaderValue;
use http::Request;
use http::Response;
use tower::BoxError;

use crate::oauth2::layer::Shared;
use crate::oauth2::layer::Who;
use crate::oauth2::layer::Whose;
use crate::oauth2::refusal::StockRefusal;
use crate::oauth2::send::Verdict;
use crate::oauth2::send::look;
use crate::token::Address;
use crate::token::Identity;
use crate::token::Kept;
use crate::token::Rush;
use crate::token::Spot;
use crate::token::TokenKey;
use crate::token::TokenManager;

/// Whose token an express request gets.
pub(super) enum Usual<'a> {
    /// That of the layer's only identity.
    Own(&'a Identity),
    /// That of the key that it carries, and where it is.
    Key(&'a TokenKey, Option<Spot<'a>>),
}

/// An express request that is under way: plain numbers, so that there is nothing to be counted, and nothing to be let go; and
/// small ones, so that the future with them in it is moved as cheaply as the one below.
#[derive(Clone, Copy)]
pub(super) struct Noted {
    /// Of the identity; of the manager, if a clue leads to the identity, or if the token was given with the request.
    address: Address,
    /// Of the key, if `has_clue`: an `Option` would take twice the room.
    clue: u32,
    /// Of the token.
    serial: u32,
    refusal: StockRefusal,
    has_clue: bool,
    insufficiency_is_error: bool,
}

/// What a service keeps of the last token of the layer's only identity: the value of the header. It goes with the service,
/// and with the next request after the token was replaced.
#[derive(Default)]
pub(super) struct Last(Option<Kept<(HeaderValue, Option<Address>)>>);

impl Clone for Last {
    /// Nothing: a clone may be for one request, or for another thread.
    fn clone(&self) -> Self {
        Self(None)
    }
}

impl Shared {
    /// Whose token a request gets that can go by express.
    #[inline]
    pub(super) fn usual<'a, B>(&'a self, request: &'a Request<B>) -> Option<Usual<'a>> {
        let extensions = request.extensions();
        let usual = match &self.who {
            Who::One(identity) if extensions.is_empty() => Usual::Own(identity),
            // It wishes for nothing when the key is all that it has.
            Who::PerRequest if extensions.len() == 1 && self.scope.is_empty() => {
                let key = extensions.get::<TokenKey>()?;
                Usual::Key(key, self.manager.turn_to(key, &self.scope))
            }
            _ => return None,
        };
        let is_usual = self.attachment.is_none() && !self.keep_existing;
        (is_usual && self.guard.admits_as_listed(request.uri())).then_some(usual)
    }

    /// What goes into the header of an express request, and what is noted of it, if there is a token that can be sent right
    /// now.
    #[inline]
    pub(super) fn ticket(&self, usual: Usual<'_>, last: &mut Last) -> Option<(HeaderValue, Noted)> {
        let (address, clue, serial, value) = match usual {
            Usual::Own(identity) => {
                let kept = self.manager.current_again(identity, &mut last.0, |published| {
                    (published.header(Rush::Certain), self.manager.address(identity))
                })?;
                let (value, address) = &kept.what;
                (*address, None, kept.serial, value.clone())
            }
            Usual::Key(key, spot) => {
                let (value, serial) = self.manager.current_of(key, &self.scope, spot)?;
                (self.manager.own_address(), Some(TokenManager::clue(key, &self.scope)), serial, value)
            }
        };
        Some((value, self.note(address?, clue, serial)?))
    }

    /// What is noted of any request that is not sent again, if plain numbers suffice: whose token it has, and which.
    pub(super) fn noted(&self, whose: Option<&Whose>, serial: u32) -> Option<Noted> {
        let (address, clue) = match whose {
            Some(whose @ Whose::Own) => (self.manager.address(self.identity(whose)?), None),
            Some(Whose::Other(identity)) => (self.manager.own_address(), Some(identity.clue())),
            None => (self.manager.own_address(), None),
        };
        self.note(address?, clue, serial)
    }

    #[inline]
    fn note(&self, address: Address, clue: Option<u32>, serial: u32) -> Option<Noted> {
        let refusal = self.refusal.stock()?;
        let insufficiency_is_error = self.insufficiency_is_error;
        let (clue, has_clue) = (clue.unwrap_or_default(), clue.is_some());
        Some(Noted { address, clue, serial, refusal, has_clue, insufficiency_is_error })
    }
}

impl Noted {
    /// Whether there is nothing to be understood about a response: so it is with nearly every one.
    #[inline]
    pub(super) fn is_plain<R>(&self, response: &Response<R>) -> bool {
        response.status().is_success() && !self.refusal.is_possible_in_success()
    }

    /// Understands a response, and puts into its extensions what it lacks, or fails.
    #[inline(never)]
    pub(super) fn understand<R>(&self, mut response: Response<R>) -> Poll<Result<Response<R>, BoxError>> {
        let (manager, own) = self.address.find().unzip();
        // One that has left memory meanwhile, or has another token, has none that could be refused.
        let known = || manager.as_ref().filter(|_| self.has_clue)?.known(self.clue, self.serial);
        let identity = own.flatten().or_else(known);
        let token = (manager.as_ref(), identity.as_ref(), self.serial);
        Poll::Ready(match look(&mut response, token, &self.refusal.into(), self.insufficiency_is_error) {
            Verdict::Deliver | Verdict::Refused => Ok(response),
            Verdict::Fail(error) => Err(error.into()),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_noted_takes_little_room() {
        assert!(size_of::<Noted>() <= 16);
    }
}
