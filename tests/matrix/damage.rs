//! What is done to a file, and to which.

use crate::{Cell, Original, copy};
use std::fs;
use std::path::{Path, PathBuf};

/// A file of the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    Latest,
    History,
    Catalogue,
    Marker,
    Sums,
    Journal,
}

pub(crate) const PLACES: [Place; 6] = [
    Place::Latest,
    Place::History,
    Place::Catalogue,
    Place::Marker,
    Place::Sums,
    Place::Journal,
];

impl Place {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Latest => "latest",
            Self::History => "history",
            Self::Catalogue => "catalogue",
            Self::Marker => "marker",
            Self::Sums => "sums",
            Self::Journal => "journal",
        }
    }

    /// What the owner must read where a command does not end well.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Latest | Self::History => "daily.age",
            Self::Catalogue => "catalogue",
            Self::Marker => "store",
            Self::Sums => "SHA256SUMS",
            Self::Journal => "journal",
        }
    }

    /// The file that is harmed.
    pub(crate) fn file(self, store: &Path) -> PathBuf {
        match self {
            Self::Latest => store.join("www/latest/daily.age"),
            Self::History => first(&store.join("www/history/daily.age")),
            Self::Catalogue => store.join("catalogue.db"),
            Self::Marker => store.join("offsite-store.toml"),
            Self::Sums => store.join("www/SHA256SUMS"),
            // The first night's: what it says of other.age nobody else says.
            Self::Journal => first(&store.join("www/journal")),
        }
    }

    /// Another one of its kind.
    fn other(self, store: &Path, original: &Original) -> PathBuf {
        match self {
            Self::Latest => store.join("www/latest/other.age"),
            Self::History => last(&store.join("www/history/daily.age")),
            Self::Catalogue => copied(original, "catalogue.db", store),
            Self::Marker => copied(original, "offsite-store.toml", store),
            Self::Sums => store.join("www/history.SHA256SUMS"),
            Self::Journal => last(&store.join("www/journal")),
        }
    }

    fn of(file: &Path, store: &Path) -> Self {
        let mut places = PLACES.into_iter();
        places.find(|place| place.file(store) == file).unwrap()
    }
}

/// The file of this name of the other store, beside this one.
fn copied(original: &Original, name: &str, store: &Path) -> PathBuf {
    let to = store.with_file_name(name);
    fs::copy(original.other.store.path.join(name), &to).unwrap();
    to
}

