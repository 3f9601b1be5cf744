//! A hash of everything that a value tells serde. Values that differ for serde have different
//! hashes, apart from collisions.
//!
//! The hash sees more than the encoded bytes do: `Some(f64::NAN)` and `None` are both `null`
//! in JSON. It ignores the order of a map's entries and a list's items, because a `HashMap` or
//! a `HashSet` that is decoded again has another order.

use std::fmt;

use serde::Serialize;
use serde::ser::{
    SerializeMap, SerializeSeq, SerializeStruct, SerializeStructVariant, SerializeTuple,
    SerializeTupleStruct, SerializeTupleVariant, Serializer,
};

/// Returns the hash of `value`, or `None` if it cannot be serialized.
pub(super) fn compute<T: Serialize>(value: &T) -> Option<u64> {
    value.serialize(Fingerprint).ok()
}

/// The number that the hash of each kind of value begins with.
enum ValueKind {
    Bool = 1,
    I8,
    I16,
    I32,
    I64,
    I128,
    U8,
    U16,
    U32,
    U64,
    U128,
    F32,
    F64,
    Char,
    Str,
    Bytes,
    None,
    Some,
    Unit,
    Variant,
    List,
    Tuple,
    Map,
    Struct,
}

/// Mixes `next` into a hash. The result depends on the order of the two and on every bit.
fn mix(hash: u64, next: u64) -> u64 {
    let mixed = (hash.rotate_left(29) ^ next).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    mixed ^ (mixed >> 32)
}

fn bytes(kind: ValueKind, bytes: &[u8]) -> u64 {
    let (words, rest) = bytes.as_chunks();
    let start = mix(kind as u64, bytes.len() as u64);
    let hash = words.iter().fold(start, |hash, word| mix(hash, u64::from_le_bytes(*word)));
    let mut last = [0; 8];
    last[..rest.len()].copy_from_slice(rest);
    mix(hash, u64::from_le_bytes(last))
}

struct Fingerprint;

/// The hash of a list, a tuple, a map or a struct so far.
struct Parts {
    hash: u64,
    /// The hash of the key of the map entry in progress.
    key: u64,
}

impl Parts {
    fn new(kind: ValueKind) -> Self {
        Self { hash: kind as u64, key: 0 }
    }

    fn variant(kind: ValueKind, variant: &str) -> Self {
        Self { hash: bytes(kind, variant.as_bytes()), key: 0 }
    }

    /// Adds a part whose position does not count.
    fn add(&mut self, part: u64) {
        self.hash = self.hash.wrapping_add(part);
    }

    fn add_field(&mut self, name: &str, value: u64) {
        self.add(mix(bytes(ValueKind::Str, name.as_bytes()), value));
    }

    fn finish(self) -> u64 {
        mix(self.hash, 0)
    }
}

macro_rules! numbers {
    ($($name:ident($type:ty) = $kind:ident, |$value:ident| $word:expr;)*) => {$(
        fn $name(self, $value: $type) -> Result<u64, fmt::Error> {
            Ok(mix(ValueKind::$kind as u64, $word))
        }
    )*};
}

macro_rules! texts {
    ($($name:ident($type:ty) = $kind:ident, |$value:ident| $bytes:expr;)*) => {$(
        fn $name(self, $value: $type) -> Result<u64, fmt::Error> {
            Ok(bytes(ValueKind::$kind, $bytes))
        }
    )*};
}

impl Serializer for Fingerprint {
    type Ok = u64;
    type Error = fmt::Error;
    type SerializeSeq = Parts;
    type SerializeTuple = Parts;
    type SerializeTupleStruct = Parts;
    type SerializeTupleVariant = Parts;
    type SerializeMap = Parts;
    type SerializeStruct = Parts;
    type SerializeStructVariant = Parts;

    numbers! {
        serialize_bool(bool) = Bool, |value| value.into();
        serialize_i8(i8) = I8, |value| i64::from(value).cast_unsigned();
        serialize_i16(i16) = I16, |value| i64::from(value).cast_unsigned();
        serialize_i32(i32) = I32, |value| i64::from(value).cast_unsigned();
        serialize_i64(i64) = I64, |value| value.cast_unsigned();
        serialize_u8(u8) = U8, |value| value.into();
        serialize_u16(u16) = U16, |value| value.into();
        serialize_u32(u32) = U32, |value| value.into();
        serialize_u64(u64) = U64, |value| value;
        serialize_f32(f32) = F32, |value| value.to_bits().into();
        serialize_f64(f64) = F64, |value| value.to_bits();
        serialize_char(char) = Char, |value| value.into();
    }

    texts! {
        serialize_i128(i128) = I128, |value| &value.to_le_bytes();
        serialize_u128(u128) = U128, |value| &value.to_le_bytes();
        serialize_str(&str) = Str, |value| value.as_bytes();
        serialize_bytes(&[u8]) = Bytes, |value| value;
    }

    fn serialize_none(self) -> Result<u64, fmt::Error> {
        Ok(ValueKind::None as u64)
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<u64, fmt::Error> {
        Ok(mix(ValueKind::Some as u64, value.serialize(self)?))
    }

    fn serialize_unit(self) -> Result<u64, fmt::Error> {
        Ok(ValueKind::Unit as u64)
    }

    fn serialize_unit_struct(self, _: &'static str) -> Result<u64, fmt::Error> {
        self.serialize_unit()
    }

    fn serialize_unit_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
    ) -> Result<u64, fmt::Error> {
        Ok(bytes(ValueKind::Variant, variant.as_bytes()))
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        value: &T,
    ) -> Result<u64, fmt::Error> {
        value.serialize(self)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        value: &T,
    ) -> Result<u64, fmt::Error> {
        Ok(mix(bytes(ValueKind::Variant, variant.as_bytes()), value.serialize(self)?))
    }

