//! DER (X.690), as far as it takes to find a private key, to name what is there in its place, and to write one.

pub(crate) const ENCRYPTED: &str =
    "an encrypted key (`openssl pkey -in FILE -out PLAIN` asks for its password and writes it as PKCS#8)";

pub(crate) const INTEGER: u8 = 0x02;
pub(crate) const BIT_STRING: u8 = 0x03;
pub(crate) const OCTET_STRING: u8 = 0x04;
pub(crate) const OBJECT_IDENTIFIER: u8 = 0x06;
pub(crate) const SEQUENCE: u8 = 0x30;

/// Identifiers of algorithms, encoded.
pub(crate) const RSA: &[u8] = b"\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01";
pub(crate) const RSA_PSS: &[u8] = b"\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0a";
pub(crate) const EC: &[u8] = b"\x2a\x86\x48\xce\x3d\x02\x01";
pub(crate) const DSA: &[u8] = b"\x2a\x86\x48\xce\x38\x04\x01";
pub(crate) const ED25519: &[u8] = b"\x2b\x65\x70";
pub(crate) const ED448: &[u8] = b"\x2b\x65\x71";

/// Identifiers of curves, encoded.
#[cfg(feature = "jwt")]
pub(crate) const P256: &[u8] = b"\x2a\x86\x48\xce\x3d\x03\x01\x07";
#[cfg(feature = "jwt")]
pub(crate) const P384: &[u8] = b"\x2b\x81\x04\x00\x22";

#[derive(Clone, Copy)]
pub(crate) struct Element<'a> {
    pub(crate) tag: u8,
    pub(crate) content: &'a [u8],
}

/// The members of the sequence that `der` is, and nothing more.
pub(crate) fn sequence(der: &[u8]) -> Option<Vec<Element<'_>>> {
    let (outer, rest) = first(der)?;
    (outer.tag == SEQUENCE && rest.is_empty()).then(|| members(outer.content)).flatten()
}

pub(crate) fn members(mut content: &[u8]) -> Option<Vec<Element<'_>>> {
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
pub(crate) fn identifier(algorithm: &[u8]) -> &[u8] {
    match first(algorithm) {
        Some((Element { tag: OBJECT_IDENTIFIER, content }, _)) => content,
        _ => &[],
    }
}

pub(crate) fn bits(integer: &[u8]) -> usize {
    let zeros = integer.iter().take_while(|&&byte| byte == 0).count();
    let significant = integer.get(zeros..).unwrap_or_default();
    let unused = significant.first().map_or(0, |byte| byte.leading_zeros() as usize);
    8 * significant.len() - unused
}

/// One element that holds these parts.
#[cfg(feature = "jwt")]
pub(crate) fn element(tag: u8, parts: &[&[u8]]) -> zeroize::Zeroizing<Vec<u8>> {
    let length: usize = parts.iter().map(|part| part.len()).sum();
    // All at once, so that no shorter copy of a key is left behind.
    let mut element = zeroize::Zeroizing::new(Vec::with_capacity(length + 6));
    element.push(tag);
    let digits = length.to_be_bytes();
    let zeros = digits.iter().take_while(|&&digit| digit == 0).count();
    let digits = digits.get(zeros..).unwrap_or_default();
    if length >= 0x80 {
        element.push(0x80 | digits.len() as u8);
    }
    if length == 0 {
        element.push(0);
    }
    element.extend_from_slice(digits);
    for part in parts {
        element.extend_from_slice(part);
    }
    element
}

/// A number that is not negative, from its bytes, the highest first.
#[cfg(feature = "jwt")]
pub(crate) fn integer(bytes: &[u8]) -> zeroize::Zeroizing<Vec<u8>> {
    let zeros = bytes.iter().take_while(|&&byte| byte == 0).count();
    let significant = bytes.get(zeros..).unwrap_or_default();
    match significant.first() {
        Some(0x80..) | None => element(INTEGER, &[&[0], significant]),
        Some(_) => element(INTEGER, &[significant]),
    }
}
