//! Reads that many share keep a distance.

use std::time::Duration;

use tokio::time::{Instant, sleep_until};

/// How far apart.
const APART: Duration = Duration::from_millis(2);

/// Keeps the beginnings of what is done again and again apart, so that more can share each of them: a read for each one or two of a
/// flood of refusals would cost more than what they are refused for. What is done seldom waits for nothing.
#[derive(Debug, Default)]
pub(crate) struct Pace(Option<Instant>);

impl Pace {
    /// Waits until it is time for the next one, which begins now.
    pub(crate) async fn step(&mut self) {
        if let Some(earliest) = self.0 {
            sleep_until(earliest).await;
        }
        self.0 = Some(Instant::now() + APART);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn what_is_done_often_is_done_every_two_milliseconds_and_what_is_done_seldom_at_once() {
        let (mut pace, begun) = (Pace::default(), Instant::now());
        for _ in 0..=10 {
            pace.step().await;
        }
        assert_eq!(begun.elapsed(), 10 * APART);
        tokio::time::sleep(APART).await;
        let later = Instant::now();
        pace.step().await;
        assert_eq!(later.elapsed(), Duration::ZERO);
    }
}
