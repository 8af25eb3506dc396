//! What a record of the first store's journal asks of the mirror. Pure.

use crate::digest::Recorded;
use crate::object::{
    Answer, EventRecord, EvidenceClass, Fact, Identity, InBucket, ObjectKey, PlaceRecord, Record,
    State, Timestamp,
};

/// What is to be done.
#[derive(Debug, PartialEq)]
pub(super) enum Step {
    /// These bytes belong here too.
    Bytes(Box<Wanted>),
    /// A version in `history/` is let into `latest/`.
    Promote(ObjectKey, Identity, Timestamp),
    /// A new identity of bytes that are here already.
    Touch(Box<Wanted>),
    /// The first store has this version's bytes no more.
    Lost(Fact),
    /// It happened here too.
    Fact(Fact),
    /// Nothing: the mirror has its own, or never does such a thing.
    Nothing,
}

/// Bytes of the first store.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Wanted {
    pub(super) key: ObjectKey,
    pub(super) identity: Identity,
    pub(super) answer: Answer,
    pub(super) content: Option<String>,
    pub(super) in_bucket: InBucket,
    pub(super) recorded: Recorded,
    pub(super) state: State,
    /// Whether they stood in `latest/` then.
    pub(super) latest: bool,
    /// Where they stood then, relative to the source's folder.
    pub(super) path: String,
    /// Whether only a line in the sums vouched for them: what the bucket shows is not known.
    pub(super) adopted: bool,
}

/// What `record` asks.
pub(super) fn step(record: Record) -> Step {
    match record {
        Record::Place(place) if place.from.starts_with("history/") => {
            Step::Promote(place.key, place.identity, place.at)
        }
        Record::Place(place) => Step::Bytes(Box::new(placed(place))),
        // The mirror's own names make their own moves, and its bytes did not rot with those there.
        Record::Move(_) | Record::Heal(_) => Step::Nothing,
        Record::Fact(fact) => of_fact(fact),
    }
}

fn of_fact(fact: Fact) -> Step {
    match fact {
        // The mirror has runs of its own, and is cared for by itself.
        Fact::RunStart(_)
        | Fact::RunEnd(_)
        | Fact::Scrubbed(_)
        | Fact::Drilled(_)
        | Fact::Followed(_) => Step::Nothing,
        Fact::Noted {
            state: State::Pending | State::Expired,
            ..
        } => Step::Lost(fact),
        Fact::Touch { .. } => touched(fact),
        Fact::Adopted { .. } => adopted(fact),
        // What its own drive did is said of the first store alone: here it would be wrong, and would keep
        // what this drive does from being said.
        Fact::Finding(finding) if finding.care().is_some() => Step::Nothing,
        Fact::Event(event)
            if [EventRecord::HEALED, EventRecord::MOVED_ASIDE].contains(&event.kind.as_str()) =>
        {
            Step::Nothing
        }
        fact => Step::Fact(fact),
    }
}

fn placed(place: PlaceRecord) -> Wanted {
    Wanted {
        recorded: Recorded {
            sha256: place.sha256,
            bytes: place.bytes,
            evidence: place.evidence,
            proofs: place.proofs,
            contradicted: place.state == State::Quarantined,
            at: place.at,
        },
        latest: in_latest(&place.path),
        key: place.key,
        identity: place.identity,
        answer: place.answer,
        content: place.content,
        in_bucket: place.in_bucket,
        state: place.state,
        path: place.path,
        adopted: false,
    }
}

fn touched(fact: Fact) -> Step {
    let Fact::Touch {
        key,
        identity,
        answer,
        sha256,
        evidence,
        proofs,
        content,
        path,
        in_bucket,
        at,
    } = fact
    else {
        return Step::Nothing;
    };
    Step::Touch(Box::new(Wanted {
        recorded: Recorded {
            sha256,
            bytes: identity.size,
            evidence,
            proofs,
            contradicted: false,
            at,
        },
        latest: in_latest(&path),
        key,
        identity,
        answer,
        content,
        in_bucket,
        state: State::Stored,
        path,
        adopted: false,
    }))
}

