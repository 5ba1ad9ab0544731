//! Free functions: their qualifiers, generics, attributes and return types.

use std::error::Error;
use std::fmt::{Debug, Display};
use std::panic::Location;
use std::path::Path;
use std::process::ExitCode;

use pidlock_core::{PidFileError, pidfile};

use super::{Held, held};

/// # Errors
/// If refused.
#[pidfile(path = path)]
pub fn plain(path: &Path) -> Held {
    Ok(held(path))
}

/// # Errors
/// If refused.
#[pidfile("shape-{id}", dir = dir, suffix = id > 0, keep = false, reentrant, mode = 0o600, lock = true)]
pub fn keys(dir: &Path, id: u32) -> Held {
    Ok(held(&dir.join(format!("shape-{id}.pid"))))
}

/// Returns nothing.
#[pidfile(path = path)]
pub fn unit(path: &Path) {
    println!("{}", path.display());
}

/// Has a one-line body, around which another pair of braces would be redundant.
#[pidfile(path = path)]
#[rustfmt::skip]
pub fn one_line(path: &Path) { super::check(path) }

/// Never returns, so a refused call panics.
///
/// # Panics
/// Always.
#[pidfile(path = path)]
pub fn never(path: &Path) -> ! {
    panic!("{}", held(path))
}

/// Never returns, so a refused call exits the process.
#[pidfile(path = path, on_error = pidlock_core::on_error::exit)]
pub fn exits(path: &Path) -> ! {
    std::process::exit(i32::from(held(path)))
}

/// Loops until it panics.
///
/// # Panics
/// If the lock is held.
#[pidfile(path = path, on_error = |_| std::process::exit(1))]
pub fn loops(path: &Path) -> ! {
    loop {
        assert!(!held(path), "the lock is held");
    }
}

/// Returns a type that `main` can return.
#[must_use]
#[pidfile(path = path)]
pub fn code(path: &Path) -> ExitCode {
    ExitCode::from(u8::from(held(path)))
}

/// # Errors
/// If refused.
#[pidfile(path = path)]
pub fn generic<'a, T, const N: usize>(
    path: &Path,
    value: &'a T,
    array: [u8; N],
) -> Result<(&'a T, usize, bool), Box<dyn Error + Send + Sync>>
where
    T: Display + ?Sized,
{
    let sum = array.iter().copied().map(usize::from).sum::<usize>();
    let sum = sum.checked_sub(N).ok_or("less than one each")?;
    Ok((value, sum, held(path)))
}

/// # Errors
/// If refused.
#[pidfile(path = path)]
pub fn lifetimes<'short, 'long: 'short>(
    path: &Path,
    long: &'long str,
    short: &mut &'short str,
) -> Result<&'long str, PidFileError> {
    *short = if held(path) { long } else { "" };
    Ok(long)
}

/// # Errors
/// If refused.
#[pidfile(path = path)]
pub fn impl_trait(
    path: impl AsRef<Path> + Debug,
    mut each: impl FnMut(bool) -> u8,
) -> Result<impl Iterator<Item = impl Display>, std::io::Error> {
    let found = each(held(path.as_ref()));
    Ok(vec![format!("{path:?}"), found.to_string()].into_iter())
}

/// Returns an opaque type.
#[must_use]
#[pidfile(path = path, on_error = |_| 0)]
pub fn opaque(path: &Path) -> impl Display + use<> {
    i32::from(held(path))
}

/// # Errors
/// If refused.
#[pidfile(path = path)]
pub fn boxed(path: &Path) -> Result<Box<dyn Fn(u8) -> u8 + Send>, PidFileError> {
    if held(path) {
        return Ok(Box::new(|n| n + 1));
    }
    Ok(Box::new(|n| n))
}

/// # Safety
/// `number` must be valid for reads.
/// # Errors
/// If refused.
#[expect(unsafe_code)]
#[pidfile(path = path)]
pub unsafe fn unsafety(path: &Path, number: *const u8) -> Result<(u8, bool), PidFileError> {
    // SAFETY: the caller guarantees that `number` is valid for reads.
    let number = unsafe { *number };
    Ok((number, held(path)))
}

/// Callable from C.
#[pidfile(path = Path::new("/dev/null/shape.pid"), on_error = |error| *code = error.to_string().len())]
pub extern "C" fn foreign(code: &mut usize) {
    *code = 0;
}

/// Callable from code through which a panic can unwind.
#[pidfile(path = Path::new("/dev/null/shape.pid"))]
pub extern "C-unwind" fn unwinding(code: &mut usize) {
    *code = 0;
}

/// # Errors
/// If refused.
#[pidfile(path = path)]
#[track_caller]
pub fn tracked(path: &Path) -> Result<(u32, bool), PidFileError> {
    Ok((Location::caller().line(), held(path)))
}

