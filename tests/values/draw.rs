//! Types of every kind, and strategies that draw their values.

use std::collections::BTreeMap;
use std::fmt;

use proptest::collection::{btree_map, vec};
use proptest::prelude::*;
use serde::de::{SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;

pub fn single() -> impl Strategy<Value = f32> {
    let odd = [0.0, -0.0, f32::MIN_POSITIVE, f32::MAX, f32::MIN, f32::EPSILON, 1e-45, 16_777_216.0];
    prop_oneof![
        4 => any::<u32>().prop_map(f32::from_bits),
        1 => prop::sample::select(vec![f32::NAN, f32::INFINITY, f32::NEG_INFINITY]),
        1 => prop::sample::select(odd.to_vec()),
        1 => prop::num::f32::SUBNORMAL,
    ]
}

pub fn double() -> impl Strategy<Value = f64> {
    let odd = [
        0.0,
        -0.0,
        f64::MIN_POSITIVE,
        f64::MAX,
        f64::MIN,
        5e-324,
        9_007_199_254_740_993.0,
        -18_436.792_481_207_638,
        6.292_097_815_603_389e-100,
    ];
    prop_oneof![
        4 => any::<u64>().prop_map(f64::from_bits),
        1 => prop::sample::select(vec![f64::NAN, f64::INFINITY, f64::NEG_INFINITY]),
        1 => -1e6..1e6,
        1 => prop::sample::select(odd.to_vec()),
        1 => prop::num::f64::SUBNORMAL,
    ]
}

/// Every kind of character, and what the formats reserve.
pub fn text() -> impl Strategy<Value = String> {
    let odd = [
        "",
        " ",
        "\0",
        "\u{7f}",
        "\u{2028}",
        "\u{feff}",
        "\u{10ffff}",
        "é",
        "null",
        "#n",
        "#s",
        "1",
        "true",
        "a&b=c",
        "%26",
        "+",
        "\\",
        "\"",
        "\"x\"",
        "a;b",
        "a,b",
        "a\r\nb",
        "$type",
        "value",
        "&#s",
        "##",
    ];
    prop_oneof![
        3 => any::<String>().prop_map(|text| text.chars().take(20).collect()),
        1 => prop::sample::select(odd.to_vec()).prop_map(str::to_owned),
    ]
}

pub fn json() -> BoxedStrategy<Value> {
    let finite = double().prop_filter("JSON's own numbers are finite", |value| value.is_finite());
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        finite.prop_map(Value::from),
        text().prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 12, 4, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..4).prop_map(Value::from),
            btree_map(text(), inner, 0..4).prop_map(|map| map.into_iter().collect()),
        ]
    })
    .boxed()
}

/// Serialized as bytes, not as a list.
#[derive(Clone, Debug, PartialEq)]
pub struct Bytes(pub Vec<u8>);

impl Serialize for Bytes {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(&self.0)
    }
}

impl<'de> Deserialize<'de> for Bytes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader;

        impl<'de> Visitor<'de> for Reader {
            type Value = Bytes;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("bytes")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Bytes, A::Error> {
                let mut bytes = Vec::new();
                while let Some(byte) = items.next_element()? {
                    bytes.push(byte);
                }
                Ok(Bytes(bytes))
            }
        }

        deserializer.deserialize_bytes(Reader)
    }
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Unit;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Newtype(pub String);

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Pair(pub i64, pub String);

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Role {
    Admin,
    #[serde(rename = "a guest & more")]
    Guest,
    NobodyAtAll,
}

