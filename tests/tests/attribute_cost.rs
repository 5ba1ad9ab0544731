//! Compares an annotated function with one that uses a guard: the system calls, the allocations and
//! the size of the future.

use std::path::Path;
use std::process::Command;
use std::task::{Context, Poll, Waker};

use pidlock_core::{PidFile, PidFileError, PidGuard, pidfile};
use pidlock_tests::{has_tool, run, said, skip, text};

mod system_calls {
    use super::*;

    /// Returns the system calls of one run, from its `begin` line to its exit.
    fn trace(way: &str, pidfile: &Path, log: &Path) -> String {
        let mut strace = Command::new("strace");
        strace.args(["-f", "-v", "-s", "200", "-o"]).arg(log);
        strace.arg(env!("CARGO_BIN_EXE_attribute_cost"));
        strace.arg(way).arg(pidfile);
        let output = run(&mut strace);
        let log = text(log);
        let (_, calls) = log
            .split_once("\"begin\\n\"")
            .unwrap_or_else(|| panic!("{log}\n{}", said(&output)));
        for call in ["flock(", "exit_group("] {
            assert!(calls.contains(call), "{log}");
        }
        without_numbers(&without_proc(calls))
    }

    /// Removes the reads of `/proc`. Whether a refused start reads `/proc` depends on the time that
    /// the holder took from creating the file to writing the record, and the contents of `/proc`
    /// vary.
    fn without_proc(calls: &str) -> String {
        let mut reads_proc = false;
        let is_other = |line: &&str| {
            if line.contains("openat(") {
                reads_proc = line.contains("\"/proc/");
            }
            let is_read = ["read(", "lseek(", "fstat(", "getdents64(", "close(", "\"\""];
            let is_of_it = is_read.iter().any(|call| line.contains(call));
            let ends = reads_proc && line.contains("close(");
            let is_left_out = reads_proc && (is_of_it || line.contains("\"/proc/"));
            reads_proc &= !ends;
            !is_left_out
        };
        let lines: Vec<_> = calls.lines().filter(is_other).collect();
        lines.join("\n")
    }

    /// Replaces each word that begins with a digit, such as a PID, inode, address or time, by `N`.
    fn without_numbers(calls: &str) -> String {
        let mut written = String::new();
        for word in calls.split_inclusive(|c: char| !c.is_alphanumeric()) {
            if word.starts_with(|c: char| c.is_ascii_digit()) {
                written.push('N');
                written.extend(word.chars().last().filter(|c| !c.is_alphanumeric()));
            } else {
                written.push_str(word);
            }
        }
        // strace aligns the results with spaces.
        let words: Vec<_> = written.split(' ').filter(|word| !word.is_empty()).collect();
        words.join(" ")
    }

    #[test]
    fn annotated_function_makes_the_same_system_calls() {
        let dir = tempfile::tempdir().expect("create a directory");
        let (path, log) = (dir.path().join("app.pid"), dir.path().join("trace"));
        if !has_tool("strace") {
            return skip("strace is not installed");
        }
        let mut tracer = Command::new("strace");
        let tried = run(tracer.args(["-o", "/dev/null", "true"]));
        if !tried.status.success() {
            return skip(&format!("strace cannot trace: {}", said(&tried)));
        }
        let assert_same = |refused: bool| {
            for annotated in ["annotated", "annotated_async"] {
                let by_hand = annotated.replace("annotated", "by_hand");
                let of_annotated = trace(annotated, &path, &log);
                assert_eq!(of_annotated.contains("total "), !refused, "{of_annotated}");
                assert_eq!(of_annotated, trace(&by_hand, &path, &log), "{annotated}");
            }
        };
        assert_same(false);
        let held = PidFile::at(&path)
            .acquire()
            .expect("acquire the free pidfile");
        assert_same(true);
        held.close().expect("release the pidfile");
    }
}

mod allocations {
    use super::*;

    /// Returns the number of allocations and the number of allocated bytes.
    fn of(run: impl FnOnce()) -> (u64, u64) {
        let counted = allocation_counter::measure(run);
        (counted.count_total, counted.bytes_total)
    }

    /// Runs `by_hand` once before measuring, because some allocations happen once per process.
    fn assert_same<T>(annotated: impl Fn() -> T, by_hand: impl Fn() -> T) {
        by_hand();
        let by_hand = of(|| drop(by_hand()));
        assert_ne!(by_hand, (0, 0), "a guard allocates at least its path");
        assert_eq!(of(|| drop(annotated())), by_hand);
    }

