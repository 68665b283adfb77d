//! Waiting for an instant, on tokio or on the executor that needs no runtime.

use crate::executor;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context as Task, Poll, ready};
use std::time::{Duration, Instant};

/// What tokio's timers count in.
const TICK: Duration = Duration::from_millis(1);

/// Ends at an instant. It is armed when it is first polled, so that what is done at once pays
/// nothing for it.
#[derive(Debug)]
pub(crate) struct Timer {
    at: Instant,
    sleep: Option<Pin<Box<tokio::time::Sleep>>>,
}

impl Timer {
    pub(crate) const fn at(at: Instant) -> Self {
        Self { at, sleep: None }
    }

    /// Whether it has ended, by the clock: nobody is woken for having asked.
    pub(crate) fn is_over(&self) -> bool {
        Instant::now() >= self.at
    }
}

impl Future for Timer {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, task: &mut Task<'_>) -> Poll<()> {
        if self.is_over() {
            return Poll::Ready(());
        }
        if executor::wake_at(self.at) {
            return Poll::Pending;
        }
        if tokio::runtime::Handle::try_current().is_err() {
            // Neither: whoever polls us looks at the clock by itself.
            return Poll::Pending;
        }
        let at = self.at.into();
        let sleep = self
            .sleep
            .get_or_insert_with(|| Box::pin(tokio::time::sleep_until(asked(at))));
        loop {
            ready!(sleep.as_mut().poll(task));
            // The clock of the runtime decides, which a test may have stopped.
            if tokio::time::Instant::now() >= at {
                return Poll::Ready(());
            }
            // A stopped clock is moved on only by who asks for more than it shows.
            let next = match asked(at) {
                next if next > sleep.deadline() => next,
                _ => at,
            };
            sleep.as_mut().reset(next);
        }
    }
}

/// What to ask tokio for, to be woken at `at` and hardly later. It sleeps in whole ticks, from the
/// moment it begins to: whoever asks for the instant itself is woken a tick after it.
fn asked(at: tokio::time::Instant) -> tokio::time::Instant {
    let now = tokio::time::Instant::now();
    let left = at.saturating_duration_since(now);
    let begun = left.as_nanos().saturating_sub(1) / TICK.as_nanos();
    // Further away the tick makes no difference yet, and a timer is asked again.
    now + TICK * u32::try_from(begun).unwrap_or(u32::MAX)
}

/// `work`, or nothing when `deadline` passes first.
pub(crate) async fn until<F: Future>(deadline: Option<Instant>, work: F) -> Option<F::Output> {
    let mut work = std::pin::pin!(work);
    let Some(deadline) = deadline else {
        return Some(work.await);
    };
    let mut timer = Timer::at(deadline);
    std::future::poll_fn(move |task| {
        if let Poll::Ready(output) = work.as_mut().poll(task) {
            return Poll::Ready(Some(output));
        }
        Pin::new(&mut timer).poll(task).map(|()| None)
    })
    .await
}

/// Ends at `at`.
pub(crate) async fn sleep_until(at: Instant) {
    Timer::at(at).await;
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Longer than the test may take by any other clock.
    const HOUR: Duration = Duration::from_secs(3_600);

    #[tokio::test(start_paused = true)]
    async fn a_clock_that_stands_is_moved_on_to_the_end_of_a_timer() {
        let _watchdog = ipc_testkit::watchdog(Duration::from_secs(60));
        for more in [0, 1, 300_000, 999_999].map(Duration::from_nanos) {
            let at = tokio::time::Instant::now() + HOUR + more;
            sleep_until(at.into_std()).await;
            assert!(tokio::time::Instant::now() >= at, "{more:?}");
        }
    }
}
