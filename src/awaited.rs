//! Which requests have sessions that the response fairings must look for.
//!
//! Looking into a request's cache allocates. The fairings ask here first, so a route without
//! a session costs next to nothing, also while other requests hold sessions, such as open
//! streams.

use std::sync::atomic::{AtomicU32, Ordering};

use rocket::Request;

/// The number of counters is two to this power. While a tenth as many requests hold sessions, the
/// fairings look in vain at every tenth of the other requests.
const COUNTERS: u32 = 13;

/// Counts the requests with sessions by their addresses.
pub(crate) struct Awaited {
    routed: Box<[AtomicU32]>,
    /// Requests that used a session before they were routed. Rocket may move a request until
    /// it is routed.
    unrouted: AtomicU32,
}

/// Where a request is counted.
#[derive(Clone, Copy)]
pub(crate) enum Mark {
    Routed(usize),
    Unrouted,
}

impl Default for Awaited {
    fn default() -> Self {
        let routed = std::iter::repeat_with(AtomicU32::default).take(1 << COUNTERS).collect();
        Self { routed, unrouted: AtomicU32::new(0) }
    }
}

impl Awaited {
    /// The fairings must look for the sessions of this request until
    /// [`unmark`](Self::unmark).
    pub fn mark(&self, request: &Request<'_>) -> Mark {
        let mark =
            if request.route().is_some() { Mark::Routed(counter(request)) } else { Mark::Unrouted };
        self.counter(mark).fetch_add(1, Ordering::SeqCst);
        mark
    }

    pub fn unmark(&self, mark: Mark) {
        self.counter(mark).fetch_sub(1, Ordering::SeqCst);
    }

    /// Whether this request may have sessions.
    pub fn has(&self, request: &Request<'_>) -> bool {
        let marked = |mark| self.counter(mark).load(Ordering::SeqCst) > 0;
        marked(Mark::Routed(counter(request))) || marked(Mark::Unrouted)
    }

    fn counter(&self, mark: Mark) -> &AtomicU32 {
        match mark {
            Mark::Routed(at) => &self.routed[at],
            Mark::Unrouted => &self.unrouted,
        }
    }
}

/// The counter of a request by its address, which stays the same once it is routed.
fn counter(request: &Request<'_>) -> usize {
    // Addresses lie in patterns. The multiplication by the golden ratio spreads them evenly.
    let spread = (std::ptr::from_ref(request).addr() as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    (spread >> (u64::BITS - COUNTERS)) as usize
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use rocket::fairing::AdHoc;
    use rocket::http::Status;
    use rocket::local::asynchronous::Client;
    use rocket::response::stream::TextStream;
    use rocket::response::{self, Responder};
    use rocket::{catch, catchers, get, routes};

    use super::*;
    use crate::application::Application;
    use crate::{Session, SessionData, Sessions};

    #[derive(Clone, serde::Serialize, serde::Deserialize)]
    struct Name(String);

    impl SessionData for Name {
        const NAME: &'static str = "name";
    }

    /// A response whose session is used while its body goes out.
    struct Late;

    impl<'r> Responder<'r, 'r> for Late {
        fn respond_to(self, request: &'r Request<'_>) -> response::Result<'r> {
            let body = TextStream! {
                request.guard::<Session<Name>>().await.unwrap().get();
                yield "streamed";
            };
            body.respond_to(request)
        }
    }

    async fn begin(request: &Request<'_>) {
        request.guard::<Session<Name>>().await.unwrap().set(Name("ann".into()));
    }

    #[get("/handler/<status>")]
    fn handler(session: Session<Name>, status: u16) -> Status {
        session.set(Name("ann".into()));
        assert_ne!(status, 0, "a handler that panics");
        Status::new(status)
    }

    #[get("/stream")]
    fn stream() -> Late {
        Late
    }

    #[get("/plain")]
    fn plain() {}

    #[catch(404)]
    async fn not_found(request: &Request<'_>) {
        begin(request).await;
    }

    async fn client() -> Client {
        let figment = rocket::Config::figment()
            .select("debug")
            .merge(("log_level", "off"))
            .merge(("sessions.name.storage", "memory"));
        let early = AdHoc::on_request("Early", |request, _| {
            Box::pin(async move {
                if request.uri().query().is_some() {
                    begin(request).await;
                }
            })
        });
        let rocket = rocket::custom(figment).attach(early).attach(Sessions::fairing());
        let rocket = rocket.mount("/", routes![handler, stream, plain]);
        Client::untracked(rocket.register("/", catchers![not_found])).await.unwrap()
    }

    #[tokio::test]
    async fn no_request_leaves_a_mark() {
        let client = client().await;
        let awaited = &client.rocket().state::<Arc<Application>>().unwrap().awaited;
        let marks = || {
            let all = awaited.routed.iter().chain([&awaited.unrouted]);
            all.map(|counter| counter.load(Ordering::SeqCst)).sum::<u32>()
        };
        for path in ["handler/200", "handler/500", "handler/0", "nowhere", "plain", "stream"] {
            for query in ["", "?early"] {
                let response = client.get(format!("/{path}{query}")).dispatch().await;
                assert_eq!(marks(), 0, "{path}{query}, when the response goes out");
                let streamed = response.into_string().await;
                assert_eq!(path == "stream", streamed.as_deref() == Some("streamed"), "{path}");
                assert_eq!(marks(), 0, "{path}{query}");
            }
        }
        let held = client.get("/plain");
        begin(held.inner()).await;
        assert_eq!(marks(), 1, "a request that was never sent");
        drop(held);
        assert_eq!(marks(), 0, "a request that was never sent");
    }
}
