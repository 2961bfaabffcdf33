//! A private certificate authority, such as companies have.

use std::path::{Path, PathBuf};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, KeyUsagePurpose};

/// The authority's certificate, as clients are told to trust it.
pub(crate) struct Authority {
    pub(crate) file: PathBuf,
    pub(crate) pem: String,
}

impl Authority {
    /// Makes an authority, and has it sign `cert.pem` with `key.pem` for 127.0.0.1.
    pub(crate) fn certify(folder: &Path) -> Self {
        let mut own = CertificateParams::new([]).unwrap();
        own.distinguished_name.push(DnType::CommonName, "Acme's own authority");
        own.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        own.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let authority = CertifiedIssuer::self_signed(own, KeyPair::generate().unwrap()).unwrap();

        let mut server = CertificateParams::new(["127.0.0.1".to_owned()]).unwrap();
        server.use_authority_key_identifier_extension = true;
        let key = KeyPair::generate().unwrap();
        let certificate = server.signed_by(&key, &authority).unwrap();
        std::fs::write(folder.join("cert.pem"), certificate.pem()).unwrap();
        std::fs::write(folder.join("key.pem"), key.serialize_pem()).unwrap();

        let file = folder.join("authority.pem");
        std::fs::write(&file, authority.pem()).unwrap();
        Self { file, pem: authority.pem() }
    }
}
