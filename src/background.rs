//! Work that no request waits for.

use std::pin::Pin;

use rocket::futures::future::poll_immediate;

/// Returns the result of `work` if it is ready at once. Otherwise, `work` goes on in the
/// background.
pub(crate) async fn in_background<R: Send + 'static>(
    mut work: Pin<Box<impl Future<Output = R> + Send + 'static>>,
) -> Option<R> {
    let ready = poll_immediate(&mut work).await;
    if ready.is_none() {
        rocket::tokio::spawn(work);
    }
    ready
}
