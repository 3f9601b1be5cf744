//! Feature `okapi`: what an OpenAPI document says of the guards. The document is made before
//! `Rocket.toml` is read, so it has the default names.

use rocket::http::Status;
use rocket_okapi::r#gen::OpenApiGenerator;
use rocket_okapi::okapi::openapi3::{
    MediaType, Object, Parameter, ParameterValue, RequestBody, Response, Responses,
    SecurityRequirement, SecurityScheme, SecuritySchemeData,
};
use rocket_okapi::okapi::schemars::schema::{ObjectValidation, SchemaObject};
use rocket_okapi::request::{
    OpenApiFromData, OpenApiFromForm, OpenApiFromRequest, RequestHeaderInput,
};
use rocket_okapi::{JsonSchema, Result};

use crate::csrf::{CSRF_FIELD, CSRF_HEADER, CsrfForm, CsrfHeader, CsrfToken};
use crate::{
    Authenticate, Authenticated, RecentlyAuthenticated, Session, SessionData, Sessions, TrySession,
};

const UNAUTHORIZED: (Status, &str) = (Status::Unauthorized, "The user is not logged in.");
const NOT_RECENT: (Status, &str) =
    (Status::Unauthorized, "The user is not logged in, or the login is too old.");
const NO_SESSION: (Status, &str) = (Status::Forbidden, "The request has no session.");
const REFUSED: (Status, &str) = (
    Status::Forbidden,
    "The CSRF token is missing or belongs to another session, or a page of another origin sent the request.",
);
const UNAVAILABLE: (Status, &str) =
    (Status::ServiceUnavailable, "The storage of the sessions cannot answer.");

fn responses(of: &[(Status, &str)]) -> Responses {
    let response = |&(status, text): &(Status, &str)| {
        let response = Response { description: text.into(), ..Response::default() };
        (status.code.to_string(), response.into())
    };
    Responses { responses: of.iter().map(response).collect(), ..Responses::default() }
}

/// The session of type `T` as what a request is authenticated by.
fn security<T: SessionData>() -> RequestHeaderInput {
    let description = format!(
        "The session `{}`. The configuration may give its cookie another name or another transport.",
        T::NAME
    );
    let scheme = SecurityScheme {
        description: Some(description),
        data: SecuritySchemeData::ApiKey { name: T::NAME.into(), location: "cookie".into() },
        extensions: Object::default(),
    };
    let requirement = SecurityRequirement::from_iter([(T::NAME.into(), Vec::new())]);
    RequestHeaderInput::Security(T::NAME.into(), scheme, requirement)
}

/// [`security`] for a guard that the route needs. `Option` of the guard needs nothing.
fn security_if<T: SessionData>(required: bool) -> RequestHeaderInput {
    if required { security::<T>() } else { RequestHeaderInput::None }
}

/// Implements the trait for a guard without parameters: what it asks of a request, given whether
/// the route needs it, and how it fails.
macro_rules! document {
    ($(#[$about:meta])* [$($generics:tt)*] $guard:ty, $input:expr, [$($response:expr),*]) => {
        $(#[$about])*
        impl<'r, $($generics)*> OpenApiFromRequest<'r> for $guard {
            fn from_request_input(
                _: &mut OpenApiGenerator,
                _: String,
                required: bool,
            ) -> Result<RequestHeaderInput> {
                let input: fn(bool) -> RequestHeaderInput = $input;
                Ok(input(required))
            }

            fn get_responses(_: &mut OpenApiGenerator) -> Result<Responses> {
                Ok(responses(&[$($response),*]))
            }
        }
    };
}

document! {
    /// Describes no requirement, because the guard admits requests without a session.
    [T: SessionData] Session<T>, |_| RequestHeaderInput::None, [UNAVAILABLE]
}
document! {
    /// Describes no requirement, because the guard admits requests without a session, and requests
    /// while the storage cannot answer.
    [T: SessionData] TrySession<T>, |_| RequestHeaderInput::None, []
}
document! {
    /// Describes no requirement, because the guard admits every request.
    [] &'r Sessions, |_| RequestHeaderInput::None, []
}
document! {
    /// The session is a security scheme with the name of `T`. Without it the response is 401.
    [T: Authenticate] Authenticated<T>, security_if::<T>, [UNAUTHORIZED, UNAVAILABLE]
}
document! {
    /// As [`Authenticated`]; an older login is 401 as well.
    [T: Authenticate, const MINUTES: u64] RecentlyAuthenticated<T, MINUTES>,
    security_if::<T>,
    [NOT_RECENT, UNAVAILABLE]
}
document! {
    /// The session is a security scheme with the name of `T`. Without it the response is 403.
    [T: SessionData] CsrfToken<T>, security_if::<T>, [NO_SESSION, UNAVAILABLE]
}

/// The token is a parameter, the header [`CSRF_HEADER`].
impl<T: SessionData> OpenApiFromRequest<'_> for CsrfHeader<T> {
    fn from_request_input(
        generator: &mut OpenApiGenerator,
        _: String,
        required: bool,
    ) -> Result<RequestHeaderInput> {
        let description = format!("The CSRF token of the session `{}`.", T::NAME);
        Ok(RequestHeaderInput::Parameter(Parameter {
            name: CSRF_HEADER.into(),
            location: "header".into(),
            description: Some(description),
            required,
            deprecated: false,
            allow_empty_value: false,
            value: ParameterValue::Schema {
                style: None,
                explode: None,
                allow_reserved: false,
                schema: generator.json_schema::<String>(),
                example: None,
                examples: None,
            },
            extensions: Object::default(),
        }))
    }

    fn get_responses(_: &mut OpenApiGenerator) -> Result<Responses> {
        Ok(responses(&[REFUSED, UNAVAILABLE]))
    }
}

/// Describes the fields of `F` and the field [`CSRF_FIELD`], which is optional because the header
/// [`CSRF_HEADER`] may carry the token instead.
impl<'r, T: SessionData, F: JsonSchema + OpenApiFromForm<'r>> OpenApiFromData<'r>
    for CsrfForm<T, F>
{
    fn request_body(generator: &mut OpenApiGenerator) -> Result<RequestBody> {
        let token = generator.json_schema::<String>();
        let token = ObjectValidation {
            properties: [(CSRF_FIELD.to_owned(), token.into())].into(),
            ..ObjectValidation::default()
        };
        let token = SchemaObject { object: Some(Box::new(token)), ..SchemaObject::default() };
        let mut schema = SchemaObject::default();
        schema.subschemas().all_of = Some(vec![generator.json_schema::<F>().into(), token.into()]);
        let form = MediaType { schema: Some(schema), ..MediaType::default() };
        let types = ["application/x-www-form-urlencoded", "multipart/form-data"];
        Ok(RequestBody {
            content: types.map(|name| (name.to_owned(), form.clone())).into_iter().collect(),
            required: true,
            ..RequestBody::default()
        })
    }
}
