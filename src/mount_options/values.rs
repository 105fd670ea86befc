//! Checks of option values that libfuse or fusermount3 would misread.

use std::ffi::OsStr;
use std::ffi::OsString;
use std::ops::RangeInclusive;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::ffi::OsStringExt;

use super::list;
use crate::session::MAX_READER_THREADS;

const U32: RangeInclusive<i64> = 0..=u32::MAX as i64;

/// Options with a number for a value. libfuse parses them with sscanf(3), which does not detect overflow.
const NUMBERS: &[(&str, RangeInclusive<i64>, &str)] = &[
    ("max_read", U32, "number of bytes"),
    ("max_write", U32, "number of bytes"),
    ("max_readahead", U32, "number of bytes"),
    ("max_background", 0..=u16::MAX as i64, "number"),
    ("congestion_threshold", 0..=u16::MAX as i64, "number"),
    ("time_gran", 1..=1_000_000_000, "number of nanoseconds"),
    ("blksize", 512..=u32::MAX as i64, "number of bytes"),
    ("max_threads", 1..=MAX_READER_THREADS as i64, "number"),
    // -1 is libfuse's default.
    ("max_idle_threads", -1..=i32::MAX as i64, "number"),
    ("io_uring_q_depth", U32, "number"),
];

/// Options of the kernel whose value may have commas between double quotes.
const QUOTED: [&[u8]; 4] = [b"context", b"fscontext", b"defcontext", b"rootcontext"];

/// Fails with the reason if the value of `option` is invalid. `option` is escaped as in a list.
pub(super) fn check(option: &OsStr) -> Result<(), String> {
    check_number(option)?;
    let option = OsString::from_vec(list::unescape(option.as_bytes()));
    let (name, value) = list::split_value(&option);
    // libfuse escapes this option, and no other, for fusermount3.
    if name == b"fsname" || is_quoted(name, value) {
        return Ok(());
    }
    if option.as_bytes().iter().any(|byte| b",\\".contains(byte)) {
        let name = String::from_utf8_lossy(name);
        return Err(format!(
            "a comma or a backslash cannot be in the value of `{name}`: libfuse does not escape them for \
             fusermount3 and the kernel, which would take the rest for another option"
        ));
    }
    Ok(())
}

/// Whether the value is quoted, so that the kernel does not split it at commas.
fn is_quoted(name: &[u8], value: &[u8]) -> bool {
    let value = value.strip_prefix(b"\"");
    let value = value.and_then(|value| value.strip_suffix(b"\""));
    QUOTED.contains(&name)
        && value.is_some_and(|value| !value.iter().any(|byte| b"\"\\".contains(byte)))
}

/// Fails with the reason if the value of `option` must be a number, and is none or out of range. An option
/// without a value passes.
pub(super) fn check_number(option: &OsStr) -> Result<(), String> {
    let option = OsString::from_vec(list::unescape(option.as_bytes()));
    let (name, value) = list::split_value(&option);
    let mut numbers = NUMBERS.iter();
    let found = numbers.find(|(number, ..)| number.as_bytes() == name);
    let Some((name, range, what)) = found.filter(|_| option.as_bytes().contains(&b'=')) else {
        return Ok(());
    };
    let (least, most) = (range.start(), range.end());
    let digits = value.strip_prefix(b"-").unwrap_or(value);
    let number = std::str::from_utf8(value).ok();
    let number = number.filter(|_| digits.iter().all(u8::is_ascii_digit));
    let number = number.and_then(|number| number.parse().ok());
    let Some(number) = number.filter(|number| range.contains(number)) else {
        return Err(format!("it must be a {what} from {least} to {most}"));
    };
    let is_power_of_ten = (0..=9).any(|exponent| 10_i64.pow(exponent) == number);
    if *name == "time_gran" && !is_power_of_ten {
        return Err(format!("it must be a power of ten from {least} to {most}"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_out_of_range_is_refused_with_the_range() {
        let message = |option: &str| check(option.as_ref()).unwrap_err();
        assert!(message("max_write=99999999999").ends_with("bytes from 0 to 4294967295"));
        assert!(message("max_background=65536").ends_with("from 0 to 65535"));
        assert!(message("congestion_threshold=-1").ends_with("from 0 to 65535"));
        assert!(message("max_threads=0").contains("from 1 to "));
        assert!(message("max_idle_threads=x").contains("from -1 to "));
        assert!(message("time_gran=3").contains("power of ten"));
        assert!(message("max_read=").contains("number of bytes"));
        assert!(message("max_read=+1").contains("number of bytes"));
        for good in ["max_write=0", "time_gran=1000", "max_idle_threads=-1"] {
            assert_eq!(check(good.as_ref()), Ok(()), "{good}");
        }
    }

    #[test]
    fn commas_and_backslashes_are_for_fsname_alone() {
        for refused in [
            r"subtype=a\,ro",
            r"subtype=a\054ro",
            r"sub\type=a\,ro",
            r"subtype=a\\b",
            r"user=a\,ro",
            r"x-any=a\,ro",
            r"context=a\,allow_other",
            r#"context="a\,b"c\,ro"#,
            r#"context="a\,b"\,ro,"c""#,
            r"ro\,suid",
        ] {
            let message = check(refused.as_ref()).unwrap_err();
            assert!(message.contains("comma"), "{refused}: {message}");
        }
        for good in [r"fsname=a\,b\\c", r#"context="s0:c1\,c2""#, "subtype=a b"] {
            assert_eq!(check(good.as_ref()), Ok(()), "{good}");
        }
    }
}
