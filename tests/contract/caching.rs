//! What caches may keep: the table of D24, and `Vary`.

use rocket::fairing::AdHoc;
use rocket::figment::Figment;
use rocket::http::{Header, Status};
use rocket::local::asynchronous::{Client, LocalResponse};
use rocket::response::Responder;
use rocket::{Request, Response, catch, catchers, get, routes};
use rocket_typed_sessions::{Session, Sessions};

use crate::support::*;

/// A response with the headers that a test wants.
pub struct With(pub Headers);

impl<'r> Responder<'r, 'static> for With {
    fn respond_to(self, _: &'r Request<'_>) -> rocket::response::Result<'static> {
        let mut response = Response::build();
        for (name, value) in self.0 {
            response.header_adjoin(Header::new(*name, *value));
        }
        response.sized_body(4, std::io::Cursor::new("body")).ok()
    }
}

const CC: &str = "Cache-Control";

type Headers = &'static [(&'static str, &'static str)];

/// What the application says, and what a response to a valid session says then.
const TABLE: [(Headers, &[&str]); 21] = [
    (&[], &["no-store"]),
    (&[(CC, "")], &["no-store"]),
    (&[(CC, " , ,")], &["no-store"]),
    (&[(CC, "public")], &["private"]),
    (&[(CC, "public, max-age=60")], &["private, max-age=60"]),
    (&[(CC, "max-age=60")], &["private, max-age=60"]),
    (&[(CC, "no-cache")], &["private, no-cache"]),
    (&[(CC, "private")], &["private"]),
    (&[(CC, "max-age=1, Private")], &["max-age=1, Private"]),
    (&[(CC, "no-store")], &["no-store"]),
    (&[(CC, "No-Store, max-age=0")], &["No-Store, max-age=0"]),
    (&[(CC, "public, private")], &["private"]),
    (&[(CC, "public, no-store")], &["no-store"]),
    (&[(CC, "PUBLIC , S-MaxAge=5,Max-Age=1")], &["private, Max-Age=1"]),
    (&[(CC, "s-maxage = \"60\", must-revalidate")], &["private, must-revalidate"]),
    (&[(CC, "public"), (CC, "s-maxage=9"), (CC, "no-cache")], &["private, no-cache"]),
    (&[(CC, "max-age=60"), (CC, "private")], &["max-age=60", "private"]),
    (&[(CC, "x=\"public, s-maxage=1\", public")], &["private, x=\"public, s-maxage=1\""]),
    (&[(CC, "x=\"\\\",y\", public, publicity")], &["private, x=\"\\\",y\", publicity"]),
    // It is about one header.
    (&[(CC, "private=\"Set-Cookie\"")], &["private, private=\"Set-Cookie\""]),
    (&[(CC, "x=\"y, public"), (CC, "public")], &["private, x=\"y, public"]),
];

#[get("/page/<which>/<what>")]
fn page(session: Session<User>, which: usize, what: &str) -> With {
    match what {
        "set" => session.set(user("ann")),
        "count" => drop(session.update(|user| user.count += 1)),
        "renew" => session.renew(),
        "clear" => session.clear(),
        _ => {}
    }
    With(TABLE[which].0)
}

fn all(response: &LocalResponse<'_>, name: &str) -> Vec<String> {
    response.headers().get(name).map(str::to_owned).collect()
}

fn owned(values: &[&str]) -> Vec<String> {
    values.iter().map(|value| (*value).to_owned()).collect()
}

#[tokio::test]
async fn s15_d24_a_session_that_a_login_replaced_counts_as_valid() {
    let client = client_with(figment("memory"), Sessions::fairing(), routes![page]).await;
    let former = logged_in(&client, "ann").await;
    assert!(sent(&with_cookie(&client, "/login/ann", &former).await).is_some());
    for (which, (_, expected)) in TABLE.iter().enumerate() {
        for what in ["get", "set", "clear"] {
            let response = with_cookie(&client, &format!("/page/{which}/{what}"), &former).await;
            assert_eq!(all(&response, CC), owned(expected), "{which}, {what}");
            assert_eq!(all(&response, "Vary"), ["Cookie"], "{which}, {what}");
        }
    }
}

