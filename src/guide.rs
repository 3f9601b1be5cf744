//! The guide: a chapter on every part of the crate.
//!
#![doc = include_str!("guide/links.md")]
//!
#![doc = include_str!("../docs/guide.md")]

/// The address of a page in the hosted documentation, for messages.
macro_rules! page {
    ($module:literal) => {
        concat!(
            "https://docs.rs/rocket_typed_sessions/",
            env!("CARGO_PKG_VERSION"),
            "/rocket_typed_sessions/guide/",
            $module,
            "/index.html"
        )
    };
}
pub(crate) use page;

// The pages are there for rustdoc only: it shows them, and compiles their blocks of Rust.
macro_rules! pages {
    ($($module:ident $page:literal)*) => {$(
        #[cfg(any(doc, doctest))]
        #[doc = include_str!("guide/links.md")]
        ///
        #[doc = include_str!(concat!("../docs/", $page, ".md"))]
        pub mod $module {}
    )*};
}

pages! {
    architecture "architecture"
    benchmarks "benchmarks"
    changing_a_type "changing-a-type"
    choosing "choosing"
    configuration "configuration"
    csrf "csrf"
    devices "devices"
    flash "flash"
    formats "formats"
    glossary "glossary"
    keys "keys"
    lifetimes "lifetimes"
    logging_in "logging-in"
    logins "logins"
    migrating_from_ktor "migrating-from-ktor"
    model "model"
    moving "moving"
    operations "operations"
    performance "performance"
    quickstart "quickstart"
    recipes "recipes"
    renewal "renewal"
    responses "responses"
    revocation "revocation"
    security "security"
    several_machines "several-machines"
    showcase "showcase"
    storages "storages"
    streams "streams"
    testing "testing"
    transports "transports"
    troubleshooting "troubleshooting"
    using "using"
}

// Its block needs the feature.
#[cfg(any(doc, all(doctest, feature = "okapi")))]
#[doc = include_str!("guide/links.md")]
///
#[doc = include_str!("../docs/openapi.md")]
pub mod openapi {}
