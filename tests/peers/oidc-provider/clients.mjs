// The registered clients. Whatever a client's name says is what it is for.

import * as crypto from 'node:crypto';

export const TOKEN_EXCHANGE = 'urn:ietf:params:oauth:grant-type:token-exchange';
export const JWT_BEARER = 'urn:ietf:params:oauth:grant-type:jwt-bearer';
export const DEVICE_CODE = 'urn:ietf:params:oauth:grant-type:device_code';

// Where the browser of the tests is sent back to. Nobody listens there.
export const REDIRECT = 'http://127.0.0.1:1/callback';

// What the registration endpoint wants before it registers anybody (RFC 7591 §3).
export const INITIAL_ACCESS_TOKEN = 'initial-access-token';

// A `:`, a `%`, a `+` and a space: only a client that form-encodes before Basic gets in (RFC 6749 §2.3.1).
const DIFFICULT_SECRET = 'cc-secret:with%special +chars';

export function clients(certificates) {
  const rsa = publicJwk(certificates.read('client-rsa.pem'), 'rsa', 'RS256');
  const rsaPss = publicJwk(certificates.read('client-rsa.pem'), 'rsa-pss', 'PS256');
  const ec = publicJwk(certificates.read('client-ec.pem'), 'ec', 'ES256');
  const ed25519 = publicJwk(certificates.read('client-ed25519.pem'), 'ed25519', 'EdDSA');

  return [
    // Client credentials, by secret. Several with Basic, so that a test can count the requests of its own.
    machine('cc', { client_secret: DIFFICULT_SECRET }),
    machine('cc-slow', { client_secret: DIFFICULT_SECRET }),
    machine('cc-expiring', { client_secret: DIFFICULT_SECRET }),
    machine('cc-revoked', { client_secret: DIFFICULT_SECRET }),
    machine('cc-revoked-once', { client_secret: DIFFICULT_SECRET }),
    machine('cc-refused', { client_secret: DIFFICULT_SECRET }),
    machine('cc-post', { client_secret: DIFFICULT_SECRET, token_endpoint_auth_method: 'client_secret_post' }),

    // By assertion (RFC 7523 §2.2).
    machine('cc-secret-jwt', {
      client_secret: 'a secret of more than thirty-two bytes',
      token_endpoint_auth_method: 'client_secret_jwt',
      token_endpoint_auth_signing_alg: 'HS256',
    }),
    machine('cc-rsa', signsAssertions(rsa)),
    machine('cc-rsa-pss', signsAssertions(rsaPss)),
    machine('cc-ec', signsAssertions(ec)),
    machine('cc-ed25519', signsAssertions(ed25519)),

    // By certificate (RFC 8705), with tokens bound to it.
    machine('cc-mtls', {
      token_endpoint_auth_method: 'tls_client_auth',
      tls_client_auth_subject_dn: 'CN=mtls-client',
      tls_client_certificate_bound_access_tokens: true,
    }),
    machine('cc-mtls-self-signed', {
      token_endpoint_auth_method: 'self_signed_tls_client_auth',
      tls_client_certificate_bound_access_tokens: true,
      jwks: { keys: [certificateJwk(certificates.read('self-signed-client.pem'))] },
    }),

    // With tokens bound to a DPoP key (RFC 9449).
    machine('cc-dpop', { client_secret: 'dpop-secret', dpop_bound_access_tokens: true }),

    // For users: a web application, native ones, and one that signs and pushes its requests.
    forUsers('web', { client_secret: 'web-secret', redirect_uris: [REDIRECT] }),
    // The same on a developer's machine, where its port is not known beforehand.
    forUsers('web-login', { ...native, token_endpoint_auth_method: 'client_secret_basic', client_secret: 'web-login-secret' }),
    forUsers('native', { ...native }),
    forUsers('native-dpop', { ...native, dpop_bound_access_tokens: true }),
    forUsers('signed-requests', {
      redirect_uris: [REDIRECT],
      ...signsAssertions(ec),
      request_object_signing_alg: 'ES256',
      require_signed_request_object: true,
      require_pushed_authorization_requests: true,
    }),

    // A resource server, which may introspect tokens and nothing else.
    { client_id: 'resource-server', client_secret: 'resource-server-secret', grant_types: [], redirect_uris: [], response_types: [] },
  ];
}

const machine = (client_id, more) => ({
  client_id,
  grant_types: ['client_credentials', TOKEN_EXCHANGE, JWT_BEARER],
  redirect_uris: [],
  response_types: [],
  ...more,
});

const forUsers = (client_id, more) => ({
  client_id,
  grant_types: ['authorization_code', 'refresh_token', DEVICE_CODE],
  ...more,
});

const native = {
  application_type: 'native',
  token_endpoint_auth_method: 'none',
  redirect_uris: ['http://127.0.0.1/callback'], // any port (RFC 8252 §7.3)
};

const signsAssertions = (jwk) => ({
  token_endpoint_auth_method: 'private_key_jwt',
  token_endpoint_auth_signing_alg: jwk.alg,
  jwks: { keys: [jwk] },
});

export function publicJwk(privatePem, kid, alg) {
  return { ...crypto.createPublicKey(privatePem).export({ format: 'jwk' }), kid, alg, use: 'sig' };
}

function certificateJwk(pem) {
  const certificate = new crypto.X509Certificate(pem);
  const key = certificate.publicKey.export({ format: 'jwk' });
  return { ...key, kid: 'certificate', x5c: [certificate.raw.toString('base64')] };
}