/// # Errors
/// If refused.
#[cold]
#[inline(never)]
#[must_use = "has a reason"]
#[pidfile(path = path)]
#[cfg_attr(all(), doc = "Has attributes on both sides.")]
pub fn attributes(path: &Path) -> Held {
    Ok(held(path))
}

/// # Errors
/// If refused.
#[inline]
#[pidfile(path = path)]
pub fn inlined(path: &Path) -> Held {
    Ok(held(path))
}

#[pidfile(path = path, on_error = |error| panic!("{error}"))]
#[cfg(test)]
fn private(path: &Path) -> bool {
    held(path)
}

#[pidfile(path = path)]
pub fn inner_attributes(path: &Path) -> Held {
    //! # Errors
    //! If refused.
    #![expect(clippy::let_and_return)]
    let result = Ok(held(path));
    result
}

/// # Errors
/// If refused.
#[pidfile(path = path, reentrant)]
pub fn recursive(path: &Path, depth: u64) -> Result<u64, PidFileError> {
    if depth < 2 {
        return Ok(depth);
    }
    Ok(recursive(path, depth - 1)? + recursive(path, depth - 2)?)
}

/// # Errors
/// If refused.
#[pidfile(path = path)]
pub fn nested(path: &Path) -> Held {
    const MORE: &str = "inner";

    #[pidfile(path = path)]
    fn inner(path: &Path) -> Held {
        Ok(held(path))
    }

    let within = |name: &str| inner(&path.with_extension(name));
    Ok(within(MORE)? && held(path))
}

/// # Errors
/// If refused, or if the sum is 0.
#[pidfile(path = path)]
pub fn control_flow(path: &Path, numbers: &[&str]) -> Result<u32, Box<dyn Error + Send + Sync>> {
    let mut sum = 0;
    'all: for number in numbers {
        let Ok(number) = number.parse::<u32>() else {
            continue;
        };
        while held(path) {
            sum += number;
            if sum > 10 {
                break 'all;
            }
            if number > 0 {
                continue 'all;
            }
            if sum == 0 {
                return Err("zero".into());
            }
        }
    }
    if sum == 0 {
        return Err("none".into());
    }
    Ok(sum)
}

#[cfg(test)]
mod tests {
    use std::panic::{AssertUnwindSafe, catch_unwind};

    use super::*;
    use crate::shapes::tests::at_a_path;

    #[test]
    fn functions_run_under_the_lock() {
        at_a_path(|path| {
            assert!(plain(path).unwrap());
            assert!(keys(path.parent().unwrap(), 3).unwrap());
            unit(path);
            one_line(path);
            assert_eq!(
                format!("{:?}", code(path)),
                format!("{:?}", ExitCode::from(1))
            );
            assert!(attributes(path).unwrap());
            assert!(inlined(path).unwrap());
            assert!(private(path));
            assert!(inner_attributes(path).unwrap());
            assert!(nested(path).unwrap());
            assert_eq!(recursive(path, 7).unwrap(), 13);
            assert_eq!(tracked(path).unwrap(), (line!(), true));
            let number = 7;
            #[expect(unsafe_code)]
            // SAFETY: `number` is a local variable, which is valid for reads.
            let found = unsafe { unsafety(path, &raw const number) };
            assert_eq!(found.unwrap(), (7, true));
        });
    }

    #[test]
    fn generic_functions_run_under_the_lock() {
        at_a_path(|path| {
            assert_eq!(generic(path, "text", [1, 2]).unwrap(), ("text", 1, true));
            assert!(generic(path, "text", [0]).is_err());
            let mut short = "short";
            assert_eq!(lifetimes(path, "long", &mut short).unwrap(), "long");
            assert_eq!(short, "long");
            let found = impl_trait(path, u8::from).unwrap();
            assert_eq!(
                found.map(|found| format!("{found}.")).collect::<Vec<_>>(),
                [format!("{path:?}."), "1.".into()]
            );
            assert_eq!(opaque(path).to_string(), "1");
            assert_eq!(boxed(path).unwrap()(1), 2);
            assert_eq!(control_flow(path, &["a", "4", "7", "9"]).unwrap(), 11);
            assert_eq!(control_flow(path, &["0"]).unwrap_err().to_string(), "zero");
        });
    }

    #[test]
    fn diverging_functions_panic_under_the_lock() {
        at_a_path(|path| {
            let stopped = |run: &dyn Fn()| {
                *catch_unwind(AssertUnwindSafe(run))
                    .unwrap_err()
                    .downcast::<String>()
                    .unwrap()
            };
            assert_eq!(stopped(&|| never(path)), "true");
            drop(catch_unwind(AssertUnwindSafe(|| loops(path))).unwrap_err());
        });
    }

    #[test]
    fn refused_foreign_functions_call_on_error_or_panic() {
        let mut code = 0;
        foreign(&mut code);
        assert!(code > 0);
        drop(catch_unwind(AssertUnwindSafe(|| unwinding(&mut code))).unwrap_err());
    }
}