    #[pidfile("attribute_cost", dir = ".", mode = 0o600)]
    fn annotated(value: u32) -> Result<u32, PidFileError> {
        Ok(value + 1)
    }

    fn by_hand(value: u32) -> Result<u32, PidFileError> {
        let _guard = PidFile::new("attribute_cost")
            .dir(".")
            .mode(0o600)
            .acquire()?;
        Ok(value + 1)
    }

    #[pidfile(path = "attribute_cost.pid", keep)]
    fn annotated_path(value: String) -> Result<String, PidFileError> {
        Ok(value)
    }

    fn by_hand_path(value: String) -> Result<String, PidFileError> {
        let _guard = PidFile::at("attribute_cost.pid").keep(true).acquire()?;
        Ok(value)
    }

    struct Job(String);

    impl Job {
        #[pidfile("attribute_cost", dir = ".")]
        fn annotated(self) -> Result<usize, PidFileError> {
            Ok(self.0.len())
        }

        fn by_hand(self) -> Result<usize, PidFileError> {
            let _guard = PidFile::new("attribute_cost").dir(".").acquire()?;
            Ok(self.0.len())
        }

        #[pidfile("attribute_cost", dir = ".")]
        async fn annotated_async(&self, value: u32) -> Result<u32, PidFileError> {
            Ok(value + 1)
        }

        async fn by_hand_async(&self, value: u32) -> Result<u32, PidFileError> {
            let acquire = PidFile::new("attribute_cost").dir(".").acquire_async();
            let _guard = acquire.await?;
            Ok(value + 1)
        }
    }

    #[test]
    fn annotated_function_makes_the_same_allocations() {
        // The functions name the pidfile by literal, relative paths.
        let dir = tempfile::tempdir().expect("create a directory");
        std::env::set_current_dir(dir.path()).expect("change to the directory");
        let job = || Job("name".to_owned());
        let both = || {
            assert_same(|| annotated(1), || by_hand(1));
            assert_same(
                || annotated_path("x".to_owned()),
                || by_hand_path("x".to_owned()),
            );
            assert_same(|| job().annotated(), || job().by_hand());
            assert_same(
                || ready(job().annotated_async(1)),
                || ready(job().by_hand_async(1)),
            );
        };
        both();
        let _held = PidFile::at("attribute_cost.pid")
            .acquire()
            .expect("acquire the free pidfile");
        assert!(annotated(1).is_err_and(|error| error.is_contention()));
        both();
    }
}

fn ready<T>(future: impl Future<Output = T>) -> T {
    match std::pin::pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(result) => result,
        Poll::Pending => unreachable!("the future never waits"),
    }
}

mod futures {
    use super::*;
    use std::rc::Rc;

    const LARGE: usize = 64 << 10;

    type Outcome = Result<usize, PidFileError>;

    /// An await point, across which a future stores its variables.
    async fn pause() {
        std::future::ready(()).await;
    }

    /// Defines each function twice: with the attribute, and with a guard.
    macro_rules! twice {
        ($($annotated:ident $by_hand:ident ($($params:tt)*) $body:block)*) => {$(
            #[pidfile("attribute_cost", dir = ".")]
            #[allow(dead_code, reason = "measured, not run")]
            async fn $annotated($($params)*) -> Outcome $body

            #[allow(dead_code, reason = "measured, not run")]
            async fn $by_hand($($params)*) -> Outcome {
                let acquire = PidFile::new("attribute_cost").dir(".").acquire_async();
                let _guard = acquire.await?;
                $body
            }
        )*};
    }

    twice! {
        plain plain_by_hand () { pause().await; Ok(0) }
        borrows borrows_by_hand (a: &str, b: &[u8]) { pause().await; Ok(a.len() + b.len()) }
        one one_by_hand (a: String) { pause().await; Ok(a.len()) }
        three three_by_hand (a: String, b: Vec<u8>, c: Option<Rc<str>>) {
            pause().await;
            Ok(a.len() + b.len() + c.map_or(0, |c| c.len()))
        }
        unused unused_by_hand (_a: String, _b: [u64; 8]) { pause().await; Ok(0) }
        moved moved_by_hand (a: String) { let b = a; pause().await; Ok(b.len()) }
        buffer buffer_by_hand (a: usize) {
            let buffer = [1_u8; 1024];
            pause().await;
            Ok(buffer[a % 1024].into())
        }
        immediate immediate_by_hand (a: String) { Ok(a.len()) }
        pattern pattern_by_hand ((a, _): (String, Vec<u8>), [b, ..]: [u64; 8]) {
            pause().await;
            Ok(a.len() + b.trailing_zeros() as usize)
        }
        mutable mutable_by_hand (mut a: String, mut b: [u8; 100]) {
            a.push('x');
            b.fill(1);
            pause().await;
            Ok(a.len() + usize::from(b[0]))
        }
        large large_by_hand (a: [u8; LARGE]) { pause().await; Ok(a.len()) }
    }

