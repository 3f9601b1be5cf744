//! Work that nobody waits for.

use std::pin::Pin;

use rocket::futures::future::poll_immediate;

/// What `work` gives, if it is ready at once; else it goes on by itself.
pub(crate) async fn in_background<R: Send + 'static>(
    mut work: Pin<Box<impl Future<Output = R> + Send + 'static>>,
) -> Option<R> {
    let ready = poll_immediate(&mut work).await;
    if ready.is_none() {
        rocket::tokio::spawn(work);
    }
    ready
}
