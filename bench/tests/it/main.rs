//! The benchmark as a program.
#![cfg(target_os = "linux")]

#[cfg(test)]
mod ending;
