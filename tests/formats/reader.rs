//! An independent reader of the formats.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, Command, Stdio};

use serde_json::Value;

/// `tests/vectors/reader.py`, asked a line at a time.
pub struct Reader(pub Child);

impl Reader {
    pub fn start() -> Self {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/vectors/reader.py");
        let child = Command::new("python3")
            .arg(script)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("this test needs python3; scripts/test installs it");
        Self(child)
    }

    pub fn ask(&mut self, question: &Value) -> Value {
        let (input, output) = (self.0.stdin.as_mut(), self.0.stdout.as_mut());
        writeln!(input.expect("a pipe"), "{question}").expect("the reader lives");
        let mut line = String::new();
        let read = BufReader::new(output.expect("a pipe")).read_line(&mut line);
        assert!(read.is_ok_and(|bytes| bytes > 0), "the reader died of {question}");
        serde_json::from_str(&line).expect("JSON")
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        drop(self.0.stdin.take());
        let _ = self.0.wait();
    }
}
