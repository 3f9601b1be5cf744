//! The three types of session.

use std::borrow::Cow;

use rocket::{FromForm, FromFormField};
use rocket_typed_sessions::SessionData;
use serde::{Deserialize, Serialize};

use super::cart::Cart;

/// A browser in the shop. A visitor has a cart; a user has logged in as well.
#[derive(Clone, Default, Serialize, Deserialize)]
pub struct Shopper {
    /// The id of the account.
    pub user: Option<String>,
    pub cart: Cart,
}

impl SessionData for Shopper {
    const NAME: &'static str = "shopper";

    fn owner(&self) -> Option<Cow<'_, str>> {
        self.user.as_deref().map(Cow::from)
    }
}

/// What somebody has chosen for this browser. The cookie holds it, encrypted.
#[derive(Clone, Copy, Default, Serialize, Deserialize, FromForm)]
pub struct Preferences {
    pub language: Language,
    pub theme: Theme,
}

impl SessionData for Preferences {
    const NAME: &'static str = "preferences";
}

#[derive(Clone, Copy, Default, Serialize, Deserialize, FromFormField)]
#[serde(rename_all = "lowercase")]
pub enum Language {
    #[default]
    En,
    De,
}

#[derive(Clone, Copy, Default, Serialize, Deserialize, FromFormField)]
#[serde(rename_all = "lowercase")]
pub enum Theme {
    /// As the system says.
    #[default]
    Auto,
    Light,
    Dark,
}

/// The cart of a client that has no cookies. A header carries its id.
#[derive(Clone, Default, Serialize, Deserialize)]
pub struct Mobile {
    pub cart: Cart,
}

impl SessionData for Mobile {
    const NAME: &'static str = "mobile";
}
