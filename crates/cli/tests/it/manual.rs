//! `countersign completions` and `countersign manual`.

use std::fs;
use std::process::Command;

use crate::job::Job;

#[test]
fn bash_completes_commands_and_options() {
    let output = Job::github().command(&["completions", "bash"]).output().unwrap();
    assert!(output.status.success() && output.stderr.is_empty());
    let script = format!(
        "{}\ncomplete_it() {{ COMP_WORDS=(countersign \"$@\"); COMP_CWORD=$#; COMPREPLY=(); \
         _countersign countersign \"${{@: -1}}\" countersign; echo \"${{COMPREPLY[@]}}\"; }}\n\
         complete_it who\ncomplete_it exec --file\n",
        String::from_utf8(output.stdout).unwrap()
    );
    let output = Command::new("bash").args(["--norc", "-c", &script]).output().unwrap();
    assert_eq!(String::from_utf8(output.stdout).unwrap(), "whoami\n--file-only\n");
    for shell in ["zsh", "fish", "elvish", "powershell"] {
        assert!(Job::github().run(&["completions", shell]).contains("whoami"), "{shell}");
    }
}

#[test]
fn every_command_has_a_page() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().to_str().unwrap();
    assert_eq!(Job::github().run(&["manual", path]), "exit 0\n--- stdout\n--- stderr\n");
    let page = |name: &str| fs::read_to_string(folder.path().join(name)).unwrap();
    assert!(page("countersign.1").contains("countersign\\-exec(1)"));
    assert!(page("countersign-exec.1").contains("file\\-only"));
    assert!(page("countersign-git-credential.1").contains("useHttpPath"));
    let shown = Job::github().fail(&["manual", "/nowhere"]);
    assert!(shown.starts_with("exit 1\n") && shown.contains("to /nowhere; it must be a folder"), "{shown}");
}
