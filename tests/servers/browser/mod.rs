//! A login seen from a browser, over real sockets: every order in which answers leave the
//! server and reach the browser.
//!
//! | file | what it has |
//! |---|---|
//! | `jar` | a small client with a browser's rules for cookies |
//! | `site` | the application, on every storage |
//! | `orders` | requests that overlap, and who the browser must be in the end |
//! | `logins` | double clicks, tabs, slow images |
//! | `renewals` | renewals beside them, and beside one another |
//! | `limits` | the same where an owner may have one session |
//! | `attacks` | a cookie that somebody else has planted |
//! | `chromium` | the same in a real browser |
//! | `recipes` | the recipes in a real browser |

mod attacks;
pub mod chromium;
pub mod jar;
mod limits;
mod logins;
mod orders;
mod recipes;
mod renewals;
mod site;
