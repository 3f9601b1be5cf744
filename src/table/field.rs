//! The types of the configuration's values.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use figment::value::Value;
use rocket::data::ByteUnit;

use super::words::Words;
use super::{Key, Table};

/// The longest duration that the configuration may contain: 100 years of 365.25 days.
const LONGEST: Duration = Duration::from_secs(3_155_760_000);

/// The type of a key's value.
pub(crate) trait Field: Sized {
    /// The keys of a table.
    const KEYS: &'static [Key] = &[];

    /// The type's name in the reference.
    fn kind() -> String;

    /// Reads a value in full, or says what was expected.
    fn from_value(value: &Value) -> Result<Self, String>;

    fn to_value(&self) -> Value;

    /// Reads the value at `path`. A value of another type is a problem.
    fn read(table: &mut Table<'_, '_>, path: &str) -> Option<Self> {
        let value = table.value(path)?;
        let problem = match Self::from_value(value) {
            Ok(read) => return Some(read),
            Err(_) if is_quoted(value) => {
                "the quotes are a part of the value here; write it without them".into()
            }
            Err(problem) => problem,
        };
        table.problem(path, problem);
        None
    }
}

/// Whether a text has quotes of its own, as a variable may that a file of them sets.
fn is_quoted(value: &Value) -> bool {
    value.as_str().is_some_and(|text| {
        ["'", "\""]
            .iter()
            .any(|quote| text.len() > 1 && text.starts_with(quote) && text.ends_with(quote))
    })
}

/// A timeout that can be switched off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Timeout {
    /// The word `"never"`.
    Never,
    /// After this time.
    After(Duration),
}

impl From<Duration> for Timeout {
    fn from(duration: Duration) -> Self {
        Self::After(duration)
    }
}

/// How long a browser keeps a cookie.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CookieMaxAge {
    /// The word `"session"`: until the browser is closed.
    BrowserSession,
    /// For this time.
    After(Duration),
}

impl From<Duration> for CookieMaxAge {
    fn from(duration: Duration) -> Self {
        Self::After(duration)
    }
}

/// One text or a list of texts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OneOrMore(pub Vec<String>);

impl<const N: usize> From<[&str; N]> for OneOrMore {
    fn from(texts: [&str; N]) -> Self {
        Self(texts.map(str::to_owned).to_vec())
    }
}

/// The URL of a server or the URLs of several. A URL may contain a password, so `Debug` does not
/// show them.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Urls(pub Vec<String>);

impl From<&str> for Urls {
    fn from(url: &str) -> Self {
        Self(vec![url.to_owned()])
    }
}

impl<const N: usize> From<[&str; N]> for Urls {
    fn from(urls: [&str; N]) -> Self {
        Self(urls.map(str::to_owned).to_vec())
    }
}

impl fmt::Debug for Urls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[provided]")
    }
}

impl Field for String {
    fn kind() -> String {
        "text".into()
    }

    /// Figment guesses the types of environment variables and keeps no text: `007` has become 7.
    fn from_value(value: &Value) -> Result<Self, String> {
        match value {
            Value::String(_, text) => Ok(text.clone()),
            Value::Num(..) | Value::Bool(..) => Err(
                "expected a text, and this was read as a number or a flag; write it in double quotes, \
                 in a variable within single ones: '\"…\"'".into(),
            ),
            _ => Err("expected a text in quotes".into()),
        }
    }

    fn to_value(&self) -> Value {
        self.as_str().into()
    }
}

impl Field for bool {
    fn kind() -> String {
        "`true` or `false`".into()
    }

    fn from_value(value: &Value) -> Result<Self, String> {
        match value {
            Value::Bool(_, flag) => Ok(*flag),
            _ => Err("expected `true` or `false`, without quotes".into()),
        }
    }

    fn to_value(&self) -> Value {
        (*self).into()
    }
}

impl Field for usize {
    fn kind() -> String {
        "whole number".into()
    }

    fn from_value(value: &Value) -> Result<Self, String> {
        let number = match value {
            Value::Num(_, number) => number.to_u128_lossy(),
            Value::String(_, text) => text.replace('_', "").parse().ok(),
            _ => None,
        };
        let number = number.and_then(|number| usize::try_from(number).ok());
        number.ok_or_else(|| "expected a whole number that is not negative".into())
    }

    fn to_value(&self) -> Value {
        (*self).into()
    }
}

impl Field for ByteUnit {
    fn kind() -> String {
        "size".into()
    }

    fn from_value(value: &Value) -> Result<Self, String> {
        let size = match value {
            Value::String(_, text) => text.replace('_', "").parse().ok(),
            other => usize::from_value(other).ok().map(ByteUnit::from),
        };
        // Rocket reads a size that is too large as the largest one.
        let size = size.filter(|size| *size < ByteUnit::max_value());
        size.ok_or_else(|| "expected whole bytes or a text like \"64 KiB\"".into())
    }

    fn to_value(&self) -> Value {
        self.to_string().into()
    }
}

impl Field for Duration {
    fn kind() -> String {
        "duration".into()
    }

    fn from_value(value: &Value) -> Result<Self, String> {
        let duration = match value {
            Value::String(_, text) => text
                .parse()
                .ok()
                .map(Self::from_secs)
                // `30M` would be 30 months, and is likely to mean minutes.
                .or_else(|| humantime::parse_duration(text).ok().filter(|_| !text.contains('M'))),
            other => usize::from_value(other).ok().map(|seconds| Self::from_secs(seconds as u64)),
        };
        match duration {
            None => {
                Err("expected whole seconds or a text like \"7 days\" or \"30 minutes\"".into())
            }
            Some(duration) if duration > LONGEST => {
                Err("longer than 100 years; write a shorter one, e.g. \"30 days\"".into())
            }
            Some(duration) => Ok(duration),
        }
    }

