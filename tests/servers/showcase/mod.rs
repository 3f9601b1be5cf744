//! The showcase in Chromium: what its cookies, headers and pages do in a real browser.
//!
//! | file | what it has |
//! |---|---|
//! | `shop` | the showcase as a process, small sites beside it, and a browser |
//! | `cookies` | who can read the session's cookie, and when it goes |
//! | `devices` | two browsers are two devices |
//! | `pages` | their policy, theme, language, keyboard and width |
//! | `clicks` | double clicks |
//! | `siblings` | sites on a host beside the shop's |
//! | `origins` | the JSON interface from another origin |
//! | `sizes` | a session that just fits into its cookie |
//! | `storage` | a storage that is down for a while |

mod clicks;
mod cookies;
mod devices;
mod origins;
mod pages;
mod shop;
mod siblings;
mod sizes;
mod storage;
