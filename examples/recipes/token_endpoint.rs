//! The token endpoint of an OAuth provider, for `token_refresh.rs`.

use std::time::Duration;

use rocket::tokio::time::sleep;

/// What the provider gives for a refresh token.
pub struct Tokens {
    pub access: String,
    pub refresh: String,
    pub lifetime: Duration,
}

pub enum Refused {
    /// The refresh token is of no use: `invalid_grant`.
    Invalid,
    /// Anything else: the provider may answer later.
    Unavailable,
}

/// An application asks the provider's token endpoint with its HTTP client.
#[rocket::async_trait]
pub trait Endpoint: Send + Sync {
    async fn refresh(&self, token: &str) -> Result<Tokens, Refused>;
}

/// An endpoint that takes its time.
pub struct Demo;

#[rocket::async_trait]
impl Endpoint for Demo {
    async fn refresh(&self, token: &str) -> Result<Tokens, Refused> {
        sleep(Duration::from_secs(1)).await;
        let number = token.strip_prefix("refresh-").and_then(|number| number.parse::<u32>().ok());
        let next = number.ok_or(Refused::Invalid)? + 1;
        let [access, refresh] = ["access", "refresh"].map(|kind| format!("{kind}-{next}"));
        Ok(Tokens { access, refresh, lifetime: Duration::from_secs(10) })
    }
}
