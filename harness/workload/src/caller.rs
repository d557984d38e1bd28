//! The other side of a try.

/// Whoever sent a try, and may go away before it has ended.
pub(crate) trait Caller {
    /// Reads the body of the request, and throws it away. False if the caller went away in the middle of it.
    async fn finishes(&mut self) -> bool;

    /// Waits until the caller has gone away. May be dropped and called again.
    async fn gone(&mut self);

    /// Does `task` for as long as the caller is there; `None` if it went away first.
    async fn attended<T>(&mut self, task: impl Future<Output = T>) -> Option<T> {
        tokio::select! {
            biased;
            () = self.gone() => None,
            done = task => Some(done),
        }
    }
}
