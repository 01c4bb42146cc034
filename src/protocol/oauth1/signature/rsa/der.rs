//! DER (X.690), as far as it takes to find an RSA private key, and to name what is there in its place.

pub(super) const ENCRYPTED: &str =
    "an encrypted key (`openssl pkey -in FILE -out PLAIN` asks for its password and writes it as PKCS#8)";

/// An RSA private key, in the form of PKCS#1.
#[derive(Debug)]
pub(super) struct PrivateKey<'a> {
    pub(super) pkcs1: &'a [u8],
    /// The length of its modulus.
    pub(super) bits: usize,
}

/// The private key in `der`, or what was found instead.
pub(super) fn private_key(der: &[u8]) -> Result<PrivateKey<'_>, &'static str> {
    if der.is_empty() {
        return Err("nothing: the data is empty");
    }
    let members = sequence(der).ok_or("data that is no DER, or was cut off")?;
    if let Some(modulus) = modulus(&members) {
        return Ok(PrivateKey { pkcs1: der, bits: bits(modulus) });
    }
    let tags: Vec<_> = members.iter().map(|member| member.tag).collect();
    match (tags.as_slice(), members.as_slice()) {
        // PrivateKeyInfo (RFC 5208 §5): version, algorithm, key, and perhaps attributes.
        ([INTEGER, SEQUENCE, OCTET_STRING, ..], [_, algorithm, key, ..]) => {
            let algorithm = identifier(algorithm.content);
            if algorithm != RSA {
                return Err(name(algorithm));
            }
            let members = sequence(key.content).unwrap_or_default();
            let modulus =
                modulus(&members).ok_or("an RSA key that is damaged, or has more than two primes")?;
            Ok(PrivateKey { pkcs1: key.content, bits: bits(modulus) })
        }
        // ECPrivateKey (RFC 5915).
        ([INTEGER, OCTET_STRING, ..], _) => Err(name(EC)),
        ([INTEGER, INTEGER], _) | ([SEQUENCE, BIT_STRING], _) => Err("a public key, which cannot sign"),
        ([SEQUENCE, OCTET_STRING], _) => Err(ENCRYPTED),
        ([SEQUENCE, SEQUENCE, BIT_STRING], _) => {
            Err("a certificate, or a request for one, which cannot sign")
        }
        ([INTEGER, INTEGER, INTEGER, INTEGER, INTEGER, INTEGER], _) => Err(name(DSA)),
        ([INTEGER, SEQUENCE] | [INTEGER, SEQUENCE, SEQUENCE], _) => Err(
            "a PKCS#12 store (`openssl pkcs12 -in FILE -nocerts -nodes -out KEY` takes the key out of it)",
        ),
        _ => Err("DER that is no key"),
    }
}

/// The modulus of an RSAPrivateKey (RFC 8017 §A.1.2), whose members are a version, it, and seven numbers more.
fn modulus<'a>(members: &[Element<'a>]) -> Option<&'a [u8]> {
    let is_rsa = members.len() == 9 && members.iter().all(|member| member.tag == INTEGER);
    members.get(1).filter(|_| is_rsa).map(|modulus| modulus.content)
}

const INTEGER: u8 = 0x02;
const BIT_STRING: u8 = 0x03;
const OCTET_STRING: u8 = 0x04;
const OBJECT_IDENTIFIER: u8 = 0x06;
const SEQUENCE: u8 = 0x30;

/// Identifiers of algorithms, encoded.
const RSA: &[u8] = b"\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01";
const RSA_PSS: &[u8] = b"\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0a";
const EC: &[u8] = b"\x2a\x86\x48\xce\x3d\x02\x01";
const DSA: &[u8] = b"\x2a\x86\x48\xce\x38\x04\x01";
const ED25519: &[u8] = b"\x2b\x65\x70";
const ED448: &[u8] = b"\x2b\x65\x71";

/// What a key for an algorithm is called.
fn name(algorithm: &[u8]) -> &'static str {
    match algorithm {
        RSA_PSS => "an RSA key for PSS only, which may not sign as OAuth wants it",
        EC => "an EC key, and OAuth 1 signs with RSA",
        DSA => "a DSA key, and OAuth 1 signs with RSA",
        ED25519 | ED448 => "an Ed25519 or Ed448 key, and OAuth 1 signs with RSA",
        _ => "a key that is not for RSA",
    }
}

#[derive(Clone, Copy)]
struct Element<'a> {
    tag: u8,
    content: &'a [u8],
}

/// The members of the sequence that `der` is, and nothing more.
fn sequence(der: &[u8]) -> Option<Vec<Element<'_>>> {
    let (outer, rest) = first(der)?;
    (outer.tag == SEQUENCE && rest.is_empty()).then(|| members(outer.content)).flatten()
}

fn members(mut content: &[u8]) -> Option<Vec<Element<'_>>> {
    let mut members = Vec::new();
    while !content.is_empty() {
        let (member, rest) = first(content)?;
        members.push(member);
        content = rest;
    }
    Some(members)
}

fn first(der: &[u8]) -> Option<(Element<'_>, &[u8])> {
    let (&[tag, length], rest) = der.split_first_chunk()?;
    let (length, rest) = match length {
        0..=0x7f => (usize::from(length), rest),
        0x81..=0x84 => {
            let (digits, rest) = rest.split_at_checked(usize::from(length & 0x7f))?;
            (digits.iter().fold(0, |length, &digit| length << 8 | usize::from(digit)), rest)
        }
        _ => return None,
    };
    let (content, rest) = rest.split_at_checked(length)?;
    Some((Element { tag, content }, rest))
}

/// The identifier at the start of an AlgorithmIdentifier.
fn identifier(algorithm: &[u8]) -> &[u8] {
    match first(algorithm) {
        Some((Element { tag: OBJECT_IDENTIFIER, content }, _)) => content,
        _ => &[],
    }
}

fn bits(integer: &[u8]) -> usize {
    let zeros = integer.iter().take_while(|&&byte| byte == 0).count();
    let significant = integer.get(zeros..).unwrap_or_default();
    let unused = significant.first().map_or(0, |byte| byte.leading_zeros() as usize);
    8 * significant.len() - unused
}