fn sorted(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap();
    let mut files: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

fn first(folder: &Path) -> PathBuf {
    sorted(folder).remove(0)
}

fn last(folder: &Path) -> PathBuf {
    sorted(folder).pop().unwrap()
}

pub(crate) struct Damage {
    pub(crate) name: &'static str,
    /// Whether it can be done there.
    pub(crate) at: fn(Place) -> bool,
    pub(crate) harm: fn(&Path, &Cell<'_>, &Original),
}

/// Changes the bytes and leaves the times, as a drive does.
fn rots(file: &Path, change: impl Fn(&mut Vec<u8>)) {
    let before = fs::metadata(file).unwrap().modified().unwrap();
    let mut bytes = fs::read(file).unwrap();
    change(&mut bytes);
    fs::write(file, bytes).unwrap();
    let file = fs::File::options().write(true).open(file).unwrap();
    file.set_modified(before).unwrap();
}

fn find(bytes: &[u8], what: &[u8]) -> usize {
    bytes.windows(what.len()).position(|w| w == what).unwrap()
}

fn anywhere(_: Place) -> bool {
    true
}

pub(crate) const DAMAGES: [Damage; 13] = [
    Damage {
        name: "flipped bit",
        at: anywhere,
        // Of something that counts.
        harm: |file, cell, _| {
            let place = Place::of(file, &cell.store());
            rots(file, |bytes| {
                let at = match place {
                    Place::Catalogue => find(bytes, b"third.age"),
                    Place::Marker => find(bytes, b"id = \"") + 10,
                    _ => bytes.len() / 2,
                };
                bytes[at] ^= 1;
            });
        },
    },
    Damage {
        name: "truncation",
        at: anywhere,
        harm: |file, _, _| rots(file, |bytes| bytes.truncate(bytes.len() / 2)),
    },
    Damage {
        name: "zeroed block",
        at: anywhere,
        harm: |file, _, _| {
            rots(file, |bytes| {
                let end = bytes.len().min(4096);
                bytes[..end].fill(0);
            });
        },
    },
    Damage {
        name: "deletion",
        at: anywhere,
        harm: |file, _, _| fs::remove_file(file).unwrap(),
    },
    Damage {
        name: "swap",
        at: anywhere,
        harm: |file, cell, original| {
            let store = cell.store();
            let other = Place::of(file, &store).other(&store, original);
            let (mine, theirs) = (fs::read(file).unwrap(), fs::read(&other).unwrap());
            assert_ne!(mine, theirs);
            fs::write(file, theirs).unwrap();
            fs::write(&other, mine).unwrap();
        },
    },
    Damage {
        name: "renaming",
        at: anywhere,
        harm: |file, _, _| {
            let mut name = file.file_name().unwrap().to_owned();
            name.push(".bak");
            fs::rename(file, file.with_file_name(name)).unwrap();
        },
    },
    Damage {
        name: "edit by hand",
        at: anywhere,
        harm: |file, _, _| {
            let mut bytes = fs::read(file).unwrap();
            bytes.extend_from_slice(b"and more");
            fs::write(file, bytes).unwrap();
        },
    },
    Damage {
        name: "stale one",
        at: |place| place == Place::Catalogue,
        harm: |file, _, original| {
            fs::copy(original.before.join("catalogue.db"), file).unwrap();
        },
    },
    Damage {
        name: "one of a later day",
        at: |place| place == Place::Journal,
        // The journal lost its last night; the catalogue knows it.
        harm: |file, _, _| fs::remove_file(last(file.parent().unwrap())).unwrap(),
    },
    Damage {
        name: "torn tail",
        at: |place| place == Place::Journal,
        harm: |file, _, _| {
            let tail = last(file.parent().unwrap());
            rots(&tail, |bytes| bytes.truncate(bytes.len() - 10));
        },
    },
    Damage {
        name: "edited line",
        at: |place| place == Place::Journal,
        harm: |file, _, _| {
            let text = fs::read_to_string(file).unwrap();
            let edited = text.replacen("other.age", "Other.age", 1);
            assert_ne!(text, edited);
            fs::write(file, edited).unwrap();
        },
    },
    Damage {
        name: "forged digest",
        at: |place| matches!(place, Place::Sums | Place::Journal),
        // Somebody has put other bytes into latest/, and says that they are right.
        harm: |file, cell, original| {
            let (right, forged) = (
                original.truth.digest("otherX"),
                original.truth.digest("forged"),
            );
            let text = fs::read_to_string(file).unwrap();
            assert!(text.contains(&right));
            fs::write(file, text.replace(&right, &forged)).unwrap();
            fs::write(cell.store().join("www/latest/other.age"), "forged").unwrap();
        },
    },
    Damage {
        name: "half a group",
        at: |place| place == Place::Latest,
        // The power went: the journal has the last night, latest/ and the catalogue do not.
        harm: |file, cell, original| {
            let store = cell.store();
            cut_behind_the_place(&last(&store.join("www/journal")));
            fs::remove_file(store.join("catalogue.db")).unwrap();
            fs::copy(
                original.before.join("catalogue.db"),
                store.join("catalogue.db"),
            )
            .unwrap();
            let staged = staged(&store);
            fs::create_dir_all(staged.parent().unwrap()).unwrap();
            fs::rename(file, staged).unwrap();
            copy(&original.before.join("www/latest/daily.age"), file);
            fs::remove_file(last(&store.join("www/history/daily.age"))).unwrap();
        },
    },
];

/// Cuts a journal behind the group that places `daily.age`.
fn cut_behind_the_place(file: &Path) {
    let text = fs::read_to_string(file).unwrap();
    let place = text.find(r#""key":"daily.age""#).unwrap();
    let trailer = place + text[place..].find(r#""head":"#).unwrap();
    let end = trailer + text[trailer..].find('\n').unwrap() + 1;
    fs::write(file, &text[..end]).unwrap();
}

/// Where the last night's bytes of `daily.age` came from, by the journal.
fn staged(store: &Path) -> PathBuf {
    let mut from = None;
    for file in sorted(&store.join("www/journal")) {
        for line in fs::read_to_string(file).unwrap().lines() {
            let line: serde_json::Value = serde_json::from_str(line).unwrap();
            if line["t"] == "place" && line["key"] == "daily.age" {
                from = line["from"].as_str().map(str::to_owned);
            }
        }
    }
    store.join("www").join(from.unwrap())
}
