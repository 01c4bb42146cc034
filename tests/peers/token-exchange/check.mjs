// Checks the server itself: that it accepts what is right and refuses what is not.
//
//   node --test check.mjs

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { after, before, test } from 'node:test';
import { createInterface } from 'node:readline';

const TOKEN_EXCHANGE = 'urn:ietf:params:oauth:grant-type:token-exchange';
const ACCESS_TOKEN = 'urn:ietf:params:oauth:token-type:access_token';
const client = { client_id: 'gateway', client_secret: 'gateway s3cret+%' };
const exchange = {
  grant_type: TOKEN_EXCHANGE,
  subject_token: 'token-of-ann',
  subject_token_type: ACCESS_TOKEN,
};

let server;
let origin;

before(async () => {
  const environment = { ...process.env, UNTIL_STDIN_CLOSES: '1' };
  const script = new URL('server.mjs', import.meta.url).pathname;
  server = spawn(process.execPath, [script], { env: environment, stdio: ['pipe', 'pipe', 'inherit'] });
  for await (const line of createInterface(server.stdout)) {
    origin = `http://127.0.0.1:${JSON.parse(line).port}`;
    break;
  }
});

after(() => server.stdin.end());

async function ask(form, headers = {}) {
  const answer = await fetch(`${origin}/token`, { method: 'POST', headers, body: new URLSearchParams(form) });
  return { status: answer.status, body: await answer.json() };
}

async function whose(token) {
  const answer = await fetch(`${origin}/api`, { headers: { authorization: `Bearer ${token}` } });
  return { status: answer.status, body: await answer.json() };
}

test('the token of a user becomes one for the API', async () => {
  const { status, body } = await ask({ ...client, ...exchange, scope: 'read', audience: 'api' });
  assert.equal(status, 200);
  assert.equal(body.issued_token_type, undefined, 'RFC 8693 §2.2.1 requires it, and this server leaves it out');
  const { body: owner } = await whose(body.access_token);
  assert.deepEqual(
    [owner.client, owner.user, owner.scope, owner.audience],
    ['gateway', 'ann', 'read', 'api'],
  );
});

test('an actor is named beside the subject', async () => {
  const actor = { actor_token: 'token-of-robot', actor_token_type: ACCESS_TOKEN };
  const { body } = await ask({ ...client, ...exchange, ...actor });
  assert.equal((await whose(body.access_token)).body.actor, 'robot');
});

test('what is wrong is refused', async () => {
  const wrong = {
    'an unknown subject': { ...client, ...exchange, subject_token: 'nonsense' },
    'no subject': { ...client, grant_type: TOKEN_EXCHANGE, subject_token_type: ACCESS_TOKEN },
    'a type that is no URI': { ...client, ...exchange, subject_token_type: 'access_token' },
    'an actor without a type': { ...client, ...exchange, actor_token: 'token-of-robot' },
    'an unknown actor': { ...client, ...exchange, actor_token: 'x', actor_token_type: ACCESS_TOKEN },
    'an unknown scope': { ...client, ...exchange, scope: 'admin' },
    'a wrong secret': { ...client, ...exchange, client_secret: 'wrong' },
    'no secret': { client_id: 'gateway', ...exchange },
    'an unknown client': { ...client, ...exchange, client_id: 'nobody' },
    'a grant that is not there': { ...client, grant_type: 'password' },
  };
  for (const [what, form] of Object.entries(wrong)) {
    const { status, body } = await ask(form);
    assert.ok(status === 400 || status === 401, `${what}: ${status}`);
    assert.equal(body.access_token, undefined, what);
    assert.equal(typeof body.error, 'string', what);
  }
});

test('Basic is taken raw, and not form-decoded', async () => {
  const basic = (text) => ({ authorization: `Basic ${Buffer.from(text).toString('base64')}` });
  assert.equal((await ask(exchange, basic('gateway:gateway s3cret+%'))).status, 200);
  assert.equal((await ask(exchange, basic('gateway:gateway+s3cret%2B%25'))).status, 401);
});

test('without a token the API is closed', async () => {
  assert.equal((await whose('nonsense')).status, 401);
});
