//! One table of the configuration, with typed access that collects problems.

mod context;

use std::path::PathBuf;
use std::time::Duration;

use figment::value::{Dict, Value};
use rocket::data::ByteUnit;

pub(crate) use context::{Context, Problem, Registered};

/// The longest duration that the configuration may contain.
const LONGEST: Duration = Duration::from_secs(100 * 365 * 86_400);

/// A table that is being read. [`finish`](Self::finish) refuses the keys that were not read.
pub(crate) struct Table<'t, 'f> {
    pub context: &'t mut Context<'f>,
    path: String,
    dict: Dict,
    known: Vec<&'static str>,
}

impl<'t, 'f> Table<'t, 'f> {
    pub fn new(context: &'t mut Context<'f>, path: String, dict: Dict) -> Self {
        Self { context, path, dict, known: Vec::new() }
    }

    pub fn path(&self, key: &str) -> String {
        format!("{}.{key}", self.path)
    }

    pub fn has(&self, key: &str) -> bool {
        self.dict.contains_key(key)
    }

    pub fn problem(&mut self, key: &str, message: impl Into<String>) {
        let path = self.path(key);
        self.context.problem(&path, message, self.dict.get(key).cloned().as_ref());
    }

    pub fn weakness(&mut self, key: &str, message: &str) {
        let path = self.path(key);
        self.context.weakness(&path, message, self.dict.get(key).cloned().as_ref());
    }

    /// Warns of a setting that works but may surprise.
    pub fn warning(&mut self, key: &str, message: &str) {
        let path = self.path(key);
        self.context.warnings.push(format!("`{path}`: {message}"));
    }

    /// The value of any type. The caller checks it.
    pub fn value(&mut self, key: &'static str) -> Option<Value> {
        self.known.push(key);
        self.dict.get(key).cloned()
    }

    pub fn text(&mut self, key: &'static str) -> Option<String> {
        match self.value(key)? {
            Value::String(_, text) => Some(text),
            // Figment guesses the types of environment variables, so a name may arrive as a
            // number.
            Value::Num(_, number) => number.to_u128_lossy().map(|number| number.to_string()),
            _ => {
                self.problem(key, "expected a text in quotes");
                None
            }
        }
    }

    pub fn flag(&mut self, key: &'static str) -> Option<bool> {
        match self.value(key)? {
            Value::Bool(_, flag) => Some(flag),
            _ => {
                self.problem(key, "expected `true` or `false`");
                None
            }
        }
    }

    /// One of several words.
    pub fn choice<C: Copy>(&mut self, key: &'static str, choices: &[(&str, C)]) -> Option<C> {
        let text = self.text(key)?;
        let chosen = choices.iter().find(|(word, _)| *word == text);
        if chosen.is_none() {
            let words: Vec<_> = choices.iter().map(|(word, _)| format!("{word:?}")).collect();
            self.problem(key, format!("{text:?} is none of {}", words.join(", ")));
        }
        chosen.map(|(_, choice)| *choice)
    }

    /// A list of such words; anything else is a problem, which `expected` describes.
    pub fn choices<C: Copy>(
        &mut self,
        key: &'static str,
        choices: &[(&str, C)],
        expected: &str,
    ) -> Option<Vec<C>> {
        let chosen = |value: &Value| {
            let chosen = choices.iter().find(|(word, _)| value.as_str() == Some(word));
            chosen.map(|(_, choice)| *choice)
        };
        let Value::Array(_, values) = self.value(key)? else {
            self.problem(key, expected);
            return None;
        };
        let known: Vec<_> = values.iter().filter_map(chosen).collect();
        if known.len() < values.len() {
            self.problem(key, expected);
        }
        Some(known)
    }

    pub fn integer(&mut self, key: &'static str) -> Option<usize> {
        let number = match self.value(key)? {
            Value::Num(_, number) => {
                number.to_u128_lossy().and_then(|number| usize::try_from(number).ok())
            }
            Value::String(_, text) => text.replace('_', "").parse().ok(),
            _ => None,
        };
        if number.is_none() {
            self.problem(key, "expected a whole number that is not negative");
        }
        number
    }

    /// A duration as whole seconds or a text like `"7 days"`. Zero is refused.
    pub fn duration(&mut self, key: &'static str) -> Option<Duration> {
        let duration = self.duration_or_zero(key)?;
        if duration.is_zero() {
            self.problem(key, "must be longer than zero, e.g. \"30 minutes\"");
            return None;
        }
        Some(duration)
    }

