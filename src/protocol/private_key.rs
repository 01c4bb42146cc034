//! What kind of private key a DER text holds: PKCS#8 (RFC 5208, RFC 8410), PKCS#1 (RFC 8017) or SEC 1 (RFC 5915).

use crate::protocol::der::BIT_STRING;
use crate::protocol::der::DSA;
use crate::protocol::der::EC;
use crate::protocol::der::ED448;
use crate::protocol::der::ED25519;
use crate::protocol::der::ENCRYPTED;
use crate::protocol::der::Element;
use crate::protocol::der::INTEGER;
use crate::protocol::der::OBJECT_IDENTIFIER;
use crate::protocol::der::OCTET_STRING;
use crate::protocol::der::RSA;
use crate::protocol::der::RSA_PSS;
use crate::protocol::der::SEQUENCE;
use crate::protocol::der::bits;
use crate::protocol::der::identifier;
use crate::protocol::der::members;
use crate::protocol::der::sequence;

/// `[0]` of an ECPrivateKey: its curve.
const CURVE: u8 = 0xa0;

/// A private key, as far as its outside shows.
#[derive(Debug)]
#[cfg_attr(not(feature = "jwt"), allow(dead_code))]
pub(crate) enum PrivateKey<'a> {
    Rsa {
        /// The key in the form of PKCS#1.
        pkcs1: &'a [u8],
        /// The length of its modulus.
        bits: usize,
    },
    Ec {
        /// The identifier of the curve.
        curve: &'a [u8],
        /// The key in the form of SEC 1.
        sec1: &'a [u8],
    },
    Ed25519,
    Ed448,
    Dsa,
    /// A key that says that it is for RSA-PSS only.
    RsaPss,
    Other,
}

/// The private key in `der`, or what was found instead.
pub(crate) fn private_key(der: &[u8]) -> Result<PrivateKey<'_>, &'static str> {
    if der.is_empty() {
        return Err("nothing: the data is empty");
    }
    let found = sequence(der).ok_or("data that is no DER, or was cut off")?;
    if let Some(modulus) = modulus(&found) {
        return Ok(PrivateKey::Rsa { pkcs1: der, bits: bits(modulus) });
    }
    let tags: Vec<_> = found.iter().map(|member| member.tag).collect();
    match (tags.as_slice(), found.as_slice()) {
        // PrivateKeyInfo (RFC 5208 §5): version, algorithm, key, and perhaps attributes.
        ([INTEGER, SEQUENCE, OCTET_STRING, ..], [_, algorithm, key, ..]) => pkcs8(algorithm, key),
        // ECPrivateKey (RFC 5915).
        ([INTEGER, OCTET_STRING, ..], members) => {
            Ok(PrivateKey::Ec { curve: curve(members).unwrap_or_default(), sec1: der })
        }
        ([INTEGER, INTEGER], _) | ([SEQUENCE, BIT_STRING], _) => Err("a public key, which cannot sign"),
        ([SEQUENCE, OCTET_STRING], _) => Err(ENCRYPTED),
        ([SEQUENCE, SEQUENCE, BIT_STRING], _) => {
            Err("a certificate, or a request for one, which cannot sign")
        }
        ([INTEGER, INTEGER, INTEGER, INTEGER, INTEGER, INTEGER], _) => Ok(PrivateKey::Dsa),
        ([INTEGER, SEQUENCE] | [INTEGER, SEQUENCE, SEQUENCE], _) => Err(
            "a PKCS#12 store (`openssl pkcs12 -in FILE -nocerts -nodes -out KEY` takes the key out of it)",
        ),
        _ => Err("DER that is no key"),
    }
}

fn pkcs8<'a>(algorithm: &Element<'a>, key: &Element<'a>) -> Result<PrivateKey<'a>, &'static str> {
    match identifier(algorithm.content) {
        RSA => {
            let members = sequence(key.content).unwrap_or_default();
            let modulus =
                modulus(&members).ok_or("an RSA key that is damaged, or has more than two primes")?;
            Ok(PrivateKey::Rsa { pkcs1: key.content, bits: bits(modulus) })
        }
        EC => {
            let parameters = members(algorithm.content).unwrap_or_default();
            let curve = match parameters.as_slice() {
                [_, Element { tag: OBJECT_IDENTIFIER, content }] => content,
                _ => &[][..],
            };
            Ok(PrivateKey::Ec { curve, sec1: key.content })
        }
        ED25519 => Ok(PrivateKey::Ed25519),
        ED448 => Ok(PrivateKey::Ed448),
        DSA => Ok(PrivateKey::Dsa),
        RSA_PSS => Ok(PrivateKey::RsaPss),
        _ => Ok(PrivateKey::Other),
    }
}

/// The modulus of an RSAPrivateKey (RFC 8017 §A.1.2), whose members are a version, it, and seven numbers more.
fn modulus<'a>(members: &[Element<'a>]) -> Option<&'a [u8]> {
    let is_rsa = members.len() == 9 && members.iter().all(|member| member.tag == INTEGER);
    members.get(1).filter(|_| is_rsa).map(|modulus| modulus.content)
}

/// The curve that an ECPrivateKey names.
fn curve<'a>(members: &[Element<'a>]) -> Option<&'a [u8]> {
    members.iter().find(|member| member.tag == CURVE).map(|curve| identifier(curve.content))
}
