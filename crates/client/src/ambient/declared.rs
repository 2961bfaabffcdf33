//! Tokens that lie in a variable or a file when the job starts: there is nothing to call.

use countersign_core::{Audience, IdToken};

use super::{Minted, Obstacle};
use crate::identity::Source;
use crate::surroundings::Surroundings;
use crate::unverified::UnverifiedClaims;
use crate::variables::Variables;

/// The token in the first of these variables that is set, whatever it is for: that is checked where all tokens are.
pub(super) fn first_of(surroundings: &Surroundings, names: &[&str]) -> Minted {
    let set = names.iter().find_map(|name| Some((*name, surroundings.variables.text(name)?)));
    match set {
        Some((name, token)) => Ok((IdToken::from(token.to_owned()), Source::Variable(name.to_owned()))),
        None => Err(Obstacle::unset(&names.join(" or "))),
    }
}

/// The token in the first of these variables that holds one for the audience: a job may have several.
pub(super) fn first_for<'a>(
    variables: &Variables,
    audience: &Audience,
    mut names: impl Iterator<Item = &'a str>,
) -> Option<(IdToken, Source)> {
    names.find_map(|name| {
        let token = IdToken::from(variables.text(name)?.to_owned());
        let claims = UnverifiedClaims::read(&token).ok()?;
        let fits = claims.audiences().contains(&audience.as_str());
        fits.then(|| (token, Source::Variable(name.to_owned())))
    })
}

/// The token in a file.
pub(super) fn in_file(surroundings: &Surroundings, path: &str) -> Minted {
    let unreadable = |reason: &str| Obstacle::NotSetUp(format!("the file {path} cannot be read: {reason}"));
    let text = surroundings.files.read(path.as_ref()).map_err(|error| unreadable(&error.to_string()))?;
    match text.trim() {
        "" => Err(unreadable("it is blank")),
        token => Ok((IdToken::from(token.to_owned()), Source::File(path.into()))),
    }
}