    pub fn duration_or_zero(&mut self, key: &'static str) -> Option<Duration> {
        let duration = match self.value(key)? {
            Value::Num(_, number) => number
                .to_u128_lossy()
                .and_then(|seconds| u64::try_from(seconds).ok())
                .map(Duration::from_secs),
            Value::String(_, text) => text
                .parse()
                .ok()
                .map(Duration::from_secs)
                .or_else(|| humantime::parse_duration(&text).ok()),
            _ => None,
        };
        match duration {
            None => self
                .problem(key, "expected whole seconds or a text like \"7 days\" or \"30 minutes\""),
            Some(duration) if duration > LONGEST => {
                self.problem(key, "longer than 100 years; write a shorter one, e.g. \"30 days\"");
                return None;
            }
            Some(_) => {}
        }
        duration
    }

    /// A size as whole bytes or a text like `"64 KiB"`.
    pub fn size(&mut self, key: &'static str) -> Option<usize> {
        if !matches!(self.dict.get(key), Some(Value::String(..))) {
            return self.integer(key);
        }
        let text = self.text(key)?;
        let size = text.replace('_', "").parse::<ByteUnit>().ok();
        // Rocket reads a size that is too large as the largest one.
        let size = size.filter(|size| *size < ByteUnit::max_value());
        let size = size.and_then(|size| usize::try_from(size.as_u64()).ok());
        if size.is_none() {
            self.problem(key, "expected whole bytes or a text like \"64 KiB\"");
        }
        size
    }

    /// Reads the key `path`, which names a file or a folder. Messages show `example`.
    pub fn file(&mut self, example: &str) -> Option<PathBuf> {
        let Some(Value::String(tag, path)) = self.value("path") else {
            self.problem("path", format!("missing or not a text: write path = {example:?}"));
            return None;
        };
        if path.is_empty() {
            self.problem("path", format!("must not be empty: write path = {example:?}"));
            return None;
        }
        Some(self.context.resolve(tag, &path))
    }

    /// A table within this table.
    pub fn table(&mut self, key: &'static str) -> Option<Table<'_, 'f>> {
        match self.value(key)? {
            Value::Dict(_, dict) => {
                Some(Table::new(self.context, format!("{}.{key}", self.path), dict))
            }
            _ => {
                self.problem(key, "expected a table");
                None
            }
        }
    }

    /// A table within this one, which is empty if it is not there.
    pub fn table_or_empty(&mut self, key: &'static str) -> Table<'_, 'f> {
        let path = self.path(key);
        let dict = self.table(key).map(|table| table.dict).unwrap_or_default();
        Table::new(self.context, path, dict)
    }

    /// The keys that were not read, with their values.
    pub fn rest(self) -> Vec<(String, Value)> {
        let known = self.known;
        self.dict.into_iter().filter(|(key, _)| !known.contains(&key.as_str())).collect()
    }

    /// Refuses the keys that were not read.
    pub fn finish(self) {
        let unknown: Vec<_> =
            self.dict.iter().filter(|(key, _)| !self.known.contains(&key.as_str())).collect();
        for (key, value) in unknown {
            let nearest = self.known.iter().max_by(|one, other| {
                strsim::jaro_winkler(key, one).total_cmp(&strsim::jaro_winkler(key, other))
            });
            let hint =
                nearest.map_or_else(String::new, |nearest| format!("; did you mean `{nearest}`?"));
            self.context.problem(
                &format!("{}.{key}", self.path),
                format!("unknown key{hint}"),
                Some(value),
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use figment::Figment;

    use super::*;

    #[test]
    fn sizes_are_read_in_rockets_units() {
        let figment = Figment::new();
        for (text, size) in [
            ("2048", Some(2048)),
            ("65_536", Some(65_536)),
            ("64 KiB", Some(64 * 1024)),
            ("64kib", Some(64 * 1024)),
            ("2 kB", Some(2000)),
            ("1 MiB", Some(1024 * 1024)),
            ("3mb", Some(3_000_000)),
            ("12 b", Some(12)),
            ("1 GiB", Some(1024 * 1024 * 1024)),
            ("16 EiB", None),
            ("18446744073709551615 MiB", None),
            ("18446744073709551616", None),
            ("64 parsecs", None),
            ("-1", None),
            ("", None),
            ("KiB", None),
            ("６４ KiB", None),
        ] {
            let dict = Dict::from([("size".to_owned(), text.into())]);
            let registered = Registered::default();
            let mut context = Context::new(&figment, &registered);
            let mut table = Table::new(&mut context, "sessions".into(), dict);
            assert_eq!(table.size("size"), size, "{text}");
            assert_eq!(context.problems.len(), usize::from(size.is_none()), "{text}");
        }
    }
}
