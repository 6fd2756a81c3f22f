//! Ten edits a second, of five kinds in turn, whatever the one before has taken.

use std::time::Duration;

use anyhow::Result;
use futures::future;
use tokio::time::Instant;

use super::edit::{Editor, KINDS, Measured};
use super::world::World;

/// From one edit to the next.
const INTERVAL: Duration = Duration::from_millis(100);

/// The distance between the sites of neighbouring series: a prime, so that all active sites take
/// turns.
const STRIDE: usize = 7_919;

/// Edits for so long, and waits for the last.
pub(super) async fn run(world: &World, duration: Duration) -> Result<Vec<Measured>> {
    let start = Instant::now() + INTERVAL;
    let rounds = duration.as_millis() / (INTERVAL.as_millis() * (KINDS * KINDS) as u128);
    let rounds = usize::try_from(rounds)?.max(1);
    // Five lanes, each with an edit every half a second: one edit may take that long before it
    // delays another.
    let lanes =
        future::try_join_all((0..KINDS).map(|lane| run_lane(world, lane, rounds, start))).await?;
    Ok(lanes.into_iter().flatten().collect())
}

/// Series after series, each on another site: five edits that leave a site as it was, but for its
/// upstream.
async fn run_lane(
    world: &World,
    lane: usize,
    rounds: usize,
    start: Instant,
) -> Result<Vec<Measured>> {
    let mut measured = Vec::with_capacity(rounds * KINDS);
    for round in 0..rounds {
        let series = round * KINDS + lane;
        let mut editor = Editor::new(world, series, series * STRIDE % world.active);
        for step in 0..KINDS {
            let number = (round * KINDS + step) * KINDS + lane;
            tokio::time::sleep_until(start + INTERVAL * u32::try_from(number)?).await;
            measured.push(editor.edit(step).await?);
        }
    }
    Ok(measured)
}
