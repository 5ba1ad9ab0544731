//! Programs that hold a file and can no longer remove it, after setuid or chroot.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use pidlock_tests::{ORDINARY_UID, is_root, skip_for_this_user};
use rustix::process::Signal;

use super::{After, Ends, Place, send, start};

#[test]
fn file_that_cannot_be_removed_after_setuid_or_chroot_is_emptied() {
    if !is_root() {
        return skip_for_this_user("only root can call setuid and chroot");
    }
    let jail = tempfile::tempdir().expect("create a directory");
    let jail = format!("--chroot {}", jail.path().display());
    let user = format!("--become {ORDINARY_UID}");
    for settings in [user.clone(), jail.clone(), format!("{jail} {user}")] {
        for (how, signal, ends) in [
            ("return", None, Ends::Code(0)),
            ("error", None, Ends::Code(1)),
            ("panic", None, Ends::Code(101)),
            ("exit", None, Ends::Code(7)),
            ("return", Some(Signal::TERM), Ends::By(Signal::TERM)),
        ] {
            for flags in ["", "--keep", "--no-lock"] {
                // With the second mode, the process cannot even search the directory after setuid.
                for mode in [0o755, 0o700] {
                    for way in ["guard", "function", "static"] {
                        let place = Place::new(2);
                        let arguments = format!("{settings} {flags} {way} {how}");
                        let what = format!("{arguments} {signal:?} in {mode:o}");
                        let mode = fs::Permissions::from_mode(mode);
                        fs::set_permissions(place.dir.path(), mode).expect("set the mode");
                        let mut program = start(&arguments, &place);
                        let lock = flags != "--no-lock";
                        place.check_held(lock, program.pid(), &what);
                        if let Some(signal) = signal {
                            send(signal, program.pid());
                        }
                        program.go_on();
                        assert_eq!(Ends::of(program.wait()), Some(ends), "{what}");
                        place.check(After::Empty, program.pid(), &what);
                        place.check_next_start(lock, &what);
                    }
                }
            }
        }
    }
}
