//! A listing in parts shows what the whole one shows, or says that it cannot.
#![allow(clippy::indexing_slicing, clippy::panic, clippy::unwrap_used)]

mod support;

use offsite::bucket::{Bucket, Span, Torn, Tuning};
use offsite::config::Config;
use offsite::credentials::Credentials;
use offsite::demo::bucket::{self as embedded, Order, READER};
use offsite::object::{Clock, Listed, ObjectKey};
use proptest::prelude::*;
use support::{Keys, Seaweed, seaweedfs};

fn client(name: &str, endpoint: &str, keys: Keys, page: i32) -> Bucket {
    let config = Config::parse(&format!(
        "[store]\npath = \"/nowhere\"\n\
         [[source]]\nname = \"www\"\nbucket = \"{name}\"\nendpoint = \"{endpoint}\"\n"
    ));
    let tuning = Tuning {
        page,
        ..Tuning::default()
    };
    let credentials = Credentials::given(keys.id, keys.secret);
    Bucket::new(&config.unwrap().sources[0], &credentials, tuning).unwrap()
}

async fn whole(bucket: &Bucket) -> Vec<Listed> {
    let mut listing = bucket.list();
    let mut all = Vec::new();
    while let Some(page) = listing.next().await.unwrap() {
        all.extend(page.objects);
    }
    all
}

/// The parts one after the other, put together; nothing where they are not to be believed.
async fn parts(bucket: &Bucket, spans: Vec<Span>) -> Option<Vec<Listed>> {
    let (mut all, mut edges) = (Vec::new(), Vec::new());
    for span in spans {
        let mut listing = bucket.list_span(span);
        loop {
            match listing.next().await {
                Ok(Some(page)) => all.extend(page.objects),
                Ok(None) => break,
                Err(Torn::Disorder) => return None,
                Err(Torn::Failed(error) | Torn::Refused(error)) => panic!("{error}"),
            }
        }
        edges.push(listing.edge());
    }
    let meet = |pair: &[(Span, offsite::bucket::Edge); 2]| pair[0].1.meets(&pair[0].0, &pair[1].1);
    edges.array_windows().all(meet).then_some(all)
}

fn sorted(mut all: Vec<Listed>) -> Vec<Listed> {
    all.sort_by(|a, b| a.key.cmp(&b.key));
    all
}

fn keys(names: &[String]) -> Vec<ObjectKey> {
    names
        .iter()
        .map(|name| ObjectKey::new(name.as_str()).unwrap())
        .collect()
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap()
}

/// Names that nest, and sort otherwise in folders than in bytes.
fn name() -> impl Strategy<Value = String> {
    "[ab][ab!./-]{0,3}[ab]"
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Cut at keys that are there or were once.
    #[test]
    fn parts_come_to_the_whole_or_are_not_believed(
        names in proptest::collection::btree_set(name(), 0..40),
        once in proptest::collection::vec(name(), 0..4),
        count in 1usize..9,
        page in 1i32..7,
        order in prop_oneof![
            3 => Just(Order::Byte),
            2 => Just(Order::Tree),
            1 => Just(Order::Shuffled(7)),
        ],
    ) {
        let bucket = embedded::Bucket::new("parts", Clock::System);
        let server = embedded::Server::start(vec![bucket.clone()], None).unwrap();
        bucket.with_faults(|faults| faults.order = order);
        for name in &names {
            bucket.put(name, name.as_bytes());
        }
        let reader = Keys::of(READER.id, READER.secret);
        let client = client("parts", &server.endpoint(), reader, page);
        let cuts: Vec<String> = names.iter().cloned().chain(once).collect();
        let spans = Span::cut(keys(&cuts), count);
        let (one, many) = runtime().block_on(async {
            (whole(&client).await, parts(&client, spans.clone()).await)
        });
        prop_assert_eq!(one.len(), names.len());
        match many {
            Some(many) => prop_assert_eq!(sorted(many), sorted(one), "{:?}", spans),
            None => prop_assert_ne!(order, Order::Byte, "{:?}", spans),
        }
    }
}

/// SeaweedFS lists in the order of its folders, and begins where it is told at a full key alone.
#[test]
#[cfg_attr(without_seaweedfs, ignore = "OFFSITE_TEST_WITHOUT names seaweedfs")]
fn on_a_server_with_an_order_of_its_own_nothing_is_left_out() {
    let names = |names: &str| names.split_whitespace().map(str::to_owned).collect();
    let flat: Vec<String> = (0..40).map(|n| format!("flat-{n:02}")).collect();
    let folders: Vec<String> = names("2a/1 2a/2 2b/c/1 2b/c/2 2b/d/1 2c/1 2c/2 2d");
    let neighbours: Vec<String> = names("b/c/d b! b-x b/c-d b/c.d a/b a-x a.x 2c/1 2c/2 2c-");
    for (names, rises) in [(flat, true), (folders, true), (neighbours, false)] {
        let bucket = Seaweed::shared().fresh_bucket("parts");
        for name in &names {
            bucket.put(name, name.as_bytes());
        }
        for (page, count) in [(1, 9), (3, 3), (1000, 2)] {
            let client = client(&bucket.name, &bucket.endpoint, seaweedfs::READ_ONLY, page);
            let runtime = runtime();
            let one = sorted(runtime.block_on(whole(&client)));
            assert_eq!(one.len(), names.len());
            // Cut at all of its keys, and at each alone.
            for cuts in [&names[..]].into_iter().chain(names.chunks(1)) {
                let spans = Span::cut(keys(cuts), count);
                match runtime.block_on(parts(&client, spans.clone())) {
                    Some(many) => assert_eq!(sorted(many), one, "{spans:?}"),
                    None => assert!(!rises, "{spans:?}"),
                }
            }
        }
    }
}
