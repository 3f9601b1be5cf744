//! The simplest custom storage: three methods, here for files in a folder.
//!
//! ```sh
//! cargo run --example custom_storage_simple
//! curl -c jar -b jar http://127.0.0.1:8000/add/milk    # milk
//! curl -c jar -b jar http://127.0.0.1:8000/add/bread   # milk, bread
//! curl -c jar -b jar http://127.0.0.1:8000/forget      # Forgotten.
//! ```

use std::io::ErrorKind;
use std::path::PathBuf;

use rocket::tokio::fs;
use rocket::{async_trait, get, launch, routes};
use rocket_typed_sessions::config::SessionConfig;
use rocket_typed_sessions::storage::StorageError;
use rocket_typed_sessions::storage::{LastWriteWins, SimpleStorage, Timestamp};
use rocket_typed_sessions::{Session, SessionData, Sessions};
use serde::{Deserialize, Serialize};

/// Has a file for each session. `id` is hexadecimal, so it is a safe file name.
struct Folder(PathBuf);

#[async_trait]
impl SimpleStorage for Folder {
    async fn write(&self, id: &str, value: &[u8], _: Timestamp) -> Result<(), StorageError> {
        let failed = |cause| StorageError::unavailable("writing a file", cause);
        // Renaming is atomic: after a crash there is the old file or the new one.
        let unfinished = self.0.join(format!(".{id}"));
        fs::create_dir_all(&self.0).await.map_err(failed)?;
        fs::write(&unfinished, value).await.map_err(failed)?;
        fs::rename(unfinished, self.0.join(id)).await.map_err(failed)
    }

    async fn read(&self, id: &str) -> Result<Option<Vec<u8>>, StorageError> {
        match fs::read(self.0.join(id)).await {
            Ok(value) => Ok(Some(value)),
            Err(cause) if cause.kind() == ErrorKind::NotFound => Ok(None),
            Err(cause) => Err(StorageError::unavailable("reading a file", cause)),
        }
    }

    async fn invalidate(&self, id: &str) -> Result<(), StorageError> {
        match fs::remove_file(self.0.join(id)).await {
            Err(cause) if cause.kind() != ErrorKind::NotFound => {
                Err(StorageError::unavailable("deleting a file", cause))
            }
            _ => Ok(()),
        }
    }
}

#[derive(Clone, Serialize, Deserialize)]
struct Shopping(Vec<String>);

impl SessionData for Shopping {
    const NAME: &'static str = "shopping";
}

#[get("/add/<what>")]
fn add(session: Session<Shopping>, what: String) -> String {
    session.get_or_insert_with(|| Shopping(Vec::new()));
    let shopping = session.update(move |shopping| shopping.0.push(what.clone()));
    shopping.map(|shopping| shopping.0.join(", ")).unwrap_or_default()
}

#[get("/forget")]
fn forget(session: Session<Shopping>) -> &'static str {
    session.clear();
    "Forgotten."
}

#[launch]
fn rocket() -> _ {
    let folder = std::env::var_os("FOLDER").unwrap_or("build/.shopping".into());
    let storage = LastWriteWins::new(Folder(folder.into()));
    // Your application can write the same in Rocket.toml:
    // [default.sessions.shopping] storage = "folder".
    let shopping = SessionConfig { storage: Some("folder".into()), ..Default::default() };
    let sessions = Sessions::fairing().storage("folder", storage);
    rocket::build()
        .attach(sessions.configure::<Shopping>(shopping))
        .mount("/", routes![add, forget])
}
