//! What goes with this program, however it ends: the programs that it starts, and the folders that it makes.
//!
//! A signal that ends a program runs none of its destructors. So each of these has a shell that waits, in a process group of its
//! own that no Ctrl-C reaches, for a line that says that it is not needed. Where this program ends without a word, the shell finds
//! the end of its input, and does what is left to do. The databases have the same of their own (`crates/cluster`).

use std::ffi::OsStr;
use std::io::{self, Write as _};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use tempfile::TempDir;

/// Waits, and runs its arguments unless it was told not to.
const KEEPER: &str = r#"read -r _ || exec "$@""#;
/// Removes a folder. What is being killed may be about to write into it, so not all goes the first time.
const REMOVE: &str = r#"for _ in 1 2 3 4 5 6 7 8 9; do rm -rf "$1" && exit; sleep 0.1; done"#;

/// A command that is run if this program ends before this is dropped.
struct Lifeline(Child);

impl Lifeline {
    fn start<'a>(command: impl IntoIterator<Item = &'a OsStr>) -> io::Result<Self> {
        let mut keeper = Command::new("sh");
        keeper.args(["-c", KEEPER, "keeper"]).args(command).process_group(0).current_dir("/");
        keeper.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().map(Self)
    }
}

impl Drop for Lifeline {
    fn drop(&mut self) {
        if let Some(mut input) = self.0.stdin.take() {
            drop(input.write_all(b"not needed\n"));
        }
        drop(self.0.wait());
    }
}

/// How a program ends when it is not needed any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    /// It is killed: what it has promised must hold all the same.
    Killed,
    /// It is asked to end, and waited for.
    Asked,
}

/// What a running program can be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Order {
    Pause,
    GoOn,
}

/// A program that was started, ended when this is dropped, and killed when this program ends.
pub(crate) struct Program {
    child: Child,
    ending: Ending,
    /// `None` once the child is gone: its id may be another's then.
    lifeline: Option<Lifeline>,
}

impl Program {
    /// Starts one that is killed in the end.
    pub(crate) fn start(command: &mut Command) -> io::Result<Self> {
        Self::start_with(command, Ending::Killed)
    }

    /// Starts it.
    pub(crate) fn start_with(command: &mut Command, ending: Ending) -> io::Result<Self> {
        let mut child = command.spawn()?;
        let id = child.id().to_string();
        match Lifeline::start(["kill", "-9", &id].map(OsStr::new)) {
            Ok(lifeline) => Ok(Self { child, ending, lifeline: Some(lifeline) }),
            Err(error) => {
                drop(child.kill());
                drop(child.wait());
                Err(error)
            }
        }
    }

    /// Its process id.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// What it was started as: its output, and how it ended.
    pub(crate) fn child(&mut self) -> &mut Child {
        &mut self.child
    }

    /// Asks it to end, as its operator would. One that is stopped goes on, to hear it.
    pub(crate) fn ask_to_end(&self) -> io::Result<()> {
        self.signal("-TERM")?;
        self.signal("-CONT")
    }

    /// Stops it where it is, or has it go on.
    pub(crate) fn order(&self, order: Order) -> io::Result<()> {
        self.signal(match order {
            Order::Pause => "-STOP",
            Order::GoOn => "-CONT",
        })
    }

    fn signal(&self, name: &str) -> io::Result<()> {
        if Command::new("kill").args([name, &self.id().to_string()]).status()?.success() {
            return Ok(());
        }
        Err(io::Error::other(format!("the process {} is not there any more", self.id())))
    }

    /// Kills it, and waits until it is gone.
    pub(crate) fn kill(&mut self) -> io::Result<()> {
        self.child.kill()?;
        self.child.wait()?;
        self.lifeline = None;
        Ok(())
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        if self.ending == Ending::Asked && self.lifeline.is_some() {
            drop(self.ask_to_end());
            drop(self.child.wait());
        }
        drop(self.kill());
    }
}

/// A folder with a name of its own, removed when this is dropped or this program ends.
pub(crate) struct Folder {
    folder: TempDir,
    _lifeline: Lifeline,
}

impl Folder {
    /// Makes it in another.
    pub(crate) fn make_in(parent: &Path) -> io::Result<Self> {
        let folder = tempfile::tempdir_in(parent)?;
        let remove = ["sh", "-c", REMOVE, "remove"].map(OsStr::new);
        let lifeline = Lifeline::start(remove.into_iter().chain([folder.path().as_os_str()]))?;
        Ok(Self { folder, _lifeline: lifeline })
    }

    /// Where it is.
    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::process::ExitStatusExt as _;
    use std::process::Command;

    use super::{Order, Program};

    /// The letter of its state, as `/proc` has it.
    fn state(program: &Program) -> char {
        let stat = fs::read_to_string(format!("/proc/{}/stat", program.id())).unwrap();
        stat.rsplit_once(") ").unwrap().1.chars().next().unwrap()
    }

    #[test]
    fn a_program_that_is_stopped_goes_on_when_it_is_told_to_and_hears_that_it_is_to_end() {
        let mut program = Program::start(Command::new("sleep").arg("60")).unwrap();
        for (order, stopped) in [(Order::Pause, true), (Order::GoOn, false), (Order::Pause, true)] {
            program.order(order).unwrap();
            // The kernel may take a moment.
            while (state(&program) == 'T') != stopped {
                std::thread::yield_now();
            }
        }
        program.ask_to_end().unwrap();
        let status = program.child().wait().unwrap();
        assert_eq!(status.signal(), Some(15));
        assert!(program.order(Order::GoOn).is_err(), "nobody is there");
    }
}
