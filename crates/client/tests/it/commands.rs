//! The real runner of programs, on this machine.

use countersign_client::system::SystemCommands;
use countersign_client::{Command, CommandError, Commands as _};

fn run(program: &str, arguments: &[&str]) -> Result<String, CommandError> {
    SystemCommands.run(&Command::new(program, arguments.iter().copied()))
}

fn shell(script: &str) -> Result<String, CommandError> {
    run("sh", &["-c", script])
}

#[test]
fn what_it_prints_comes_back_as_it_is() {
    assert_eq!(run("echo", &["a  b", "$HOME"]).unwrap(), "a  b $HOME\n");
    assert_eq!(shell("cat; printf x; echo no >&2").unwrap(), "x", "no standard input, no standard error");
}

#[test]
fn failures_are_told_apart() {
    let missing = run("no-such-program", &["secret"]).unwrap_err();
    insta::assert_snapshot!(missing, @r#"the program "no-such-program" was not found; install it, or add its folder to PATH"#);
    let failed = shell("echo token; echo 'first' >&2; printf '\\033[31mlast\\n\\n' >&2; exit 3").unwrap_err();
    insta::assert_snapshot!(failed, @r#"the program "sh" failed with exit status: 3: ?[31mlast"#);
    let binary = shell("printf '\\377'").unwrap_err();
    insta::assert_snapshot!(binary, @r#"the program "sh" printed something else than expected: an id token alone, without white space in it, in at most 1048576 bytes"#);
    assert!(matches!(shell("yes | head -c 2000000"), Err(CommandError::Output { .. })));
    assert!(!format!("{:?}", Command::new("sh", ["secret"])).contains("secret"));
}

#[test]
fn a_command_is_split_at_white_space_only() {
    let Ok(command) = " print-token  --for  https://hub.example.com ".parse::<Command>();
    assert_eq!(command, Command::new("print-token", ["--for", "https://hub.example.com"]));
}
