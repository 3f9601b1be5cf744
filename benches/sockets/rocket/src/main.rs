//! One of the applications of `benches/overhead` on a socket: `sockets-rocket APP PORT`.

#[expect(dead_code)] // the directory storage is not measured here
#[path = "../../../overhead/src/apps.rs"]
mod apps;
#[path = "../../../overhead/src/peers.rs"]
mod peers;

use std::env;
use std::error::Error;
use std::path::Path;

use rocket::tokio::runtime::Builder;
use rocket::{Build, Rocket};

fn app(name: &str) -> Option<Rocket<Build>> {
    let no_folder = Path::new("");
    Some(match name {
        "bare" => overhead::bare::bare(),
        "memory" => apps::memory(no_folder),
        "encrypted" => apps::encrypted(no_folder),
        "private" => peers::private(no_folder),
        "flex-memory" => peers::flex_memory(no_folder),
        "flex-cookie" => peers::flex_cookie(no_folder),
        "store" => peers::store(no_folder),
        _ => return None,
    })
}

/// The runtime is Rocket's own with one worker.
fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<_> = env::args().skip(1).collect();
    let [name, port] = arguments.as_slice() else { return Err("APP PORT".into()) };
    let rocket = app(name).ok_or("no such application")?;
    let figment = rocket.figment().clone().merge(("port", port.parse::<u16>()?));
    let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    runtime.block_on(rocket.configure(figment).launch())?;
    Ok(())
}
