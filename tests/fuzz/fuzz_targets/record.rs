//! Fuzzes the code that parses records, against the oracle of the property tests.

#![no_main]

#[path = "../../tests/record_properties/error.rs"]
mod error;
#[path = "../../tests/record_properties/oracle.rs"]
mod oracle;
#[path = "../../../pidlock-core/src/record.rs"]
mod record;
#[path = "../../tests/record_properties/sys.rs"]
mod sys;

use std::fs::File;
use std::os::unix::fs::FileExt;

use libfuzzer_sys::fuzz_target;
use oracle::Expected;
use record::Record;

thread_local! {
    static FILE: File = tempfile::tempfile().expect("create a file");
}

fuzz_target!(|text: &[u8]| {
    let expected = oracle::read(text);
    let check = |record: Record| match (&record, &expected) {
        (Record::Blank, Expected::Blank) => {}
        (Record::Pid(found), Expected::Pid(pid)) if found == pid => {}
        (Record::PidWithMore(found), Expected::PidWithMore(pid)) if found == pid => {}
        (Record::Invalid(_), Expected::Invalid) => {}
        _ => panic!("{record:?} instead of {expected:?}"),
    };
    check(Record::parse(text));
    FILE.with(|file| {
        file.set_len(0).expect("truncate the file");
        file.write_all_at(text, 0).expect("write the text");
        check(record::read(file, None).expect("read the record"));
        check(record::read(file, Some(text.len() as u64)).expect("read the record"));
        check(record::read_settled(file).expect("read the record"));
        // pidlock writes only into a file that is blank or contains nothing but a PID.
        if matches!(expected, Expected::Blank | Expected::Pid(_)) && text.len() <= 4096 {
            let pid = 1 + text.len() as u32 * 7919;
            record::write(file, pid, text.len() as u64).expect("write the record");
            let found = record::read(file, None).expect("read the record");
            assert_eq!(found.pid(), Some(pid), "{found:?}");
            record::erase(file).expect("erase the record");
            assert_eq!(
                record::read(file, None).expect("read the record"),
                Record::Blank
            );
        }
    });
});
