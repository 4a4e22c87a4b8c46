//! The report of a fleet with a line for each of its files: `--report FILE.ndjson`.

use crate::job::Stop;
use crate::model::ledger::Run;
use crate::model::record::FileLine;
use crate::pg::Session;

use super::super::world::World;

/// Members that are read from the ledger at once.
const PAGE: i64 = 1_000;

/// Writes a line for each file of the fleet, if they were asked for.
pub fn write(world: &World, session: &mut Session, run: &Run) -> Result<(), Stop> {
    if !world.ending.takes_lines() {
        return Ok(());
    }
    let mut after = 0;
    loop {
        let page = session.member_lines(run.id, after, PAGE)?;
        let Some((last, _)) = page.last() else { return Ok(()) };
        after = *last;
        page.iter().for_each(|(_, line)| add(world, line));
    }
}

/// Adds the line of one file.
pub fn add(world: &World, line: &FileLine) {
    // The form has no map with other keys than texts, which is all that could fail.
    if let Ok(text) = serde_json::to_string(line) {
        world.ending.add_lines(&format!("{text}\n"));
    }
}
