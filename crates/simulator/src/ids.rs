//! Immutable ids of pretend owners, repositories and projects.

/// An id for a name, the same from run to run (FNV-1a), in nine digits so that it meets none of the fixed small ones.
pub(crate) fn id_of(name: &str) -> String {
    let hash = name.bytes().fold(0x811c_9dc5_u32, |hash, byte| {
        (hash ^ u32::from(byte.to_ascii_lowercase())).wrapping_mul(0x0100_0193)
    });
    (100_000_000 + hash % 900_000_000).to_string()
}
