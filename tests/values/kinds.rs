//! The table of all kinds: a type, what a session holds of it before, how to draw
//! a value, and which values JSON can hold.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::fmt::Debug;
use std::net::IpAddr;
use std::time::{Duration, SystemTime};

use proptest::collection::{btree_map, vec};
use proptest::prelude::*;
use proptest::{collection, option};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::draw::*;

pub trait Kind: Clone + Debug + PartialEq + Send + Sync + 'static {
    const NAME: &'static str;
    type Value: Clone + Debug + PartialEq + Serialize + DeserializeOwned + Send + Sync;

    fn draw() -> BoxedStrategy<Self::Value>;
    /// What the session holds before.
    fn plain() -> Self::Value;
    /// Whether JSON can hold it, so that it must be saved.
    fn fits(value: &Self::Value) -> bool;
}

macro_rules! kinds {
    ($($kind:ident $name:ident: $type:ty = $plain:expr, $draw:expr, $fits:expr;)*) => {
        $(
            #[derive(Clone, Debug, PartialEq)]
            pub struct $kind;

            impl Kind for $kind {
                const NAME: &'static str = stringify!($name);
                type Value = $type;

                fn draw() -> BoxedStrategy<Self::Value> {
                    ($draw).boxed()
                }

                fn plain() -> Self::Value {
                    $plain
                }

                fn fits(value: &Self::Value) -> bool {
                    let fits: fn(&Self::Value) -> bool = $fits;
                    fits(value)
                }
            }

        )*

        mod whatever {
            $(
                #[test]
                fn $name() {
                    crate::reads_back_or_is_refused::<super::$kind>();
                }
            )*
        }

        pub const NAMES: &[&str] = &[$(stringify!($name)),*];

        pub fn mount_all(rocket: rocket::Rocket<rocket::Build>) -> rocket::Rocket<rocket::Build> {
            $(let rocket = crate::world::mount::<$kind>(rocket);)*
            rocket
        }
    };
}

