//! The raw verification of signatures against public vectors: Project Wycheproof and the RFCs. Its sets have no JWS ones,
//! but the primitives in the encodings that JWS uses.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use countersign_core::Algorithm;
use serde_json::{Value, json};
use wycheproof::{TestResult, ecdsa, eddsa, rsa_pkcs1_verify, rsa_pss_verify};

use super::{VerificationKey, parse};

fn key(jwk: &Value) -> VerificationKey {
    parse(jwk.as_object().unwrap(), &Algorithm::ALL).unwrap()
}

fn encode(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// A valid signature verifies and an invalid one does not; `acceptable` ones may do either.
fn check(key: &VerificationKey, number: usize, message: &[u8], signature: &[u8], expected: TestResult) {
    let verifies = key.verify(message, signature).is_ok();
    match expected {
        TestResult::Valid => assert!(verifies, "{:?} refused valid vector {number}", key.algorithm()),
        TestResult::Invalid => assert!(!verifies, "{:?} took invalid vector {number}", key.algorithm()),
        TestResult::Acceptable => {}
    }
}

#[test]
fn wycheproof_rsa_pkcs1() {
    use rsa_pkcs1_verify::{TestName, TestSet};
    for (name, algorithm) in [
        (TestName::Rsa2048Sha256, "RS256"),
        (TestName::Rsa2048Sha384, "RS384"),
        (TestName::Rsa2048Sha512, "RS512"),
        (TestName::Rsa3072Sha256, "RS256"),
        (TestName::Rsa3072Sha384, "RS384"),
        (TestName::Rsa3072Sha512, "RS512"),
        (TestName::Rsa4096Sha256, "RS256"),
        (TestName::Rsa4096Sha384, "RS384"),
        (TestName::Rsa4096Sha512, "RS512"),
        (TestName::Rsa8192Sha256, "RS256"),
    ] {
        for group in TestSet::load(name).unwrap().test_groups {
            let (n, e) = (encode(&group.key.n), encode(&group.key.e));
            let key = key(&json!({"kty": "RSA", "alg": algorithm, "n": n, "e": e}));
            for test in group.tests {
                check(&key, test.tc_id, &test.msg, &test.sig, test.result);
            }
        }
    }
}

/// RFC 7518 §3.5: the salt is as long as the hash, and MGF1 uses the same hash.
#[test]
fn wycheproof_rsa_pss() {
    use rsa_pss_verify::{TestName, TestSet};
    for (name, algorithm) in [
        (TestName::RsaPss2048Sha256Mgf1SaltLen32, "PS256"),
        (TestName::RsaPss2048Sha384Mgf1SaltLen48, "PS384"),
        (TestName::RsaPss3072Sha256Mgf1SaltLen32, "PS256"),
        (TestName::RsaPss4096Sha256Mgf1SaltLen32, "PS256"),
        (TestName::RsaPss4096Sha384Mgf1SaltLen48, "PS384"),
        (TestName::RsaPss4096Sha512Mgf1SaltLen64, "PS512"),
    ] {
        for group in TestSet::load(name).unwrap().test_groups {
            let (n, e) = (encode(&group.key.n), encode(&group.key.e));
            let key = key(&json!({"kty": "RSA", "alg": algorithm, "n": n, "e": e}));
            for test in group.tests {
                check(&key, test.tc_id, &test.msg, &test.sig, test.result);
            }
        }
    }
}

/// P1363 is the fixed-length `r || s` of RFC 7518 §3.4.
#[test]
fn wycheproof_ecdsa_fixed_length() {
    use ecdsa::{TestName, TestSet};
    for (name, curve) in [
        (TestName::EcdsaSecp256r1Sha256P1363, "P-256"),
        (TestName::EcdsaSecp384r1Sha384P1363, "P-384"),
        (TestName::EcdsaSecp521r1Sha512P1363, "P-521"),
    ] {
        for group in TestSet::load(name).unwrap().test_groups {
            let (x, y) = group.key.key[1..].split_at((group.key.key.len() - 1) / 2);
            let key = key(&json!({"kty": "EC", "crv": curve, "x": encode(x), "y": encode(y)}));
            for test in group.tests {
                check(&key, test.tc_id, &test.msg, &test.sig, test.result);
            }
        }
    }
}

#[test]
fn wycheproof_ed25519() {
    for group in eddsa::TestSet::load(eddsa::TestName::Ed25519).unwrap().test_groups {
        let key = key(&json!({"kty": "OKP", "crv": "Ed25519", "x": encode(&group.key.pk)}));
        for test in group.tests {
            check(&key, test.tc_id, &test.msg, &test.sig, test.result);
        }
    }
}

/// The payload of RFC 7515 appendix A.
const JOE: &str =
    "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ";

fn check_rfc(jwk: &Value, header: &str, payload: &str, signature: &str) {
    let signature = crate::base64url::decode(signature).unwrap();
    let signed = format!("{header}.{payload}");
    let key = key(jwk);
    assert!(key.verify(signed.as_bytes(), &signature).is_ok());
    assert!(key.verify(signed.to_uppercase().as_bytes(), &signature).is_err());
}

#[test]
fn rfc_7515_a2_rs256() {
    check_rfc(
        &json!({"kty": "RSA", "alg": "RS256", "e": "AQAB", "n": "ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddx\
            HmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5\
            z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGN\
            j8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ"}),
        "eyJhbGciOiJSUzI1NiJ9",
        JOE,
        "cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5jujGbds9uJdbF9CUAr7t1dnZcAcQjb\
         KBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_eSN9383LcOLn6_dO--xi12jzDwusC-eOkHWEsqtFZES\
         c6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQGe77Rw",
    );
}

#[test]
fn rfc_7515_a3_es256() {
    check_rfc(
        &json!({"kty": "EC", "crv": "P-256", "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
            "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"}),
        "eyJhbGciOiJFUzI1NiJ9",
        JOE,
        "DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q",
    );
}

#[test]
fn rfc_8037_a4_ed25519() {
    check_rfc(
        &json!({"kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}),
        "eyJhbGciOiJFZERTQSJ9",
        "RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc",
        "hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg",
    );
}
