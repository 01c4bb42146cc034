// The protected resource: every path below /api, any method.
//
// It takes JWT and opaque access tokens of this provider, and answers anything else with 401 and a challenge
// (RFC 6750 §3). `?scope=…` names a scope that the token must have, else 403.

import * as crypto from 'node:crypto';
import { createLocalJWKSet, jwtVerify } from 'jose';

import { verifyProof } from './dpop.mjs';
import { JWT_RESOURCE, OPAQUE_RESOURCE, peerCertificate } from './features.mjs';

export const protectedResource = (provider, { issuer }) => async (context, next) => {
  if (!/^\/api(\/|$)/.test(context.path)) return next();

  const [, scheme, token] = /^(Bearer|DPoP) +(\S+)$/i.exec(context.get('authorization')) ?? [];
  if (!token) return challenge(context, 401, 'Bearer', { realm: 'api' });
  const usesDpop = scheme.toLowerCase() === 'dpop';
  const refuse = (status, problem) => challenge(context, status, usesDpop ? 'DPoP' : 'Bearer', problem);

  let claims;
  try {
    claims = await verifyAccessToken(provider, issuer, token);
  } catch (error) {
    return refuse(401, { error: 'invalid_token', error_description: error.message });
  }

  const certificate = claims.cnf?.['x5t#S256'];
  if (certificate && certificate !== thumbprint(peerCertificate(context))) {
    return refuse(401, { error: 'invalid_token', error_description: 'bound to another certificate' });
  }
  if (usesDpop !== Boolean(claims.cnf?.jkt)) {
    return refuse(401, { error: 'invalid_token', error_description: 'the scheme is not that of the token' });
  }
  if (usesDpop) {
    const problem = await verifyProof(context, { token, thumbprint: claims.cnf.jkt });
    if (problem) return refuse(401, problem);
  }
  const wanted = context.query.scope;
  if (wanted && !(claims.scope ?? '').split(' ').includes(wanted)) {
    return refuse(403, { error: 'insufficient_scope', scope: wanted });
  }

  const { sub, client_id, scope, cnf, jti } = claims;
  context.body = { ok: true, method: context.method, scheme, sub, client_id, scope, cnf, jti };
};

/** The claims of an access token that this provider issued and that is still good; throws otherwise. */
export async function verifyAccessToken(provider, issuer, token) {
  if (token.split('.').length === 3) {
    const keys = createLocalJWKSet(await publicKeys(issuer));
    const { payload } = await jwtVerify(token, keys, { issuer, audience: JWT_RESOURCE, typ: 'at+jwt' });
    return payload;
  }
  // An opaque token is a key of the provider's own storage; one that was revoked is gone from it.
  const kept = await provider.ClientCredentials.find(token) ?? await provider.AccessToken.find(token);
  if (!kept?.isValid || kept.aud !== OPAQUE_RESOURCE) throw new Error('unknown, expired or revoked');
  return {
    sub: kept.accountId,
    client_id: kept.clientId,
    scope: kept.scope,
    jti: kept.jti,
    cnf: kept.isSenderConstrained() ? { jkt: kept.jkt, 'x5t#S256': kept['x5t#S256'] } : undefined,
  };
}

let keys;
const publicKeys = (issuer) => (keys ??= fetch(`${issuer}/jwks`).then((answer) => answer.json()));

function challenge(context, status, scheme, parameters) {
  const quoted = Object.entries(parameters).map(([name, value]) => `${name}="${value.replaceAll('"', "'")}"`);
  context.status = status;
  context.set('WWW-Authenticate', `${scheme} ${quoted.join(', ')}`);
  context.body = parameters;
}

const thumbprint = (certificate) =>
  certificate && crypto.createHash('sha256').update(certificate.raw).digest('base64url');
