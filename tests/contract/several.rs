//! Several session types in one request.

use rocket::http::Status;
use rocket::local::asynchronous::Client;
use rocket::{get, routes};
use rocket_typed_sessions::storage::{Directory, Memory, Record, Timestamp, Update};
use rocket_typed_sessions::{Session, SessionData, Sessions};
use serde::{Deserialize, Serialize};

use crate::support::*;

#[derive(Clone, Serialize, Deserialize)]
struct Cart(String);

impl SessionData for Cart {
    const NAME: &'static str = "cart";
}

#[get("/both/<bytes>")]
fn both(user: Session<User>, cart: Session<Cart>, bytes: usize) {
    user.update(|user| user.count += 1);
    cart.set(Cart("x".repeat(bytes)));
}

#[get("/out")]
fn out(user: Session<User>, _cart: Session<Cart>) {
    user.clear();
}

#[get("/cart")]
fn cart(cart: Session<Cart>) -> String {
    cart.get().map_or_else(|| "none".into(), |cart| cart.0.len().to_string())
}

async fn both_in(user: &str, cart_in: &str, fault: &Faulty) -> Client {
    let figment = figment(user).merge(("sessions.cart.storage", cart_in));
    let fairing = Sessions::fairing().storage("fault", fault.clone());
    client_with(figment, fairing, routes![both, out, cart]).await
}

#[tokio::test]
async fn each_has_its_own_token_and_ending_one_leaves_the_other() {
    for (user, cart) in [("client", "client"), ("memory", "memory"), ("client", "memory")] {
        let client = both_in(user, cart, &faulty()).await;
        let token = logged_in(&client, "ann").await;
        let sent = cookies(&with_cookie(&client, "/both/3", &token).await);
        assert_eq!(sent.len(), if user == "client" { 2 } else { 1 }, "{user} {cart}: {sent:?}");
        let cart = sent.iter().find(|cookie| cookie.starts_with("cart=")).expect("a cart");
        let header = format!("{token}; {cart}");
        let response = with_cookie(&client, "/out", &header).await;
        assert_eq!(cookies(&response), ["user="]);
        assert_eq!(text(&client, "/cart", &header).await, "3");
    }
}

#[tokio::test]
async fn s12_one_value_over_the_limit_writes_none_of_them() {
    for (user, cart) in [("client", "client"), ("memory", "memory"), ("memory", "client")] {
        let client = both_in(user, cart, &faulty()).await;
        let token = logged_in(&client, "ann").await;
        let response = with_cookie(&client, "/both/70000", &token).await;
        assert_eq!(response.status(), Status::InternalServerError);
        assert_eq!(cookies(&response), [""; 0], "{user} {cart}");
        assert_eq!(text(&client, "/get", &token).await, "ann 0", "{user} {cart}");
    }
}

#[tokio::test]
async fn s65_a_storage_that_fails_lets_no_client_token_out_but_those_of_committed_records() {
    // The user's record commits first, then the cart's storage fails.
    let fault = faulty();
    let client = both_in("memory", "fault", &fault).await;
    let token = logged_in(&client, "ann").await;
    break_writes(&fault, &down());
    let response = with_cookie(&client, "/both/3", &token).await;
    assert_eq!(response.status(), Status::ServiceUnavailable);
    assert_eq!(text(&client, "/get", &token).await, "ann 1", "committed before the failure");
    // The user's token is the client's: nothing of it may go out.
    let fault = faulty();
    let client = both_in("client", "fault", &fault).await;
    let token = logged_in(&client, "ann").await;
    break_writes(&fault, &down());
    let response = with_cookie(&client, "/both/3", &token).await;
    assert_eq!((response.status(), cookies(&response)), (Status::ServiceUnavailable, vec![]));
}

/// The same shape as `User`, under another name.
#[derive(Clone, Serialize, Deserialize)]
struct Admin {
    id: String,
    count: u32,
}

impl SessionData for Admin {
    const NAME: &'static str = "admin";
}

#[get("/admin")]
fn admin(session: Session<Admin>) -> String {
    let admin = session.get();
    admin.map_or_else(|| "none".into(), |admin| format!("{} {}", admin.id, admin.count))
}

#[get("/become-admin")]
fn become_admin(session: Session<Admin>) {
    session.set(Admin { id: "root".into(), count: 0 });
}

#[tokio::test]
async fn s41_a_record_of_another_session_type_or_of_an_older_schema_is_no_session() {
    let dir = tempfile::tempdir().expect("a folder");
    let directory = Directory::open(dir.path()).expect("a folder");
    for storage in [Faulty::new(Memory::new(10)), Faulty::new(directory)] {
        let figment = figment("fault").merge(("sessions.admin.storage", "fault"));
        let fairing = Sessions::fairing().storage("fault", storage.clone());
        let client = client_with(figment, fairing, routes![admin, become_admin]).await;
        let user = logged_in(&client, "ann").await;
        let root = sent(&client.get("/become-admin").dispatch().await).expect("a token");
        assert_eq!(text(&client, "/admin", &root).await, "root 0");

        let [users, admins] = &storage.created()[..] else { panic!("two records") };
        let now = Timestamp::from(std::time::SystemTime::now());
        let inner = storage.inner();
        let read = async |key| inner.read(key, now).await.expect("an answer").expect("a record");
        let (of_user, of_admin) = (read(users).await, read(admins).await);
        let write = async |key, version, payload: &[u8]| {
            let next = self::version();
            let before = read(key).await;
            let record = Record { version: next, payload: payload.into(), ..before };
            let update = inner.update(key, version, record, now).await;
            assert!(matches!(update, Ok(Update::Updated)), "{update:?}");
            next
        };
        write(admins, of_admin.version, &of_user.payload).await;
        let version = write(users, of_user.version, &of_admin.payload).await;
        assert_eq!(text(&client, "/admin", &root).await, "none");
        assert_eq!(text(&client, "/get", &user).await, "absent");

        let payload = &of_user.payload;
        let value = br#"{"id":"ann","count":0}"#;
        assert!(payload.ends_with(value));
        let mut older = payload[..payload.len() - value.len()].to_vec();
        older.extend_from_slice(br#"{"name":"ann"}"#);
        write(users, version, &older).await;
        assert_eq!(text(&client, "/get", &user).await, "absent");
    }
}
