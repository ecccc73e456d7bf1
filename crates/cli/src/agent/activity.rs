//! The activity audit as a stage: programs started, connections and changed files go to the server as records.

use std::sync::Arc;

use vedette_detect::{ActivityLog, RuleSet};
use vedette_event::RawEvent;
use vedette_state::View;

use super::emit::Emit;
use super::metrics::{Metric, Page, Type};
use super::stage::Stage;

/// Records that were left out because there were too many.
pub(crate) const LEFT_OUT: Metric = Metric {
    name: "vedette_activity_left_out_total",
    kind: Type::Counter,
    help: "File activity records left out because there were too many in a second.",
};

/// Remembers what happens.
pub(crate) struct Activities(ActivityLog);

impl Activities {
    pub(crate) fn new(hostname: &Arc<str>) -> Self {
        Self(ActivityLog::new(Arc::clone(hostname)))
    }
}

impl Stage for Activities {
    fn rules(&self) -> Option<&Arc<RuleSet>> {
        Some(self.0.rules())
    }

    fn event(&mut self, _: &RawEvent<'_>, view: &View<'_>, emit: &mut Emit) {
        if let Some(activity) = self.0.observe(view) {
            emit.activity(activity);
        }
    }

    fn metrics(&self, page: &mut Page) {
        page.add(&LEFT_OUT, self.0.left_out());
    }
}
