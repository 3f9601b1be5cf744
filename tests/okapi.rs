//! The document of `rocket_okapi` says what a request needs for each guard, and what it answers.

#![cfg(feature = "okapi")]
#![allow(clippy::unwrap_used)]

use rocket::form::FromForm;
use rocket::http::{ContentType, Status};
use rocket::local::blocking::Client;
use rocket::serde::json::Value;
use rocket::{delete, get, post};
use rocket_okapi::okapi::openapi3::{RefOr, SecuritySchemeData};
use rocket_okapi::{JsonSchema, openapi, openapi_get_routes, openapi_get_routes_spec};
use rocket_typed_sessions::csrf::{CsrfForm, CsrfHeader, CsrfToken};
use rocket_typed_sessions::{
    Authenticate, Authenticated, RecentlyAuthenticated, Session, SessionData, Sessions, TrySession,
};
use serde::{Deserialize, Serialize};

#[derive(Clone, Serialize, Deserialize)]
struct User {
    id: u32,
}

impl SessionData for User {
    const NAME: &'static str = "user";
}

impl Authenticate for User {}

#[derive(FromForm, JsonSchema)]
#[schemars(crate = "rocket_okapi::okapi::schemars")]
struct Transfer {
    #[allow(dead_code)]
    amount: u32,
}

#[openapi]
#[get("/visits")]
fn visits(_session: Session<User>) {}

#[openapi]
#[get("/news")]
fn news(_session: TrySession<User>, _sessions: &Sessions) {}

#[openapi]
#[get("/account")]
fn account(user: Authenticated<User>) -> String {
    user.id.to_string()
}

#[openapi]
#[get("/greeting")]
fn greeting(_user: Option<Authenticated<User>>) {}

#[openapi]
#[get("/keys")]
fn keys(_user: RecentlyAuthenticated<User, 10>) {}

#[openapi]
#[get("/form")]
fn form(_token: CsrfToken<User>) {}

#[openapi]
#[delete("/account")]
fn delete_account(_csrf: CsrfHeader<User>) {}

#[openapi]
#[post("/transfer", data = "<form>")]
fn transfer(form: CsrfForm<User, Transfer>) {
    let _ = form;
}

fn client() -> Client {
    let figment = rocket::Config::figment()
        .merge(("log_level", "off"))
        .merge(("sessions.user.storage", "memory"));
    let routes =
        openapi_get_routes![visits, news, account, greeting, keys, form, delete_account, transfer];
    let rocket = rocket::custom(figment).attach(Sessions::fairing()).mount("/", routes);
    Client::tracked(rocket).unwrap()
}

/// The document as a client of the application gets it.
fn document() -> Value {
    let client = client();
    let response = client.get("/openapi.json").dispatch();
    assert_eq!(response.content_type(), Some(ContentType::JSON));
    response.into_json().unwrap()
}

/// The status codes that an operation may answer with, 200 left out.
fn failures(operation: &Value) -> Vec<&str> {
    let responses = operation["responses"].as_object().unwrap();
    let mut codes: Vec<_> = responses.keys().map(String::as_str).collect();
    codes.retain(|code| *code != "200");
    codes.sort_unstable();
    codes
}

#[test]
fn guards_that_need_a_session_name_it_as_a_security_scheme() {
    let document = document();
    let scheme = &document["components"]["securitySchemes"]["user"];
    assert_eq!(scheme["type"], "apiKey");
    assert_eq!((&scheme["in"], &scheme["name"]), (&"cookie".into(), &"user".into()));
    let text = scheme["description"].as_str().unwrap();
    assert!(text.contains("The configuration may give its cookie another name"), "{text}");
    for (path, codes) in
        [("/account", ["401", "503"]), ("/keys", ["401", "503"]), ("/form", ["403", "503"])]
    {
        let operation = &document["paths"][path]["get"];
        assert_eq!(operation["security"].to_string(), r#"[{"user":[]}]"#, "{path}");
        assert_eq!(failures(operation), codes, "{path}");
    }
}

#[test]
fn guards_that_admit_everybody_ask_for_nothing() {
    let document = document();
    for (path, codes) in
        [("/visits", vec!["503"]), ("/news", Vec::new()), ("/greeting", Vec::new())]
    {
        let operation = &document["paths"][path]["get"];
        assert!(operation.is_object(), "{path}");
        assert!(operation.get("security").is_none(), "{path}");
        assert!(operation.get("parameters").is_none(), "{path}");
        assert_eq!(failures(operation), codes, "{path}");
    }
}

#[test]
fn csrf_tokens_are_a_header_or_a_field() {
    let document = document();
    let operation = &document["paths"]["/account"]["delete"];
    let header = &operation["parameters"][0];
    assert_eq!((&header["in"], &header["name"]), (&"header".into(), &"X-CSRF-Token".into()));
    assert_eq!(header["required"], true);
    assert_eq!(failures(operation), ["403", "503"]);

    let body = &document["paths"]["/transfer"]["post"]["requestBody"];
    assert_eq!(body["required"], true);
    for kind in ["application/x-www-form-urlencoded", "multipart/form-data"] {
        let all = &body["content"][kind]["schema"]["allOf"];
        assert_eq!(all[0]["$ref"], "#/components/schemas/Transfer");
        assert_eq!(all[1]["properties"]["csrf_token"]["type"], "string");
        assert!(all[1].get("required").is_none());
    }
    let fields = &document["components"]["schemas"]["Transfer"]["properties"];
    assert!(fields.get("amount").is_some());
}

#[test]
fn the_documents_401_and_403_are_what_the_application_answers() {
    let client = client();
    for (path, status) in [
        ("/account", Status::Unauthorized),
        ("/keys", Status::Unauthorized),
        ("/form", Status::Forbidden),
        ("/visits", Status::Ok),
        ("/news", Status::Ok),
        ("/greeting", Status::Ok),
    ] {
        assert_eq!(client.get(path).dispatch().status(), status, "{path}");
    }
    assert_eq!(client.delete("/account").dispatch().status(), Status::Forbidden);
}

/// The page `docs/openapi.md` shows it.
#[test]
fn an_application_can_write_the_configured_name_into_the_document() {
    let (_, mut document) = openapi_get_routes_spec![account];
    let schemes = &mut document.components.as_mut().unwrap().security_schemes;
    let Some(RefOr::Object(scheme)) = schemes.get_mut(User::NAME) else { panic!("no scheme") };
    scheme.data = SecuritySchemeData::ApiKey { name: "X-User".into(), location: "header".into() };
    let text = rocket::serde::json::serde_json::to_value(&document).unwrap();
    let scheme = &text["components"]["securitySchemes"]["user"];
    assert_eq!((&scheme["in"], &scheme["name"]), (&"header".into(), &"X-User".into()));
}
