//! The application of `docs/quickstart.md`, as it stands there.

use rocket::form::{Form, FromForm};
use rocket::http::{RawStr, Status};
use rocket::response::{Redirect, content::RawHtml};
use rocket::{get, launch, post, routes};
use rocket_typed_sessions::{Session, SessionData, Sessions};
use serde::{Deserialize, Serialize};

#[derive(Clone, Serialize, Deserialize)]
struct User {
    name: String,
    visits: u32,
}

impl SessionData for User {
    const NAME: &'static str = "user"; // the table [default.sessions.user]
}

#[derive(FromForm)]
struct Login<'r> {
    name: &'r str,
    password: &'r str,
}

const LOGIN: &str = r#"<form method="post" action="/login">
<input name="name"> <input name="password" type="password"> <button>Log in</button></form>"#;

#[get("/")]
fn index(session: Session<User>) -> RawHtml<String> {
    let Some(user) = session.update(|user| user.visits += 1) else {
        return RawHtml(LOGIN.into());
    };
    let name = RawStr::new(&user.name).html_escape();
    RawHtml(format!(
        r#"<p>Hello {name}, this is visit {}.</p>
<form method="post" action="/logout"><button>Log out</button></form>"#,
        user.visits
    ))
}

#[post("/login", data = "<form>")]
fn login(session: Session<User>, form: Form<Login<'_>>) -> Result<Redirect, Status> {
    if form.password != "swordfish" {
        // ask your database here
        return Err(Status::Unauthorized);
    }
    session.login(User { name: form.name.into(), visits: 0 });
    Ok(Redirect::to("/"))
}

#[post("/logout")]
fn logout(session: Session<User>) -> Redirect {
    session.clear();
    Redirect::to("/")
}

#[launch]
fn rocket() -> _ {
    rocket::build().attach(Sessions::fairing()).mount("/", routes![index, login, logout])
}

#[cfg(test)]
mod tests {
    use super::{User, rocket};
    use rocket::http::ContentType;
    use rocket::local::blocking::Client;
    use rocket_typed_sessions::testing::{SessionRequest, SessionResponse};

    #[test]
    #[ignore = "reads the page's Rocket.toml"]
    fn whoever_logs_in_has_a_session_until_the_logout() {
        let client = Client::tracked(rocket()).unwrap();
        let login = client.post("/login").header(ContentType::Form);
        let response = login.body("name=Ann&password=swordfish").dispatch();
        assert_eq!(client.session_after::<User>(&response).unwrap().name, "Ann");

        let response = client.post("/logout").dispatch();
        assert!(client.session_after::<User>(&response).is_none());
    }

    #[test]
    #[ignore = "reads the page's Rocket.toml"]
    fn the_page_counts_visits() {
        let client = Client::tracked(rocket()).unwrap();
        let ann = User { name: "Ann".into(), visits: 6 };
        let page = client.get("/").session(&ann).dispatch().into_string().unwrap();
        assert!(page.contains("Hello Ann, this is visit 7."));
    }
}
