//! What the owner demands of the evidence for a source's objects.

use super::filter::glob_set;
use crate::digest::{PublicKey, beside};
use crate::error::{Error, Kind, Result};
use crate::object::{EvidenceClass, ObjectKey};
use globset::GlobSet;

/// `minisign`, `signed` and `require` of a `[[source]]`. Without them nothing is demanded.
#[derive(Clone, Debug, Default)]
pub struct Demands {
    keys: Vec<PublicKey>,
    signed: GlobSet,
    least: Option<EvidenceClass>,
}

impl Demands {
    /// Checked demands: public keys in base64, globs of the keys that must be signed, and the least
    /// evidence that every object should have.
    pub fn new(keys: &[String], signed: &[String], least: Option<EvidenceClass>) -> Result<Self> {
        // Not quoted: the secret key may have been pasted by mistake.
        let bad = || {
            Error::new(Kind::Usage, "minisign: this is no public key of minisign").hint(
                "write the second line of minisign.pub, which begins with RW; never the secret key",
            )
        };
        let keys = keys.iter().map(|key| PublicKey::parse(key).ok_or_else(bad));
        let demands = Self {
            keys: keys.collect::<Result<_>>()?,
            signed: glob_set(signed)?,
            least: None,
        };
        if !demands.signed.is_empty() && demands.keys.is_empty() {
            return Err(keyless("signed"));
        }
        demands.at_least(least)
    }

    /// The same with another demand on every object.
    pub fn at_least(mut self, least: Option<EvidenceClass>) -> Result<Self> {
        if least == Some(EvidenceClass::Signed) && self.keys.is_empty() {
            return Err(keyless("require = \"signed\""));
        }
        self.least = least;
        Ok(self)
    }

    /// The keys whose signatures count.
    pub fn keys(&self) -> &[PublicKey] {
        &self.keys
    }

    /// Whether any object must be signed.
    pub fn any_signature(&self) -> bool {
        !self.signed.is_empty() || self.least == Some(EvidenceClass::Signed)
    }

    /// Whether the object of `size` bytes under `key` must be signed. What is itself about others
    /// must not, and a folder of no bytes cannot.
    pub fn signature(&self, key: &ObjectKey, size: u64) -> bool {
        let all = self.least == Some(EvidenceClass::Signed);
        let folder = size == 0 && key.as_str().ends_with('/');
        (all || self.signed.is_match(key.as_str())) && !folder && beside(key).is_none()
    }

    /// The class that the evidence for an object of `size` bytes under `key` should have, where
    /// `class` is weaker. Nothing is asked of no bytes, and of what is itself about others.
    pub fn weaker(
        &self,
        key: &ObjectKey,
        size: u64,
        class: EvidenceClass,
    ) -> Option<EvidenceClass> {
        let least = self.least.filter(|least| class > *least)?;
        (size > 0 && beside(key).is_none()).then_some(least)
    }
}

fn keyless(what: &str) -> Error {
    Error::new(
        Kind::Usage,
        format!("{what}, and no key to check signatures with"),
    )
    .hint("write minisign = \"RW…\", the second line of minisign.pub, into the [[source]]")
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "RWQf6LRCGA9i53mlYecO4IzT51TGPpvWucNSCh1CBM0QTaLn73Y7GFO3";

    fn key(key: &str) -> ObjectKey {
        ObjectKey::new(key).unwrap()
    }

    #[test]
    fn which_objects_must_be_signed() {
        let keys = [KEY.to_owned()];
        let some = Demands::new(&keys, &["db/*.age".to_owned()], None).unwrap();
        let all = Demands::new(&keys, &[], Some(EvidenceClass::Signed)).unwrap();
        for (name, size, by_some, by_all) in [
            ("db/x.age", 1, true, true),
            ("db/x.age", 0, true, true),
            ("www/x.age", 1, false, true),
            ("db/x.age.minisig", 1, false, false),
            ("db/SHA256SUMS", 1, false, false),
            ("db/x.age.sha256", 1, false, false),
            ("db/", 0, false, false),
        ] {
            assert_eq!(some.signature(&key(name), size), by_some, "{name}");
            assert_eq!(all.signature(&key(name), size), by_all, "{name}");
        }
        assert!(some.any_signature() && all.any_signature());
        assert!(!Demands::default().any_signature());
    }

    #[test]
    fn what_is_weaker() {
        use EvidenceClass::*;
        let demands = Demands::new(&[], &[], Some(Provider)).unwrap();
        for (name, size, class, weaker) in [
            ("x", 1, Length, true),
            ("x", 1, Provider, false),
            ("x", 1, Signed, false),
            ("x", 0, Length, false),
            ("x.sha256", 1, Length, false),
        ] {
            let found = demands.weaker(&key(name), size, class).is_some();
            assert_eq!(found, weaker, "{name} {size} {class}");
        }
        assert_eq!(Demands::default().weaker(&key("x"), 1, Length), None);
    }

    #[test]
    fn demands_that_cannot_be_met_are_refused() {
        let signed = Some(EvidenceClass::Signed);
        for (keys, globs, least, words) in [
            (vec!["hunter2".to_owned()], vec![], None, "no public key"),
            (vec![], vec!["*".to_owned()], None, "no key to check"),
            (vec![], vec![], signed, "no key to check"),
            (
                vec![KEY.to_owned()],
                vec!["[".to_owned()],
                None,
                "not a pattern",
            ),
        ] {
            let error = Demands::new(&keys, &globs, least).unwrap_err();
            assert!(error.to_string().contains(words), "{error}");
            assert!(!error.to_string().contains("hunter2"), "{error}");
        }
    }
}
