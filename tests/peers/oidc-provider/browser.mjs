// Just enough of a browser to go through the authorization endpoint: follows redirects, keeps cookies.

import * as crypto from 'node:crypto';

import { REDIRECT } from './clients.mjs';
import { JWT_RESOURCE } from './features.mjs';

/** The parameters with which the redirect comes back to the client. */
export async function authorize(issuer, params) {
  const cookies = new Map();
  let url = `${issuer}/auth?${new URLSearchParams(params)}`;
  for (let hop = 0; hop < 10; hop += 1) {
    const cookie = [...cookies].map(([name, value]) => `${name}=${value}`).join('; ');
    const answer = await fetch(url, { redirect: 'manual', headers: { cookie } });
    for (const line of answer.headers.getSetCookie()) {
      const [, name, value] = /^([^=]+)=([^;]*)/.exec(line);
      cookies.set(name, value);
    }
    const location = answer.headers.get('location');
    if (!location) throw new Error(`no redirect from ${url}: ${answer.status} ${await answer.text()}`);
    url = new URL(location, url).href;
    if (!url.startsWith(issuer)) return Object.fromEntries(new URL(url).searchParams);
  }
  throw new Error('too many redirects');
}

/** The code flow with PKCE (RFC 7636) up to the code, and what is needed to spend it. */
export async function logIn(issuer, overrides = {}) {
  const codeVerifier = crypto.randomBytes(32).toString('base64url');
  const params = {
    client_id: 'web',
    response_type: 'code',
    redirect_uri: REDIRECT,
    scope: 'openid offline_access read write',
    resource: JWT_RESOURCE,
    state: 'some state',
    prompt: 'consent', // without it there is no refresh token for `offline_access`
    code_challenge: crypto.createHash('sha256').update(codeVerifier).digest('base64url'),
    code_challenge_method: 'S256',
    ...overrides,
  };
  const { code, state, iss } = await authorize(issuer, params);
  return { code, state, iss, code_verifier: codeVerifier, redirect_uri: params.redirect_uri };
}
