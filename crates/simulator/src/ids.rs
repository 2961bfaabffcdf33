//! Immutable ids of pretend owners, repositories and projects.

/// An id for a name, the same from run to run, in nine digits so that it meets none of the fixed small ones.
pub(crate) fn id_of(name: &str) -> String {
    (100_000_000 + hash(name) % 900_000_000).to_string()
}

/// A UUID for a name, the same from run to run.
pub(crate) fn uuid_of(name: &str) -> String {
    format!("{:08x}-0000-4000-8000-{:012x}", hash(name), hash(&format!("{name}.")))
}

/// FNV-1a, blind to case as names are.
fn hash(name: &str) -> u32 {
    name.bytes().fold(0x811c_9dc5_u32, |hash, byte| {
        (hash ^ u32::from(byte.to_ascii_lowercase())).wrapping_mul(0x0100_0193)
    })
}
