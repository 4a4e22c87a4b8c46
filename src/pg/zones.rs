//! The offsets of a time zone as the server's own data have them.

use std::ops::RangeInclusive;

use postgres::SimpleQueryMessage;

use super::error::{Doing, ServerError};
use super::session::Session;
use super::sqlstate;
use crate::model::ident::literal;

const ASKING: &str = "asking for the offsets of a time zone";

/// The offsets that are asked for: of one zone, in seconds since 1970.
#[derive(Clone, Debug)]
pub struct ZoneQuestion<'a> {
    /// The zone.
    pub zone: &'a str,
    /// The samples: the first one, the last one, and the seconds between them.
    pub samples: RangeInclusive<i64>,
    /// The seconds between two samples.
    pub step: i64,
    /// Further times.
    pub times: &'a [i64],
}

/// An offset of a zone, from a time on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OffsetSince {
    /// The first sample with this offset, or the time that was asked for.
    pub at: i64,
    /// Seconds east of UTC.
    pub east: i64,
}

/// The server's answer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ZoneOffsets {
    /// The samples at which the offset changes, the first sample included.
    pub changes: Vec<OffsetSince>,
    /// The offset at each further time.
    pub times: Vec<OffsetSince>,
}

impl Session {
    /// Returns the server's offsets of a zone. `None` if the server does not know the zone.
    ///
    /// The zone is set for the transaction: `AT TIME ZONE` would take some names, such as CET, for a fixed abbreviation.
    ///
    /// # Errors
    /// If the server refuses or the connection is lost.
    pub fn zone_offsets(&mut self, question: &ZoneQuestion<'_>) -> Result<Option<ZoneOffsets>, ServerError> {
        let ZoneQuestion { zone, samples, step, times } = question;
        let times: Vec<String> = times.iter().map(i64::to_string).collect();
        let sql = format!(
            "BEGIN READ ONLY; SET LOCAL TimeZone = {}; {}; {}; ROLLBACK",
            literal(zone),
            include_str!("sql/zone_changes.sql")
                .replace(":first", &samples.start().to_string())
                .replace(":last", &samples.end().to_string())
                .replace(":step", &step.to_string()),
            include_str!("sql/zone_offsets.sql").replace(":times", &literal(&format!("{{{}}}", times.join(","))))
        );
        let messages = match self.client.simple_query(&sql).doing(ASKING) {
            Ok(messages) => messages,
            Err(error) => {
                if !error.lost {
                    self.client.batch_execute("ROLLBACK").doing(ASKING)?;
                }
                let is_unknown = error.state.as_deref() == Some(sqlstate::INVALID_PARAMETER_VALUE);
                return if is_unknown { Ok(None) } else { Err(error) };
            }
        };
        let mut found = ZoneOffsets::default();
        for message in &messages {
            let SimpleQueryMessage::Row(row) = message else { continue };
            let number = |n: usize| row.get(n).and_then(|text| text.parse::<i64>().ok());
            let (Some(at), Some(east)) = (number(1), number(2)) else { continue };
            let list = if row.get(0) == Some("change") { &mut found.changes } else { &mut found.times };
            list.push(OffsetSince { at, east });
        }
        Ok(Some(found))
    }
}
