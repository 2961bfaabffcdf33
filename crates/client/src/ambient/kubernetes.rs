//! Kubernetes: the service account's token in a file, where the pod has one for somebody outside (EKS: IRSA).
//!
//! The file that every pod has is for the cluster itself and never used: whoever has it may use the cluster.
//! `AWS_WEB_IDENTITY_TOKEN_FILE` is set in jobs of many providers, so alone it is no sign of a pod.
//!
//! Source: Kubernetes documentation, "Configure Service Accounts for Pods"; Amazon EKS User Guide, "IAM roles for service
//! accounts".

use countersign_core::{Audience, Provider};

use super::token_service::variable;
use super::{AmbientProvider, AudienceChoice, JobMark, Minted, declared};
use crate::surroundings::Surroundings;

/// Kubernetes.
pub(super) const PROVIDER: AmbientProvider = AmbientProvider {
    provider: Provider::Kubernetes,
    sign: "KUBERNETES_SERVICE_HOST and AWS_WEB_IDENTITY_TOKEN_FILE",
    audience: AudienceChoice::Declared,
    job: JobMark::IdToken,
    remark: Some("one token serves the pod until the kubelet replaces it"),
    remedy: |audience| {
        format!(
            "add a volume to the pod with `projected: {{ sources: [{{ serviceAccountToken: {{ audience: \"{audience}\", \
             path: token }} }}] }}` and set HF_OIDC_ID_TOKEN_FILE to the path of its file"
        )
    },
    snippet: SNIPPET,
    detect: |surroundings| {
        let variables = &surroundings.variables;
        variables.has_any(&["KUBERNETES_SERVICE_HOST"]) && variables.has_any(&[FILE])
    },
    mint,
};

const SNIPPET: &str = "\
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
              audience: {audience}
              path: token";

const FILE: &str = "AWS_WEB_IDENTITY_TOKEN_FILE";

fn mint(surroundings: &Surroundings, _: &Audience) -> Minted {
    declared::in_file(surroundings, variable(surroundings, FILE)?)
}
