//! The drop order with each kind of tail expression and of parameter, in functions and in futures.

use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;

use super::{Failure, Leave, Owner, Pair, Pause, Probe, WAYS};
use super::{compare, in_a_directory, pair, path, run};

/// A bound for generic parameters.
pub(super) trait Named {
    fn len_of(&self) -> usize;
}

impl Named for Probe {
    fn len_of(&self) -> usize {
        self.len()
    }
}

fn some(probe: &Probe) -> Option<usize> {
    Some(probe.len())
}

fn none(_: &Probe) -> Option<usize> {
    None
}

type Done = Result<usize, Failure>;

/// Defines the functions, with or without the attribute, as `fn` or as `async fn`.
macro_rules! functions {
    ($name:ident [$($asyncness:tt)*] [$($pause:tt)*] $(#[$guard:meta])*) => {
        mod $name {
            use super::*;

            $(#[$guard])*
            pub(super) $($asyncness)* fn match_scrutinee(leave: Leave, a: Probe) -> Done {
                let _local = Probe("local");
                $($pause)*
                leave.check()?;
                match some(&Probe("scrutinee")) {
                    Some(n) if n > Probe("guard of an arm").len() => Ok(n),
                    Some(_) if leave == Leave::Return => {
                        return Ok(Probe("returned").len());
                    }
                    _ => Ok(Probe("arm").len() + a.len()),
                }
            }

            $(#[$guard])*
            pub(super) $($asyncness)* fn if_let(leave: Leave, a: Probe) -> Done {
                let _local = Probe("local");
                $($pause)*
                leave.check()?;
                if let Some(n) = some(&Probe("if let")) {
                    Ok(n + Probe("then").len())
                } else {
                    Ok(a.len())
                }
            }

            $(#[$guard])*
            pub(super) $($asyncness)* fn if_let_else(leave: Leave, a: Probe) -> Done {
                let _local = Probe("local");
                $($pause)*
                leave.check()?;
                if let Some(n) = none(&Probe("if let")) {
                    Ok(n)
                } else {
                    let _in_else = Probe("local of else");
                    Ok(a.len() + Probe("else").len())
                }
            }

            $(#[$guard])*
            pub(super) $($asyncness)* fn blocks(leave: Leave, a: Probe) -> Done {
                let _local = Probe("local");
                let n = {
                    let _inner = Probe("local of a block");
                    Probe("tail of a block").len()
                };
                let lent = &Probe("lent for the whole function");
                let _ = Probe("of no name");
                $($pause)*
                leave.check()?;
                while let Some(n) = some(&Probe("while let")) {
                    if leave == Leave::Return {
                        return Ok(n + Probe("returned").len());
                    }
                    break;
                }
                let moved = move || a.len() + lent.len();
                Ok(n + Probe("argument").len() + moved())
            }

            $(#[$guard])*
            pub(super) $($asyncness)* fn generic<T, const N: usize>(
                leave: Leave,
                value: T,
                other: impl Named,
                array: [Probe; N],
                _: impl Named,
                _last: Option<T>,
            ) -> Result<usize, Failure>
            where
                T: Named,
            {
                $($pause)*
                leave.check()?;
                let _moved = other;
                Ok(value.len_of() + array.len() + Probe("tail").len())
            }

            $(#[$guard])*
            pub(super) $($asyncness)* fn parts(
                leave: Leave,
                (mut a, (_, ref b)): (Probe, (Probe, Probe)),
                Pair(ref mut c, _): Pair,
                Owner { first, .. }: Owner,
                [d, .., ref e]: [Probe; 4],
                whole @ (_, _): (Probe, Probe),
                (Ok(f) | Err(f)): Result<Probe, Probe>,
            ) -> Done {
                a.0 = "a, changed";
                c.0 = "c, changed";
                $($pause)*
                leave.check()?;
                let _moved = d;
                Ok(b.len() + first.len() + e.len() + whole.0.len() + f.len())
            }

            $(#[$guard])*
            pub(super) $($asyncness)* fn nothing(leave: Leave, a: Probe, _: Probe) {
                let _local = Probe("local");
                $($pause)*
                if leave == Leave::Return {
                    return;
                }
                if leave.check().is_ok() {
                    drop(a);
                }
            }

            pub(super) trait Methods: Sized {
                fn into_first(self) -> Probe;

                $(#[$guard])*
                $($asyncness)* fn default_method(self, leave: Leave, a: Probe, _: Probe) -> Done {
                    $($pause)*
                    leave.check()?;
                    let first = self.into_first();
                    Ok(first.len() + a.len() + Probe("tail").len())
                }
            }

            impl Methods for Owner {
                fn into_first(self) -> Probe {
                    self.first
                }
            }

            pub(super) struct Other(pub(super) Probe, pub(super) Probe);

            impl Other {
                $(#[$guard])*
                pub(super) $($asyncness)* fn changed(mut self, leave: Leave, (a, _): (Probe, Probe)) -> Done {
                    let _local = Probe("local");
                    self.0.0 = "self.0, changed";
                    $($pause)*
                    leave.check()?;
                    if let Some(n) = some(&Probe("if let")) {
                        Ok(n + a.len() + self.0.len())
                    } else {
                        Err(Failure)
                    }
                }

                $(#[$guard])*
                pub(super) $($asyncness)* fn taken_apart(self, leave: Leave, _: Probe) -> Done {
                    let Other(first, _) = self;
                    $($pause)*
                    leave.check()?;
                    match some(&Probe("scrutinee")) {
                        Some(n) => Ok(n + first.len()),
                        None => Err(Failure),
                    }
                }

                $(#[$guard])*
                pub(super) $($asyncness)* fn counted(self: Rc<Self>, leave: Leave, a: Probe) -> Done {
                    $($pause)*
                    leave.check()?;
                    Ok(self.1.len() + a.len() + Probe("tail").len())
                }

                $(#[$guard])*
                pub(super) $($asyncness)* fn pinned(self: Pin<Box<Self>>, leave: Leave, a: Probe) -> Done {
                    $($pause)*
                    leave.check()?;
                    Ok(self.1.len() + a.len() + Probe("tail").len())
                }
            }
        }
    };
}

functions!(bare [] []);
functions!(guarded [] [] #[pidlock_core::pidfile(path = path())]);
functions!(bare_future [async] [Pause(false).await;]);
functions!(guarded_future [async] [Pause(false).await;] #[pidlock_core::pidfile(path = path())]);

/// Compares the functions, and the futures when they complete and when they are cancelled.
macro_rules! compare {
    ($name:literal, |$module:ident, $leave:ident| $call:expr) => {
        in_a_directory(|| {
            for $leave in WAYS {
                let bare = || {
                    use bare as $module;
                    let _ = $call;
                };
                let guarded = || {
                    use guarded as $module;
                    let _ = $call;
                };
                compare($name, $leave, bare, guarded);
                for polls in 1..=2 {
                    let bare = || {
                        use bare_future as $module;
                        let _ = finish($call, polls);
                    };
                    let guarded = || {
                        use guarded_future as $module;
                        let _ = finish($call, polls);
                    };
                    compare(concat!($name, " as a future"), $leave, bare, guarded);
                }
            }
        })
    };
}

fn finish<T>(future: impl Future<Output = T>, polls: usize) -> Option<T> {
    run(future, polls)
}

#[test]
fn match_temporaries_keep_their_drop_order() {
    compare!("match", |m, leave| m::match_scrutinee(leave, Probe("a")));
}

#[test]
fn if_let_temporaries_keep_their_drop_order() {
    compare!("if let", |m, leave| m::if_let(leave, Probe("a")));
    compare!("if let else", |m, leave| m::if_let_else(leave, Probe("a")));
}

#[test]
fn block_temporaries_keep_their_drop_order() {
    compare!("blocks", |m, leave| m::blocks(leave, Probe("a")));
}

#[test]
fn generic_parameters_keep_their_drop_order() {
    compare!("generic", |m, leave| m::generic(
        leave,
        Probe("value"),
        Probe("impl"),
        [Probe("array 0"), Probe("array 1")],
        Probe("_"),
        Some(Probe("_last")),
    ));
}

#[test]
fn destructured_parameters_keep_their_drop_order() {
    compare!("parts", |m, leave| m::parts(
        leave,
        (Probe("a"), pair("not bound", "b")),
        Pair(Probe("c"), Probe("c, not bound")),
        Owner::new(),
        [Probe("d"), Probe("d, 1"), Probe("d, 2"), Probe("e")],
        pair("whole.0", "whole.1"),
        Err(Probe("f")),
    ));
}

#[test]
fn function_without_return_type_keeps_its_drop_order() {
    compare!("nothing", |m, leave| m::nothing(
        leave,
        Probe("a"),
        Probe("_")
    ));
}

#[test]
fn owned_self_keeps_its_drop_order() {
    compare!("default method", |m, leave| m::Methods::default_method(
        Owner::new(),
        leave,
        Probe("a"),
        Probe("_"),
    ));
    compare!("changed", |m, leave| m::Other(Probe("0"), Probe("1"))
        .changed(leave, pair("a", "_")));
    compare!("taken apart", |m, leave| m::Other(Probe("0"), Probe("1"))
        .taken_apart(leave, Probe("_")));
    compare!("counted", |m, leave| Rc::new(m::Other(
        Probe("0"),
        Probe("1")
    ))
    .counted(leave, Probe("a")));
    compare!("pinned", |m, leave| Box::pin(m::Other(
        Probe("0"),
        Probe("1")
    ))
    .pinned(leave, Probe("a")));
}
