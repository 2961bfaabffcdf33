//! The compiler's own tools, of which one reads what instrumented programs have counted.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::step::{Failure, Result, printed, run, step};

/// Installs them with rustup, unless they are there; the path of `llvm-profdata`, which has to be of the compiler's version.
pub(crate) fn install_profdata() -> Result<PathBuf> {
    let libraries = printed(Command::new("rustc").args(["--print", "target-libdir"])).unwrap_or_default();
    let toolchain = Path::new(libraries.trim()).parent().map(Path::to_owned).unwrap_or_default();
    let program = toolchain.join("bin/llvm-profdata");
    if !program.exists() {
        step("install the compiler's llvm-tools", || {
            run(Command::new("rustup").args(["component", "add", "llvm-tools"])).map_err(|failure| {
                Failure::new(format!(
                    "{failure}\nexpected {}, which reads what programs have counted: install the compiler's llvm-tools in \
                     your way, then try again",
                    program.display()
                ))
            })
        })?;
    }
    Ok(program)
}
