//! The accounts. A real shop keeps them in its database.

use std::collections::HashMap;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use parking_lot::RwLock;
use rand::Rng as _;
use rand::rand_core::UnwrapErr;
use rand::rngs::SysRng;
use rocket::fairing::{AdHoc, Fairing};
use serde::Serialize;
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

#[derive(Clone, Serialize)]
pub struct Account {
    /// Random: nobody has it again, so the sessions of an account are nobody else's.
    pub id: String,
    pub name: String,
    pub role: Role,
    #[serde(skip)]
    password: StandInForArgon2,
}

#[derive(Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    Customer,
    Admin,
}

/// **Not for production.** It keeps the example free of another dependency. A fast hash gives
/// passwords away to whoever steals the table. Use the crate `argon2`, and run it in
/// `rocket::tokio::task::spawn_blocking`.
#[derive(Clone)]
struct StandInForArgon2 {
    salt: [u8; 16],
    hash: [u8; 32],
}

impl StandInForArgon2 {
    fn new(password: &str) -> Self {
        let salt = random();
        Self { salt, hash: Self::hash(salt, password) }
    }

    fn hash(salt: [u8; 16], password: &str) -> [u8; 32] {
        Sha256::new().chain_update(salt).chain_update(password).finalize().into()
    }

    fn is(&self, password: &str) -> bool {
        Self::hash(self.salt, password).ct_eq(&self.hash).into()
    }
}

fn random() -> [u8; 16] {
    let mut bytes = [0; 16];
    UnwrapErr(SysRng).fill_bytes(&mut bytes);
    bytes
}

/// All accounts, by their ids.
#[derive(Default)]
pub struct Accounts(RwLock<HashMap<String, Arc<Account>>>);

impl Accounts {
    /// Manages the accounts: at first, the admin whose password stands in the configuration.
    pub fn fairing() -> impl Fairing {
        AdHoc::on_ignite("Accounts", |rocket| async {
            let accounts = Self::default();
            if let Ok(password) = rocket.figment().extract_inner::<String>("admin_password") {
                accounts.insert("admin", &password, Role::Admin);
            }
            rocket.manage(accounts)
        })
    }

    /// `None` if somebody has the name.
    pub fn register(&self, name: &str, password: &str) -> Option<Arc<Account>> {
        self.insert(name, password, Role::Customer)
    }

    fn insert(&self, name: &str, password: &str, role: Role) -> Option<Arc<Account>> {
        let id = URL_SAFE_NO_PAD.encode(random());
        let password = StandInForArgon2::new(password);
        let account = Arc::new(Account { id: id.clone(), name: name.to_owned(), role, password });
        let mut accounts = self.0.write();
        if accounts.values().any(|other| other.name == name) {
            return None;
        }
        accounts.insert(id, Arc::clone(&account));
        Some(account)
    }

    /// The account of somebody who knows its password.
    pub fn verify(&self, name: &str, password: &str) -> Option<Arc<Account>> {
        let found = self.0.read().values().find(|account| account.name == name).cloned();
        found.filter(|account| account.password.is(password))
    }

    pub fn find(&self, id: &str) -> Option<Arc<Account>> {
        self.0.read().get(id).cloned()
    }

    pub fn change_password(&self, id: &str, password: &str) {
        if let Some(account) = self.0.write().get_mut(id) {
            Arc::make_mut(account).password = StandInForArgon2::new(password);
        }
    }

    /// Sorted by their names.
    pub fn all(&self) -> Vec<Arc<Account>> {
        let mut all: Vec<_> = self.0.read().values().cloned().collect();
        all.sort_by(|one, other| one.name.cmp(&other.name));
        all
    }
}
