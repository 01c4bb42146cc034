//! What was issued, and what became of it.

use std::time::Duration;
use std::time::SystemTime;

use crate::secret::Secret;
use crate::testing::bounded::Bounded;
use crate::testing::provider::Issued;

/// Tokens of each kind that are remembered.
const REMEMBERED: usize = 10_000;
/// How long an authorization code is good (RFC 6749 §4.1.2 recommends 10 minutes at most).
const CODE_LIFETIME: Duration = Duration::from_secs(60);

/// Codes, tokens and the families that they belong to.
pub(in crate::testing) struct Tokens {
    codes: Bounded<String, Code>,
    access: Bounded<String, Access>,
    refresh: Bounded<String, Refresh>,
    families: Bounded<u64, Family>,
    next_family: u64,
}

/// What a user, or the client itself, allowed.
#[derive(Clone)]
pub(super) struct Approval {
    pub(super) client: String,
    /// The user; `None` when the client acts for itself.
    pub(super) user: Option<String>,
    pub(super) scope: String,
}

/// An answer of the token endpoint.
pub(super) struct Grant {
    pub(super) access_token: String,
    pub(super) refresh_token: Option<String>,
    pub(super) scope: String,
}

/// An authorization code and what it is bound to (RFC 6749 §4.1.2, RFC 7636 §4.4).
#[derive(Clone)]
pub(super) struct Code {
    pub(super) approval: Approval,
    pub(super) redirect_uri: String,
    pub(super) challenge: Option<Challenge>,
    expires_at: SystemTime,
    /// The family that it was exchanged for.
    spent: Option<u64>,
}

/// What the code verifier has to match (RFC 7636 §4.3).
#[derive(Clone)]
pub(super) enum Challenge {
    Plain(String),
    S256(String),
}

struct Access {
    approval: Approval,
    family: Option<u64>,
    expires_at: SystemTime,
    revoked: bool,
}

struct Refresh {
    family: u64,
    spent: bool,
}

/// One login: its refresh tokens, of which one at a time is good, and the access tokens got from them.
struct Family {
    approval: Approval,
    revoked: bool,
}

/// What an access token is worth.
pub(super) enum Worth {
    Valid(Approval),
    Expired,
    Revoked,
    Unknown,
}

/// Why a code or a refresh token was refused.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Refused {
    Unknown,
    OtherClient,
    Expired,
    /// It was used before; `family_revoked` when that has just ended its family.
    Spent {
        family_revoked: bool,
    },
    Revoked,
    /// The scope asked for is wider than the one allowed.
    Scope,
}

impl Default for Tokens {
    fn default() -> Self {
        Self {
            codes: Bounded::new(REMEMBERED),
            access: Bounded::new(REMEMBERED),
            refresh: Bounded::new(REMEMBERED),
            families: Bounded::new(REMEMBERED),
            next_family: 0,
        }
    }
}

/// Issuing.
impl Tokens {
    pub(super) fn issue_code(
        &mut self,
        approval: Approval,
        redirect_uri: String,
        challenge: Option<Challenge>,
        now: SystemTime,
    ) -> String {
        let code = random("code");
        let expires_at = after(now, CODE_LIFETIME);
        self.codes.insert(code.clone(), Code { approval, redirect_uri, challenge, expires_at, spent: None });
        code
    }

    /// An access token for the client itself, without a refresh token (RFC 6749 §4.4.3).
    pub(super) fn issue_to_client(&mut self, approval: Approval, expires_at: SystemTime) -> Grant {
        let scope = approval.scope.clone();
        Grant { access_token: self.access(approval, None, expires_at), refresh_token: None, scope }
    }

    /// The first tokens of a new family.
    pub(super) fn start_family(&mut self, approval: Approval, expires_at: SystemTime) -> Grant {
        let family = self.next_family;
        self.next_family += 1;
        self.families.insert(family, Family { approval: approval.clone(), revoked: false });
        self.continue_family(family, approval, expires_at)
    }

    pub(in crate::testing) fn issue_to_user(
        &mut self,
        client: &str,
        user: String,
        scope: &str,
        expires_at: SystemTime,
    ) -> Issued {
        let approval = Approval { client: client.to_owned(), user: Some(user), scope: scope.to_owned() };
        let grant = self.start_family(approval, expires_at);
        Issued {
            access_token: Secret::new(grant.access_token),
            refresh_token: Secret::new(grant.refresh_token.unwrap_or_default()),
            expires_at,
            scope: grant.scope,
        }
    }

    fn continue_family(&mut self, family: u64, approval: Approval, expires_at: SystemTime) -> Grant {
        let scope = approval.scope.clone();
        let access_token = self.access(approval, Some(family), expires_at);
        let refresh_token = random("refresh");
        self.refresh.insert(refresh_token.clone(), Refresh { family, spent: false });
        Grant { access_token, refresh_token: Some(refresh_token), scope }
    }

    fn access(&mut self, approval: Approval, family: Option<u64>, expires_at: SystemTime) -> String {
        let token = random("access");
        self.access.insert(token.clone(), Access { approval, family, expires_at, revoked: false });
        token
    }
}