fn adopted(fact: Fact) -> Step {
    let Fact::Adopted {
        key,
        identity,
        sha256,
        path,
        at,
        ..
    } = fact
    else {
        return Step::Nothing;
    };
    Step::Bytes(Box::new(Wanted {
        recorded: Recorded {
            sha256,
            bytes: identity.size,
            evidence: EvidenceClass::Length,
            proofs: Vec::new(),
            contradicted: false,
            // As the first store's catalogue has it: not later than the file was written.
            at: identity.last_modified.min(at),
        },
        latest: in_latest(&path),
        key,
        identity,
        answer: Answer::default(),
        content: None,
        in_bucket: InBucket::Current,
        state: State::Stored,
        path,
        adopted: true,
    }))
}

/// Whether a path, relative to the source's folder, is one of `latest/`.
pub(super) fn in_latest(path: &str) -> bool {
    path.starts_with("latest/")
}

/// The part of the source's folder that a path lies in.
pub(super) fn area(path: &str) -> &str {
    path.split('/').next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::object::{
        Ack, Advice, Drilled, EventRecord, FindingRecord, Followed, Moved, RunCounts, RunEnd,
        RunStart, Scrubbed, Severity, Sha256, from_ms,
    };

    const AT: i64 = 9000;

    fn key() -> ObjectKey {
        ObjectKey::new("k").unwrap()
    }

    fn identity() -> Identity {
        Identity {
            version_id: None,
            etag: "e".to_owned(),
            size: 5,
            last_modified: from_ms(1000),
        }
    }

    fn place(from: &str, path: &str, state: State) -> Record {
        Record::Place(PlaceRecord {
            key: key(),
            identity: identity(),
            answer: Answer::default(),
            sha256: Sha256([1; 32]),
            bytes: 4,
            evidence: EvidenceClass::Provider,
            proofs: Vec::new(),
            content: None,
            state,
            in_bucket: InBucket::Hidden,
            from: from.to_owned(),
            path: path.to_owned(),
            displaced: None,
            sums_at: None,
            names: Vec::new(),
            at: from_ms(AT),
        })
    }

    fn noted(state: State) -> Record {
        Record::Fact(Fact::Noted {
            key: key(),
            identity: identity(),
            state,
            in_bucket: InBucket::Current,
            at: from_ms(AT),
        })
    }

    fn touch(path: &str) -> Record {
        Record::Fact(Fact::Touch {
            key: key(),
            identity: identity(),
            answer: Answer::default(),
            sha256: Sha256([1; 32]),
            evidence: EvidenceClass::Provider,
            proofs: Vec::new(),
            content: None,
            path: path.to_owned(),
            in_bucket: InBucket::Current,
            at: from_ms(AT),
        })
    }

    /// What is asked, in a word, and when it is dated.
    fn word(step: &Step) -> String {
        let of = |wanted: &Wanted| {
            let place = if wanted.latest { "latest" } else { "history" };
            let word = match (wanted.recorded.contradicted, wanted.adopted) {
                (true, _) => "poison",
                (_, true) => "adopted",
                _ => wanted.state.as_str(),
            };
            format!("{place} {word} {}", wanted.recorded.at.as_millisecond())
        };
        match step {
            Step::Bytes(wanted) => format!("bytes {}", of(wanted)),
            Step::Touch(wanted) => format!("touch {}", of(wanted)),
            Step::Promote(_, _, at) => format!("promote {}", at.as_millisecond()),
            Step::Lost(_) => "lost".to_owned(),
            Step::Fact(_) => "fact".to_owned(),
            Step::Nothing => "nothing".to_owned(),
        }
    }

    #[test]
    fn what_each_record_asks() {
        use State::{Archived, Expired, Held, Pending, Quarantined, Skipped, Stored};
        let at = from_ms(AT);
        let adopted = |path: &str| {
            Record::Fact(Fact::Adopted {
                key: key(),
                identity: identity(),
                sha256: Sha256([1; 32]),
                path: path.to_owned(),
                sums_at: 0,
                names: Vec::new(),
                at,
            })
        };
        let facts = [
            Fact::RunStart(RunStart {
                at,
                command: "pull".to_owned(),
                program: String::new(),
                key: None,
                bucket: None,
                prefix: None,
            }),
            Fact::RunEnd(RunEnd {
                at,
                ended: "complete".to_owned(),
                error: None,
                counts: RunCounts::default(),
            }),
            Fact::Scrubbed(Scrubbed {
                files: 1,
                bytes: 1,
                damaged: 0,
                healed: 0,
                read_errors: 0,
                at,
            }),
            Fact::Drilled(Drilled {
                series: String::new(),
                files: 1,
                bytes: 1,
                command: false,
                failed: None,
                at,
            }),
            Fact::Followed(Followed {
                store: String::new(),
                run: 1,
                offset: 1,
                head: Sha256([1; 32]),
                pulled: None,
                at,
            }),
        ];
        let moved = Record::Move(Moved {
            key: key(),
            sha256: Sha256([1; 32]),
            from: "latest/k".to_owned(),
            to: "latest/%6b".to_owned(),
            sums_from: None,
            sums_at: None,
        });
        let event = |kind: &str| {
            Record::Fact(Fact::Event(EventRecord {
                kind: kind.to_owned(),
                key: None,
                text: String::new(),
                at,
            }))
        };
        let finding = |kind: &str| {
            Record::Fact(Fact::Finding(FindingRecord {
                id: "www-1".to_owned(),
                kind: kind.to_owned(),
                severity: Severity::Alarm,
                key: None,
                identity: None,
                advice: Advice {
                    what: String::new(),
                    evidence: String::new(),
                    next: String::new(),
                },
                at,
            }))
        };
        let ack = Fact::Ack(Ack {
            finding: "www-1".to_owned(),
            note: None,
            accepted: false,
            at,
        });
        let gone = Fact::Gone {
            key: key(),
            identity: identity(),
            at,
        };
        let incoming = |path, state| place("incoming/1", path, state);
        for (record, wanted) in [
            (incoming("latest/k", Stored), "bytes latest stored 9000"),
            (
                incoming("history/k/%v1", Stored),
                "bytes history stored 9000",
            ),
            (incoming("history/k/%v1", Held), "bytes history held 9000"),
            (
                incoming("quarantine/k", Quarantined),
                "bytes history poison 9000",
            ),
            (place("history/k/%v1", "latest/k", Stored), "promote 9000"),
            (moved, "nothing"),
            (touch("latest/k"), "touch latest stored 9000"),
            (touch("history/k/%v1"), "touch history stored 9000"),
            // Not later than the file was written.
            (adopted("latest/k"), "bytes latest adopted 1000"),
            (noted(Pending), "lost"),
            (noted(Expired), "lost"),
            (noted(Archived), "fact"),
            (noted(Skipped), "fact"),
            (event("moved-aside"), "nothing"),
            (event("healed"), "nothing"),
            (finding("contradiction"), "fact"),
            (finding("rot"), "nothing"),
            (finding("journal-broken"), "nothing"),
            (finding("drill-damaged"), "nothing"),
            (Record::Fact(ack), "fact"),
            (Record::Fact(gone), "fact"),
        ] {
            let text = format!("{record:?}");
            assert_eq!(word(&step(record)), wanted, "{text}");
        }
        for fact in facts {
            let text = format!("{fact:?}");
            assert_eq!(step(Record::Fact(fact)), Step::Nothing, "{text}");
        }
    }
}
