// What a test may ask and change. None of it is part of OAuth.
//
// | request | what it does |
// |---|---|
// | GET /_stats | how often each path was hit: {"POST /token": 3, "POST /token cc": 2, …}; with the client's name where it is known; and "grant revoked": how many logins the server ended |
// | GET /_reset | sets the counters to zero |
// | GET /_login?client_id=web&scope=…&resource=… | the code flow as alice's browser would do it; gives code, code_verifier, redirect_uri |
// | GET /_device_approve?user_code=… | alice agrees on her other device; with &deny=1 she does not; with &error=… the device is told that (`slow_down` once) |

import { setTimeout as sleep } from 'node:timers/promises';

import { logIn } from './browser.mjs';
import { JWT_RESOURCE } from './features.mjs';
import { USER } from './interactions.mjs';
import { settings } from './settings.mjs';

// Device codes that are to be told to slow down.
const slowedDown = new Set();

export function knobs(provider, { issuer }) {
  let hits = {};
  const count = (what) => { hits[what] = (hits[what] ?? 0) + 1; };
  provider.on('grant.revoked', () => count('grant revoked'));

  const answers = {
    '/_stats': () => hits,
    '/_reset': () => { hits = {}; return {}; },
    '/_login': ({ query }) => logIn(issuer, query),
    '/_device_approve': async (context) => {
      const known = await finishDeviceCode(provider, context.query);
      context.status = known ? 200 : 404;
      return {};
    },
  };

  return async (context, next) => {
    if (answers[context.path]) {
      context.body = await answers[context.path](context);
      return;
    }
    const hit = `${context.method} ${context.path}`;
    count(hit);
    await next();
    const client = context.oidc?.client?.clientId;
    if (client) count(`${hit} ${client}`);
    // oidc-provider lets devices ask as often as they like.
    if (context.body?.error === 'authorization_pending' && slowedDown.delete(context.oidc.params.device_code)) {
      context.body.error = 'slow_down';
    }
    if (client === 'cc-slow' && context.path === '/token') await sleep(settings.slowMilliseconds);
  };
}

async function finishDeviceCode(provider, { user_code: userCode, deny, error }) {
  const normalized = String(userCode).replace(/[^A-Za-z0-9]/g, '').toUpperCase();
  const code = await provider.DeviceCode.findByUserCode(normalized);
  if (!code) return false;
  if (error === 'slow_down') {
    slowedDown.add(code.jti);
    return true;
  }
  if (error) {
    Object.assign(code, { error });
  } else if (deny) {
    Object.assign(code, { error: 'access_denied', errorDescription: 'the user said no' });
  } else {
    const grant = new provider.Grant({ accountId: USER, clientId: code.clientId });
    grant.addOIDCScope('openid offline_access read write');
    grant.addResourceScope(JWT_RESOURCE, 'read write');
    Object.assign(code, {
      grantId: await grant.save(),
      accountId: USER,
      scope: code.params.scope,
      claims: {},
      resource: JWT_RESOURCE,
      authTime: Math.floor(Date.now() / 1000),
    });
  }
  await code.save();
  return true;
}