/// Exchanging.
impl Tokens {
    /// The code, when it is this client's, fresh and unused. Nothing is spent yet.
    pub(super) fn find_code(&mut self, code: &str, client: &str, now: SystemTime) -> Result<Code, Refused> {
        let known = self.codes.get(code).cloned().ok_or(Refused::Unknown)?;
        if known.approval.client != client {
            return Err(Refused::OtherClient);
        }
        if let Some(family) = known.spent {
            // Whoever came first may have been the thief (RFC 6749 §4.1.2).
            return Err(Refused::Spent { family_revoked: self.revoke_family(family) });
        }
        if known.expires_at <= now {
            return Err(Refused::Expired);
        }
        Ok(known)
    }

    /// Exchanges a code that [`find_code`](Self::find_code) found.
    pub(super) fn spend_code(&mut self, code: &str, approval: Approval, expires_at: SystemTime) -> Grant {
        let family = self.next_family;
        let grant = self.start_family(approval, expires_at);
        if let Some(code) = self.codes.get_mut(code) {
            code.spent = Some(family);
        }
        grant
    }

    /// Exchanges a refresh token (RFC 6749 §6).
    pub(super) fn refresh(
        &mut self,
        token: &str,
        client: &str,
        scope: Option<&str>,
        rotate: bool,
        expires_at: SystemTime,
    ) -> Result<Grant, Refused> {
        let known = self.refresh.get(token).ok_or(Refused::Unknown)?;
        let (family, spent) = (known.family, known.spent);
        let Family { approval, revoked } = self.families.get(&family).ok_or(Refused::Unknown)?;
        if approval.client != client {
            return Err(Refused::OtherClient);
        }
        if *revoked {
            return Err(Refused::Revoked);
        }
        let mut approval = approval.clone();
        if spent {
            return Err(Refused::Spent { family_revoked: self.revoke_family(family) });
        }
        if let Some(scope) = scope {
            let allowed: Vec<&str> = approval.scope.split(' ').collect();
            if !scope.split(' ').all(|wanted| allowed.contains(&wanted)) {
                return Err(Refused::Scope);
            }
            approval.scope = scope.to_owned();
        }
        if !rotate {
            let scope = approval.scope.clone();
            let access_token = self.access(approval, Some(family), expires_at);
            return Ok(Grant { access_token, refresh_token: None, scope });
        }
        if let Some(known) = self.refresh.get_mut(token) {
            known.spent = true;
        }
        Ok(self.continue_family(family, approval, expires_at))
    }
}

/// Judging and revoking.
impl Tokens {
    pub(super) fn worth(&self, access_token: &str, now: SystemTime) -> Worth {
        let Some(access) = self.access.get(access_token) else { return Worth::Unknown };
        let family = access.family.and_then(|family| self.families.get(&family));
        if access.revoked || family.is_some_and(|family| family.revoked) {
            Worth::Revoked
        } else if access.expires_at <= now {
            Worth::Expired
        } else {
            Worth::Valid(access.approval.clone())
        }
    }

    pub(super) fn expires_at(&self, access_token: &str) -> Option<SystemTime> {
        self.access.get(access_token).map(|access| access.expires_at)
    }

    /// The client to which a token of either kind was issued.
    pub(super) fn client_of(&self, token: &str) -> Option<&str> {
        let access = self.access.get(token).map(|access| &access.approval);
        let refresh = || {
            let family = self.refresh.get(token).map(|refresh| refresh.family)?;
            self.families.get(&family).map(|family| &family.approval)
        };
        access.or_else(refresh).map(|approval| approval.client.as_str())
    }

    pub(in crate::testing) fn revoke_access(&mut self, access_token: &str) -> bool {
        let access = self.access.get_mut(access_token);
        access.map(|access| access.revoked = true).is_some()
    }

    pub(in crate::testing) fn revoke_all_access(&mut self) {
        self.access.values_mut().for_each(|access| access.revoked = true);
    }

    /// Revokes the family of a refresh token; `true` when it was good until now.
    pub(super) fn revoke_refresh(&mut self, refresh_token: &str) -> bool {
        let family = self.refresh.get(refresh_token).map(|refresh| refresh.family);
        family.is_some_and(|family| self.revoke_family(family))
    }

    /// Revokes all families, and says how many were good until now.
    pub(in crate::testing) fn revoke_all_families(&mut self) -> u64 {
        let revoke = |family: &mut Family| u64::from(!std::mem::replace(&mut family.revoked, true));
        self.families.values_mut().map(revoke).sum()
    }

    fn revoke_family(&mut self, family: u64) -> bool {
        let family = self.families.get_mut(&family);
        family.is_some_and(|family| !std::mem::replace(&mut family.revoked, true))
    }
}

/// A moment after `now`; `now` itself for a lifetime that no [`SystemTime`] can hold.
pub(super) fn after(now: SystemTime, lifetime: Duration) -> SystemTime {
    now.checked_add(lifetime).unwrap_or(now)
}

/// A text of 128 random bits that says what it is.
pub(super) fn random(kind: &str) -> String {
    format!("{kind}-{:032x}", rand::random::<u128>())
}
