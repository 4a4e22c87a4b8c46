//! The contents of both sides, as far as a proposal needs them.

use std::collections::BTreeMap;

use crate::init::{self, MappingDraft, ProfileContext, ProposalFacts, TablePairs};
use crate::migrate::preflight::versions;
use crate::model::record::Refusal;
use crate::model::schema::TargetSchema;
use crate::pg::Session;
use crate::sqlite::{Source, SourceError};

use super::super::failure::Failure;
use super::super::session::Migration;
use super::start::Start;

/// The contents of both sides.
pub struct SideFacts {
    pub target: TargetSchema,
    pairs: TablePairs,
    profiles: BTreeMap<String, init::TableProfile>,
    unpaired: BTreeMap<String, u64>,
    held: BTreeMap<String, u64>,
    versions: Vec<String>,
}

impl SideFacts {
    pub fn read(
        start: &Start<'_>,
        m: &Migration<'_>,
        source: &Source,
        session: &mut Session,
    ) -> Result<SideFacts, Failure> {
        let mut catalogued = session.catalog(&m.mapping().target.schema, None).map_err(Failure::refused)?;
        session.contents(&mut catalogued, None).map_err(Failure::refused)?;
        let target = catalogued.target;
        if target.tables.is_empty() {
            let reason = format!("the target has no table in the schema `{}`", target.schema);
            let advice = "Run the application's own migrations first, or name the schema with --schema.";
            return Err(Failure::refused(Refusal::new("target.schema", reason, advice)));
        }
        let pairs = TablePairs::new(source.schema(), &target);
        let holding: Vec<String> =
            target.tables.iter().filter(|(_, table)| table.has_rows).map(|(name, _)| name.clone()).collect();
        let held = session.count_each(&target.schema, &holding).map_err(Failure::refused)?;
        let versions = versions::differences(session, source, &target);
        let versions =
            versions.iter().map(|found| found.warning()).map(|w| format!("Warning: {}: {}", w.place, w.message));
        let context = ProfileContext {
            source,
            target: &target,
            sample: start.args.sample,
            jobs: m.jobs(),
            observer: start.observer,
            asked: &start.world.asked,
        };
        let profiles = context.read(&pairs.pairs).map_err(Failure::refused)?;
        let reader = source.reader().map_err(Failure::refused)?;
        let counted = pairs.source_only.iter().map(|name| Ok((name.clone(), reader.count(name)?)));
        let unpaired = counted.collect::<Result<_, _>>().map_err(|e: SourceError| Failure::refused(e))?;
        Ok(SideFacts { versions: versions.collect(), target, pairs, profiles, unpaired, held })
    }

    pub fn propose(&self, start: &Start<'_>, source: &Source) -> MappingDraft {
        init::propose(&ProposalFacts {
            name: &start.name,
            path: &start.path,
            source: source.schema(),
            target: &self.target,
            pairs: &self.pairs,
            profiles: &self.profiles,
            unpaired: &self.unpaired,
            held: &self.held,
            owner: start.owner.as_ref(),
            versions: &self.versions,
            shows_values: start.args.show_values,
        })
    }
}
