// Checks the provider itself: that it gives what it should and refuses what it should.
//
//   node --test check.mjs
//
// The tests in Rust lean on these verdicts.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import * as crypto from 'node:crypto';
import { once } from 'node:events';
import * as fs from 'node:fs';
import * as https from 'node:https';
import * as path from 'node:path';
import * as readline from 'node:readline';
import { after, before, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { SignJWT, calculateJwkThumbprint, decodeJwt, exportJWK, generateKeyPair, importPKCS8 } from 'jose';

import { authorize, logIn } from './browser.mjs';
import { DEVICE_CODE, INITIAL_ACCESS_TOKEN, JWT_BEARER, REDIRECT, TOKEN_EXCHANGE } from './clients.mjs';

const SECRET = 'cc-secret:with%special +chars';
const ASSERTION = 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer';
const CLIENT_CREDENTIALS = { grant_type: 'client_credentials', scope: 'read' };

let peer; // what the ready line said
let child;

before(async () => {
  ({ peer, child } = await start());
});
after(() => child.stdin.end());

async function start(environment = {}) {
  const process_ = spawn(process.execPath, [new URL('server.mjs', import.meta.url).pathname], {
    env: { ...process.env, UNTIL_STDIN_CLOSES: '1', ...environment },
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const [line] = await once(readline.createInterface({ input: process_.stdout }), 'line');
  return { child: process_, peer: JSON.parse(line) };
}

// ---- requests

const formEncode = (text) => encodeURIComponent(text).replaceAll('%20', '+');
const basic = (id, secret) => `Basic ${Buffer.from(`${formEncode(id)}:${formEncode(secret)}`).toString('base64')}`;
const cc = (id = 'cc') => ({ authorization: basic(id, SECRET) });
const web = { authorization: basic('web', 'web-secret') };

async function send(method, url, { headers = {}, form } = {}) {
  const answer = await fetch(new URL(url, peer.issuer), { method, headers, body: form && new URLSearchParams(form) });
  const text = await answer.text();
  return { status: answer.status, headers: answer.headers, ...(text.startsWith('{') ? JSON.parse(text) : { text }) };
}
const token = (form, headers) => send('POST', '/token', { form, headers });
const api = (accessToken, target = '/api/x') => send('GET', target, { headers: { authorization: `Bearer ${accessToken}` } });

function accepted(answer, status = 200) {
  assert.equal(answer.status, status, JSON.stringify(answer));
  return answer;
}
function refused(answer, status, error) {
  assert.deepEqual([answer.status, answer.error], [status, error], JSON.stringify(answer));
  return answer;
}

const file = (name) => fs.readFileSync(path.join(peer.certificates, name));
const keyOf = (name, alg) => importPKCS8(file(name).toString(), alg);

function assertion(id, key, alg, kid, audience = peer.issuer) {
  return new SignJWT({ jti: crypto.randomUUID() })
    .setProtectedHeader({ alg, kid }).setIssuer(id).setSubject(id).setAudience(audience)
    .setIssuedAt().setExpirationTime('60s').sign(key);
}
const byAssertion = async (...args) => ({ client_assertion_type: ASSERTION, client_assertion: await assertion(...args) });

async function tokensOfALogin(overrides = {}) {
  const { code, code_verifier, redirect_uri } = await logIn(peer.issuer, overrides);
  return accepted(await token({ grant_type: 'authorization_code', code, code_verifier, redirect_uri }, web));
}
const refresh = (refreshToken) => token({ grant_type: 'refresh_token', refresh_token: refreshToken }, web);

// ---- client credentials

describe('client credentials', () => {
  test('a secret in Basic is form-encoded first', async () => {
    const answer = accepted(await token(CLIENT_CREDENTIALS, cc()));
    assert.equal(answer.token_type, 'Bearer');
    assert.equal(decodeJwt(answer.access_token).aud, 'urn:api');
    const raw = `Basic ${Buffer.from(`cc:${SECRET}`).toString('base64')}`;
    refused(await token(CLIENT_CREDENTIALS, { authorization: raw }), 400, 'invalid_request');
  });

  test('a secret in the form', async () => {
    accepted(await token({ ...CLIENT_CREDENTIALS, client_id: 'cc-post', client_secret: SECRET }));
  });

  test('a wrong secret', async () => {
    const answer = refused(await token(CLIENT_CREDENTIALS, { authorization: basic('cc', 'x') }), 401, 'invalid_client');
    assert.match(answer.headers.get('www-authenticate'), /^Basic /);
  });

  test('an assertion signed with the secret', async () => {
    const key = new TextEncoder().encode('a secret of more than thirty-two bytes');
    accepted(await token({ ...CLIENT_CREDENTIALS, ...(await byAssertion('cc-secret-jwt', key, 'HS256')) }));
  });

  for (const [id, name, alg, kid] of [
    ['cc-rsa', 'client-rsa.pem', 'RS256', 'rsa'],
    ['cc-rsa-pss', 'client-rsa.pem', 'PS256', 'rsa-pss'],
    ['cc-ec', 'client-ec.pem', 'ES256', 'ec'],
    ['cc-ed25519', 'client-ed25519.pem', 'EdDSA', 'ed25519'],
  ]) {
    test(`an assertion signed with ${alg}, once`, async () => {
      const form = { ...CLIENT_CREDENTIALS, ...(await byAssertion(id, await keyOf(name, alg), alg, kid)) };
      accepted(await token(form));
      refused(await token(form), 401, 'invalid_client');
    });
  }

  test('a registered client', async () => {
    const headers = { 'content-type': 'application/json', authorization: `Bearer ${INITIAL_ACCESS_TOKEN}` };
    const body = JSON.stringify({ grant_types: ['client_credentials'], redirect_uris: [], response_types: [] });
    const registered = await (await fetch(`${peer.issuer}/reg`, { method: 'POST', headers, body })).json();
    accepted(await token(CLIENT_CREDENTIALS, { authorization: basic(registered.client_id, registered.client_secret) }));
  });
});

// ---- mutual TLS

describe('mutual TLS', () => {
  const overTls = (method, target, { certificate, headers = {}, form } = {}) => new Promise((resolve, reject) => {
    const request = https.request(peer.tls_origin + target, {
      method,
      headers: { ...(form && { 'content-type': 'application/x-www-form-urlencoded' }), ...headers },
      ca: file('ca.pem'),
      ...(certificate && { cert: file(`${certificate}.pem`), key: file(`${certificate}.key`) }),
    }, (answer) => {
      let text = '';
      answer.on('data', (piece) => { text += piece; });
      answer.on('end', () => resolve({ status: answer.statusCode, ...JSON.parse(text) }));
    });
    request.on('error', reject);
    request.end(form && new URLSearchParams(form).toString());
  });

  for (const [id, certificate] of [['cc-mtls', 'mtls-client'], ['cc-mtls-self-signed', 'self-signed-client']]) {
    test(`${id}: the token is bound to the certificate`, async () => {
      const form = { ...CLIENT_CREDENTIALS, client_id: id };
      const { access_token } = accepted(await overTls('POST', '/token', { form, certificate }));
      assert.ok(decodeJwt(access_token).cnf['x5t#S256']);
      const headers = { authorization: `Bearer ${access_token}` };
      accepted(await overTls('GET', '/api/x', { headers, certificate }));
      refused(await overTls('GET', '/api/x', { headers }), 401, 'invalid_token');
      refused(await token(form), 401, 'invalid_client');
    });
  }
});

// ---- DPoP

describe('DPoP', () => {
  let pair;
  let jwk;
  before(async () => {
    pair = await generateKeyPair('ES256');
    jwk = await exportJWK(pair.publicKey);
  });
  const proof = (htm, target, { nonce, accessToken } = {}) => new SignJWT({
    htm,
    htu: peer.issuer + target,
    jti: crypto.randomUUID(),
    ...(nonce && { nonce }),
    ...(accessToken && { ath: crypto.createHash('sha256').update(accessToken).digest('base64url') }),
  }).setProtectedHeader({ alg: 'ES256', typ: 'dpop+jwt', jwk }).setIssuedAt().sign(pair.privateKey);

  test('both servers ask for a nonce and then give in', async () => {
    const authorization = basic('cc-dpop', 'dpop-secret');
    const without = await token(CLIENT_CREDENTIALS, { authorization, dpop: await proof('POST', '/token') });
    const nonce = refused(without, 400, 'use_dpop_nonce').headers.get('dpop-nonce');
    const dpop = await proof('POST', '/token', { nonce });
    const { access_token: accessToken, token_type } = accepted(await token(CLIENT_CREDENTIALS, { authorization, dpop }));
    assert.equal(token_type, 'DPoP');
    refused(await token(CLIENT_CREDENTIALS, { authorization, dpop }), 400, 'invalid_grant'); // a proof is good once

    const call = async (options) => send('GET', '/api/x?a=b', {
      headers: { authorization: `DPoP ${accessToken}`, dpop: await proof('GET', '/api/x', { accessToken, ...options }) },
    });
    const apiNonce = refused(await call(), 401, 'use_dpop_nonce').headers.get('dpop-nonce');
    accepted(await call({ nonce: apiNonce }));
    refused(await call({ nonce: apiNonce, accessToken: 'another' }), 401, 'invalid_dpop_proof');
    refused(await api(accessToken), 401, 'invalid_token');
  });

  test('a public client binds its code and its refresh token to the key', async () => {
    const login = { client_id: 'native-dpop', redirect_uri: 'http://127.0.0.1:54321/callback', dpop_jkt: await calculateJwkThumbprint(jwk) };
    const { code, code_verifier, redirect_uri } = await logIn(peer.issuer, login);
    const first = { grant_type: 'authorization_code', client_id: 'native-dpop', code, code_verifier, redirect_uri };
    const challenged = await token(first, { dpop: await proof('POST', '/token') });
    const nonce = challenged.headers.get('dpop-nonce');
    const tokens = accepted(await token(first, { dpop: await proof('POST', '/token', { nonce }) }));
    const second = { grant_type: 'refresh_token', client_id: 'native-dpop', refresh_token: tokens.refresh_token };
    accepted(await token(second, { dpop: await proof('POST', '/token', { nonce }) }));
  });
});

// ---- the code flow and its refresh tokens

describe('the code flow', () => {
  test('a login gives tokens, and the redirect names the issuer', async () => {
    const { code, code_verifier, redirect_uri, iss, state } = await logIn(peer.issuer);
    assert.deepEqual([iss, state], [peer.issuer, 'some state']);
    const form = { grant_type: 'authorization_code', code, code_verifier, redirect_uri };
    const tokens = accepted(await token(form, web));
    assert.ok(tokens.refresh_token && tokens.id_token);
    assert.equal(accepted(await api(tokens.access_token)).sub, 'alice');
    refused(await token(form, web), 400, 'invalid_grant');
  });

  test('a wrong verifier', async () => {
    const { code, code_verifier, redirect_uri } = await logIn(peer.issuer);
    const form = { grant_type: 'authorization_code', code, code_verifier: `${code_verifier}x`, redirect_uri };
    refused(await token(form, web), 400, 'invalid_grant');
  });

  test('a native client may listen on any port', async () => {
    const { code, code_verifier, redirect_uri } = await logIn(peer.issuer, { client_id: 'native', redirect_uri: 'http://127.0.0.1:54321/callback' });
    accepted(await token({ grant_type: 'authorization_code', client_id: 'native', code, code_verifier, redirect_uri }));
  });

  test('a refresh token is good once, and its reuse kills the grant', async () => {
    const first = (await tokensOfALogin()).refresh_token;
    const second = accepted(await refresh(first)).refresh_token;
    assert.notEqual(second, first);
    refused(await refresh(first), 400, 'invalid_grant');
    refused(await refresh(second), 400, 'invalid_grant');
  });

  test('of five refreshes at once one wins, and what it won is dead', async () => {
    const { refresh_token } = await tokensOfALogin();
    const answers = await Promise.all(Array.from({ length: 5 }, () => refresh(refresh_token)));
    assert.deepEqual(answers.map(({ status }) => status).sort(), [200, 400, 400, 400, 400]);
    const winner = answers.find(({ status }) => status === 200);
    refused(await refresh(winner.refresh_token), 400, 'invalid_grant');
  });

  test('the knob /_login does the same', async () => {
    const { code, code_verifier, redirect_uri } = await send('GET', '/_login?scope=openid+offline_access+read');
    accepted(await token({ grant_type: 'authorization_code', code, code_verifier, redirect_uri }, web));
  });

  test('a signed request, pushed', async () => {
    const key = await keyOf('client-ec.pem', 'ES256');
    const codeVerifier = crypto.randomBytes(32).toString('base64url');
    const request = await new SignJWT({
      client_id: 'signed-requests',
      response_type: 'code',
      redirect_uri: REDIRECT,
      scope: 'openid',
      code_challenge: crypto.createHash('sha256').update(codeVerifier).digest('base64url'),
      code_challenge_method: 'S256',
    })
      .setProtectedHeader({ alg: 'ES256', kid: 'ec', typ: 'oauth-authz-req+jwt' })
      .setIssuer('signed-requests').setAudience(peer.issuer).setJti(crypto.randomUUID())
      .setIssuedAt().setNotBefore('0s').setExpirationTime('60s').sign(key);
    const form = { client_id: 'signed-requests', request, ...(await byAssertion('signed-requests', key, 'ES256', 'ec')) };
    const { request_uri } = accepted(await send('POST', '/request', { form }), 201);
    const returned = await authorize(peer.issuer, { client_id: 'signed-requests', request_uri });
    assert.ok(returned.code, JSON.stringify(returned));
  });
});

describe('the device flow', () => {
  const begin = () => send('POST', '/device/auth', { form: { client_id: 'native', scope: 'openid offline_access read' } });
  const poll = ({ device_code }) => token({ grant_type: DEVICE_CODE, client_id: 'native', device_code });

  test('pending, then tokens', async () => {
    const device = accepted(await begin());
    refused(await poll(device), 400, 'authorization_pending');
    accepted(await send('GET', `/_device_approve?user_code=${device.user_code}`));
    assert.ok(accepted(await poll(device)).refresh_token);
  });

  test('denied', async () => {
    const device = accepted(await begin());
    accepted(await send('GET', `/_device_approve?deny=1&user_code=${device.user_code}`));
    refused(await poll(device), 400, 'access_denied');
  });
});

// ---- other grants

test('token exchange', async () => {
  const { access_token } = await tokensOfALogin();
  const form = {
    grant_type: TOKEN_EXCHANGE,
    subject_token: access_token,
    subject_token_type: 'urn:ietf:params:oauth:token-type:access_token',
  };
  const answer = accepted(await token(form, cc()));
  assert.equal(answer.issued_token_type, 'urn:ietf:params:oauth:token-type:access_token');
  accepted(await api(answer.access_token));
  refused(await token({ ...form, subject_token: 'a.b.c' }, cc()), 400, 'invalid_grant');
});

test('a JWT as a grant', async () => {
  const jwt = await assertion('service@example', await keyOf('client-rsa.pem', 'RS256'), 'RS256', 'rsa');
  accepted(await token({ grant_type: JWT_BEARER, assertion: jwt, scope: 'read' }, cc()));
});

// ---- the protected resource

describe('the protected resource', () => {
  test('no token', async () => {
    const answer = await send('GET', '/api/x');
    assert.deepEqual([answer.status, answer.headers.get('www-authenticate')], [401, 'Bearer realm="api"']);
  });

  test('a token without the scope', async () => {
    const { access_token } = await token(CLIENT_CREDENTIALS, cc());
    accepted(await api(access_token, '/api/x?scope=read'));
    const answer = refused(await api(access_token, '/api/x?scope=write'), 403, 'insufficient_scope');
    assert.match(answer.headers.get('www-authenticate'), /error="insufficient_scope"/);
  });

  test('an opaque token, until it is revoked', async () => {
    const { access_token } = await token({ ...CLIENT_CREDENTIALS, resource: 'urn:opaque' }, cc());
    assert.ok(!access_token.includes('.'));
    accepted(await api(access_token));
    const introspect = () => send('POST', '/token/introspection', {
      form: { token: access_token },
      headers: { authorization: basic('resource-server', 'resource-server-secret') },
    });
    assert.equal((await introspect()).active, true);
    accepted(await send('POST', '/token/revocation', { form: { token: access_token }, headers: cc() }));
    assert.equal((await introspect()).active, false);
    const answer = refused(await api(access_token), 401, 'invalid_token');
    assert.match(answer.headers.get('www-authenticate'), /^Bearer error="invalid_token"/);
  });

  test('tokens that are over', async (t) => {
    const short = await start({ ACCESS_TOKEN_SECONDS: '3' });
    t.after(() => short.child.stdin.end());
    const at = (target) => new URL(target, short.peer.issuer);
    const ask = (resource) => send('POST', at('/token'), { form: { ...CLIENT_CREDENTIALS, resource }, headers: cc() });
    const [jwt, opaque] = [await ask('urn:api'), await ask('urn:opaque')];
    assert.equal(jwt.expires_in, 3);
    accepted(await api(jwt.access_token, at('/api/x')));
    accepted(await api(opaque.access_token, at('/api/x')));
    await sleep(4100);
    refused(await api(jwt.access_token, at('/api/x')), 401, 'invalid_token');
    refused(await api(opaque.access_token, at('/api/x')), 401, 'invalid_token');
  });
});

test('requests are counted, by client too', async () => {
  accepted(await token(CLIENT_CREDENTIALS, cc('cc-expiring')));
  accepted(await token(CLIENT_CREDENTIALS, cc('cc-expiring')));
  assert.equal((await send('GET', '/_stats'))['POST /token cc-expiring'], 2);
});

test('both discovery documents', async () => {
  for (const name of ['oauth-authorization-server', 'openid-configuration']) {
    const document = accepted(await send('GET', `/.well-known/${name}`));
    assert.equal(document.issuer, peer.issuer);
    assert.equal(document.mtls_endpoint_aliases.token_endpoint, `${peer.tls_origin}/token`);
  }
});
