// @jmondi/oauth2-server with token exchange (RFC 8693), which it answers without the `issued_token_type` that is required.
//
//   node server.mjs
//
// It binds a free port of 127.0.0.1 (or PORT) and prints one line of JSON, {"ready": true, "port": …}, once it listens.
// With UNTIL_STDIN_CLOSES=1 it ends as soon as the process that started it is gone.
//
// The client `gateway` has the secret SECRET, and may trade the token of a user, `token-of-NAME`, which it has from
// elsewhere. The token that comes back is one for /api, which says whose it is, and with which wishes it was asked for.

import * as http from 'node:http';
import { randomUUID } from 'node:crypto';
import {
  AuthorizationServer,
  DateInterval,
  JwtService,
  OAuthException,
  OAuthRequest,
} from '@jmondi/oauth2-server';

const TOKEN_EXCHANGE = 'urn:ietf:params:oauth:grant-type:token-exchange';
const SECRET = 'gateway s3cret+%';
const SECONDS = 60;

const gateway = {
  id: 'gateway',
  name: 'gateway',
  secret: SECRET,
  redirectUris: [],
  allowedGrants: [TOKEN_EXCHANGE, 'client_credentials'],
  scopes: [],
};
const clients = {
  getByIdentifier: async (id) => (id === gateway.id ? gateway : undefined),
  isClientValid: async (_grant, client, secret) => secret === client.secret,
};

// By the identifier that is in each JWT.
const tokens = new Map();
const repository = {
  issueToken: async (client, scopes, user) => ({
    accessToken: randomUUID(),
    accessTokenExpiresAt: new Date(Date.now() + SECONDS * 1000),
    client,
    user,
    scopes,
  }),
  issueRefreshToken: async (token) => token,
  persist: async (token) => void tokens.set(token.accessToken, token),
  revoke: async () => {},
  isRefreshTokenRevoked: async () => true,
  getByRefreshToken: async () => {
    throw new Error('there are no refresh tokens');
  },
};

const knownScopes = ['read', 'write'];
const scopes = {
  getAllByIdentifiers: async (names) =>
    names.filter((name) => knownScopes.includes(name)).map((name) => ({ name })),
  finalize: async (asked) => asked,
};

const jwt = new JwtService('a secret of this server and of nobody else');
const server = new AuthorizationServer(clients, repository, scopes, jwt, { requiresS256: true });
server.enableGrantType('client_credentials', new DateInterval(`${SECONDS}s`));
server.enableGrantType(
  {
    grant: TOKEN_EXCHANGE,
    processTokenExchange: async (wish) => {
      const user = /^token-of-(\w+)$/.exec(wish.subjectToken)?.[1];
      if (!user) throw OAuthException.badRequest('the subject token is unknown');
      const actor = wish.actorToken && /^token-of-(\w+)$/.exec(wish.actorToken)?.[1];
      if (wish.actorToken && !actor) throw OAuthException.badRequest('the actor token is unknown');
      const { audience, resource, requestedTokenType, subjectTokenType, actorTokenType } = wish;
      return { id: user, wish: { actor, audience, resource, requestedTokenType, subjectTokenType, actorTokenType } };
    },
  },
  new DateInterval(`${SECONDS}s`),
);

const listener = http.createServer(async (request, response) => {
  const answer = (status, body, headers = {}) => {
    response.writeHead(status, { ...headers, 'content-type': 'application/json' });
    response.end(JSON.stringify(body));
  };
  try {
    if (request.url === '/token' && request.method === 'POST') return answer(...(await token(request)));
    if (request.url === '/api') return answer(...(await api(request)));
    return answer(404, { error: 'there is /token and /api' });
  } catch (error) {
    console.error(error);
    return answer(500, { error: 'server_error' });
  }
});

async function token(request) {
  const form = new URLSearchParams(await text(request));
  const body = {};
  // What is there several times becomes a list.
  for (const name of new Set(form.keys())) {
    const values = form.getAll(name);
    body[name] = values.length === 1 ? values[0] : values;
  }
  try {
    const headers = request.headers;
    const answered = await server.respondToAccessTokenRequest(new OAuthRequest({ headers, body, query: {} }));
    return [answered.status, answered.body, answered.headers];
  } catch (error) {
    if (!(error instanceof OAuthException)) throw error;
    return [error.status, { error: error.errorType, error_description: error.errorDescription ?? error.message }];
  }
}

async function api(request) {
  const [scheme, encoded] = (request.headers.authorization ?? '').split(' ');
  const claims = scheme === 'Bearer' ? await jwt.verify(encoded).catch(() => undefined) : undefined;
  const known = claims && tokens.get(claims.jti);
  if (!known) return [401, { error: 'invalid_token' }, { 'www-authenticate': 'Bearer error="invalid_token"' }];
  const scope = known.scopes.map(({ name }) => name).join(' ');
  return [200, { client: known.client.id, user: known.user?.id, scope, ...known.user?.wish }];
}

async function text(request) {
  let text = '';
  for await (const piece of request.setEncoding('utf8')) text += piece;
  return text;
}

if (process.env.UNTIL_STDIN_CLOSES) {
  process.stdin.resume().on('close', () => process.exit(0));
}
listener.keepAliveTimeout = 120_000; // longer than any client here keeps an idle connection
listener.listen(Number(process.env.PORT ?? 0), '127.0.0.1', () => {
  console.log(JSON.stringify({ ready: true, port: listener.address().port }));
});
