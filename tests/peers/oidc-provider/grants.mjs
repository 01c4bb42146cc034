// Two grants that oidc-provider leaves to its users: token exchange (RFC 8693) and JWT bearer (RFC 7523 §2.1).

import { importJWK, jwtVerify } from 'jose';
import { errors } from 'oidc-provider';

import { JWT_BEARER, TOKEN_EXCHANGE, publicJwk } from './clients.mjs';
import { JWT_RESOURCE, resourceServer } from './features.mjs';
import { verifyAccessToken } from './resource.mjs';

export function registerGrants(provider, { issuer, certificates }) {
  async function issue(context, subject) {
    const token = new provider.ClientCredentials({
      client: context.oidc.client,
      scope: context.oidc.params.scope || 'read',
    });
    token.resourceServer = new provider.ResourceServer(JWT_RESOURCE, resourceServer(JWT_RESOURCE, issuer));
    token.extra = { on_behalf_of: subject };
    context.oidc.entity('ClientCredentials', token);
    const value = await token.save();
    return { access_token: value, token_type: 'Bearer', expires_in: token.expiration, scope: token.scope };
  }

  provider.registerGrantType(TOKEN_EXCHANGE, async (context) => {
    const { subject_token: subjectToken, subject_token_type: subjectTokenType } = context.oidc.params;
    if (!subjectToken || !subjectTokenType) throw new errors.InvalidRequest('missing subject_token(_type)');
    const { sub } = await verifyAccessToken(provider, issuer, subjectToken).catch(refuse('subject_token'));
    context.body = {
      ...(await issue(context, sub)),
      issued_token_type: 'urn:ietf:params:oauth:token-type:access_token',
    };
  }, [
    'subject_token', 'subject_token_type', 'actor_token', 'actor_token_type',
    'requested_token_type', 'audience', 'resource', 'scope',
  ], ['audience', 'resource']);

  provider.registerGrantType(JWT_BEARER, async (context) => {
    const key = await importJWK(publicJwk(certificates.read('client-rsa.pem'), 'rsa', 'RS256'), 'RS256');
    const { payload } = await jwtVerify(context.oidc.params.assertion ?? '', key, {
      audience: [issuer, `${issuer}/token`],
      requiredClaims: ['iss', 'sub', 'exp', 'aud'],
    }).catch(refuse('assertion'));
    context.body = await issue(context, payload.sub);
  }, ['assertion', 'scope']);
}

const refuse = (what) => (error) => {
  throw new errors.InvalidGrant(`bad ${what}: ${error.message}`);
};
