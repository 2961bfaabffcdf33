//! What is around a job that no server on this machine can be: programs, files, a socket, and a host of AWS.
//!
//! Each gives the job's id token to whoever asks rightly. Everything else goes to the real network of this machine.

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use countersign_client::http::{Http, HttpError, Request, Response};
use countersign_client::{Clock, Command, CommandError, Commands, Files, Surroundings, Variables, system};
use countersign_core::UnixTime;

/// How a job gets its id token.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Means {
    /// From the simulator: a service there, or a variable.
    Simulated,
    /// From a program, called with these words, which prints this with the token for `TOKEN`.
    Program(&'static str, &'static str, &'static str),
    /// From a file.
    File(&'static str),
    /// From the server on a Unix socket, for a body like this.
    Socket(&'static str, &'static str),
    /// From a host that is asked for a URL with a body that begins so, and answers this with the token for `TOKEN`.
    Host(&'static str, &'static str, &'static str),
}

/// The job's surroundings; without a token, its means is out of order.
pub(crate) struct Outside {
    pub(crate) means: Means,
    pub(crate) token: Option<String>,
}

impl Outside {
    pub(crate) fn around(self, variables: Variables) -> Surroundings {
        let real = system::surroundings(Variables::default());
        let outside = Arc::new(self);
        Surroundings {
            variables,
            http: Arc::new(Network { outside: Arc::clone(&outside), real: real.http }),
            clock: Arc::new(Impatient(real.clock)),
            files: Arc::clone(&outside) as Arc<dyn Files>,
            commands: outside,
        }
    }

    fn answer(&self, form: &str) -> Option<String> {
        Some(form.replace("TOKEN", self.token.as_ref()?))
    }
}

impl Commands for Outside {
    fn run(&self, command: &Command) -> Result<String, CommandError> {
        let not_found = || CommandError::NotFound { program: command.program.clone() };
        match self.means {
            Means::Program(program, words, form) if program == command.program => {
                assert_eq!(command.arguments.join(" "), words);
                self.answer(form).ok_or_else(not_found)
            }
            _ => Err(not_found()),
        }
    }
}

impl Files for Outside {
    fn read(&self, path: &Path) -> io::Result<String> {
        match self.means {
            Means::File(file) if path == Path::new(file) => {
                self.token.clone().ok_or_else(|| io::ErrorKind::NotFound.into())
            }
            _ => Err(io::ErrorKind::NotFound.into()),
        }
    }
}

struct Network {
    outside: Arc<Outside>,
    real: Arc<dyn Http>,
}

impl Http for Network {
    fn send(&self, request: Request) -> Result<Response, HttpError> {
        let form = match (self.outside.means, &request.socket) {
            (Means::Socket(path, body), Some(socket)) => {
                assert_eq!((socket.as_path(), request.body.as_str()), (Path::new(path), body));
                "TOKEN"
            }
            (Means::Host(url, body, form), None) if request.url == url => {
                assert!(request.body.starts_with(body), "{}", request.body);
                form
            }
            _ => return self.real.send(request),
        };
        match self.outside.answer(form) {
            Some(body) => Ok(Response { status: 200, headers: Vec::new(), body: body.into_bytes() }),
            None => Err(HttpError::NoConnection {
                host: request.host().to_owned(),
                reason: "permission denied".to_owned(),
            }),
        }
    }
}

/// The real time, without waiting between attempts.
struct Impatient(Arc<dyn Clock>);

impl Clock for Impatient {
    fn now(&self) -> UnixTime {
        self.0.now()
    }

    fn monotonic(&self) -> Duration {
        self.0.monotonic()
    }

    fn sleep(&self, _: Duration) {}
}
