//! The macro that declares a table of the configuration as a struct.

/// The version that a key came with, unless the schema says otherwise.
pub(crate) const SINCE: &str = "0.1.0";

/// Declares the struct of one table. A key's documentation, its default, what is refused, and an
/// example stand beside it, and are also what the reference shows.
macro_rules! schema {
    (
        $(#[$about:meta])*
        pub struct $name:ident {
            $(
                $(#[doc = $meaning:literal])+
                $field:ident $(as $key:literal)?: $type:ty = {
                    default: $default:literal,
                    refuses: $refuses:literal,
                    example: $example:expr $(,)?
                },
            )*
        }
    ) => {
        $(#[$about])*
        ///
        /// Each field is one key of the table. `None` leaves the key out.
        #[derive(Clone, Debug, Default, PartialEq)]
        pub struct $name {
            $(
                $(#[doc = $meaning])+
                ///
                #[doc = concat!("Default: ", $default, ".")]
                pub $field: Option<$type>,
            )*
        }

        impl $name {
            /// The keys of the table.
            pub(crate) const KEYS: &'static [crate::table::Key] = &[
                $(crate::table::Key {
                    name: crate::table::key_name!($field $($key)?),
                    kind: <$type as crate::table::Field>::kind,
                    meaning: &[$($meaning),+],
                    default: $default,
                    refuses: $refuses,
                    example: Some(crate::table::Example {
                        field: stringify!($field),
                        rust: stringify!($example),
                        value: || {
                            let example: $type = $example;
                            crate::table::Field::to_value(&example)
                        },
                    }),
                    since: crate::table::SINCE,
                    keys: <$type as crate::table::Field>::KEYS,
                },)*
            ];

            /// Reads the table at `path`. Each value that is refused becomes a problem.
            pub(crate) fn read_keys(table: &mut crate::table::Table<'_, '_>, path: &str) -> Self {
                Self {
                    $($field: {
                        let name = crate::table::key_name!($field $($key)?);
                        let path = crate::table::join(path, name);
                        <$type as crate::table::Field>::read(table, &path)
                    },)*
                }
            }

            /// The table that consists of the fields that are set.
            pub(crate) fn to_dict(&self) -> figment::value::Dict {
                let mut dict = figment::value::Dict::new();
                $(if let Some(value) = &self.$field {
                    let name = crate::table::key_name!($field $($key)?);
                    dict.insert(name.to_owned(), crate::table::Field::to_value(value));
                })*
                dict
            }

            fn from_dict(dict: &figment::value::Dict) -> Result<Self, String> {
                for key in dict.keys() {
                    if !Self::KEYS.iter().any(|known| known.name == key) {
                        return Err(format!("unknown key `{key}`"));
                    }
                }
                Ok(Self {
                    $($field: {
                        let name = crate::table::key_name!($field $($key)?);
                        let value = dict.get(name).map(crate::table::Field::from_value);
                        value.transpose().map_err(|problem| format!("`{name}`: {problem}"))?
                    },)*
                })
            }
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serde::Serialize::serialize(&self.to_dict(), serializer)
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let dict = <figment::value::Dict as serde::Deserialize>::deserialize(deserializer)?;
                Self::from_dict(&dict).map_err(serde::de::Error::custom)
            }
        }
    };
}

/// A table of keys as the value of a key.
macro_rules! table_field {
    ($name:ident) => {
        impl crate::table::Field for $name {
            const KEYS: &'static [crate::table::Key] = Self::KEYS;

            fn kind() -> String {
                "table".to_owned()
            }

            fn from_value(value: &figment::value::Value) -> Result<Self, String> {
                let dict = value.as_dict().ok_or("expected a table")?;
                Self::from_dict(dict)
            }

            fn to_value(&self) -> figment::value::Value {
                self.to_dict().into()
            }

            fn read(table: &mut crate::table::Table<'_, '_>, path: &str) -> Option<Self> {
                table.is_table(path, Self::KEYS)?;
                Some(Self::read_keys(table, path))
            }
        }
    };
}

/// A key's name: the field's, unless another one is given.
macro_rules! key_name {
    ($field:ident) => {
        stringify!($field)
    };
    ($field:ident $key:literal) => {
        $key
    };
}

pub(crate) use {key_name, schema, table_field};
