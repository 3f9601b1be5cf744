//! Values that are one of several words.

/// A type whose values are words in the configuration.
pub(crate) trait Words: Copy + PartialEq + 'static {
    const WORDS: &'static [(&'static str, Self)];
}

macro_rules! words {
    ($type:ty { $($word:literal => $value:expr),* $(,)? }) => {
        impl crate::table::Words for $type {
            const WORDS: &'static [(&'static str, Self)] = &[$(($word, $value)),*];
        }

        impl crate::table::Field for $type {
            fn kind() -> String {
                format!("`{}`", crate::table::words_of::<Self>().join("`, `"))
            }

            fn from_value(value: &figment::value::Value) -> Result<Self, String> {
                let words = crate::table::words_of::<Self>().join(", ");
                let Some(text) = value.as_str() else { return Err(format!("expected one of {words}")) };
                let found = <Self as crate::table::Words>::WORDS.iter().find(|(word, _)| *word == text);
                let Some((_, found)) = found else {
                    let text = crate::table::quoted(text);
                    return Err(format!("{text} is not known; write one of {words}"));
                };
                Ok(*found)
            }

            fn to_value(&self) -> figment::value::Value {
                <Self as crate::table::Words>::WORDS.iter().find(|(_, value)| value == self).map_or("", |(word, _)| word).into()
            }
        }
    };
}

pub(crate) use words;
