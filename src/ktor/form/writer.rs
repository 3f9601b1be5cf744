//! Turns serde's data model into the parts of a form.

use serde::Serialize;
use serde::ser::{self, Impossible};

use super::part::{FormError, Part};

/// Turns a value into its [`Part`].
pub(super) struct Writer;

/// Collects the parts of a list, a map or a struct.
#[derive(Default)]
pub(super) struct Collector {
    items: Vec<Part>,
    entries: Vec<(Part, Part)>,
    key: Option<Part>,
}

fn unsupported<T>(what: &str) -> Result<T, FormError> {
    Err(FormError(format!("{what} has no form in Ktor's old format")))
}

macro_rules! simple {
    ($($name:ident($kind:ty) = $tag:literal;)*) => {$(
        fn $name(self, value: $kind) -> Result<Part, FormError> {
            Ok(Part::Simple(format!(concat!($tag, "{}"), value)))
        }
    )*};
}

impl ser::Serializer for Writer {
    type Ok = Part;
    type Error = FormError;
    type SerializeSeq = Collector;
    type SerializeTuple = Collector;
    type SerializeTupleStruct = Collector;
    type SerializeTupleVariant = Impossible<Part, FormError>;
    type SerializeMap = Collector;
    type SerializeStruct = Collector;
    type SerializeStructVariant = Impossible<Part, FormError>;

    simple! {
        serialize_i8(i8) = "#i";
        serialize_i16(i16) = "#i";
        serialize_i32(i32) = "#i";
        serialize_u8(u8) = "#i";
        serialize_u16(u16) = "#i";
        serialize_u32(u32) = "#l";
        serialize_i64(i64) = "#l";
        serialize_char(char) = "#ch";
        serialize_str(&str) = "#s";
    }

    fn serialize_u64(self, value: u64) -> Result<Part, FormError> {
        if i64::try_from(value).is_err() {
            return unsupported("a number over 2^63");
        }
        Ok(Part::Simple(format!("#l{value}")))
    }

    fn serialize_bool(self, value: bool) -> Result<Part, FormError> {
        Ok(Part::Simple(if value { "#bot" } else { "#bof" }.into()))
    }

    fn serialize_f32(self, value: f32) -> Result<Part, FormError> {
        java_float(f64::from(value), &value.to_string(), &format!("{value:e}"))
    }

    fn serialize_f64(self, value: f64) -> Result<Part, FormError> {
        java_float(value, &value.to_string(), &format!("{value:e}"))
    }

    fn serialize_none(self) -> Result<Part, FormError> {
        Ok(Part::Simple("#n".into()))
    }

    fn serialize_unit(self) -> Result<Part, FormError> {
        self.serialize_none()
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<Part, FormError> {
        value.serialize(self)
    }

    fn serialize_unit_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
    ) -> Result<Part, FormError> {
        self.serialize_str(variant)
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        value: &T,
    ) -> Result<Part, FormError> {
        value.serialize(self)
    }

    fn serialize_seq(self, _: Option<usize>) -> Result<Collector, FormError> {
        Ok(Collector::default())
    }

    fn serialize_tuple(self, _: usize) -> Result<Collector, FormError> {
        Ok(Collector::default())
    }

    fn serialize_tuple_struct(self, _: &'static str, _: usize) -> Result<Collector, FormError> {
        Ok(Collector::default())
    }

    fn serialize_map(self, _: Option<usize>) -> Result<Collector, FormError> {
        Ok(Collector::default())
    }

    fn serialize_struct(self, _: &'static str, _: usize) -> Result<Collector, FormError> {
        Ok(Collector::default())
    }

    fn serialize_bytes(self, _: &[u8]) -> Result<Part, FormError> {
        unsupported("an array of bytes")
    }

    fn serialize_unit_struct(self, _: &'static str) -> Result<Part, FormError> {
        unsupported("a struct without fields")
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
        _: &T,
    ) -> Result<Part, FormError> {
        unsupported("an enum with values and without `#[serde(tag = \"$type\")]`")
    }

    fn serialize_tuple_variant(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
        _: usize,
    ) -> Result<Self::SerializeTupleVariant, FormError> {
        unsupported("an enum with values and without `#[serde(tag = \"$type\")]`")
    }

    fn serialize_struct_variant(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
        _: usize,
    ) -> Result<Self::SerializeStructVariant, FormError> {
        unsupported("an enum with values and without `#[serde(tag = \"$type\")]`")
    }
}

macro_rules! collects {
    ($($kind:ident: $method:ident;)*) => {$(
        impl ser::$kind for Collector {
            type Ok = Part;
            type Error = FormError;

            fn $method<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), FormError> {
                self.items.push(value.serialize(Writer)?);
                Ok(())
            }

            fn end(self) -> Result<Part, FormError> {
                Ok(Part::List(self.items))
            }
        }
    )*};
}

collects! {
    SerializeSeq: serialize_element;
    SerializeTuple: serialize_element;
    SerializeTupleStruct: serialize_field;
}

impl ser::SerializeMap for Collector {
    type Ok = Part;
    type Error = FormError;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), FormError> {
        self.key = Some(key.serialize(Writer)?);
        Ok(())
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), FormError> {
        let key = self.key.take().ok_or_else(|| FormError("a value without a key".into()))?;
        self.entries.push((key, value.serialize(Writer)?));
        Ok(())
    }

    fn end(self) -> Result<Part, FormError> {
        Ok(Part::Map(self.entries))
    }
}

impl ser::SerializeStruct for Collector {
    type Ok = Part;
    type Error = FormError;

    fn serialize_field<T: Serialize + ?Sized>(
        &mut self,
        name: &'static str,
        value: &T,
    ) -> Result<(), FormError> {
        self.entries.push((Part::Simple(name.to_owned()), value.serialize(Writer)?));
        Ok(())
    }

    fn end(self) -> Result<Part, FormError> {
        Ok(Part::Struct(self.entries))
    }
}

/// Writes a float as Java's `toString` does. `shortest` is Rust's `{:e}`.
fn java_float(value: f64, plain: &str, shortest: &str) -> Result<Part, FormError> {
    if !value.is_finite() {
        return Err(FormError("a number is not finite".into()));
    }
    let pointed = |digits: &str| {
        if digits.contains('.') { digits.to_owned() } else { format!("{digits}.0") }
    };
    let size = value.abs();
    let text = if size == 0.0 || (1e-3..1e7).contains(&size) {
        pointed(plain)
    } else {
        let (mantissa, exponent) = shortest.split_once('e').unwrap_or((shortest, "0"));
        format!("{}E{exponent}", pointed(mantissa))
    };
    Ok(Part::Simple(format!("#f{text}")))
}
