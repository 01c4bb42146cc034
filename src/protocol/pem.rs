//! PEM (RFC 7468): the block of a text that holds a private key.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

use crate::protocol::der::ENCRYPTED;

/// How every block begins.
const BEGIN: &[u8] = b"-----BEGIN ";
const DASHES: &[u8] = b"-----";

struct Block<'a> {
    label: &'a [u8],
    body: &'a [u8],
}

/// Whether a block begins anywhere in `text`.
pub(crate) fn is_pem(text: &[u8]) -> bool {
    position(text, BEGIN).is_some()
}

/// The binary form of the key in `text`, or what was found instead. Lines of any length will do, and a text that lost
/// its line breaks in an environment variable too.
pub(crate) fn decode(text: &[u8]) -> Result<Zeroizing<Vec<u8>>, &'static str> {
    let blocks: Vec<_> = Blocks(text).collect();
    let is_private_key = |block: &&Block<'_>| block.label.ends_with(b"PRIVATE KEY");
    let Some(block) = blocks.iter().find(is_private_key).or(blocks.first()) else {
        return Err(describe_without_block(text));
    };
    match block.label {
        b"OPENSSH PRIVATE KEY" => {
            return Err(
                "a key in OpenSSH's own form (`ssh-keygen -p -m PEM -f FILE` rewrites the file as PKCS#1)",
            );
        }
        b"ENCRYPTED PRIVATE KEY" => return Err(ENCRYPTED),
        // The headers of RFC 1421, which say how it was encrypted.
        _ if block.body.contains(&b':') => return Err(ENCRYPTED),
        _ if block.body.contains(&b'\\') => {
            return Err("PEM whose line breaks are written as `\\n`: put real ones in their place");
        }
        _ => {}
    }
    let mut base64 = Zeroizing::new(Vec::with_capacity(block.body.len()));
    base64.extend(block.body.iter().filter(|byte| !byte.is_ascii_whitespace()));
    let der =
        STANDARD.decode(&*base64).map_err(|_| "a PEM block that is damaged: its content is no base64")?;
    Ok(Zeroizing::new(der))
}

fn describe_without_block(text: &[u8]) -> &'static str {
    match text.trim_ascii_start().first() {
        None => "nothing: the text is empty",
        Some(0x30) if text.iter().any(|byte| !byte.is_ascii()) => {
            "binary data, which `from_der` reads if it is DER"
        }
        Some(b'{') => "JSON",
        _ if is_pem(text) => "a PEM block without its last line (`-----END …`)",
        _ => "a text without a PEM block (`-----BEGIN …`)",
    }
}

struct Blocks<'a>(&'a [u8]);

impl<'a> Iterator for Blocks<'a> {
    type Item = Block<'a>;

    fn next(&mut self) -> Option<Self::Item> {
        let (_, rest) = split(self.0, BEGIN)?;
        let (label, rest) = split(rest, DASHES)?;
        let (body, rest) = split(rest, b"-----END ")?;
        self.0 = rest;
        Some(Block { label: label.trim_ascii(), body })
    }
}

/// What is before and behind the first `separator`.
fn split<'a>(text: &'a [u8], separator: &[u8]) -> Option<(&'a [u8], &'a [u8])> {
    let (before, rest) = text.split_at_checked(position(text, separator)?)?;
    Some((before, rest.strip_prefix(separator)?))
}

fn position(text: &[u8], part: &[u8]) -> Option<usize> {
    text.windows(part.len()).position(|window| window == part)
}
