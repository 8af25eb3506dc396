//! How a bucket is to be listed: its versions, or its keys.

use super::By;
use crate::bucket::{Page, Torn, VersionListing, Versioning};
use crate::config::Versions;
use crate::error::Result;
use crate::object::Fact;
use crate::pull::group::Group;
use crate::pull::{Pull, lost, versioning, words};
use tokio::runtime::Runtime;

/// How a bucket is to be listed; of versions the first page came already.
pub(super) enum Way {
    /// Those that are current; and why not the others, where they were asked for.
    Keys(Option<String>),
    Versions(Box<VersionListing>, Option<Page>),
}

impl Pull {
    /// How the bucket is to be listed, and whether it said that it keeps versions; nothing when the
    /// owner asked for an end.
    pub(super) fn way(&self, runtime: &Runtime) -> Result<Option<(Way, Versioning)>> {
        let asked = runtime.block_on(async {
            tokio::select! {
                asked = self.ask_versioning() => Some(asked),
                () = self.stop.wait() => None,
            }
        });
        let Some((asked, keeps)) = asked.transpose()? else {
            return Ok(None);
        };
        let way = match asked {
            Ok(way) => way,
            Err(Torn::Refused(error)) if self.source.versions == Versions::Auto => {
                let way_out = error.way_out().unwrap_or("the server has no such listing");
                Way::Keys(Some(format!("{error}; {way_out}")))
            }
            Err(Torn::Refused(error) | Torn::Failed(error)) => return Err(error),
            Err(Torn::Disorder) => Way::Keys(None),
        };
        Ok(Some((way, keeps)))
    }

    async fn ask_versioning(&self) -> Result<(std::result::Result<Way, Torn>, Versioning)> {
        let keeps = match self.source.versions {
            Versions::Current | Versions::All => Versioning::Unknown,
            Versions::Auto => self.bucket.versioning().await?,
        };
        let way = match (self.source.versions, keeps) {
            (Versions::Current, _) | (Versions::Auto, Versioning::Off) => Ok(Way::Keys(None)),
            _ => self.ask_versions().await,
        };
        Ok((way, keeps))
    }

    async fn ask_versions(&self) -> std::result::Result<Way, Torn> {
        let mut listing = self.bucket.list_versions();
        let page = listing.next().await?;
        Ok(Way::Versions(Box::new(listing), page))
    }

    /// Says how the bucket is listed from now on, if that was not what was said last. That
    /// versions are listed is worth a word only after they were refused.
    pub(super) fn say_how(
        &self,
        group: &mut Group<'_, '_>,
        by: By,
        refused: Option<String>,
    ) -> Result<()> {
        let now = self.clock.now();
        let event = match (by, refused) {
            (By::Versions, _) => words::versions_listed(now),
            (By::Keys, Some(why)) => words::versions_refused(&why, now),
            (By::Keys, None) => return Ok(()),
        };
        let shelf = group.shelf();
        let kinds = [words::VERSIONS_REFUSED, words::VERSIONS_LISTED];
        let last = shelf.catalogue().said_last(shelf.name(), kinds)?;
        if last.as_deref().unwrap_or(words::VERSIONS_LISTED) == event.kind {
            return Ok(());
        }
        // Where the very first run was refused, that the bucket keeps versions was not said before.
        let kinds = [versioning::ON, versioning::OFF];
        let kept = shelf.catalogue().said_last(shelf.name(), kinds)?.is_some();
        if by == By::Keys && kept {
            group.finding(|frame| lost::VERSIONS.said(frame))?;
        }
        log::warn!("{}: {}", self.source.name, event.text);
        group.says(Fact::Event(event))
    }
}
