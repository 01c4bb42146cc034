// Keys and certificates for one run, made by openssl in a temporary folder that goes when the process does.
//
// | file | what it is |
// |---|---|
// | ca.pem, ca.key | the authority below |
// | server.pem, server.key | localhost and 127.0.0.1, signed by it |
// | mtls-client.pem, .key | CN=mtls-client, signed by it |
// | self-signed-client.pem, .key | CN=self-signed-client, signed by itself |
// | client-rsa.pem, client-ec.pem, client-ed25519.pem | private keys of clients that sign assertions |

import { execFileSync } from 'node:child_process';
import * as fs from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';

export function makeCertificates() {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'tower-oauth-peer-'));
  process.on('exit', () => fs.rmSync(folder, { recursive: true, force: true }));

  const openssl = (...args) => execFileSync('openssl', args, { cwd: folder, stdio: ['ignore', 'ignore', 'pipe'] });
  const ecKey = (file) => openssl('genpkey', '-algorithm', 'EC', '-pkeyopt', 'ec_paramgen_curve:P-256', '-out', file);
  const selfSigned = (name, commonName) => {
    ecKey(`${name}.key`);
    openssl('req', '-x509', '-new', '-key', `${name}.key`, '-subj', `/CN=${commonName}`, '-days', '30', '-out', `${name}.pem`);
  };
  const signedByAuthority = (name, commonName, extension) => {
    ecKey(`${name}.key`);
    fs.writeFileSync(path.join(folder, `${name}.ext`), extension);
    openssl('req', '-new', '-key', `${name}.key`, '-subj', `/CN=${commonName}`, '-out', `${name}.csr`);
    openssl(
      'x509', '-req', '-in', `${name}.csr`, '-CA', 'ca.pem', '-CAkey', 'ca.key', '-CAcreateserial',
      '-days', '30', '-extfile', `${name}.ext`, '-out', `${name}.pem`,
    );
  };

  selfSigned('ca', 'tower-oauth test authority');
  signedByAuthority('server', 'localhost', 'subjectAltName=DNS:localhost,IP:127.0.0.1');
  signedByAuthority('mtls-client', 'mtls-client', 'extendedKeyUsage=clientAuth');
  selfSigned('self-signed-client', 'self-signed-client');
  openssl('genpkey', '-algorithm', 'RSA', '-pkeyopt', 'rsa_keygen_bits:2048', '-out', 'client-rsa.pem');
  ecKey('client-ec.pem');
  openssl('genpkey', '-algorithm', 'ED25519', '-out', 'client-ed25519.pem');

  return { folder, read: (file) => fs.readFileSync(path.join(folder, file)) };
}
