//! The machine that runs the jobs: with our program, with stand-ins for the programs that use a token, and with a way to the
//! registry under the name that the pages give it.

use std::fs;
use std::io::{self, BufRead as _, BufReader, Write as _};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::thread;

use rcgen::generate_simple_self_signed;
use tempfile::TempDir;

/// What the pages call the registry.
pub(super) const REGISTRY: &str = "https://trust.example.com";

pub(super) struct Machine {
    folder: TempDir,
}

/// Keeps the token that it was given, in the variable or in the file.
const USES_TOKEN: &str = "#!/bin/sh\nprintf %s \"${HF_TOKEN:-$(cat \"$HF_TOKEN_PATH\")}\" > \"$RECORD\"\n";
/// Gives the token that lies in a variable of its own to whoever asks rightly.
const CIRCLECI: &str = "#!/bin/sh\n[ \"$*\" = 'run oidc get --claims {\"aud\":\"https://trust.example.com\"}' ] || exit 64\n\
                        printf %s \"$CIRCLECI_MINTS\"\n";

impl Machine {
    pub(super) fn new() -> Self {
        let machine = Self { folder: tempfile::tempdir().unwrap() };
        let made = generate_simple_self_signed(["trust.example.com".to_owned()]).unwrap();
        fs::write(machine.path("cert.pem"), made.cert.pem()).unwrap();
        fs::write(machine.path("key.pem"), made.signing_key.serialize_pem()).unwrap();
        for (name, script) in [("hf", USES_TOKEN), ("python", USES_TOKEN), ("circleci", CIRCLECI)] {
            fs::write(machine.path(name), script).unwrap();
            fs::set_permissions(machine.path(name), fs::Permissions::from_mode(0o755)).unwrap();
        }
        machine
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The table with which a server is the registry.
    pub(super) fn tls(&self) -> String {
        format!("[tls]\ncertificate = {:?}\nkey = {:?}\n", self.path("cert.pem"), self.path("key.pem"))
    }

    /// Runs a script as a shell of a job does: it ends with the first command that fails.
    pub(super) fn run(&self, script: &str, variables: &[(String, String)], proxy: &str) -> Output {
        let mut shell = Command::new("sh");
        shell.args(["-e", "-c", script]).current_dir(self.folder.path()).env_clear();
        shell.env("PATH", path_with(self.folder.path())).env("RECORD", self.path("record"));
        shell.env("HTTPS_PROXY", proxy).env("SSL_CERT_FILE", self.path("cert.pem"));
        shell.envs(variables.iter().cloned()).output().unwrap()
    }

    /// The token that the last job used, which is forgotten then.
    pub(super) fn used_token(&self) -> String {
        let token = fs::read_to_string(self.path("record")).unwrap();
        fs::remove_file(self.path("record")).unwrap();
        token
    }
}

/// Runs a command on the server's machine.
pub(super) fn administer(command: &str, folder: &Path) -> Output {
    let programs = programs();
    assert!(
        programs.join("countersign-server").exists(),
        "expected {}/countersign-server; build it with `cargo build -p countersign-server`",
        programs.display()
    );
    let mut shell = Command::new("sh");
    shell.args(["-e", "-c", command]).current_dir(folder).env_clear().env("PATH", path_with(folder));
    shell.output().unwrap()
}

/// Where cargo puts the programs of this workspace.
fn programs() -> PathBuf {
    Path::new(env!("CARGO_BIN_EXE_countersign")).parent().unwrap().to_owned()
}

fn path_with(first: &Path) -> String {
    format!("{}:{}:/usr/bin:/bin", first.display(), programs().display())
}

/// A proxy behind which the registry is at an address, and nothing else anywhere.
pub(super) fn proxy_to(registry: SocketAddr) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    thread::spawn(move || {
        for stream in listener.incoming() {
            thread::spawn(move || connect(stream.unwrap(), registry));
        }
    });
    url
}

/// Answers one `CONNECT`, and carries what is said then.
fn connect(mut client: TcpStream, registry: SocketAddr) -> Option<()> {
    let mut lines = BufReader::new(client.try_clone().ok()?).lines().map_while(Result::ok);
    let asked = lines.next()?;
    lines.find(String::is_empty)?;
    if !asked.starts_with("CONNECT trust.example.com:443 ") {
        return client.write_all(b"HTTP/1.1 403 Forbidden\r\n\r\n").ok();
    }
    client.write_all(b"HTTP/1.1 200 OK\r\n\r\n").ok()?;
    let server = TcpStream::connect(registry).ok()?;
    let (mut from_client, mut to_server) = (client.try_clone().ok()?, server.try_clone().ok()?);
    thread::spawn(move || {
        let _ = io::copy(&mut from_client, &mut to_server);
        to_server.shutdown(Shutdown::Write)
    });
    let mut server = server;
    io::copy(&mut server, &mut client).ok()?;
    client.shutdown(Shutdown::Write).ok()
}
