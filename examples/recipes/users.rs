//! The users' table of `user.rs`, which stands for a database.

use std::collections::HashMap;
use std::sync::Arc;

use rocket::http::Status;
use rocket::tokio::sync::Mutex;

/// A row of the users' table. As a guard: the user who has logged in.
#[derive(Clone)]
pub struct User {
    pub id: u32,
    pub name: &'static str,
    pub is_admin: bool,
    pub is_locked: bool,
}

#[derive(Default)]
pub struct Table {
    pub rows: HashMap<u32, User>,
    pub queries: usize,
    pub is_down: bool,
}

pub type Users = Arc<Mutex<Table>>;

/// The row of a user, unless the user is locked.
pub async fn find(users: Option<&Users>, id: u32) -> Result<Option<User>, Status> {
    let mut table = users.ok_or(Status::InternalServerError)?.lock().await;
    table.queries += 1;
    let row = table.rows.get(&id).filter(|user| !user.is_locked);
    if table.is_down { Err(Status::ServiceUnavailable) } else { Ok(row.cloned()) }
}

pub fn table() -> Users {
    let user = |id, name, is_admin| (id, User { id, name, is_admin, is_locked: false });
    let rows = HashMap::from([user(1, "ada", true), user(2, "ben", false)]);
    Arc::new(Mutex::new(Table { rows, ..Table::default() }))
}
