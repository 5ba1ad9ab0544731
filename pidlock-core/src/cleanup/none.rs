//! For platforms where no signal ends a program: only the guard removes its file.

use std::fs::File;

use crate::plan::Plan;
use crate::sys::{Identity, ThisProcess};

pub(crate) struct Claim;

#[derive(Debug, Default)]
pub(crate) struct FreeSlots;

#[derive(Debug)]
pub(crate) struct Published;

impl Claim {
    pub(crate) fn begin(_: ThisProcess) -> Self {
        Self
    }

    pub(crate) fn arm(&self, plan: &Plan) {
        // There is nothing that could be done about either.
        let _ = (plan.on_signal, plan.at_exit);
    }

    pub(crate) fn is_armed(&self, _: &Plan) -> bool {
        true
    }

    pub(crate) fn publish(
        &self,
        _: &mut FreeSlots,
        _: &Plan,
        _: &File,
        _: Identity,
        _: Option<u32>,
    ) -> Option<Published> {
        None
    }

    pub(crate) fn withdraw(&self, _: &Published) -> bool {
        true
    }

    pub(crate) fn forget(&self, _: &Published, _: &mut FreeSlots) {}
}
