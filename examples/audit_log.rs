//! An audit log with one line for each event of a session.
//!
//! ```sh
//! AUDIT_LOG=audit.log cargo run --example audit_log
//! curl -c jar -b jar http://127.0.0.1:8000/login    # audit.log: … login Created
//! curl -c jar -b jar http://127.0.0.1:8000/logout   # audit.log: … login Ended
//! curl -b 'login=forged' http://127.0.0.1:8000/     # audit.log: … login Rejected
//! ```

use std::fs::OpenOptions;
use std::io::Write;
use std::sync::mpsc::channel;
use std::time::{SystemTime, UNIX_EPOCH};

use rocket::{get, launch, routes};
use rocket_typed_sessions::event::SessionEvent;
use rocket_typed_sessions::{Session, SessionData, Sessions};
use serde::{Deserialize, Serialize};

#[derive(Clone, Serialize, Deserialize)]
struct Login {
    name: String,
}

impl SessionData for Login {
    const NAME: &'static str = "login";
}

#[get("/")]
fn index(session: Session<Login>) -> String {
    session.get().map_or_else(|| "nobody".into(), |login| login.name.clone())
}

#[get("/login")]
fn login(session: Session<Login>) {
    session.login(Login { name: "ann".into() });
}

#[get("/logout")]
fn logout(session: Session<Login>) {
    session.clear();
}

/// Writes to the file in its own thread. A listener runs in the request that causes
/// the event, and a slow disk must not delay that.
fn audit_log(path: &str) -> std::io::Result<impl Fn(&SessionEvent) + Send + Sync + 'static> {
    let mut file = OpenOptions::new().create(true).append(true).open(path)?;
    let (sender, events) = channel::<String>();
    std::thread::spawn(move || {
        for line in events {
            if let Err(cause) = file.write_all(line.as_bytes()) {
                rocket::error!("The audit log cannot be written: {cause}.");
            }
        }
    });
    Ok(move |event: &SessionEvent| {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        // Fails only if the thread has ended.
        let _ = sender.send(format!("{now} {} {:?}\n", event.session, event.kind));
    })
}

#[launch]
fn rocket() -> _ {
    let path = std::env::var("AUDIT_LOG").unwrap_or_else(|_| "audit.log".into());
    let log = audit_log(&path).unwrap_or_else(|cause| panic!("{path}: {cause}"));
    rocket::build()
        .attach(Sessions::fairing().on_event(log))
        .mount("/", routes![index, login, logout])
}