    struct Job(String);

    impl Job {
        twice! {
            by_ref by_ref_by_hand (&self, a: String) { pause().await; Ok(a.len() + self.0.len()) }
            by_mut by_mut_by_hand (&mut self, a: String) { pause().await; self.0 = a; Ok(0) }
            boxed boxed_by_hand (self: Box<Self>, a: String) {
                pause().await;
                Ok(a.len() + self.0.len())
            }
            by_value by_value_by_hand (self, a: String) {
                pause().await;
                Ok(a.len() + self.0.len())
            }
            by_value_large by_value_large_by_hand (self, a: [u8; LARGE]) {
                pause().await;
                Ok(a.len() + self.0.len())
            }
        }
    }

    fn sizes<A, B>(annotated: A, by_hand: B) -> (usize, usize) {
        (size_of_val(&annotated), size_of_val(&by_hand))
    }

    fn job() -> Job {
        Job(String::new())
    }

    #[test]
    fn annotated_futures_are_no_larger() {
        let s = String::new;
        let pair = || (s(), Vec::new());
        let (mut one_job, mut another) = (job(), job());
        for (what, (annotated, by_hand)) in [
            ("plain", sizes(plain(), plain_by_hand())),
            ("borrows", sizes(borrows("", b""), borrows_by_hand("", b""))),
            ("one", sizes(one(s()), one_by_hand(s()))),
            (
                "three",
                sizes(three(s(), vec![], None), three_by_hand(s(), vec![], None)),
            ),
            (
                "unused",
                sizes(unused(s(), [0; 8]), unused_by_hand(s(), [0; 8])),
            ),
            ("moved", sizes(moved(s()), moved_by_hand(s()))),
            ("buffer", sizes(buffer(0), buffer_by_hand(0))),
            ("immediate", sizes(immediate(s()), immediate_by_hand(s()))),
            (
                "pattern",
                sizes(pattern(pair(), [0; 8]), pattern_by_hand(pair(), [0; 8])),
            ),
            (
                "mutable",
                sizes(mutable(s(), [0; 100]), mutable_by_hand(s(), [0; 100])),
            ),
            ("large", sizes(large([0; LARGE]), large_by_hand([0; LARGE]))),
            (
                "by_ref",
                sizes(job().by_ref(s()), job().by_ref_by_hand(s())),
            ),
            (
                "by_mut",
                sizes(one_job.by_mut(s()), another.by_mut_by_hand(s())),
            ),
        ] {
            println!("{what} {annotated} {by_hand}");
            assert!(annotated <= by_hand, "{what}: {annotated} > {by_hand}");
        }
    }

    /// Futures that own `self` are larger, by the factor that the attribute's documentation states.
    #[test]
    fn futures_owning_self_hold_parameters_three_times_instead_of_twice() {
        let (annotated, by_hand) = sizes(
            job().by_value_large([0; LARGE]),
            job().by_value_large_by_hand([0; LARGE]),
        );
        println!("by_value_large {annotated} {by_hand}");
        assert_eq!((annotated / LARGE, by_hand / LARGE), (3, 2));
        let (s, boxed) = (String::new, || Box::new(job()));
        for (what, (annotated, by_hand)) in [
            (
                "by_value",
                sizes(job().by_value(s()), job().by_value_by_hand(s())),
            ),
            (
                "boxed",
                sizes(boxed().boxed(s()), boxed().boxed_by_hand(s())),
            ),
        ] {
            println!("{what} {annotated} {by_hand}");
            // The annotated future also contains another copy of the parameter, the state of the
            // inner future and two references in it, one of them while it acquires, and the
            // discriminant of the optional guard.
            let place = size_of::<Option<PidGuard>>() - size_of::<PidGuard>();
            let more = size_of::<String>() + 3 * size_of::<usize>() + place;
            assert!(
                annotated <= by_hand + more,
                "{what}: {annotated} > {by_hand} + {more}"
            );
        }
    }
}