    fn serialize_seq(self, _: Option<usize>) -> Result<Parts, fmt::Error> {
        Ok(Parts::new(ValueKind::List))
    }

    fn serialize_tuple(self, _: usize) -> Result<Parts, fmt::Error> {
        Ok(Parts::new(ValueKind::Tuple))
    }

    fn serialize_tuple_struct(self, _: &'static str, _: usize) -> Result<Parts, fmt::Error> {
        Ok(Parts::new(ValueKind::Tuple))
    }

    fn serialize_tuple_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        _: usize,
    ) -> Result<Parts, fmt::Error> {
        Ok(Parts::variant(ValueKind::Tuple, variant))
    }

    fn serialize_map(self, _: Option<usize>) -> Result<Parts, fmt::Error> {
        Ok(Parts::new(ValueKind::Map))
    }

    fn serialize_struct(self, _: &'static str, _: usize) -> Result<Parts, fmt::Error> {
        Ok(Parts::new(ValueKind::Struct))
    }

    fn serialize_struct_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        _: usize,
    ) -> Result<Parts, fmt::Error> {
        Ok(Parts::variant(ValueKind::Struct, variant))
    }
}

macro_rules! parts {
    ($($kind:ident: $method:ident($($name:ident)?) |$parts:ident, $part:ident| $add:expr;)*) => {$(
        impl $kind for Parts {
            type Ok = u64;
            type Error = fmt::Error;

            fn $method<T: Serialize + ?Sized>(
                &mut self,
                $($name: &'static str,)?
                value: &T,
            ) -> Result<(), fmt::Error> {
                let ($parts, $part) = (self, value.serialize(Fingerprint)?);
                $add;
                Ok(())
            }

            fn end(self) -> Result<u64, fmt::Error> {
                Ok(self.finish())
            }
        }
    )*};
}

parts! {
    SerializeSeq: serialize_element() |list, item| list.add(item);
    SerializeTuple: serialize_element() |tuple, item| tuple.hash = mix(tuple.hash, item);
    SerializeTupleStruct: serialize_field() |tuple, item| tuple.hash = mix(tuple.hash, item);
    SerializeTupleVariant: serialize_field() |tuple, item| tuple.hash = mix(tuple.hash, item);
    SerializeStruct: serialize_field(name) |fields, value| fields.add_field(name, value);
    SerializeStructVariant: serialize_field(name) |fields, value| fields.add_field(name, value);
}

impl SerializeMap for Parts {
    type Ok = u64;
    type Error = fmt::Error;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), fmt::Error> {
        self.key = key.serialize(Fingerprint)?;
        Ok(())
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), fmt::Error> {
        self.add(mix(self.key, value.serialize(Fingerprint)?));
        Ok(())
    }

    fn end(self) -> Result<u64, fmt::Error> {
        Ok(self.finish())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{HashMap, HashSet};

    use super::*;

    #[test]
    fn values_that_differ_have_numbers_that_differ() {
        let numbers = [
            compute(&()),
            compute(&None::<u8>),
            compute(&Some(())),
            compute(&Some(None::<u8>)),
            compute(&Some(f64::NAN)),
            compute(&0.0_f64),
            compute(&-0.0_f64),
            compute(&0.0_f32),
            compute(&0_u8),
            compute(&0_u64),
            compute(&0_i64),
            compute(&0_u128),
            compute(&-1_i8),
            compute(&'a'),
            compute(&"a"),
            compute(&""),
            compute(&"a\0"),
            compute(&"abcdefgh"),
            compute(&"abcdefgh\0"),
            compute(&"abcdefghabcdefgi"),
            compute(&"abcdefgiabcdefgh"),
            compute(&(1, 2)),
            compute(&(2, 1)),
            compute(&[vec![1, 2], vec![3]]),
            compute(&vec![vec![1, 2], vec![3]]),
            compute(&vec![vec![1], vec![2, 3]]),
            compute(&vec![vec![1, 2, 3], vec![]]),
            compute(&vec![vec![1, 2, 3]]),
            compute(&HashMap::from([("a", 1), ("b", 2)])),
            compute(&HashMap::from([("a", 2), ("b", 1)])),
            compute(&Ok::<_, u8>(1)),
            compute(&Err::<u8, _>(1)),
        ];
        let distinct: HashSet<_> = numbers.iter().flatten().collect();
        assert_eq!(distinct.len(), numbers.len());
    }

    #[test]
    fn the_order_of_a_hash_map_and_of_a_hash_set_does_not_count() {
        for _ in 0..100 {
            let (map, set) = ((0..9).map(|n| (n, n)).collect(), (0..9).collect());
            let (again, set_again) = ((0..9).map(|n| (n, n)).collect(), (0..9).collect());
            assert_eq!(compute::<HashMap<i32, i32>>(&map), compute::<HashMap<i32, i32>>(&again));
            assert_eq!(compute::<HashSet<i32>>(&set), compute::<HashSet<i32>>(&set_again));
        }
    }
}
