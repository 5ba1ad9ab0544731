//! Property tests of the record parser: the code of `pidlock-core/src/record.rs` is compared with
//! an oracle that was written from the standard.

/// What `record.rs` imports.
#[path = "record_properties/error.rs"]
mod error;
#[path = "record_properties/sys.rs"]
mod sys;

#[path = "record_properties/oracle.rs"]
mod oracle;
#[path = "../../pidlock-core/src/record.rs"]
mod record;

use std::os::unix::fs::FileExt;

use oracle::Expected;
use proptest::prelude::*;
use record::Record;

fn agrees(record: &Record, expected: Expected) -> bool {
    match record {
        Record::Blank => expected == Expected::Blank,
        Record::Pid(pid) => expected == Expected::Pid(*pid),
        Record::PidWithMore(pid) => expected == Expected::PidWithMore(*pid),
        Record::Invalid(reason) => expected == Expected::Invalid && !reason.is_empty(),
    }
}

/// Creates a file that contains `text`.
fn file(text: &[u8]) -> std::fs::File {
    let file = tempfile::tempfile().expect("create a file");
    file.write_all_at(text, 0).expect("write the text");
    file
}

/// Returns `true` if the reader agrees with the oracle, whether it knows the size of the file or
/// not, and if it reads until two reads agree.
fn agrees_when_read(text: &[u8]) -> bool {
    let file = file(text);
    let sizes = [None, Some(text.len() as u64)];
    let records = sizes.map(|size| record::read(&file, size));
    let mut records = records.into_iter().chain([record::read_settled(&file)]);
    records.all(|record| agrees(&record.expect("read the record"), oracle::read(text)))
}

/// Texts that are almost a record: a number, with other text before or after it.
fn near_records() -> impl Strategy<Value = Vec<u8>> {
    let number = prop_oneof![
        any::<u32>().prop_map(|n| n.to_string()),
        any::<u128>().prop_map(|n| n.to_string()),
        (2_147_483_600_u32..2_147_483_700).prop_map(|n| n.to_string()),
        "[0-9]{0,40}",
    ];
    let bits = prop::sample::select(
        &[
            "", "", "", "\n", " ", "\t", "\0", "0", "00", "+", "-", "\r\n", "x", "\nx", "\n7",
            "\u{feff}",
        ][..],
    );
    let feeds = prop_oneof![0..3_usize, 25..35_usize, 4080..4100_usize];
    let parts = (
        bits.clone(),
        number.clone(),
        bits.clone(),
        feeds,
        bits.clone(),
    );
    let near =
        parts.prop_map(|(a, number, b, feeds, c)| [a, &number, b, &"\n".repeat(feeds), c].concat());
    // The number follows so many blanks that it is at the end of the bytes that are read, or
    // beyond.
    let blanks = (
        prop::sample::select(&["\0", " ", "\n"][..]),
        4080..4110_usize,
    );
    let behind = (blanks, number, bits)
        .prop_map(|((blank, len), number, c)| [&blank.repeat(len), &*number, c].concat());
    // Records padded to about 32 bytes, and to about the longest length that is read.
    let lengths = prop_oneof![30..35_usize, 4094..4099_usize];
    let padded = (1..=u32::MAX, lengths).prop_map(|(number, len)| format!("{number:\n<len$}"));
    prop_oneof![near, behind, padded].prop_map(String::into_bytes)
}

/// Blank texts of various lengths. Some contain one other byte.
fn near_blanks() -> impl Strategy<Value = Vec<u8>> {
    let blank = prop::sample::select(&b"\0 \t\n\x0c\r"[..]);
    let len = prop_oneof![0..40_usize, 4090..4105_usize, 4000..4096_usize];
    (blank, len, any::<Option<(usize, u8)>>()).prop_map(|(blank, len, odd)| {
        let mut text = vec![blank; len];
        if let (Some((at, odd)), false) = (odd, text.is_empty()) {
            text[at % len] = odd;
        }
        text
    })
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(2000) })]

    #[test]
    fn any_bytes_are_read_as_the_oracle_reads_them(text in prop::collection::vec(any::<u8>(), 0..64)) {
        prop_assert!(agrees(&Record::parse(&text), oracle::read(&text)));
    }

    #[test]
    fn near_records_are_read_as_the_oracle_reads_them(text in near_records()) {
        prop_assert!(agrees(&Record::parse(&text), oracle::read(&text)), "{:?}", text.escape_ascii().to_string());
        prop_assert!(agrees_when_read(&text));
    }

    #[test]
    fn near_blanks_are_read_as_the_oracle_reads_them(text in near_blanks()) {
        prop_assert!(agrees(&Record::parse(&text), oracle::read(&text)));
        prop_assert!(agrees_when_read(&text));
    }

    #[test]
    fn record_written_over_any_text_is_read_back(
        old in prop_oneof![near_blanks(), "[ \t0]{0,9}[1-9][0-9]{0,9}[ \r\n]{1,60}".prop_map(String::into_bytes)],
        pid in 1..=i32::MAX as u32,
    ) {
        let file = file(&old);
        record::write(&file, pid, old.len() as u64).expect("write the record");
        let mut text = vec![0; 2 * old.len() + 32];
        let len = sys::read_at(&file, &mut text, 0).expect("read the file");
        text.truncate(len);
        prop_assert_eq!(text, format!("{pid}\n").into_bytes());
        let record = record::read(&file, None).expect("read the record");
        prop_assert_eq!(record.pid(), Some(pid), "{:?}", record);
        record::erase(&file).expect("erase the record");
        prop_assert_eq!(record::read(&file, None).expect("read the record"), Record::Blank);
    }
}
