//! The text of tokens: base64url without padding (RFC 4648, section 5).

use base64::Engine as _;

#[cfg(any(target_arch = "x86_64", all(target_arch = "aarch64", target_feature = "neon")))]
mod engine {
    use std::sync::LazyLock;

    use base64::engine::Simd;
    use base64::engine::general_purpose::NO_PAD;

    /// Reads and writes longer texts 16 or 32 characters at a time, if the processor can.
    pub static BASE64URL: LazyLock<Simd> = LazyLock::new(|| Simd::url_safe(NO_PAD));
}

#[cfg(not(any(target_arch = "x86_64", all(target_arch = "aarch64", target_feature = "neon"))))]
mod engine {
    use base64::engine::general_purpose::{GeneralPurpose, URL_SAFE_NO_PAD};

    pub static BASE64URL: GeneralPurpose = URL_SAFE_NO_PAD;
}

use engine::BASE64URL;

pub(super) fn encode(bytes: &[u8]) -> String {
    let mut text = String::with_capacity((bytes.len() * 4).div_ceil(3));
    BASE64URL.encode_string(bytes, &mut text);
    text
}

pub(super) fn decode(text: &str) -> Option<Vec<u8>> {
    // The engine's own `decode` asks for zeroed memory, which takes the allocator's slow path.
    let mut bytes = Vec::with_capacity(text.len().div_ceil(4) * 3);
    BASE64URL.decode_vec(text, &mut bytes).ok()?;
    Some(bytes)
}

/// Decodes to the beginning of `bytes`, and returns it. `None` also if the text may be too long.
pub(super) fn decode_to<'b>(text: &str, bytes: &'b mut [u8]) -> Option<&'b [u8]> {
    let length = BASE64URL.decode_slice(text, bytes).ok()?;
    bytes.get(..length)
}

#[cfg(test)]
mod tests {
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;

    use super::*;

    fn bytes(length: usize) -> Vec<u8> {
        (0..length).map(|at| (at * 151 + length * 17 + 43).to_le_bytes()[0]).collect()
    }

    #[test]
    fn bytes_of_every_length_have_the_text_of_rfc_4648_and_are_read_from_it() {
        for bytes in (0..400).map(bytes) {
            let text = URL_SAFE_NO_PAD.encode(&bytes);
            assert_eq!(encode(&bytes), text);
            let mut buffer = [0; 402];
            assert_eq!(decode_to(&text, &mut buffer), Some(&*bytes));
            assert_eq!(decode(&text), Some(bytes));
        }
    }

    #[test]
    fn every_byte_in_every_place_is_read_or_refused_as_by_the_engine_for_every_processor() {
        for length in [1, 2, 3, 12, 38, 70, 71, 72, 130] {
            let text = URL_SAFE_NO_PAD.encode(bytes(length)).into_bytes();
            for at in 0..text.len() {
                for byte in 0..=u8::MAX {
                    let mut changed = text.clone();
                    changed[at] = byte;
                    let expected = URL_SAFE_NO_PAD.decode(&changed);
                    assert_eq!(BASE64URL.decode(&changed), expected, "{byte} at {at} of {length}");
                }
                let (cut, expected) = (&text[at..], URL_SAFE_NO_PAD.decode(&text[at..]));
                assert_eq!(BASE64URL.decode(cut), expected);
            }
        }
    }
}