pub fn role() -> impl Strategy<Value = Role> {
    prop::sample::select(vec![Role::Admin, Role::Guest, Role::NobodyAtAll])
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Either {
    Number(u8),
    Text(String),
}

/// A key that is a number and one that is its text are one in JSON.
pub fn either() -> impl Strategy<Value = Either> {
    let text = (0_u8..4).prop_map(|number| Either::Text(number.to_string()));
    prop_oneof![(0_u8..4).prop_map(Either::Number), text]
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Record {
    user_name: String,
    #[serde(rename = "the number & more")]
    number: u64,
    inner: Option<Box<Record>>,
}

pub fn record_of(name: String, number: u64) -> Record {
    let inner = Record { user_name: name.clone(), number, inner: None };
    Record { user_name: name, number, inner: number.is_multiple_of(2).then(|| inner.into()) }
}

macro_rules! variants {
    ($($(#[$meta:meta])* $name:ident $draw:ident $([$tuple:ident])?;)*) => {$(
        #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
        $(#[$meta])*
        pub enum $name {
            Unit,
            Number(u8),
            Struct(Record),
            Map(BTreeMap<String, u8>),
            Fields { single: f32, letter: char, maybe: Option<u64> },
            $($tuple(u8, String),)?
        }

        pub fn $draw() -> impl Strategy<Value = $name> {
            prop_oneof![
                Just($name::Unit),
                any::<u8>().prop_map($name::Number),
                (text(), any::<u64>()).prop_map(|(name, number)| $name::Struct(record_of(name, number))),
                btree_map("[a-c]", any::<u8>(), 0..3).prop_map($name::Map),
                (-1e9_f32..1e9, any::<char>(), any::<Option<u64>>())
                    .prop_map(|(single, letter, maybe)| $name::Fields { single, letter, maybe }),
                $((any::<u8>(), text()).prop_map(|(number, text)| $name::$tuple(number, text)),)?
            ]
        }
    )*};
}

variants! {
    Tagged tagged [Pair];
    #[serde(tag = "$type")]
    InternallyTagged internally;
    #[serde(tag = "t", content = "c")]
    AdjacentlyTagged adjacently [Pair];
}

/// The first variant that fits is the one that is read.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Untagged {
    Small(u8),
    Large(u64),
    Double(f64),
    Letter(char),
    Text(String),
    Pair(u8, u8),
    List(Vec<u8>),
    Fields { a: u8, b: Option<u8> },
    Nothing,
}

impl Untagged {
    pub fn is_unlike_any_other(&self) -> bool {
        match self {
            Self::Large(number) => *number > 255,
            Self::Double(number) => number.is_finite(),
            Self::Text(text) => text.chars().count() != 1,
            Self::List(list) => list.len() != 2,
            _ => true,
        }
    }
}

pub fn untagged() -> impl Strategy<Value = Untagged> {
    prop_oneof![
        any::<u8>().prop_map(Untagged::Small),
        (0..600_u64).prop_map(Untagged::Large),
        double().prop_map(Untagged::Double),
        any::<char>().prop_map(Untagged::Letter),
        text().prop_map(Untagged::Text),
        any::<(u8, u8)>().prop_map(|(a, b)| Untagged::Pair(a, b)),
        vec(any::<u8>(), 0..4).prop_map(Untagged::List),
        any::<(u8, Option<u8>)>().prop_map(|(a, b)| Untagged::Fields { a, b }),
        Just(Untagged::Nothing),
    ]
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Flattened {
    name: String,
    #[serde(flatten)]
    inner: Inner,
    #[serde(flatten)]
    maybe: Option<Other>,
    #[serde(flatten)]
    rest: BTreeMap<String, Value>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Inner {
    double: f64,
    single: f32,
    letter: char,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Other {
    other: u8,
}

impl Flattened {
    pub fn has_names_of_its_own(&self) -> bool {
        let taken = ["name", "double", "single", "letter", "other"];
        !taken.iter().any(|name| self.rest.contains_key(*name))
    }
}

pub fn flattened() -> impl Strategy<Value = Flattened> {
    let inner = (-1e300..1e300, -1e30_f32..1e30, any::<char>());
    let name = prop_oneof![4 => text(), 1 => prop::sample::select(vec!["name", "letter", "other"]).prop_map(str::to_owned)];
    (text(), inner, any::<Option<u8>>(), btree_map(name, json(), 0..3)).prop_map(
        |(name, (double, single, letter), other, rest)| Flattened {
            name,
            inner: Inner { double, single, letter },
            maybe: other.map(|other| Other { other }),
            rest,
        },
    )
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct FlattenedNumbers {
    pub count: u8,
    #[serde(flatten)]
    pub numbers: BTreeMap<u8, u8>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FlattenedEnum {
    #[serde(flatten)]
    pub inner: InternallyTagged,
    pub wide: Option<u128>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Skipped {
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    list: Vec<u8>,
    /// Left out without a default to take its place.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub needed: Vec<u8>,
    /// Left out for another value than the default.
    #[serde(default = "ten", skip_serializing_if = "is_zero", rename = "x y")]
    pub small: u8,
}

fn ten() -> u8 {
    10
}

#[allow(clippy::trivially_copy_pass_by_ref)]
fn is_zero(value: &u8) -> bool {
    *value == 0
}

impl Default for Skipped {
    fn default() -> Self {
        Self { list: Vec::new(), needed: vec![1], small: 10 }
    }
}

pub fn skipped() -> impl Strategy<Value = Skipped> {
    let list = || vec(any::<u8>(), 0..2);
    (list(), list(), 0..3_u8).prop_map(|(list, needed, small)| Skipped { list, needed, small })
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Nest(Vec<Nest>);

impl Nest {
    pub fn of(depth: usize) -> Self {
        (0..depth).fold(Self::default(), |nest, _| Self(vec![nest]))
    }

    pub fn depth(&self) -> usize {
        self.0.first().map_or(0, |nest| nest.depth() + 1)
    }
}
