//! Tokens of every kind: arbitrary ones do not open; genuine ones with
//! arbitrary content open as they were sealed, and not with one byte changed.

#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    if let Some((kind, rest)) = data.split_first() {
        rocket_typed_sessions::fuzzing::token(*kind, rest);
    }
});
