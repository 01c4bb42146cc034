// The resource server's side of DPoP (RFC 9449 §4.3, §7, §9). `?rotate_nonce=1` makes it change its nonce.

import * as crypto from 'node:crypto';
import { EmbeddedJWK, calculateJwkThumbprint, jwtVerify } from 'jose';

import { settings } from './settings.mjs';

const seen = new Set();
let nonce = crypto.randomUUID();

/** What is wrong with the request's proof, as the parameters of a challenge; nothing if it is good. */
export async function verifyProof(context, { token, thumbprint }) {
  let payload;
  let protectedHeader;
  try {
    ({ payload, protectedHeader } = await jwtVerify(context.get('dpop'), EmbeddedJWK, { typ: 'dpop+jwt' }));
  } catch (error) {
    return { error: 'invalid_dpop_proof', error_description: error.message };
  }
  if (settings.requireDpopNonce) context.set('DPoP-Nonce', nonce);
  if (settings.requireDpopNonce && payload.nonce !== nonce) {
    return { error: 'use_dpop_nonce', error_description: 'a nonce of this server is needed' };
  }

  const wrong = {
    htm: payload.htm !== context.method,
    htu: withoutQuery(payload.htu) !== `${context.socket.encrypted ? 'https' : 'http'}://${context.host}${context.path}`,
    ath: payload.ath !== crypto.createHash('sha256').update(token).digest('base64url'),
    iat: Math.abs(payload.iat - Date.now() / 1000) > 60,
    jti: seen.has(payload.jti),
    jkt: (await calculateJwkThumbprint(protectedHeader.jwk)) !== thumbprint,
  };
  const claim = Object.keys(wrong).find((name) => wrong[name]);
  if (claim) return { error: 'invalid_dpop_proof', error_description: `wrong ${claim}` };

  seen.add(payload.jti);
  if (context.query.rotate_nonce) {
    nonce = crypto.randomUUID();
    context.set('DPoP-Nonce', nonce);
  }
  return undefined;
}

function withoutQuery(address) {
  const url = new URL(address);
  url.search = '';
  url.hash = '';
  return url.href;
}
