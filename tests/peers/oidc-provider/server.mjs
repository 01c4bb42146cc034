// oidc-provider with nearly everything on, for tests on one machine.
//
//   node server.mjs
//
// It binds free ports of 127.0.0.1 (or PORT and TLS_PORT), makes its certificates, and prints one line of
// JSON, {"ready": true, "port": …, …}, once it listens. With UNTIL_STDIN_CLOSES=1 it ends as soon as the
// process that started it is gone.
//
// | module | what is in it |
// |---|---|
// | settings.mjs | what the environment may change: lifetimes, delays |
// | clients.mjs | the registered clients and their secrets |
// | features.mjs | the configuration of oidc-provider |
// | grants.mjs | token exchange and JWT bearer, which oidc-provider leaves to us |
// | interactions.mjs | the user, who always agrees; with PAGES=1 there are pages instead |
// | resource.mjs, dpop.mjs | the protected resource /api |
// | knobs.mjs | what a test may ask and change: /_stats and the like |
// | certificates.mjs | keys and certificates, made at start |
// | browser.mjs | just enough of a browser to log in |

import * as http from 'node:http';
import * as https from 'node:https';
import { Provider } from 'oidc-provider';

import { makeCertificates } from './certificates.mjs';
import { clients } from './clients.mjs';
import { configuration } from './features.mjs';
import { registerGrants } from './grants.mjs';
import { interactions } from './interactions.mjs';
import { knobs } from './knobs.mjs';
import { protectedResource } from './resource.mjs';
import { settings } from './settings.mjs';

const certificates = makeCertificates();

// The issuer has the port in it, so the sockets come first and the provider after them.
const plain = http.createServer();
const secure = https.createServer({
  key: certificates.read('server.key'),
  cert: certificates.read('server.pem'),
  ca: certificates.read('ca.pem'),
  requestCert: true, // mutual TLS, for the clients that use it
  rejectUnauthorized: false,
});
const port = await listen(plain, settings.port);
const tlsPort = await listen(secure, settings.tlsPort);
const issuer = `http://127.0.0.1:${port}`;
const tlsOrigin = `https://127.0.0.1:${tlsPort}`;

const provider = new Provider(issuer, await configuration({
  issuer,
  tlsOrigin,
  clients: clients(certificates),
}));
registerGrants(provider, { issuer, certificates });
provider.use(knobs(provider, { issuer }));
if (!settings.pages) provider.use(interactions(provider));
provider.use(protectedResource(provider, { issuer }));
provider.on('server_error', (_context, error) => console.error('server_error', error));

for (const server of [plain, secure]) {
  server.keepAliveTimeout = 120_000; // longer than any client here keeps an idle connection
  server.on('request', provider.callback());
}

if (process.env.UNTIL_STDIN_CLOSES) {
  process.stdin.resume().on('close', () => process.exit(0));
}
for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => process.exit(0));

console.log(JSON.stringify({
  ready: true,
  port,
  tls_port: tlsPort,
  issuer,
  tls_origin: tlsOrigin,
  certificates: certificates.folder,
}));

function listen(server, wanted) {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(wanted, '127.0.0.1', () => resolve(server.address().port));
  });
}