#[tokio::test]
async fn s15_the_table_of_caching_holds_wherever_the_session_lives() {
    for place in PLACES {
        let client = client_with(figment(place), Sessions::fairing(), routes![page]).await;
        let ended = logged_in(&client, "eve").await;
        with_cookie(&client, "/clear", &ended).await;
        // An ended client session reads on elsewhere.
        let ended = if place == "client" { "user=x" } else { &*ended };
        for (which, (said, valid)) in TABLE.iter().enumerate() {
            let said: Vec<_> = said.iter().map(|(_, value)| *value).collect();
            let (said, valid, never) = (owned(&said), owned(valid), owned(&["no-store"]));
            // By value, a change and a renewal send a token.
            let written = if place == "client" { &never } else { &valid };
            let token = logged_in(&client, "ann").await;
            for (presented, what, expected) in [
                ("", "read", &said),
                ("user=forged", "read", &said),
                (ended, "read", &said),
                ("", "set", &never),
                (&*token, "read", &valid),
                (&token, "count", written),
                (&token, "renew", &never),
                (ended, "clear", &never),
            ] {
                let response =
                    with_cookie(&client, &format!("/page/{which}/{what}"), presented).await;
                let row = format!("{place}: {said:?}, {what} of {presented:?}");
                assert_eq!(&all(&response, CC), expected, "{row}");
                assert_eq!(all(&response, "Vary"), ["Cookie"], "{row}");
            }
            let token = logged_in(&client, "ann").await;
            let response = with_cookie(&client, &format!("/page/{which}/clear"), &token).await;
            assert_eq!(all(&response, CC), never, "{place}: {said:?}");
        }
    }
}

#[get("/untouched")]
fn untouched() -> With {
    With(&[(CC, "public")])
}

const VARIES: [(Headers, &str); 5] = [
    (&[("Vary", "Accept"), ("Vary", "Origin")], "Accept, Origin, Cookie"),
    (&[("Vary", "Accept,Cookies")], "Accept, Cookies, Cookie"),
    (&[("Vary", "cookie, Accept")], "cookie, Accept"),
    (&[("Vary", "*")], "*"),
    (&[], "Cookie"),
];

#[get("/varies/<which>")]
fn varies(_session: Session<User>, which: usize) -> With {
    With(VARIES[which].0)
}

#[tokio::test]
async fn s15_vary_is_merged_whether_there_is_a_session_or_not() {
    let routes = routes![varies, untouched];
    let client = client_with(figment("memory"), Sessions::fairing(), routes).await;
    let token = logged_in(&client, "ann").await;
    for presented in ["", "user=forged", &token] {
        for (which, (_, expected)) in VARIES.iter().enumerate() {
            let response = with_cookie(&client, &format!("/varies/{which}"), presented).await;
            assert_eq!(all(&response, "Vary"), [*expected], "{presented}");
        }
        let response = with_cookie(&client, "/untouched", presented).await;
        assert_eq!((all(&response, "Vary"), all(&response, CC)), (vec![], owned(&["public"])));
    }
}

#[catch(404)]
async fn not_found(request: &Request<'_>) -> (Status, With) {
    let session = request.guard::<Session<User>>().await.expect("a session");
    if request.uri().query().is_some() {
        session.set(user("ann"));
    }
    (Status::NotFound, With(&[(CC, "public, max-age=60")]))
}

#[catch(503)]
fn cached_503() -> With {
    With(&[(CC, "public, max-age=60")])
}

#[get("/fails/<status>")]
fn fails(_session: Session<User>, status: u16) -> (Status, With) {
    (Status::new(status), With(&[(CC, "public, max-age=60")]))
}