    fn to_value(&self) -> Value {
        duration_text(*self).into()
    }
}

/// A duration as the reference and the summary at launch write it.
pub(crate) fn duration_text(duration: Duration) -> String {
    let mut rest = duration.as_secs();
    let mut parts = Vec::new();
    for (unit, length) in [("day", 86_400), ("hour", 3600), ("minute", 60), ("second", 1)] {
        let number = rest / length;
        rest %= length;
        if number > 0 {
            parts.push(format!("{number} {unit}{}", if number == 1 { "" } else { "s" }));
        }
    }
    let part_of_second = Duration::from_nanos(duration.subsec_nanos().into());
    if parts.is_empty() || !part_of_second.is_zero() {
        parts.push(humantime::format_duration(part_of_second).to_string());
    }
    parts.join(" ")
}

/// Reads a word, or a duration that is not zero.
fn word_or_duration(value: &Value, word: &str) -> Result<Option<Duration>, String> {
    if value.as_str() == Some(word) {
        return Ok(None);
    }
    match Duration::from_value(value) {
        Ok(Duration::ZERO) => {
            Err(format!("must be longer than zero, e.g. \"30 minutes\", or {word:?}"))
        }
        Ok(duration) => Ok(Some(duration)),
        Err(problem) => Err(format!("{problem}, or {word:?}")),
    }
}

impl Field for Timeout {
    fn kind() -> String {
        "duration or `\"never\"`".into()
    }

    fn from_value(value: &Value) -> Result<Self, String> {
        Ok(word_or_duration(value, "never")?.map_or(Self::Never, Self::After))
    }

    fn to_value(&self) -> Value {
        match self {
            Self::Never => "never".into(),
            Self::After(duration) => duration.to_value(),
        }
    }
}

impl Field for CookieMaxAge {
    fn kind() -> String {
        "duration or `\"session\"`".into()
    }

    fn from_value(value: &Value) -> Result<Self, String> {
        Ok(word_or_duration(value, "session")?.map_or(Self::BrowserSession, Self::After))
    }

    fn to_value(&self) -> Value {
        match self {
            Self::BrowserSession => "session".into(),
            Self::After(duration) => duration.to_value(),
        }
    }
}

/// The texts of a list, if all of its values are texts.
fn texts(value: &Value) -> Option<Vec<String>> {
    let texts = value.as_array()?.iter().map(|text| text.as_str().map(str::to_owned));
    texts.collect()
}

/// One text or a list of texts, but no empty list.
fn one_or_more(value: &Value) -> Option<Vec<String>> {
    let one = value.as_str().map(|text| vec![text.to_owned()]);
    one.or_else(|| texts(value))
}

/// A list with one text is written as the text.
fn one_or_more_to_value(texts: &[String]) -> Value {
    match texts {
        [one] => one.as_str().into(),
        more => Value::from(more.to_vec()),
    }
}

impl Field for Vec<String> {
    fn kind() -> String {
        "list of texts".into()
    }

    fn from_value(value: &Value) -> Result<Self, String> {
        texts(value).ok_or_else(|| "expected a list of texts: [\"…\", \"…\"]".into())
    }

    fn to_value(&self) -> Value {
        Value::from(self.clone())
    }
}

impl Field for OneOrMore {
    fn kind() -> String {
        "text or list of texts".into()
    }

    fn from_value(value: &Value) -> Result<Self, String> {
        let texts = one_or_more(value).map(Self);
        texts.ok_or_else(|| "expected a text or a list of texts: [\"…\", \"…\"]".into())
    }

    fn to_value(&self) -> Value {
        one_or_more_to_value(&self.0)
    }
}

impl Field for Urls {
    fn kind() -> String {
        "URL or list of URLs".into()
    }

    fn from_value(value: &Value) -> Result<Self, String> {
        let urls = one_or_more(value).map(Self);
        urls.ok_or_else(|| "expected a URL or a list of URLs: [\"…\", \"…\"]".into())
    }

    fn to_value(&self) -> Value {
        one_or_more_to_value(&self.0)
    }
}

impl Field for BTreeMap<String, String> {
    fn kind() -> String {
        "table of texts".into()
    }

    fn from_value(value: &Value) -> Result<Self, String> {
        let dict = value.as_dict().ok_or("expected a table of texts: { Name = \"value\" }")?;
        let text = |(name, value): (&String, &Value)| match String::from_value(value) {
            Ok(text) => Ok((name.clone(), text)),
            Err(problem) => Err(format!("`{name}`: {problem}")),
        };
        dict.iter().map(text).collect()
    }

    fn to_value(&self) -> Value {
        let pairs = self.iter().map(|(name, value)| (name.clone(), Value::from(value.as_str())));
        Value::from(pairs.collect::<figment::value::Dict>())
    }
}

impl<W: Words + Field> Field for Vec<W> {
    fn kind() -> String {
        format!("list of {}", W::kind())
    }

    fn from_value(value: &Value) -> Result<Self, String> {
        let expected = || format!("expected a list of these: [{}]", words_of::<W>().join(", "));
        let values = value.as_array().ok_or_else(expected)?;
        values.iter().map(|value| W::from_value(value).map_err(|_| expected())).collect()
    }

    fn to_value(&self) -> Value {
        Value::from(self.iter().map(Field::to_value).collect::<Vec<_>>())
    }
}

/// The words of a type, in quotes.
pub(crate) fn words_of<W: Words>() -> Vec<String> {
    W::WORDS.iter().map(|(word, _)| format!("{word:?}")).collect()
}
