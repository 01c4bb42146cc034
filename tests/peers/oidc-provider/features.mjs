// The configuration of oidc-provider.

import * as crypto from 'node:crypto';
import { exportJWK, generateKeyPair } from 'jose';
import { errors } from 'oidc-provider';

import { INITIAL_ACCESS_TOKEN } from './clients.mjs';
import { settings } from './settings.mjs';

// The protected resources that a token can be asked for (RFC 8707). A token for `urn:api` is a JWT, which the
// provider cannot revoke; one for `urn:opaque` is opaque, and can be revoked and introspected.
export const JWT_RESOURCE = 'urn:api';
export const OTHER_JWT_RESOURCE = 'urn:other-api';
export const OPAQUE_RESOURCE = 'urn:opaque';

export async function configuration({ issuer, tlsOrigin, clients }) {
  return {
    clients,
    jwks: { keys: [await signingKey('RS256'), await signingKey('ES256')] },
    cookies: { keys: ['cookies of a test need no secret'] },
    scopes: ['openid', 'offline_access', 'read', 'write'],
    pkce: { required: () => true },
    clientAuthMethods: [
      'client_secret_basic', 'client_secret_post', 'client_secret_jwt', 'private_key_jwt',
      'tls_client_auth', 'self_signed_tls_client_auth', 'none',
    ],

    // Every refresh gives a new refresh token; presenting an old one kills the whole grant (RFC 9700 §4.14).
    rotateRefreshToken: true,
    issueRefreshToken: (_context, client) => client.grantTypeAllowed('refresh_token'),

    ttl: {
      AccessToken: (_context, token) => token.resourceServer?.accessTokenTTL ?? settings.accessTokenSeconds,
      ClientCredentials: (_context, token) => token.resourceServer?.accessTokenTTL ?? settings.accessTokenSeconds,
      RefreshToken: settings.refreshTokenSeconds,
      AuthorizationCode: 30,
      DeviceCode: 30,
      IdToken: 300,
      Interaction: 300,
      Grant: 3600,
      Session: 3600,
    },

    features: {
      devInteractions: { enabled: settings.pages }, // otherwise ours, in interactions.mjs
      clientCredentials: { enabled: true },
      deviceFlow: { enabled: true },
      introspection: { enabled: true },
      jwtIntrospection: { enabled: true },
      revocation: { enabled: true },
      registration: { enabled: true, initialAccessToken: INITIAL_ACCESS_TOKEN },
      registrationManagement: { enabled: true, rotateRegistrationAccessToken: true },
      pushedAuthorizationRequests: { enabled: true },
      requestObjects: { enabled: true },
      jwtResponseModes: { enabled: true },
      dPoP: {
        enabled: true,
        nonceSecret: crypto.randomBytes(32),
        requireNonce: () => settings.requireDpopNonce,
      },
      mTLS: {
        enabled: true,
        certificateBoundAccessTokens: true,
        selfSignedTlsClientAuth: true,
        tlsClientAuth: true,
        getCertificate: (context) => peerCertificate(context)?.toString(),
        certificateAuthorized: (context) => context.socket.authorized,
        certificateSubjectMatches: (context, property, expected) =>
          property === 'tls_client_auth_subject_dn' && peerCertificate(context).subject === expected,
      },
      resourceIndicators: {
        enabled: true,
        defaultResource: () => JWT_RESOURCE,
        useGrantedResource: () => true,
        getResourceServerInfo: (_context, resource) => resourceServer(resource, issuer),
      },
    },

    discovery: { mtls_endpoint_aliases: tlsEndpoints(tlsOrigin) },
    findAccount: (_context, id) => ({ accountId: id, claims: () => ({ sub: id }) }),
    ...(settings.pages ? {} : { interactions: { url: (_context, interaction) => `/interaction/${interaction.uid}` } }),
  };
}

export function resourceServer(resource, issuer) {
  const common = { scope: 'read write', accessTokenTTL: settings.accessTokenSeconds };
  if (resource === OPAQUE_RESOURCE) return { ...common, accessTokenFormat: 'opaque' };
  if ([JWT_RESOURCE, OTHER_JWT_RESOURCE].includes(resource) || resource.startsWith(issuer)) {
    return { ...common, audience: resource, accessTokenFormat: 'jwt', jwt: { sign: { alg: 'RS256' } } };
  }
  throw new errors.InvalidTarget();
}

export function peerCertificate(context) {
  return context.socket.getPeerX509Certificate?.();
}

async function signingKey(alg) {
  const { privateKey } = await generateKeyPair(alg, { extractable: true });
  return { ...(await exportJWK(privateKey)), kid: alg, alg, use: 'sig' };
}

// A client with a certificate is to use the TLS port (RFC 8705 §5).
const tlsEndpoints = (origin) => ({
  token_endpoint: `${origin}/token`,
  introspection_endpoint: `${origin}/token/introspection`,
  revocation_endpoint: `${origin}/token/revocation`,
  pushed_authorization_request_endpoint: `${origin}/request`,
  device_authorization_endpoint: `${origin}/device/auth`,
});
