//! Elliptic curve keys (RFC 7518 §6.2.1) and Edwards curve keys (RFC 8037 §2).

use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P384_SHA384_FIXED, ECDSA_P521_SHA512_FIXED, ED25519, ParsedPublicKey,
    VerificationAlgorithm,
};
use countersign_core::Algorithm;
use serde_json::{Map, Value};

use super::jwk::{IgnoredReason, bytes};

/// A curve with the one algorithm that goes with it.
pub(super) struct Curve {
    pub(super) algorithm: Algorithm,
    verification: &'static dyn VerificationAlgorithm,
    /// The names of the coordinates, which are written in full length.
    coordinates: &'static [&'static str],
    coordinate_length: usize,
    /// What precedes the coordinates in the encoding of a point: 4 for an uncompressed one (SEC 1 §2.3.3).
    point_prefix: &'static [u8],
}

/// Finds the curve that `kty` and `crv` name together.
pub(super) fn curve(key_type: &str, name: Option<&str>) -> Result<Curve, IgnoredReason> {
    let weierstrass = |algorithm, verification, coordinate_length| Curve {
        algorithm,
        verification,
        coordinates: &["x", "y"],
        coordinate_length,
        point_prefix: &[4],
    };
    match (key_type, name) {
        ("EC", Some("P-256")) => Ok(weierstrass(Algorithm::Es256, &ECDSA_P256_SHA256_FIXED, 32)),
        ("EC", Some("P-384")) => Ok(weierstrass(Algorithm::Es384, &ECDSA_P384_SHA384_FIXED, 48)),
        ("EC", Some("P-521")) => Ok(weierstrass(Algorithm::Es512, &ECDSA_P521_SHA512_FIXED, 66)),
        ("OKP", Some("Ed25519")) => Ok(Curve {
            algorithm: Algorithm::EdDsa,
            verification: &ED25519,
            coordinates: &["x"],
            coordinate_length: 32,
            point_prefix: &[],
        }),
        _ => Err(IgnoredReason::Unsupported),
    }
}

impl Curve {
    /// Reads the point, which must be on the curve.
    pub(super) fn parse(&self, members: &Map<String, Value>) -> Result<ParsedPublicKey, IgnoredReason> {
        let mut point = self.point_prefix.to_vec();
        for name in self.coordinates {
            let coordinate = bytes(members, name)?;
            if coordinate.len() != self.coordinate_length {
                return Err(IgnoredReason::Member(name));
            }
            point.extend(coordinate);
        }
        ParsedPublicKey::new(self.verification, point).map_err(|_| IgnoredReason::Invalid)
    }
}
