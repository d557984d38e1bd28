//! The orderly end of a proxy: it takes no more connections, and what it has comes to its end.

use crate::{
    admin::{Active, Admin},
    clock::now,
    confirm, silent,
};
use squall_mesh::MeshError;
use squall_model::{InstanceId, Stamp};
use std::time::Duration;

/// The interval of looking: a proxy has no way to say that it is idle.
const LOOK: Duration = Duration::from_millis(2);

/// How long connections that nothing happens on are waited for: each is closed with the next answer on it, if there is one.
const IDLE: Duration = Duration::from_millis(200);

/// Has a proxy drain, and waits until it has, or until `by`.
///
/// Its listeners close, and as it says of itself that it is unhealthy, every answer asks its caller to close the connection
/// (operations/draining: `/healthcheck/fail`, `/drain_listeners`). What is under way goes on.
pub(crate) async fn drain(instance: &InstanceId, admin: &Admin, by: Stamp) -> Result<(), MeshError> {
    confirm::before(by, instance, admin.fail_checks()).await?;
    confirm::before(by, instance, admin.drain_listeners()).await?;
    let idle = now() + IDLE;
    while now() < by {
        let Active { requests, connections } = confirm::before(by, instance, admin.active()).await?;
        if connections == 0 || (requests == 0 && now() > idle) {
            return Ok(());
        }
        tokio::time::sleep_until(tokio::time::Instant::now() + LOOK).await;
    }
    Err(silent(instance, &"it still has requests under way"))
}
