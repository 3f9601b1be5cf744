//! The lines that were logged. Tests that look at them run one after the other.

use std::sync::Mutex;

/// Warnings and errors, whoever writes them.
pub struct Log;

pub static LINES: Mutex<Vec<String>> = Mutex::new(Vec::new());

/// The log is everybody's: one test at a time.
pub static ALONE: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());

impl log::Log for Log {
    fn enabled(&self, metadata: &log::Metadata<'_>) -> bool {
        metadata.level() <= log::Level::Warn
    }

    fn log(&self, record: &log::Record<'_>) {
        if self.enabled(record.metadata()) {
            LINES.lock().expect("no panic").push(record.args().to_string());
        }
    }

    fn flush(&self) {}
}

/// Before Rocket installs its own.
pub fn install_log() {
    static ONCE: std::sync::Once = std::sync::Once::new();
    ONCE.call_once(|| log::set_logger(&Log).expect("no logger yet"));
}

/// The lines since the last call.
pub fn lines() -> Vec<String> {
    log::set_max_level(log::LevelFilter::Warn);
    std::mem::take(&mut *LINES.lock().expect("no panic"))
}
