//! moto: AWS as its users see it, S3 and the services that hand out keys, with rights that are
//! enforced. Started for one test process, in memory, and gone with it.

use super::bucket::{Bucket, Keys};
use super::keeper::Keeper;
use super::tools;
use serde_json::{Value, json};
use std::fs::File;
use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::process::Command;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// The number that moto gives the one account it has.
const ACCOUNT: &str = "123456789012";

/// How long a start may take on a slow and busy machine.
const START: Duration = Duration::from_secs(90);

/// A running server.
pub struct Moto {
    /// May do everything.
    pub admin: Keys,
    /// May read and list, in every bucket.
    pub read_only: Keys,
    /// May do nothing but take on the role of [`Moto::role`].
    pub guest: Keys,
    /// The keys of the users that [`Moto::start_with`] was given, in their order.
    pub more: Vec<Keys>,
    port: u16,
    _keeper: Keeper,
}

impl Moto {
    /// The server that the tests of this process share.
    pub fn shared() -> &'static Moto {
        static SHARED: OnceLock<Moto> = OnceLock::new();
        SHARED.get_or_init(|| Moto::start_with(&[]))
    }

    /// A server of one's own, ended when it is dropped, with a user more for each policy.
    pub fn start_with(policies: &[Value]) -> Moto {
        let program = tools::tool("moto");
        for _ in 0..3 {
            // A port that was free may be taken by someone else before the server has it.
            let held = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
            let port = held.local_addr().unwrap().port();
            drop(held);
            let folder = tools::folder().join("run").join(format!("moto-{port}"));
            std::fs::create_dir_all(&folder).unwrap();
            let output = File::create(folder.join("moto.log")).unwrap();
            let mut command = Command::new(&program);
            command
                .args(["-H", "127.0.0.1", "-p", &port.to_string()])
                // Nothing is refused until the users are there.
                .env("INITIAL_NO_AUTH_ACTION_COUNT", "1000000");
            let keeper = Keeper::start(&command, &folder, "", &output);
            if let Some(moto) = Self::ready(port, keeper, policies) {
                tools::say("server: moto 5.2.5 ran");
                return moto;
            }
        }
        panic!("moto does not start");
    }

    fn ready(port: u16, mut keeper: Keeper, policies: &[Value]) -> Option<Moto> {
        let begin = Instant::now();
        while exchange(port, "GET", "/moto-api/", "", "").is_none() {
            if keeper.ended() || begin.elapsed() > START {
                return None;
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        let reads = ["s3:Get*", "s3:List*"];
        iam(port, &[("Action", "CreateRole"), ("RoleName", "reader"), (
            "AssumeRolePolicyDocument",
            &json!({"Version": "2012-10-17", "Statement": [{
                "Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"AWS": format!("arn:aws:iam::{ACCOUNT}:user/guest")},
            }]}).to_string(),
        )]);
        iam(
            port,
            &[
                ("Action", "PutRolePolicy"),
                ("RoleName", "reader"),
                ("PolicyName", "p"),
                ("PolicyDocument", &policy(&reads)),
            ],
        );
        let moto = Moto {
            admin: user(port, "admin", &policy(&["*"])),
            read_only: user(port, "reader", &policy(&reads)),
            guest: user(port, "guest", &policy(&["sts:AssumeRole"])),
            more: (0..)
                .zip(policies)
                .map(|(n, policy)| user(port, &format!("user-{n}"), &policy.to_string()))
                .collect(),
            port,
            _keeper: keeper,
        };
        exchange(port, "POST", "/moto-api/reset-auth", "text/plain", "0").unwrap();
        Some(moto)
    }

    /// Where every service answers.
    pub fn endpoint(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// A role that may read and list, in every bucket.
    pub fn role(&self) -> String {
        format!("arn:aws:iam::{ACCOUNT}:role/reader")
    }

    /// A new, empty bucket, seen with the admin's keys; its name starts with `label`.
    pub fn fresh_bucket(&self, label: &str) -> Bucket {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let name = format!("{label}-{}", COUNT.fetch_add(1, Ordering::Relaxed));
        let bucket = Bucket::at(&self.endpoint(), self.admin, &name);
        bucket.create();
        bucket
    }
}

/// moto knows resources of S3 alone.
fn policy(actions: &[&str]) -> String {
    let allow = json!({"Effect": "Allow", "Action": actions, "Resource": "*"});
    json!({"Version": "2012-10-17", "Statement": [allow]}).to_string()
}

/// A new user with one policy, and its key.
fn user(port: u16, name: &str, policy: &str) -> Keys {
    iam(port, &[("Action", "CreateUser"), ("UserName", name)]);
    iam(
        port,
        &[
            ("Action", "PutUserPolicy"),
            ("UserName", name),
            ("PolicyName", "p"),
            ("PolicyDocument", policy),
        ],
    );
    let answer = iam(port, &[("Action", "CreateAccessKey"), ("UserName", name)]);
    let field = |tag: &str| -> &'static str {
        let (_, rest) = answer.split_once(&format!("<{tag}>")).expect(&answer);
        rest.split('<').next().unwrap().to_owned().leak()
    };
    Keys::of(field("AccessKeyId"), field("SecretAccessKey"))
}

fn iam(port: u16, fields: &[(&str, &str)]) -> String {
    let encode =
        |text| percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC);
    let fields = fields
        .iter()
        .map(|(name, value)| format!("{name}={}", encode(value)));
    let body = fields.collect::<Vec<_>>().join("&") + "&Version=2010-05-08";
    let answer = exchange(
        port,
        "POST",
        "/",
        "application/x-www-form-urlencoded",
        &body,
    )
    .unwrap();
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    answer
}

/// The whole answer to one request, `None` when there is none. What it is signed for tells moto
/// which service is meant; who signed it is not looked at yet.
fn exchange(port: u16, method: &str, path: &str, kind: &str, body: &str) -> Option<String> {
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).ok()?;
    stream
        .set_read_timeout(Some(Duration::from_secs(30)))
        .ok()?;
    let length = body.len();
    write!(
        stream,
        "{method} {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nConnection: close\r\n\
         Authorization: AWS4-HMAC-SHA256 Credential=boot/20260101/us-east-1/iam/aws4_request\r\n\
         Content-Type: {kind}\r\nContent-Length: {length}\r\n\r\n{body}"
    )
    .ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    (!answer.is_empty()).then_some(answer)
}
