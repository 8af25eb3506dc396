//! `[[source]]`: a bucket, and what of it comes home.

use super::address::{Wrong, host_of};
use super::{Demands, Filter};
use crate::error::{Error, Kind, Result};
use crate::object::{EvidenceClass, SourceName};
use serde::Deserialize;
use std::path::PathBuf;

/// One `[[source]]`.
#[derive(Clone, Debug)]
pub struct SourceConfig {
    /// Its name, and its folder on the drive.
    pub name: SourceName,
    /// The bucket.
    pub bucket: String,
    /// The endpoint's URL; `None` for AWS.
    pub endpoint: Option<String>,
    /// The region that requests are signed for.
    pub region: String,
    /// Which keys.
    pub filter: Filter,
    /// How the bucket's name is put into the URL.
    pub addressing: Addressing,
    /// A private CA, PEM.
    pub ca_file: Option<PathBuf>,
    /// Where the key comes from: `env`, `profile:NAME`, `process:COMMAND`, `systemd:NAME` or
    /// `vault:MOUNT/PATH`.
    pub credentials: String,
    /// Which versions are pulled.
    pub versions: Versions,
    /// What is said of objects that are not encrypted.
    pub encryption: Encryption,
    /// What is demanded of the evidence for its objects.
    pub demands: Demands,
}

/// Which versions are pulled.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Versions {
    /// All that the bucket holds, where it keeps versions and the key may list them; else what is
    /// current.
    #[default]
    Auto,
    /// All. That they cannot be listed is an error.
    All,
    /// What a plain GET of each key answers.
    Current,
}

/// What is said of objects that are not encrypted. They are kept whatever it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Encryption {
    /// An alarm for what anyone can read, a warning for what cannot be told.
    Require,
    /// One warning for each readable format that a source ever has.
    #[default]
    Warn,
    /// Nothing.
    Ignore,
}

/// How the bucket's name is put into the URL.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Addressing {
    /// Path style for every custom endpoint, virtual-hosted style for AWS.
    #[default]
    Auto,
    /// `https://endpoint/bucket/key`.
    Path,
    /// `https://bucket.endpoint/key`.
    Virtual,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawSource {
    name: SourceName,
    bucket: String,
    #[serde(default)]
    endpoint: String,
    #[serde(default)]
    region: String,
    #[serde(default)]
    prefix: String,
    #[serde(default)]
    include: Vec<String>,
    #[serde(default)]
    exclude: Vec<String>,
    #[serde(default)]
    addressing: Addressing,
    #[serde(default)]
    ca_file: PathBuf,
    #[serde(default)]
    versions: Versions,
    #[serde(default)]
    encryption: Encryption,
    #[serde(default)]
    credentials: Option<String>,
    #[serde(default)]
    allow_http: bool,
    #[serde(default)]
    minisign: OneOrMany,
    #[serde(default)]
    signed: Vec<String>,
    require: Option<EvidenceClass>,
}

/// A text, or a list of them.
#[derive(Default)]
struct OneOrMany(Vec<String>);

impl<'de> Deserialize<'de> for OneOrMany {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> std::result::Result<Self, D::Error> {
        struct Either;
        impl<'de> serde::de::Visitor<'de> for Either {
            type Value = OneOrMany;
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a text or a list of texts")
            }
            fn visit_str<E>(self, text: &str) -> std::result::Result<OneOrMany, E> {
                Ok(OneOrMany(vec![text.to_owned()]))
            }
            fn visit_seq<A: serde::de::SeqAccess<'de>>(
                self,
                mut list: A,
            ) -> std::result::Result<OneOrMany, A::Error> {
                let mut texts = Vec::new();
                while let Some(text) = list.next_element()? {
                    texts.push(text);
                }
                Ok(OneOrMany(texts))
            }
        }
        from.deserialize_any(Either)
    }
}

impl RawSource {
    pub(super) fn check(self) -> Result<SourceConfig> {
        let name = self.name;
        if self.bucket.is_empty() {
            return Err(Error::new(
                Kind::Usage,
                format!("source {name}: bucket is empty"),
            ));
        }
        let endpoint = (!self.endpoint.is_empty()).then_some(self.endpoint);
        if let Some(url) = &endpoint {
            check_endpoint(&name, url, self.allow_http)?;
        }
        if endpoint.is_none() && self.region.is_empty() {
            return Err(
                Error::new(Kind::Usage, format!("source {name}: no region"))
                    .hint("for AWS, write region = \"eu-central-1\" or where the bucket is; for another provider, write its endpoint"),
            );
        }
        let demands = Demands::new(&self.minisign.0, &self.signed, self.require);
        let demands = demands.map_err(|error| {
            let what = format!("source {name}: {}", error.subject());
            let hint = error.way_out().unwrap_or_default().to_owned();
            Error::new(Kind::Usage, what).hint(hint)
        })?;
        Ok(SourceConfig {
            demands,
            filter: Filter::new(&self.prefix, &self.include, &self.exclude)?,
            bucket: self.bucket,
            region: if self.region.is_empty() {
                // What servers with a single region expect.
                "us-east-1".to_owned()
            } else {
                self.region
            },
            endpoint,
            addressing: self.addressing,
            encryption: self.encryption,
            versions: self.versions,
            ca_file: (!self.ca_file.as_os_str().is_empty()).then_some(self.ca_file),
            credentials: self.credentials.unwrap_or_else(|| "env".to_owned()),
            name,
        })
    }
}

fn check_endpoint(name: &SourceName, url: &str, allow_http: bool) -> Result<()> {
    let whole = "write it whole, such as https://fra1.digitaloceanspaces.com";
    let (what, way_out) = match host_of(url, allow_http) {
        Ok(_) => return Ok(()),
        Err(Wrong::Password) => (
            "the endpoint holds a name or a password".to_owned(),
            "write the endpoint without it; the key comes from `credentials`",
        ),
        Err(Wrong::NoHost) => (format!("endpoint {url:?} names no host"), whole),
        Err(Wrong::Plain) => (
            format!("endpoint {url} is not encrypted"),
            "use https://, or write allow_http = true if the network between is yours",
        ),
        Err(Wrong::NoUrl) => (
            format!("endpoint {url:?} is not a URL"),
            "write it with https://, such as https://fra1.digitaloceanspaces.com",
        ),
    };
    Err(Error::new(Kind::Usage, format!("source {name}: {what}")).hint(way_out))
}
