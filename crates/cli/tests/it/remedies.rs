//! What `countersign doctor` ends with, for every provider: the change to make, and the lines to add.

use countersign_client::AmbientProvider;
use countersign_client::ambient::ALL;

use crate::job::{Job, claims, id_token};

/// What the report of a job that fails ends with.
fn to_do(job: &Job, arguments: &[&str]) -> String {
    let shown = job.fail(&[&["doctor"], arguments].concat());
    shown.split_once("\nto do: ").unwrap().1.split_once("--- stderr").unwrap().0.to_owned()
}

/// What the reports end with where these providers give no id token.
fn ends(providers: &[&AmbientProvider]) -> String {
    // Where somebody would be asked, nobody listens.
    let job = Job::github().with("GCE_METADATA_HOST", "127.0.0.1:1").without("ACTIONS_ID_TOKEN_REQUEST_URL");
    let end = |name| format!("== {name}\n{}", to_do(&job, &["--provider", name]));
    providers.iter().map(|provider| end(provider.name())).collect::<Vec<_>>().concat()
}

#[test]
fn the_first_providers_have_lines_to_add() {
    insta::assert_snapshot!(ends(&ALL[..8]), @r#"
    == forgejo
    add `enable-openid-connect: true` to the job (Forgejo does not read `permissions`)

        jobs:
          publish:
            enable-openid-connect: true
    == gitea
    add `permissions: id-token: write` to the job, and check that this version of Gitea has id tokens for Actions

        jobs:
          publish:
            permissions:
              id-token: write
              contents: read
    == github
    add `permissions: id-token: write` to the job (a pull request from a fork never gets one); see https://docs.github.com/en/actions/security-for-github-actions/security-hardening-your-deployments

        jobs:
          publish:
            permissions:
              id-token: write
              contents: read
    == depot
    add `permissions: id-token: write` to the job

        jobs:
          publish:
            permissions:
              id-token: write
              contents: read
    == gitlab
    add `id_tokens: { HF_ID_TOKEN: { aud: SERVER } }` to the job, and if GitLab says that ID token issuance is disabled, let the project's `ci_id_token_sub_claim_components` begin with `project_id`

        publish:
          id_tokens:
            HF_ID_TOKEN:
              aud: "SERVER"
    == circleci
    check that `circleci run oidc get --claims '{"aud":"SERVER"}'` works in this step, or run it in one where it does and set HF_OIDC_ID_TOKEN to what it prints

        steps:
          - run: |
              HF_OIDC_ID_TOKEN=$(circleci run oidc get --claims '{"aud":"SERVER"}')
              export HF_OIDC_ID_TOKEN
              countersign doctor
    == buildkite
    let the step see the agent: in the docker plugin set `propagate-environment: true` and `mount-buildkite-agent: true`, or set HF_OIDC_ID_TOKEN to what `buildkite-agent oidc request-token --audience SERVER --claim organization_id,pipeline_id` prints

        steps:
          - command: countersign doctor
            plugins:
              - docker#v5.12.0:
                  image: IMAGE
                  propagate-environment: true
                  mount-buildkite-agent: true
    == bitbucket
    add `oidc: { audiences: ["SERVER"] }` to the step

        pipelines:
          default:
            - step:
                oidc:
                  audiences: ["SERVER"]
                script:
                  - countersign doctor
    "#);
}

#[test]
fn more_providers_have_lines_to_add() {
    insta::assert_snapshot!(ends(&ALL[8..15]), @r#"
    == azure-devops
    add `env: { SYSTEM_ACCESSTOKEN: $(System.AccessToken) }` to the step

        steps:
          - script: countersign doctor --audience api://AzureADTokenExchange
            env:
              SYSTEM_ACCESSTOKEN: $(System.AccessToken)
    == semaphore
    check that the organization's plan has OpenID Connect, and that the job is not a debug job

        blocks:
          - name: publish
            task:
              jobs:
                - name: publish
                  commands:
                    - countersign doctor --audience "$SEMAPHORE_ORGANIZATION_URL"
    == codefresh
    check that OpenID Connect is enabled for the account and that the step runs in a pipeline's build

        steps:
          obtain_id_token:
            type: obtain-oidc-id-token
            arguments:
              AUDIENCE: "SERVER"
          publish:
            image: IMAGE
            commands:
              - countersign doctor --id-token-env ID_TOKEN
    == spacelift
    check that the account's plan has OpenID Connect, and that nothing removed the variable

        stack_defaults:
          before_apply:
            - countersign doctor --audience ACCOUNT.app.spacelift.io
    == hcp-terraform
    set the environment variable `TFC_WORKLOAD_IDENTITY_AUDIENCE` of the workspace to SERVER

        resource "tfe_variable" "audience" {
          workspace_id = tfe_workspace.publish.id
          category     = "env"
          key          = "TFC_WORKLOAD_IDENTITY_AUDIENCE"
          value        = "SERVER"
        }
    == env0
    let an administrator of the organization turn on "Enable OIDC during deployments" among its policies

        Organization > Settings > Policies: [x] Enable OIDC during deployments
    == bitrise
    check that the step runs in a build on bitrise.io, where both variables are set

        workflows:
          publish:
            steps:
              - script@1:
                  inputs:
                    - content: countersign doctor
    "#);
}

#[test]
fn platforms_and_clouds_have_lines_to_add() {
    insta::assert_snapshot!(ends(&ALL[15..]), @r#"
    == fly
    run this as root in the machine, or let its user read and write the socket /.fly/api

        # Dockerfile
        USER root
        CMD ["countersign", "doctor"]
    == vercel
    enable OIDC federation in the project's settings; the token is usually for https://vercel.com/TEAM, so give that with --audience and have the registry accept it

        resource "vercel_project" "publish" {
          oidc_token_config = { issuer_mode = "team" }
        }
    == modal
    create the sandbox with `include_oidc_identity_token=True`, and check that the App's name follows Modal's naming rule

        modal.Sandbox.create(app=app, include_oidc_identity_token=True)
    == kubernetes
    add a volume to the pod with `projected: { sources: [{ serviceAccountToken: { audience: "SERVER", path: token } }] }` and set HF_OIDC_ID_TOKEN_FILE to the path of its file

        spec:
          containers:
            - name: publish
              env:
                - name: HF_OIDC_ID_TOKEN_FILE
                  value: /var/run/secrets/countersign/token
              volumeMounts:
                - name: id-token
                  mountPath: /var/run/secrets/countersign
          volumes:
            - name: id-token
              projected:
                sources:
                  - serviceAccountToken:
                      audience: "SERVER"
                      path: token
    == aws
    enable outbound identity federation for the account, allow the role `sts:GetWebIdentityToken`, and set AWS_REGION: the global endpoint does not mint

        {
          "Effect": "Allow",
          "Action": "sts:GetWebIdentityToken",
          "Resource": "*",
          "Condition": { "ForAllValues:StringEquals": { "sts:IdentityTokenAudience": "SERVER" } }
        }
    == azure
    assign a managed identity, and register SERVER as an application in the tenant: Azure mints for no other

        az vm identity assign --resource-group GROUP --name MACHINE
        az ad app create --display-name countersign --identifier-uris "SERVER"
    == spiffe
    register the workload with the trust domain's server, and put spire-agent into PATH

        spire-server entry create -parentID spiffe://TRUST_DOMAIN/AGENT -spiffeID spiffe://TRUST_DOMAIN/publish -selector unix:uid:1000
    == google
    give the machine a service account, and for GOOGLE_SERVICE_ACCOUNT_NAME the role Service Account OpenID Connect Identity Token Creator

        gcloud iam service-accounts add-iam-policy-binding ACCOUNT \
            --member serviceAccount:MACHINES_ACCOUNT --role roles/iam.serviceAccountOpenIdTokenCreator
    "#);
}

#[test]
fn an_audience_that_is_not_the_jobs_to_choose() {
    let for_another = id_token(&claims("oidc.modal.com"));
    let modal = Job::github().without("GITHUB_ACTIONS").with("MODAL_IDENTITY_TOKEN", &for_another);
    insta::assert_snapshot!(to_do(&modal, &[]), @r"
    Modal mints for nobody else: if the registry accepts its tokens, say with --audience what they are for

        countersign doctor --audience oidc.modal.com
    ");
    let github = Job::github().minting("200 OK", &format!(r#"{{"value":"{for_another}"}}"#));
    insta::assert_snapshot!(to_do(&github, &[]), @"have the id token minted for SERVER, or say with --audience what it is for");
}

#[test]
fn a_clock_that_is_wrong_is_set_first() {
    let ended = id_token(&claims("SERVER").replace("4102444800", "1"));
    let job = Job::github().with("HF_OIDC_ID_TOKEN", &ended);
    insta::assert_snapshot!(to_do(&job, &[]), @"start the job again, so that it gets a new id token");
    let job = job.answering("200 OK\r\nDate: Thu, 01 Jan 2099 00:00:00 GMT", "{}");
    insta::assert_snapshot!(to_do(&job, &[]), @"set this machine's clock: it is wrong, so that good id tokens look expired");
    let shown = job.fail(&["doctor", "--json"]);
    assert!(shown.contains("\"snippet\": null"), "{shown}");
}
