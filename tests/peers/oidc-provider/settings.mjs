// What the environment may change. Lifetimes are in seconds.

const number = (name, otherwise) => Number(process.env[name] ?? otherwise);

export const settings = {
  port: number('PORT', 0),
  tlsPort: number('TLS_PORT', 0),

  accessTokenSeconds: number('ACCESS_TOKEN_SECONDS', 60),
  refreshTokenSeconds: number('REFRESH_TOKEN_SECONDS', 600),

  // How long the token endpoint keeps the client `cc-slow` waiting.
  slowMilliseconds: number('SLOW_MILLISECONDS', 300),

  // Whether users log in and consent at the pages of oidc-provider itself, for tests with a real browser.
  pages: process.env.PAGES === '1',

  // Whether a DPoP proof needs a nonce of the server (RFC 9449 §8).
  requireDpopNonce: process.env.DPOP_NONCE !== '0',
};
