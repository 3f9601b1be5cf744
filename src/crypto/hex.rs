//! Hexadecimal digits: written in lower case, read in either.

pub(crate) use base16ct::lower::encode_string as encode;
pub(crate) use base16ct::mixed::decode_vec as decode;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_of_either_case_are_read_and_nothing_else() {
        let bytes: Vec<u8> = (0..=255).collect();
        let text = encode(&bytes);
        assert!(text.starts_with("000102") && text.ends_with("fdfeff"), "{text}");
        assert_eq!(decode(&text), Ok(bytes.clone()));
        assert_eq!(decode(text.to_uppercase()), Ok(bytes));
        assert_eq!(decode(""), Ok(Vec::new()));
        for text in ["0", "000", "0g", "g0", "+1", " 1", "é"] {
            assert!(decode(text).is_err(), "{text}");
        }
    }
}
