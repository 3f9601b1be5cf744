//! Any text as Rocket.toml: definitions or problems, and no problem shows a key.

#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| rocket_typed_sessions::fuzzing::configuration(text));
