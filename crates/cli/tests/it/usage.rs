//! Arguments, help and exit codes.

use crate::job::Job;

#[test]
fn what_makes_no_sense_is_a_usage_error() {
    let rows: [&[&str]; 9] = [
        &[],
        &["token"],
        &["nonsense"],
        &["token", ""],
        &["token", "acme /model"],
        &["token", "a/b", "--audience", ""],
        &["token", "a/b", "--endpoint", "nonsense"],
        &["token", "a/b", "--provider", "jenkins"],
        &["token", "a/b", "--id-token-env", ""],
    ];
    for arguments in rows {
        let job = Job::github();
        let shown = job.fail(arguments);
        assert!(shown.starts_with("exit 2\n--- stdout\n--- stderr\n"), "{arguments:?}: {shown}");
        assert!(job.requests().is_empty());
    }
    insta::assert_snapshot!(Job::github().fail(&["token", "a/b", "--provider", "jenkins"]), @r#"
    exit 2
    --- stdout
    --- stderr
    error: the CI provider "jenkins" is not supported; expected one of (providers)
    "#);
    insta::assert_snapshot!(Job::github().with("HF_ENDPOINT", "http://hub.example.com").fail(&["whoami"]), @r#"
    exit 2
    --- stdout
    --- stderr
    error: the variable HF_ENDPOINT is no address of a registry
      caused by: http:// is accepted for loopback addresses only; use https:// for "hub.example.com"
    "#);
}

#[test]
fn secrets_in_the_wrong_place_are_not_repeated() {
    insta::assert_snapshot!(Job::github().fail(&["token", "a/b", "--id-token-env", "a.b.dGhlLXNpZ25hdHVyZQ"]), @r"
    exit 2
    --- stdout
    --- stderr
    error: --id-token-env expects the name of a variable, such as MY_TOKEN, and not a token or a value
    ");
    let password = "https://user:dGhlLXNpZ25hdHVyZQ@hub.example.com";
    insta::assert_snapshot!(Job::github().fail(&["token", "a/b", "--endpoint", password]), @r"
    exit 2
    --- stdout
    --- stderr
    error: --endpoint is no address of a registry
      caused by: expected a URL without user name and password
    ");
}

#[test]
fn help_teaches_by_example_and_lists_the_exit_codes() {
    insta::assert_snapshot!(Job::github().run(&["--help"]), @r#"
    exit 0
    --- stdout
    Exchanges a CI job's identity for a registry's short-lived access token; no secret is stored in CI

    Usage: countersign [OPTIONS] <COMMAND>

    Commands:
      token              Prints an access token for one resource
      exec               Runs a command with a token that stays fresh for as long as it runs
      git-credential     Gives git a token as its password: a credential helper
      cargo-credential   Gives cargo a token: for cargo:token-from-stdout
      google-credential  Gives Google's libraries the job's id token: an executable-sourced credential
      whoami             Shows who the registry would see: the CI provider and the claims of this job's id token
      doctor             Looks for what is wrong, and ends with the one change to make
      explain            Explains what an exchange would come to, without making it
      publishers         Manages trusted publishers, on a server and in a file
      simulate           Runs a command as if inside a CI provider's job, to rehearse it
      completions        Prints completions for a shell
      manual             Writes manual pages, one for each command
      help               Print this message or the help of the given subcommand(s)

    Options:
      -q, --quiet    Says what is wrong and nothing else
      -h, --help     Print help
      -V, --version  Print version

    Examples:
      countersign token acme/awesome-model
      HF_TOKEN=$(countersign token acme/awesome-model) hf upload acme/awesome-model .
      countersign exec acme/awesome-model -- hf upload acme/awesome-model .
      countersign token pkg:pypi/acme-lib --endpoint https://registry.example.com --json
      countersign whoami
      countersign doctor acme/awesome-model --exchange
      countersign simulate github --claim repository=acme/other -- countersign whoami

    Id tokens come from --id-token-env, --id-token-file or --id-token-command, else from HF_OIDC_ID_TOKEN or the file in
    HF_OIDC_ID_TOKEN_FILE, else from the CI provider, the app platform or the cloud that runs the job, in this order.

    Exit codes:
      0  done
      1  something else went wrong, such as a closed output
      2  usage: an argument or a variable makes no sense
      3  no identity: no CI provider was detected, or it gave no usable id token
      4  refused: the server understood and said no; its reason is shown
      5  unreachable: the server could not be asked, cannot serve now, or is no token server
      6  weak: `publishers lint` has a warning
      7  different: `publishers plan --check` has found changes to make
    --- stderr
    "#);
    insta::assert_snapshot!(Job::github().run(&["token", "--help"]), @r"
    exit 0
    --- stdout
    Prints an access token for one resource

    Usage: countersign token [OPTIONS] <RESOURCE>...

    Arguments:
      <RESOURCE>...  What the token is for: namespace/name, datasets/namespace/name, a user name, pkg:pypi/name …; several give several

    Options:
          --endpoint <URL>              The registry [default: the one in `HF_ENDPOINT`, else the Hugging Face Hub]
      -q, --quiet                       Says what is wrong and nothing else
          --audience <AUDIENCE>         What the id token is minted for [default: the endpoint]
          --provider <NAME>             The CI provider, such as github or gitlab [default: detected]
          --id-token-env <NAME>         The name of the variable that holds an id token; it is exchanged as it is
          --id-token-file <FILE>        The file that holds an id token, read anew for each exchange
          --id-token-command <COMMAND>  The command that prints an id token, split at white space and run anew for each exchange; no shell is between
          --cache                       Shares the token with the other processes of this job until it is time for the next [default: not, unless `COUNTERSIGN_CACHE` is 1]
          --json                        Prints the server's whole answer as JSON; for several resources, an object of answers by resource
          --github-env <NAME>           Appends to the file in `GITHUB_ENV`: a variable for all later steps of the job; one for each resource
          --github-output <NAME>        Appends to the file in `GITHUB_OUTPUT`: an output of this step; one for each resource
          --dotenv <FILE> <NAME>        Appends NAME=token to a dotenv file, readable by its owner alone; one for each resource
      -h, --help                        Print help

    Examples:
      countersign token acme/awesome-model
      HF_TOKEN=$(countersign token datasets/acme/x) hf upload acme/x . --repo-type dataset
      countersign token acme --json
      countersign token acme/model acme/data --github-env MODEL_TOKEN --github-env DATA_TOKEN
      countersign token acme/model --id-token-env MY_ID_TOKEN --endpoint https://registry.example.com

    The tokens alone go to standard output, a line each in the order of the resources; with --github-env, --github-output or
    --dotenv nothing does. All are exchanged before any is written.

    In GitHub Actions the command that masks a token in the log (::add-mask::) goes to standard error, where the runner reads
    it too and $(...) does not: do not redirect standard error into a file or into standard output there. The same in Azure
    Pipelines (##vso[task.setsecret]). Buildkite's agent is told by its job API. GitLab masks nothing that a job makes
    itself; a dotenv file that is uploaded as a report can be read by whoever may read the job's artifacts, so keep it in the
    job.
    --- stderr
    ");
    let shown = Job::github().run(&["whoami", "--help"]);
    assert!(shown.starts_with("exit 0") && shown.contains("countersign whoami --json"), "{shown}");
}
