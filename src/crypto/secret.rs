//! [`Secret`]: key bytes that are zeroed on drop and never printed.

use std::fmt;

use zeroize::Zeroizing;

/// Key bytes, which are zeroed on drop and which `Debug` does not show (docs/security.md, S52).
pub(crate) struct Secret(Zeroizing<Vec<u8>>);

impl Secret {
    pub fn new(bytes: Vec<u8>) -> Self {
        Self(Zeroizing::new(bytes))
    }

    pub fn bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[provided]")
    }
}

#[cfg(test)]
mod tests {
    use std::marker::PhantomData;

    use super::*;
    use crate::crypto::keys::KeyMaterial;

    /// Tells whether a type is `Serialize`: the inherent constant takes precedence where it
    /// exists.
    struct Probe<T>(PhantomData<T>);

    trait Otherwise {
        const SERIALIZES: bool = false;
    }

    impl<T> Otherwise for Probe<T> {}

    impl<T: serde::Serialize> Probe<T> {
        const SERIALIZES: bool = true;
    }

    /// Compiles only if the type zeroes its bytes on drop.
    fn zeroes_on_drop<T: zeroize::ZeroizeOnDrop>(_: &T) {}

    #[test]
    fn s52_keys_show_themselves_to_nobody() {
        const { assert!(Probe::<Vec<u8>>::SERIALIZES) };
        const { assert!(!Probe::<Secret>::SERIALIZES && !Probe::<KeyMaterial>::SERIALIZES) };
        let secret = Secret::new(b"a key".to_vec());
        assert_eq!(format!("{secret:?} {secret:#?}"), "[provided] [provided]");
        let material = format!("{:?}", KeyMaterial::Secret(secret));
        assert!(!material.contains("97") && !material.contains("a key"), "{material}");
        zeroes_on_drop(&Secret::new(vec![1]).0);
    }
}
