//! The single weaknesses.

use super::{Code, Warning};
use crate::claims::Scalar;
use crate::provider::Field;
use crate::publisher::{Condition, Rules, Selector};

/// Those that the rules alone tell.
pub(super) const ALL: [fn(&Rules) -> Vec<Warning>; 11] = [
    looks_like_pattern,
    allowed_event,
    any_repository,
    any_caller,
    any_branch,
    names_only,
    fixed_audience,
    not_pinned_yet,
    shared_issuer,
    self_hosted_runners,
    several_values,
];

fn warning(code: Code, problem: String, consequence: &str, remedy: String) -> Warning {
    Warning { code, severity: code.severity(), problem, consequence: consequence.to_owned(), remedy }
}

/// Preset fields refuse most patterns; what is left are claims by pointer and names of which nothing is known.
fn looks_like_pattern(rules: &Rules) -> Vec<Warning> {
    let texts = rules.conditions().iter().flat_map(|condition| {
        condition.values().iter().filter_map(move |value| match value {
            Scalar::Text(text) if is_pattern(text) => Some((condition.selector(), text)),
            _ => None,
        })
    });
    let warn = |(selector, text): (&Selector, &String)| {
        warning(
            Code::LooksLikePattern,
            format!("{selector} is compared with {text:?} as it stands, letter by letter"),
            "unless the claim really contains these characters, no run will ever match",
            "write the exact values, several of them if need be".to_owned(),
        )
    };
    texts.map(warn).collect()
}

fn is_pattern(text: &str) -> bool {
    text.contains(['*', '|']) || text.starts_with('^') || text.ends_with(['$', '?'])
}

fn allowed_event(rules: &Rules) -> Vec<Warning> {
    let Some(event) = &rules.provider().preset().event else { return Vec::new() };
    let allowed = event.refused.iter().filter(|name| rules.allows_event(name));
    let warn = |name: &&'static str| {
        warning(
            Code::AllowedEvent,
            format!("runs of {} {name} are let in", event.claim),
            event.reason,
            format!("take {name} out of the allowed events, and publish from another one"),
        )
    };
    allowed.map(warn).collect()
}

/// The first pin of a preset is the repository's own, and learned with the field that names it.
fn any_repository(rules: &Rules) -> Vec<Warning> {
    let Some(own) = rules.provider().preset().pins.first() else { return Vec::new() };
    if rules.has_field(own.learned_with) || rules.has_given_pin(own.claim) {
        return Vec::new();
    }
    vec![warning(
        Code::AnyRepository,
        format!("no condition says which {} is meant, only whose it is", own.learned_with),
        "whoever can run a job anywhere in that organization, in a new or a forgotten place too, gets a token",
        format!("set {}, or pin {}", own.learned_with, own.claim),
    )]
}

fn any_caller(rules: &Rules) -> Vec<Warning> {
    let preset = rules.provider().preset();
    let (Some(called), Some(own)) = (preset.cautions.called_workflow, preset.pins.first()) else {
        return Vec::new();
    };
    let names_caller = rules.has_field(own.learned_with) || rules.has_given_pin(own.claim);
    if !rules.has_pointer(called) || names_caller {
        return Vec::new();
    }
    vec![warning(
        Code::AnyCaller,
        format!("the reusable workflow in /{called} is trusted, and nothing says who may call it"),
        "another repository calls the workflow with inputs of its own, and gets a token for this resource",
        format!("set {} to the repository that calls it", own.learned_with),
    )]
}

fn any_branch(rules: &Rules) -> Vec<Warning> {
    let preset = rules.provider().preset();
    let guarded: Vec<&Field> = preset.fields.iter().filter(|field| field.guarded).collect();
    let is_guarded =
        guarded.iter().any(|field| rules.has_field(field.name) || rules.has_pointer(field.claim))
            || preset.cautions.guarding_claims.iter().any(|claim| rules.has_pointer(claim));
    if guarded.is_empty() || is_guarded {
        return Vec::new();
    }
    let names: Vec<&str> = guarded.iter().map(|field| field.name).collect();
    vec![warning(
        Code::AnyBranch,
        format!("there is no condition on {}", names.join(" or ")),
        "whoever may start a run there gets a token, also one of code that nobody has reviewed: a workflow's file is \
         changed on a branch as easily as anything else",
        format!("set {}, and protect it in the settings of {}", names.join(" or "), preset.title),
    )]
}

