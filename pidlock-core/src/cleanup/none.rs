//! For platforms where no signal ends a program: only the guard removes its file.

pub(super) mod exit {
    pub(in crate::cleanup) fn register() {}
}

pub(super) mod removal {
    use crate::cleanup::claims::Occasions;
    use crate::hold::Hold;

    pub(in crate::cleanup) fn remove(_: &Hold, _: Occasions) {}
}

pub(super) mod signal {
    use crate::plan::OnSignal;

    pub(in crate::cleanup) fn install(_: OnSignal) {}

    /// Never called, for nobody notes a signal.
    pub(in crate::cleanup) fn die(_: i32) -> ! {
        std::process::abort()
    }
}
