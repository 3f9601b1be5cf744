//! Any bytes as a record's file and as a core's envelope: a record or corrupt,
//! with memory no larger than the bytes; what is written reads back.

#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| rocket_typed_sessions::fuzzing::record(data));