fn names_only(rules: &Rules) -> Vec<Warning> {
    let is_id = |condition: &Condition| matches!(condition.selector(), Selector::Field(field) if field.id && field.single);
    if rules.pins().next().is_some() || rules.conditions().iter().any(is_id) {
        return Vec::new();
    }
    vec![warning(
        Code::NamesOnly,
        "nothing holds this publisher to an immutable id".to_owned(),
        "if what these names stand for is deleted or renamed, whoever takes the names next gets tokens",
        match rules.provider().preset().pins {
            [] => "add a condition on a claim that is never given twice, where the issuer has one".to_owned(),
            [own, ..] => format!("pin {}", own.claim),
        },
    )]
}

fn fixed_audience(rules: &Rules) -> Vec<Warning> {
    let preset = rules.provider().preset();
    if !preset.cautions.has_fixed_audience {
        return Vec::new();
    }
    vec![warning(
        Code::FixedAudience,
        format!("every token of {} has the same audience", preset.title),
        "any other service that the job shows its token to can show it here, and gets a token in the job's name",
        "show the tokens of this job to nobody else".to_owned(),
    )]
}

fn not_pinned_yet(rules: &Rules) -> Vec<Warning> {
    let unknown: Vec<&str> = rules.pins().filter(|(_, id)| id.is_none()).map(|(claim, _)| claim).collect();
    if unknown.is_empty() {
        return Vec::new();
    }
    vec![warning(
        Code::NotPinnedYet,
        format!("{} will be learned from the first run that meets all conditions", unknown.join(" and ")),
        "if the names change hands before that, it is their new holder who is pinned",
        format!("give {} now, or let the first run come soon", unknown.join(" and ")),
    )]
}

fn shared_issuer(rules: &Rules) -> Vec<Warning> {
    let preset = rules.provider().preset();
    let is_shared = preset.cautions.shared_issuers.contains(&rules.issuer().as_str());
    let is_held = rules.pins().any(|(_, id)| id.is_some());
    if !is_shared || is_held {
        return Vec::new();
    }
    vec![warning(
        Code::SharedIssuer,
        format!("every customer of {} has tokens of {}", preset.title, rules.issuer()),
        "the conditions alone keep all the others out",
        match preset.pins {
            [] => "ask for the customer's id too".to_owned(),
            pins => {
                let claims: Vec<&str> = pins.iter().map(|pin| pin.claim).collect();
                format!("pin {}", claims.join(" or "))
            }
        },
    )]
}

fn self_hosted_runners(rules: &Rules) -> Vec<Warning> {
    let Some((claim, value)) = rules.provider().preset().cautions.hosted else { return Vec::new() };
    if rules.has_pointer(claim) {
        return Vec::new();
    }
    vec![warning(
        Code::SelfHostedRunners,
        "runs on self-hosted runners are let in".to_owned(),
        "whatever an earlier job or a neighbour left behind on such a machine can take the token",
        format!("unless the job needs one, set /{claim} to {value}"),
    )]
}

fn several_values(rules: &Rules) -> Vec<Warning> {
    let several = rules.conditions().iter().filter(|condition| condition.values().len() > 1);
    let warn = |condition: &Condition| {
        warning(
            Code::SeveralValues,
            format!("{} may have any of {} values", condition.selector(), condition.values().len()),
            "one that is no longer needed is easily left in, and none can be disabled without the others",
            "make a publisher for each".to_owned(),
        )
    };
    several.map(warn).collect()
}

pub(super) fn reusable_token(max_exchanges: u32) -> Option<Warning> {
    (max_exchanges > 1).then(|| {
        warning(
            Code::ReusableToken,
            format!("one id token buys up to {max_exchanges} access tokens"),
            "whoever reads it beside the job, in a variable or a log, can exchange it too until it expires",
            "keep it out of logs and of steps that do not need it; lower the issuer's max_exchanges if the job exchanges \
             it less often"
                .to_owned(),
        )
    })
}