#[tokio::test]
async fn s15_the_table_holds_for_errors_and_catchers() {
    let storage = faulty();
    let fairing = Sessions::fairing().storage("fault", storage.clone());
    let rocket = rocket::custom(figment("fault"))
        .attach(fairing)
        .mount("/", routes![fails])
        .mount("/", login_route())
        .register("/", catchers![not_found, cached_503]);
    let client = Client::untracked(rocket).await.expect("a rocket");
    let token = logged_in(&client, "ann").await;
    let (said, private) = ("public, max-age=60", "private, max-age=60");
    for (uri, nobody, valid) in [
        ("/nowhere", said, private),
        ("/nowhere?begin", "no-store", private),
        ("/fails/403", said, private),
        ("/fails/500", said, private),
        ("/fails/503", said, private),
    ] {
        for (presented, expected) in [("", nobody), (&*token, valid)] {
            let response = with_cookie(&client, uri, presented).await;
            assert!(response.status().code >= 400, "{uri}");
            assert_eq!(all(&response, CC), [expected], "{uri} {presented}");
            assert_eq!(all(&response, "Vary"), ["Cookie"], "{uri} {presented}");
        }
    }
    // What could not be loaded or saved.
    let token = logged_in(&client, "ann").await;
    storage.set(Operation::Read, down());
    storage.set(Operation::Create, down());
    for (uri, presented) in [("/fails/200", &*token), ("/login/eve", "")] {
        let response = with_cookie(&client, uri, presented).await;
        assert_eq!(response.status(), Status::ServiceUnavailable, "{uri}");
        assert_eq!(all(&response, CC), ["no-store"], "{uri}");
        assert_eq!(all(&response, "Vary"), ["Cookie"], "{uri}");
    }
}

#[get("/two/<what>")]
fn two(_user: Session<User>, cart: Session<Cart>, what: &str) -> With {
    if what == "begin" {
        cart.set(Cart(1));
    }
    With(&[(CC, "public, max-age=60")])
}

#[tokio::test]
async fn s15_of_several_sessions_the_most_wary_counts() {
    let figment = figment("memory")
        .merge(("sessions.cart.storage", "client"))
        .merge(("sessions.cart.transport", "header"))
        .merge(("sessions.cart.name", "X-Cart"));
    let client = client_with(figment, Sessions::fairing(), routes![two]).await;
    let token = logged_in(&client, "ann").await;
    for (presented, what, expected) in [
        ("", "read", "public, max-age=60"),
        (&*token, "read", "private, max-age=60"),
        ("", "begin", "no-store"),
        (&token, "begin", "no-store"),
    ] {
        let response = with_cookie(&client, &format!("/two/{what}"), presented).await;
        assert_eq!(all(&response, CC), [expected], "{what} {presented}");
        assert_eq!(all(&response, "Vary"), ["Cookie, X-Cart"]);
    }
}

/// Whatever the order of the fairings is.
#[tokio::test]
async fn s15_the_table_holds_for_what_another_fairing_says() {
    let caches = || {
        AdHoc::on_response("caches", |_, response| {
            Box::pin(async move {
                response.set_header(Header::new(CC, "public, max-age=60"));
            })
        })
    };
    let rocket = |figment: Figment| rocket::custom(figment).mount("/", routes![page]);
    for place in PLACES {
        let before = rocket(figment(place)).attach(caches()).attach(Sessions::fairing());
        let behind = rocket(figment(place)).attach(Sessions::fairing()).attach(caches());
        for rocket in [before, behind] {
            let client = Client::untracked(rocket).await.expect("a rocket");
            let response = client.get("/page/0/set").dispatch().await;
            let token = sent(&response).expect("a token");
            assert_eq!(all(&response, CC), ["no-store"], "{place}");
            for (presented, what, expected) in [
                ("", "read", "public, max-age=60"),
                (&*token, "read", "private, max-age=60"),
                (&token, "clear", "no-store"),
            ] {
                let response = with_cookie(&client, &format!("/page/0/{what}"), presented).await;
                assert_eq!(all(&response, CC), [expected], "{place} {what}");
            }
        }
    }
}
