//! Compares random values with `tests/vectors/ktor_model.py`, which shares no code with this
//! crate.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, Command, Stdio};

use parking_lot::Mutex;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::crypto::hex::encode as hex;
use crate::crypto::mac::{Mac, MacAlgorithm};

/// The model's process, which answers one line at a time.
struct Model(Child);

impl Model {
    fn start() -> Self {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/vectors/ktor_model.py");
        let process = Command::new("python3")
            .arg(script)
            // Other tests of this process change the working directory.
            .current_dir(env!("CARGO_MANIFEST_DIR"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("python3 is installed");
        Self(process)
    }

    fn ask(&mut self, question: &Value) -> Value {
        writeln!(self.0.stdin.as_mut().expect("piped"), "{question}").expect("the model listens");
        let mut answer = String::new();
        // Each question gets its own reader: the model answers with one line and then waits.
        BufReader::new(self.0.stdout.as_mut().expect("piped"))
            .read_line(&mut answer)
            .expect("the model answers");
        serde_json::from_str(&answer).expect("JSON")
    }
}

impl Drop for Model {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

const MACS: [(&str, MacAlgorithm); 4] = [
    ("HmacSHA1", MacAlgorithm::HmacSha1),
    ("HmacSHA256", MacAlgorithm::HmacSha256),
    ("HmacSHA384", MacAlgorithm::HmacSha384),
    ("HmacSHA512", MacAlgorithm::HmacSha512),
];
const ENCODINGS: [(&str, Option<CookieEncoding>); 5] = [
    ("uri", Some(CookieEncoding::Uri)),
    ("base64", Some(CookieEncoding::Base64)),
    ("raw", Some(CookieEncoding::Raw)),
    ("dquotes", Some(CookieEncoding::Dquotes)),
    ("none", None),
];

fn transforms() -> impl Strategy<Value = Vec<&'static str>> {
    prop::collection::vec(prop::sample::select(vec!["mac", "encrypt"]), 0..3)
}

fn key(sizes: &'static [usize]) -> impl Strategy<Value = Vec<u8>> {
    prop::sample::select(sizes).prop_flat_map(|size| prop::collection::vec(any::<u8>(), size))
}

/// A value of the old form. It is written as JSON for the model, and as serde would write it.
#[derive(Clone, Debug)]
enum Item {
    Null,
    Bool(bool),
    Int(i32),
    Long(i64),
    Text(String),
    List(Vec<Item>),
    Map(BTreeMap<String, Item>),
    Form(Vec<(&'static str, Item)>),
}

impl Item {
    fn for_model(&self) -> Value {
        match self {
            Self::Null => json!(["null", null]),
            Self::Bool(value) => json!(["bool", value]),
            Self::Int(value) => json!(["i", value]),
            Self::Long(value) => json!(["l", value]),
            Self::Text(value) => json!(["s", value]),
            Self::List(items) => {
                json!(["list", items.iter().map(Self::for_model).collect::<Vec<_>>()])
            }
            Self::Map(entries) => {
                let entries: Vec<_> =
                    entries.iter().map(|(key, item)| json!([key, item.for_model()])).collect();
                json!(["map", entries])
            }
            Self::Form(fields) => json!(["form", pairs(fields)]),
        }
    }

    fn plain(&self) -> Value {
        match self {
            Self::Null => Value::Null,
            Self::Bool(value) => json!(value),
            Self::Int(value) => json!(value),
            Self::Long(value) => json!(value),
            Self::Text(value) => json!(value),
            Self::List(items) => items.iter().map(Self::plain).collect(),
            Self::Map(entries) => {
                entries.iter().map(|(key, item)| (key.clone(), item.plain())).collect()
            }
            Self::Form(fields) => {
                fields.iter().map(|(name, item)| ((*name).to_owned(), item.plain())).collect()
            }
        }
    }
}

fn pairs(fields: &[(&'static str, Item)]) -> Vec<Value> {
    fields.iter().map(|(name, item)| json!([name, item.for_model()])).collect()
}

impl serde::Serialize for Item {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        use serde::ser::SerializeStruct;
        match self {
            Self::Null => serializer.serialize_none(),
            Self::Bool(value) => serializer.serialize_bool(*value),
            Self::Int(value) => serializer.serialize_i32(*value),
            Self::Long(value) => serializer.serialize_i64(*value),
            Self::Text(value) => serializer.serialize_str(value),
            Self::List(items) => items.serialize(serializer),
            Self::Map(entries) => entries.serialize(serializer),
            Self::Form(fields) => {
                let mut form = serializer.serialize_struct("Form", fields.len())?;
                for (name, item) in fields {
                    form.serialize_field(name, item)?;
                }
                form.end()
            }
        }
    }
}

fn simple() -> impl Strategy<Value = Item> {
    prop_oneof![
        Just(Item::Null),
        any::<bool>().prop_map(Item::Bool),
        any::<i32>().prop_map(Item::Int),
        any::<i64>().prop_map(Item::Long),
        any::<String>().prop_map(Item::Text),
    ]
}

fn fields(item: impl Strategy<Value = Item>) -> impl Strategy<Value = Vec<(&'static str, Item)>> {
    let names = ["userId", "cart", "a b", "ünï", "z"];
    prop::collection::vec(item, 0..=5).prop_map(move |items| names.into_iter().zip(items).collect())
}

fn item() -> impl Strategy<Value = Item> {
    prop_oneof![
        4 => simple(),
        1 => prop::collection::vec(simple(), 0..4).prop_map(Item::List),
        1 => prop::collection::btree_map(any::<String>(), simple(), 0..4).prop_map(Item::Map),
        1 => fields(simple()).prop_map(Item::Form),
    ]
}

#[test]
fn tokens_agree_with_the_model_whatever_they_hold() {
    let model = Mutex::new(Model::start());
    let config =
        ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() };
    proptest!(config, |(
        text in any::<String>(),
        sign in key(&[1, 11, 14, 32, 64, 200]),
        encrypt in key(&[16, 24, 32]),
        iv in any::<[u8; 16]>(),
        transform in transforms(),
        (mac_name, mac) in prop::sample::select(MACS.to_vec()),
        (encoding_name, encoding) in prop::sample::select(ENCODINGS.to_vec()),
    )| {
        let mac = Mac::new(mac, &sign).expect("any key");
        let chain = transform.iter().map(|step| match *step {
            "mac" => Transform::Mac(Box::new(mac.clone())),
            _ => {
                let cipher = Cipher::new(&encrypt, mac.clone(), false).expect("a key of AES");
                Transform::Encrypt(Box::new(cipher))
            }
        });
        let ktor = Ktor::new(vec![chain.collect()], encoding, Serializer::Json);
        // Only a text that would break out of its cookie or header is refused.
        let Ok(sealed) = ktor.seal_with(&text, || Ok(iv)) else {
            let carried = encoding.is_none() || !transform.contains(&"encrypt");
            prop_assert!(carried && !matches!(encoding_name, "uri" | "base64"), "{encoding_name} {text:?}");
            return Ok(());
        };
        let answer = model.lock().ask(&json!({
            "ask": "token", "text": text, "token": sealed, "transform": transform, "mac": mac_name,
            "encoding": encoding_name, "sign": hex(&sign), "encrypt": hex(&encrypt), "iv": hex(&iv),
        }));
        prop_assert_eq!(answer["sealed"].as_str(), Some(&*sealed));
        // A value that is itself in quotes loses them, in Ktor as well as here.
        let quoted = ["raw", "dquotes"].contains(&encoding_name) && transform.is_empty();
        if !(quoted && text.starts_with('"')) {
            prop_assert_eq!(answer["opened"].as_str(), Some(&*text));
            prop_assert_eq!(ktor.open(&sealed), Some((text, false)));
        }
    });
}

#[test]
fn forms_agree_with_the_model_and_read_back_whatever_they_hold() {
    let model = Mutex::new(Model::start());
    let config =
        ProptestConfig { cases: 600, failure_persistence: None, ..ProptestConfig::default() };
    let (mut written, mut refused) = (0, 0);
    let counts = Mutex::new((&mut written, &mut refused));
    proptest!(config, |(fields in fields(item()), sorted in any::<bool>())| {
        let variant = if sorted { Variant::Reflection } else { Variant::Kotlinx };
        let value = Item::Form(fields.clone());
        let Ok(form) = to_form(&value, variant) else {
            *counts.lock().1 += 1;
            return Ok(());
        };
        *counts.lock().0 += 1;
        let answer = model.lock().ask(&json!({"ask": "form", "pairs": pairs(&fields), "sorted": sorted}));
        prop_assert_eq!(answer["form"].as_str(), Some(&*form));
        prop_assert_eq!(from_form::<Value>(&form).ok(), Some(value.plain()));
    });
    assert!(written > 200 && refused > 0, "{written} written, {refused} refused");
}
