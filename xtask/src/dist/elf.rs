//! What a program needs to be started, read from its file (ELF, 64 bit, little endian).

/// The kind of a segment that names the program that starts this one.
const INTERPRETER: u32 = 3;
/// The kind of a segment that lists what is loaded with it.
const DYNAMIC: u32 = 2;
/// The kind of an entry of that list that names a library.
const NEEDED: u64 = 1;

/// Whether the system starts it without any other file. Otherwise, what it has that speaks against it.
pub(super) fn is_static(file: &[u8]) -> Result<(), &'static str> {
    const UNREADABLE: &str = "is no ELF program of 64 bit, or a broken one";
    if file.get(..6) != Some(b"\x7fELF\x02\x01") {
        return Err(UNREADABLE);
    }
    let segments = segments(file).ok_or(UNREADABLE)?;
    if segments.iter().any(|segment| segment.kind == INTERPRETER) {
        return Err("asks for a loader (it has an interpreter)");
    }
    for segment in segments.iter().filter(|segment| segment.kind == DYNAMIC) {
        let entries =
            file.get(segment.start..segment.start.saturating_add(segment.length)).ok_or(UNREADABLE)?;
        if entries.chunks_exact(16).any(|entry| number(entry, 0, 8) == Some(NEEDED)) {
            return Err("asks for shared libraries");
        }
    }
    Ok(())
}

/// A part of the file that matters when it is started.
struct Segment {
    kind: u32,
    start: usize,
    length: usize,
}

fn segments(file: &[u8]) -> Option<Vec<Segment>> {
    let table = usize::try_from(number(file, 0x20, 8)?).ok()?;
    let (size, count) = (number(file, 0x36, 2)?, number(file, 0x38, 2)?);
    let segment = |index: u64| {
        let at = table.checked_add(usize::try_from(index * size).ok()?)?;
        Some(Segment {
            kind: u32::try_from(number(file, at, 4)?).ok()?,
            start: usize::try_from(number(file, at.checked_add(8)?, 8)?).ok()?,
            length: usize::try_from(number(file, at.checked_add(32)?, 8)?).ok()?,
        })
    };
    (0..count).map(segment).collect()
}

fn number(bytes: &[u8], at: usize, length: usize) -> Option<u64> {
    let bytes = bytes.get(at..at.checked_add(length)?)?;
    Some(bytes.iter().rev().fold(0, |number, byte| number << 8 | u64::from(*byte)))
}

#[cfg(test)]
mod tests {
    use super::is_static;

    /// A file with these segments, each a kind and its content.
    fn program(segments: &[(u32, &[u8])]) -> Vec<u8> {
        let mut file = b"\x7fELF\x02\x01".to_vec();
        file.resize(0x40, 0);
        file[0x20] = 0x40;
        file[0x36] = 56;
        file[0x38] = u8::try_from(segments.len()).unwrap();
        let mut contents = Vec::new();
        for (kind, content) in segments {
            let start = 0x40 + 56 * segments.len() + contents.len();
            let mut entry = [0; 56];
            entry[..4].copy_from_slice(&kind.to_le_bytes());
            entry[8..16].copy_from_slice(&start.to_le_bytes());
            entry[32..40].copy_from_slice(&content.len().to_le_bytes());
            file.extend(entry);
            contents.extend_from_slice(content);
        }
        [file, contents].concat()
    }

    #[test]
    fn what_a_program_asks_for_is_seen() {
        let needed = [1, 0, 0, 0, 0, 0, 0, 0, 9, 0, 0, 0, 0, 0, 0, 0];
        let other = [5; 16];
        assert_eq!(is_static(&program(&[(1, b"code"), (2, &other)])), Ok(()));
        assert_eq!(is_static(&program(&[])), Ok(()));
        assert!(is_static(&program(&[(3, b"/lib/ld.so")])).unwrap_err().contains("loader"));
        assert!(is_static(&program(&[(2, &[other, needed].concat())])).unwrap_err().contains("libraries"));
        for broken in [&b""[..], b"#!/bin/sh", b"\x7fELF\x02\x01", &program(&[(2, &needed)])[..0x50]] {
            assert!(is_static(broken).unwrap_err().contains("no ELF"));
        }
    }

    /// Rust programs for Linux ask for a loader unless they are told not to.
    #[test]
    fn this_very_program_is_not_static() {
        let own = std::fs::read(std::env::current_exe().unwrap()).unwrap();
        let is_gnu = cfg!(all(target_os = "linux", target_env = "gnu", not(target_feature = "crt-static")));
        assert_eq!(is_static(&own).is_err(), is_gnu || !cfg!(target_os = "linux"));
    }
}
