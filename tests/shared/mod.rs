//! What the crates of tests have in common: keys, a user, tokens, versions and folders.

#![allow(dead_code)] // No crate uses all of it.

use std::borrow::Cow;
use std::fs;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::path::{Path, PathBuf};

use rocket::http::{Header, Status};
use rocket::local::asynchronous::{Client, LocalResponse};
use rocket_typed_sessions::SessionData;
use rocket_typed_sessions::storage::Version;
use serde::{Deserialize, Serialize};

pub const KEY: &str = "hex:8f2a6c1e5b7d90432f6e8a1c3d5b7f9e02468ace13579bdf0f1e2d3c4b5a6978";
pub const OTHER_KEY: &str = "hex:1b3d5f7092a4c6e8f0e1d2c3b4a5968778695a4b3c2d1e0f9f8e7d6c5b4a3920";

/// A user with a count, which many requests raise at once.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct User {
    pub id: String,
    pub count: u32,
}

impl SessionData for User {
    const NAME: &'static str = "user";

    fn owner(&self) -> Option<Cow<'_, str>> {
        (!self.id.is_empty()).then_some(Cow::Borrowed(self.id.as_str()))
    }
}

pub fn user(id: &str) -> User {
    User { id: id.into(), count: 0 }
}

/// A request over `uri` with a raw `Cookie` header.
pub async fn with_cookie<'c>(client: &'c Client, uri: &str, cookie: &str) -> LocalResponse<'c> {
    let header = Header::new("Cookie", cookie.to_owned());
    client.get(uri.to_owned()).header(header).dispatch().await
}

pub async fn text(client: &Client, uri: &str, cookie: &str) -> String {
    let response = with_cookie(client, uri, cookie).await;
    assert_eq!(response.status(), Status::Ok, "{uri}");
    response.into_string().await.expect("a body")
}

/// `name=value` of the only `Set-Cookie`, if there is one.
pub fn sent(response: &LocalResponse<'_>) -> Option<String> {
    let cookies: Vec<_> = response.headers().get("Set-Cookie").collect();
    assert!(cookies.len() <= 1, "{cookies:?}");
    cookies.first().and_then(|cookie| cookie.split(';').next()).map(str::to_owned)
}

/// The `name=value` of every `Set-Cookie`.
pub fn cookies(response: &LocalResponse<'_>) -> Vec<String> {
    let all = response.headers().get("Set-Cookie");
    all.filter_map(|cookie| cookie.split(';').next()).map(str::to_owned).collect()
}

/// A version that no record has had.
pub fn version() -> Version {
    Version::from_u64(RandomState::new().build_hasher().finish())
}

/// Everything below a folder, sorted.
pub fn walk(folder: &Path) -> Vec<PathBuf> {
    let mut all = Vec::new();
    for entry in fs::read_dir(folder).expect("a folder").flatten() {
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            all.extend(walk(&entry.path()));
        }
        all.push(entry.path());
    }
    all.sort();
    all
}
