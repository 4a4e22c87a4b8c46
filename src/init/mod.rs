//! `migrate init`: proposes a mapping from a source and a target.
//!
//! Tables and columns are paired by their names (`names`, `pairs`). Every value of a paired column is converted as the cutover
//! would convert it, so that a line is proved by all values and not guessed from some (`probe`, `profile`, `values`). What the
//! catalogues show decides the owner of each row (`owner`), the rows that the target holds (`existing`) and what stays in the
//! source (`leave`, `frameworks`). What nothing decides is an open question, which the reader of mappings refuses.
//!
//! A proposal is a value (`draft`) until it is text (`render`). It is planned and checked by the dry run's own code before it
//! is written (`planned`); what that finds becomes comments at their places.

mod candidates;
mod draft;
mod equal_values;
mod existing;
mod frameworks;
mod leave;
mod missing;
mod names;
mod owner;
mod pairs;
mod planned;
mod probe;
mod profile;
mod proposal;
mod render;
mod row_owner;
mod time_form;
mod values;

pub use draft::{DraftLine, DraftLoad, Ground, MappingDraft};
pub use frameworks::bookkeeping_of;
pub use missing::missing;
pub use names::{NameMatch, NamePair};
pub use owner::{NaturalKey, OwnerRequest};
pub use pairs::{TablePair, TablePairs};
pub use planned::{DryRunFinding, PlannableMapping, annotate, ask_for_sequence, plannable};
pub use probe::{ColumnProfile, StoredClasses};
pub use profile::{ProfileContext, TableProfile};
pub use proposal::{ProposalFacts, propose};
pub use render::{parts, text};
pub use time_form::{TimeForm, TimeForms};
pub use values::{ColumnProof, proof};
