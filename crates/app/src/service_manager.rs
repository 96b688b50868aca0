//! What systemd is told of this process, where it started it (`Type=notify`): sd_notify(3). Elsewhere nothing is sent.

use std::time::Duration;

use sd_notify::NotifyState;

/// The listener is open, and this node holds a lease.
pub(crate) fn say_ready(url: &str) {
    tell(&[NotifyState::Ready, NotifyState::Status(&format!("answers at {url}"))]);
}

/// Told to stop. `delay` is for how long it goes on answering, and must not be taken for hanging.
pub(crate) fn say_stopping(delay: Duration) {
    let status =
        if delay.is_zero() { "stops" } else { "not ready any more; goes on answering before it stops" };
    let longer = delay.saturating_add(LAST_REQUESTS).as_micros();
    let longer = NotifyState::ExtendTimeoutUsec(u32::try_from(longer).unwrap_or(u32::MAX));
    tell(&[NotifyState::Stopping, NotifyState::Status(status), longer]);
}

/// Between SIGHUP and [`say_ready`] it reads its files again.
pub(crate) fn say_reloading() {
    match NotifyState::monotonic_usec_now() {
        Ok(now) => tell(&[NotifyState::Reloading, now]),
        Err(error) => tracing::warn!(%error, "systemd could not be told of the reload"),
    }
}

/// Says again and again that the threads of this process still run, if `WatchdogSec=` asks for it. A lease that is over is
/// no reason to be restarted: the next process would have none either.
pub(crate) async fn feed_watchdog() {
    let Some(limit) = sd_notify::watchdog_enabled() else { return };
    loop {
        tell(&[NotifyState::Watchdog]);
        tokio::time::sleep(limit / 3).await;
    }
}

/// What a stop takes beside its delay: 10 s for accepted requests and for what must still be written, and some to spare.
const LAST_REQUESTS: Duration = Duration::from_secs(20);

fn tell(state: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(state) {
        tracing::warn!(%error, "systemd could not be told of this process's state");
    }
}
