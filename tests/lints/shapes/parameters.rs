//! Parameters: their patterns, names and attributes.

use std::path::{Path, PathBuf};

use pidlock_core::{PidFileError, pidfile};

use super::{Held, held};

/// Destructured by `patterns`.
#[derive(Debug)]
pub struct Parts {
    path: PathBuf,
    pair: (u8, String),
    /// Not bound by the pattern.
    pub rest: Option<Box<u8>>,
}

/// # Errors
/// If refused.
#[pidfile(path = path)]
pub fn patterns(
    Parts {
        ref path,
        pair: (number, _),
        ..
    }: Parts,
    [first, .., ref last]: [String; 3],
    &other: &u8,
    (ref mut changed, mut own): (u8, u8),
    whole @ (_, _): (u8, u8),
    (Ok(one) | Err(one)): Result<u8, u8>,
    _: String,
) -> Result<String, PidFileError> {
    *changed += 1;
    own += *changed;
    let (left, right) = whole;
    let held = held(path);
    Ok(format!(
        "{held} {number} {first} {last} {other} {own} {left} {right} {one}"
    ))
}

/// # Errors
/// If refused.
#[pidfile(path = path)]
pub fn nothing_used(path: &Path, _: u8, _: Vec<u8>, _number: u8, _text: String) -> Held {
    Ok(held(path))
}

/// # Errors
/// If refused.
#[pidfile(path = path)]
pub fn changed(mut path: PathBuf, mut bytes: Vec<u8>) -> Result<Vec<u8>, PidFileError> {
    bytes.push(u8::from(held(&path)));
    path.push("more");
    bytes.push(u8::from(held(&path)));
    Ok(bytes)
}

/// # Errors
/// If refused.
#[pidfile(path = path)]
#[cfg(any())]
pub fn configured_away(path: &Path) -> Held {
    Ok(held(path))
}

/// # Errors
/// If refused.
#[pidfile(path = r#type)]
pub fn raw_identifiers(r#type: &Path, r#match: u8, mut r#fn: u8) -> Result<u8, PidFileError> {
    r#fn += r#match;
    Ok(r#fn + u8::from(held(r#type)))
}

/// # Errors
/// If refused.
#[pidfile(path = path)]
pub fn configured(
    path: &Path,
    #[cfg(any())] absent: Absent,
    #[cfg(not(any()))] mut present: u8,
    #[cfg_attr(any(), absent)] (a, _): (u8, u8),
) -> Result<u8, PidFileError> {
    present += a;
    Ok(present + u8::from(held(path)))
}

/// # Errors
/// If refused.
#[pidfile(path = path)]
pub fn lint_levels(
    path: &Path,
    #[expect(unused_variables)] expected: u8,
    #[allow(unused_variables)] allowed: u8,
    #[expect(unused_mut)] mut not_changed: u8,
    #[expect(non_snake_case)] Capital: u8,
    #[allow(non_snake_case)] camelCase: u8,
    #[expect(unused_variables)] (pair, _): (u8, u8),
) -> Result<u8, PidFileError> {
    Ok(not_changed + Capital + camelCase + u8::from(held(path)))
}

/// # Errors
/// If refused.
#[pidfile(path = path)]
pub fn shadowed(path: &Path, number: u8) -> Result<u8, PidFileError> {
    let number = number + u8::from(held(path));
    let path = number;
    Ok(path)
}

/// # Errors
/// If refused.
#[pidfile(path = path)]
pub fn indirect(
    path: &Path,
    call: fn(u8) -> u8,
    dynamic: &mut dyn FnMut(u8) -> u8,
    slice: &[&str],
    boxed: Box<dyn FnOnce(u8) -> u8>,
) -> Result<u8, PidFileError> {
    let start = u8::from(held(path));
    Ok(boxed(dynamic(call(start))) + u8::try_from(slice.len()).unwrap_or(0))
}

/// Has parameters with names that the generated code uses, too.
///
/// # Errors
/// If refused.
#[pidfile(path = __plg.join(__plb), on_error = |e| { let _ = (__plg, __pls, __ple); Err(e) })]
pub fn our_names(
    (__plp1, __plb): (u8, &str),
    __plg: &Path,
    __pls: u8,
    __ple: u8,
    __plp0: u8,
) -> Result<u8, PidFileError> {
    Ok(__plp1 + __pls + __ple + __plp0 + u8::from(held(&__plg.join(__plb))))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::shapes::tests::at_a_path;

    #[test]
    fn parameters_reach_the_body() {
        at_a_path(|path| {
            let parts = Parts {
                path: path.to_owned(),
                pair: (1, String::new()),
                rest: Some(Box::new(1)),
            };
            assert!(parts.rest.is_some() && parts.pair.1.is_empty());
            let texts = ["first", "second", "last"].map(String::from);
            let found = patterns(parts, texts, &2, (3, 4), (5, 6), Err(7), String::new());
            assert_eq!(found.unwrap(), "true 1 first last 2 8 5 6 7");
            assert!(nothing_used(path, 1, Vec::new(), 2, String::new()).unwrap());
            assert_eq!(changed(path.to_owned(), vec![7]).unwrap(), [7, 1, 0]);
            assert_eq!(raw_identifiers(path, 2, 3).unwrap(), 6);
            assert_eq!(configured(path, 2, (3, 4)).unwrap(), 6);
            assert_eq!(lint_levels(path, 1, 2, 3, 4, 5, (6, 7)).unwrap(), 13);
            assert_eq!(shadowed(path, 2).unwrap(), 3);
            let twice = |n| n * 2;
            let found = indirect(
                path,
                twice,
                &mut |n| n + 1,
                &["a"],
                Box::new(move |n| n + 3),
            );
            assert_eq!(found.unwrap(), 7);
            let dir = path.parent().unwrap();
            assert_eq!(our_names((1, "x"), dir, 2, 3, 4).unwrap(), 11);
        });
    }
}
