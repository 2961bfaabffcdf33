//! Resources and Package URLs.

use countersign_core::resource::PackageUrl;
use countersign_core::{PublicUrl, Resource};

use crate::BRIEFLY;
use crate::edit::{Edits, edited};

const EXAMPLES: &[&str] = &[
    "acme/awesome-model",
    "datasets/acme/x",
    "spaces/acme/x_1.0",
    "octocat",
    "pkg:pypi/Acme._Lib",
    "pkg:npm/%40acme/lib",
    "PKG:golang/github.com/acme/lib",
    "buckets/a/b",
];

#[test]
fn a_resource_has_one_canonical_form() {
    let own: PublicUrl = "https://hub.example.com".parse().unwrap();
    bolero::check!().with_test_time(BRIEFLY).with_type::<Edits>().for_each(move |edits| {
        let text = edited(EXAMPLES, edits);
        let parsed = text.parse::<Resource>();
        // The URI of our own host is the same resource, and a foreign one never is.
        assert_eq!(
            Resource::from_request(&format!("https://hub.example.com/{text}"), &own).ok(),
            parsed.as_ref().ok().cloned()
        );
        assert!(Resource::from_request(&format!("https://hub.example.com.evil.com/{text}"), &own).is_err());
        assert!(Resource::from_request(&format!("https://hub.example.com@evil.com/{text}"), &own).is_err());

        let Ok(resource) = parsed else { return };
        let shown = resource.to_string();
        assert_eq!(shown.parse::<Resource>().as_ref(), Ok(&resource));
        assert!(
            shown.is_ascii() && !shown.contains(['?', '#', '@', '\\', ' ']) && !shown.contains("/../"),
            "{shown}"
        );
        match &resource {
            Resource::Package(_) => assert!(shown.starts_with("pkg:")),
            // Names are case-sensitive: nothing about them is changed.
            _ => assert_eq!(shown, text),
        }
    });
}

#[test]
fn a_package_url_is_folded_once_and_for_all() {
    bolero::check!().with_test_time(BRIEFLY).with_type::<Edits>().for_each(|edits| {
        let Ok(package) = edited(&EXAMPLES[4..7], edits).parse::<PackageUrl>() else { return };
        let shown = package.to_string();
        assert_eq!(shown.parse::<PackageUrl>().as_ref(), Ok(&package));
        let (kind, path) = shown.strip_prefix("pkg:").unwrap().split_once('/').unwrap();
        assert_eq!(kind, kind.to_ascii_lowercase());
        assert!(path.split('/').all(|segment| !matches!(segment, "" | "." | ".." | "%40")), "{shown}");
        assert!(kind != "pypi" || !path.contains(['_', '.']) && !path.contains("--"), "{shown}");
    });
}