kinds! {
    Booleans boolean: bool = true,
        any::<bool>(),
        |_| true;
    Signed signed: (i8, i16, i32, i64) = (1, 2, 3, 4),
        any::<(i8, i16, i32, i64)>(),
        |_| true;
    Unsigned unsigned: (u8, u16, u32, u64) = (1, 2, 3, 4),
        any::<(u8, u16, u32, u64)>(),
        |_| true;
    Wide wide: (i128, u128) = (1, 2),
        any::<(i128, u128)>(),
        |_| true;
    Single single: f32 = 1.5,
        single(),
        |value| value.is_finite();
    Double double: f64 = 1.5,
        double(),
        |value| value.is_finite();
    MaybeDouble maybe_double: Option<f64> = Some(0.1),
        option::of(double()),
        |value| value.is_none_or(f64::is_finite);
    Doubles doubles: Vec<f64> = vec![0.1],
        vec(double(), 0..4),
        |values| values.iter().all(|value| value.is_finite());
    DoubleByName double_by_name: BTreeMap<String, Option<f64>> = BTreeMap::new(),
        btree_map(text(), option::of(double()), 0..3),
        |map| map.values().all(|value| value.is_none_or(f64::is_finite));
    Letters letter: char = 'x',
        any::<char>(),
        |_| true;
    Text text: String = "ann".into(),
        text(),
        |_| true;
    Borrowed borrowed: Cow<'static, str> = "ann".into(),
        text().prop_map(Cow::Owned),
        |_| true;
    Binary binary: Bytes = Bytes(vec![1]),
        vec(any::<u8>(), 0..20).prop_map(Bytes),
        |_| true;
    Options options: (Option<u8>, Option<String>) = (None, None),
        (any::<Option<u8>>(), option::of(text())),
        |_| true;
    OptionOfUnit option_of_unit: Option<()> = None,
        any::<Option<()>>(),
        Option::is_none;
    OptionOfOption option_of_option: Option<Option<u8>> = None,
        any::<Option<Option<u8>>>(),
        |value| *value != Some(None);
    OptionOfValue option_of_value: Option<Value> = None,
        option::of(json()),
        |value| *value != Some(Value::Null);
    Nothing unit: () = (),
        Just(()),
        |()| true;
    UnitStruct unit_struct: Unit = Unit,
        Just(Unit),
        |_| true;
    NewtypeStruct newtype_struct: Newtype = Newtype("x".into()),
        text().prop_map(Newtype),
        |_| true;
    Tuples tuple: (u8, String, Option<bool>) = (1, "x".into(), None),
        (any::<u8>(), text(), any::<Option<bool>>()),
        |_| true;
    TupleStruct tuple_struct: Pair = Pair(1, "x".into()),
        (any::<i64>(), text()).prop_map(|(a, b)| Pair(a, b)),
        |_| true;
    Lists list: Vec<Vec<String>> = vec![],
        vec(vec(text(), 0..3), 0..3),
        |_| true;
    ByText map_by_text: BTreeMap<String, i64> = BTreeMap::new(),
        btree_map(text(), any::<i64>(), 0..4),
        |_| true;
    ByInteger map_by_integer: BTreeMap<i64, u8> = BTreeMap::new(),
        btree_map(any::<i64>(), any::<u8>(), 0..4),
        |_| true;
    ByWide map_by_wide: BTreeMap<u128, u8> = BTreeMap::new(),
        btree_map(any::<u128>(), any::<u8>(), 0..4),
        |_| true;
    ByBoolean map_by_boolean: BTreeMap<bool, u8> = BTreeMap::new(),
        btree_map(any::<bool>(), any::<u8>(), 0..3),
        |_| true;
    ByLetter map_by_letter: BTreeMap<char, u8> = BTreeMap::new(),
        btree_map(any::<char>(), any::<u8>(), 0..4),
        |_| true;
    ByRole map_by_enum: BTreeMap<Role, u8> = BTreeMap::new(),
        btree_map(role(), any::<u8>(), 0..3),
        |_| true;
    ByPair map_by_tuple: BTreeMap<(u8, u8), u8> = BTreeMap::new(),
        btree_map(any::<(u8, u8)>(), any::<u8>(), 0..3),
        BTreeMap::is_empty;
    ByEither map_by_untagged: BTreeMap<Either, u8> = BTreeMap::new(),
        btree_map(either(), any::<u8>(), 0..3),
        BTreeMap::is_empty;
    Hashed hash_map: HashMap<String, u32> = HashMap::new(),
        collection::hash_map(text(), any::<u32>(), 0..5),
        |_| true;
    HashedSet hash_set: HashSet<(u8, Option<String>)> = HashSet::new(),
        collection::hash_set((any::<u8>(), option::of(text())), 0..5),
        |_| true;
    Fields fields: Record = record_of("x".into(), 1),
        (text(), any::<u64>()).prop_map(|(name, number)| record_of(name, number)),
        |_| true;
    Roles role: Role = Role::Admin,
        role(),
        |_| true;
    External external: Tagged = Tagged::Unit,
        tagged(),
        |_| true;
    Internal internal: InternallyTagged = InternallyTagged::Unit,
        internally(),
        |value| !matches!(value, InternallyTagged::Number(_));
    Adjacent adjacent: AdjacentlyTagged = AdjacentlyTagged::Unit,
        adjacently(),
        |_| true;
    Without untagged: Untagged = Untagged::Small(1),
        untagged(),
        Untagged::is_unlike_any_other;
    Flat flattened: Flattened = Flattened::default(),
        flattened(),
        Flattened::has_names_of_its_own;
    FlatByInteger flattened_by_integer: FlattenedNumbers = FlattenedNumbers::default(),
        btree_map(any::<u8>(), any::<u8>(), 0..3).prop_map(|numbers| FlattenedNumbers { count: 1, numbers }),
        |value| value.numbers.is_empty();
    FlatEnum flattened_enum: FlattenedEnum = FlattenedEnum { inner: InternallyTagged::Unit, wide: None },
        (internally(), any::<Option<u128>>()).prop_map(|(inner, wide)| FlattenedEnum { inner, wide }),
        |value| !matches!(value.inner, InternallyTagged::Number(_)) && value.wide.is_none_or(|wide| u64::try_from(wide).is_ok());
    Skips skipped: Skipped = Skipped::default(),
        skipped(),
        |value| !value.needed.is_empty() && value.small > 0;
    Times time: (Duration, SystemTime) = (Duration::ZERO, SystemTime::UNIX_EPOCH),
        (any::<Duration>(), any::<u32>().prop_map(|s| SystemTime::UNIX_EPOCH + Duration::new(s.into(), s % 1000))),
        |_| true;
    Addresses address: IpAddr = IpAddr::from([127, 0, 0, 1]),
        any::<IpAddr>(),
        |_| true;
    Results result: Result<u8, String> = Ok(1),
        prop_oneof![any::<u8>().prop_map(Ok), text().prop_map(Err)],
        |_| true;
    Json json: Value = Value::Null,
        json(),
        |_| true;
    Nested nested: Nest = Nest::default(),
        (0_usize..200).prop_map(Nest::of),
        |nest| nest.depth() < 60;
}
