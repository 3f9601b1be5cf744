//! Connections that would be upgraded.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use rocket::fairing::AdHoc;
use rocket::http::Header;
use rocket::response::Responder;
use rocket::{Request, Response, State, get, routes};
use rocket_typed_sessions::{Session, Sessions};

use crate::support::*;

/// As a WebSocket: the handler of the connection says how often it ran.
struct Upgrades(Arc<AtomicUsize>);

impl<'r> Responder<'r, 'r> for Upgrades {
    fn respond_to(self, _: &'r Request<'_>) -> rocket::response::Result<'r> {
        struct Io(Arc<AtomicUsize>);
        #[rocket::async_trait]
        impl rocket::data::IoHandler for Io {
            async fn io(
                self: std::pin::Pin<Box<Self>>,
                _: rocket::data::IoStream,
            ) -> std::io::Result<()> {
                self.0.fetch_add(1, Ordering::SeqCst);
                Ok(())
            }
        }
        let accept = Header::new("Sec-WebSocket-Accept", "yes");
        Response::build().header(accept).upgrade("websocket", Io(self.0)).ok()
    }
}

#[get("/upgrade")]
fn upgrade(_session: Option<Session<User>>, ran: &State<Arc<AtomicUsize>>) -> Upgrades {
    Upgrades(Arc::clone(ran))
}

/// The head of the response, over a socket.
fn ask_to_upgrade(port: u16, token: &str) -> String {
    let mut socket = TcpStream::connect(("127.0.0.1", port)).expect("a server");
    let request = format!(
        "GET /upgrade HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nCookie: {token}\r\n\r\n"
    );
    socket.write_all(request.as_bytes()).expect("a server");
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        socket.read_exact(&mut byte).expect("a response");
        head.push(byte[0]);
    }
    String::from_utf8(head).expect("text")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s65_no_connection_is_upgraded_for_a_client_whom_nobody_knows() {
    let (storage, ran) = (faulty(), Arc::new(AtomicUsize::new(0)));
    let (ready, launched) = tokio::sync::oneshot::channel();
    let ready = std::sync::Mutex::new(Some(ready));
    let tell = AdHoc::on_liftoff("ready", move |rocket| {
        Box::pin(async move {
            let ready = ready.lock().expect("no panic").take().expect("one launch");
            ready.send((rocket.config().port, rocket.shutdown())).expect("a test");
        })
    });
    let figment = figment("faulty")
        .merge(("port", 0))
        .merge(("shutdown.ctrlc", false))
        .merge(("sessions.cart.storage", "memory"));
    let fairing = Sessions::fairing().storage("faulty", storage.clone());
    let rocket =
        build(figment.clone(), fairing, routes![upgrade]).manage(Arc::clone(&ran)).attach(tell);
    let server = tokio::spawn(rocket.launch());
    let (port, shutdown) = launched.await.expect("a launch");
    let fairing = Sessions::fairing().storage("faulty", storage.clone());
    // Sessions of one storage and key are those of the server.
    let client = client_with(figment, fairing, vec![]).await;
    let token = logged_in(&client, "ann").await;
    let ask = async || {
        let token = token.clone();
        tokio::task::spawn_blocking(move || ask_to_upgrade(port, &token)).await.expect("an answer")
    };
    assert!(ask().await.starts_with("HTTP/1.1 101"));
    storage.set(Operation::Read, down());
    let refused = ask().await;
    assert!(refused.starts_with("HTTP/1.1 503"), "{refused}");
    assert!(!refused.to_lowercase().contains("sec-websocket"), "{refused}");
    assert_eq!(ran.load(Ordering::SeqCst), 1);
    shutdown.notify();
    server.await.expect("no panic").expect("a shutdown");
}
