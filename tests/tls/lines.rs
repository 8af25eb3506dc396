//! The ways to a server, and what becomes of those that lead nowhere.

use crate::support::{Authority, Output, Running, Tls};
use crate::{client, point, wait, world};
use aws_sdk_s3::Client;
use aws_sdk_s3::config::retry::RetryConfig;
use aws_sdk_s3::config::timeout::TimeoutConfig;
use aws_sdk_s3::error::{ConnectorError, DisplayErrorContext, SdkError};
use offsite::http;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// A proxy that opens tunnels, and refuses to pass plain requests on; it writes down what it was
/// asked for, and with which login.
struct Proxy {
    address: SocketAddr,
    asked: Arc<Mutex<Vec<(String, String)>>>,
}

impl Proxy {
    /// Its threads end with the test's process.
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let asked = Arc::new(Mutex::new(Vec::new()));
        let shared = Arc::clone(&asked);
        std::thread::spawn(move || {
            for line in listener.incoming() {
                let asked = Arc::clone(&shared);
                std::thread::spawn(move || pass(line.unwrap(), &asked));
            }
        });
        Self { address, asked }
    }

    fn take(&self) -> Vec<(String, String)> {
        std::mem::take(&mut *self.asked.lock().unwrap())
    }
}

fn pass(mut client: TcpStream, asked: &Mutex<Vec<(String, String)>>) {
    // The client waits for an answer before it goes on: nothing is left in the buffer.
    let mut reader = BufReader::new(client.try_clone().unwrap());
    let (mut first, mut login) = (String::new(), String::new());
    reader.read_line(&mut first).unwrap();
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).unwrap() == 0 || line == "\r\n" {
            break;
        }
        if let Some((name, value)) = line.split_once(": ")
            && name.eq_ignore_ascii_case("proxy-authorization")
        {
            login = value.trim().to_owned();
        }
    }
    let mut words = first.split(' ').map(str::to_owned);
    let (method, target) = (words.next().unwrap(), words.next().unwrap());
    asked
        .lock()
        .unwrap()
        .push((format!("{method} {target}"), login));
    if method != "CONNECT" {
        let refused = "HTTP/1.1 403 No\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
        return client.write_all(refused.as_bytes()).unwrap();
    }
    let mut server = TcpStream::connect(target).unwrap();
    client.write_all(b"HTTP/1.1 200 OK\r\n\r\n").unwrap();
    let (mut back_from, mut back_to) = (server.try_clone().unwrap(), client.try_clone().unwrap());
    std::thread::spawn(move || std::io::copy(&mut back_from, &mut back_to));
    // Either side may hang up.
    let _ = std::io::copy(&mut client, &mut server);
}

/// "me:canary5d21" in base64.
const LOGIN: &str = "Basic bWU6Y2FuYXJ5NWQyMQ==";

#[test]
#[cfg_attr(without_openssl, ignore = "OFFSITE_TEST_WITHOUT names openssl")]
fn proxies_come_from_the_environment() {
    let (at, authority, proxy) = (world(), Authority::new(), Proxy::start());
    let plain = at.server.endpoint();
    let server = Tls::start(&authority, &plain);
    let with = |variables: &[(&str, &str)]| -> Output {
        let mut pull = at.home.command(["pull"]);
        pull.env("RUST_LOG", "trace");
        pull.envs(variables.iter().copied());
        let told = Running::spawn(pull).finish();
        assert!(!told.stderr.contains("canary5d21"), "{}", told.stderr);
        assert!(!told.stderr.contains("bWU6Y2FuYXJ5"), "{}", told.stderr);
        told
    };
    let through = format!("http://me:canary5d21@{}", proxy.address);
    // Over TLS by a tunnel, whose login the server does not see.
    point(&at, &server.endpoint(), Some(&authority.file()));
    with(&[("HTTPS_PROXY", &through)]).exits(0);
    let tunnels = proxy.take();
    let host = server.endpoint().replace("https://", "CONNECT ");
    assert!(!tunnels.is_empty() && !server.suites().is_empty());
    for tunnel in tunnels {
        assert_eq!(tunnel, (host.clone(), LOGIN.to_owned()));
    }
    // Plain requests name the whole address.
    point(&at, &plain, None);
    with(&[("http_proxy", &through)]).exits(2);
    let (asked, login) = proxy.take().remove(0);
    assert!(
        asked.starts_with(&format!("GET {plain}/backups")),
        "{asked}"
    );
    assert_eq!(login, LOGIN);
    // And not where the environment says so.
    with(&[("ALL_PROXY", &through), ("NO_PROXY", "127.0.0.1")]).exits(0);
    with(&[("HTTPS_PROXY", &through)]).exits(0);
    assert_eq!(proxy.take(), []);
}

/// What a server does with a connection.
type Manner = fn(TcpStream);

/// A server of one manner.
fn server(manner: Manner) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for line in listener.incoming() {
            std::thread::spawn(move || manner(line.unwrap()));
        }
    });
    address.to_string()
}

fn hang(mut line: TcpStream) {
    // Until the client hangs up.
    let _ = line.read_to_end(&mut Vec::new());
}

/// With something unread, so that the client's side is reset.
fn reset(mut line: TcpStream) {
    let _ = line.read(&mut [0]);
}

/// In peace, after the whole request.
fn hang_up(line: TcpStream) {
    for text in BufReader::new(line).lines() {
        if text.unwrap().is_empty() {
            return;
        }
    }
}

/// Busy, and ready for the next request.
fn busy(mut line: TcpStream) {
    BUSY.fetch_add(1, Ordering::SeqCst);
    let mut reader = BufReader::new(line.try_clone().unwrap());
    loop {
        let mut text = String::new();
        match reader.read_line(&mut text) {
            Ok(1..) if text == "\r\n" => {}
            Ok(1..) => continue,
            _ => return,
        }
        let answer = "HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n";
        line.write_all(answer.as_bytes()).unwrap();
    }
}

/// How many connections [`busy`] was given.
static BUSY: AtomicUsize = AtomicUsize::new(0);

/// Behind one address there may be many servers: another try is worth more on another line.
#[test]
fn a_busy_server_is_asked_again_over_another_connection() {
    let client = client(
        http::client(None).unwrap(),
        &format!("http://{}", server(busy)),
    );
    let retries = RetryConfig::standard()
        .with_max_attempts(3)
        .with_initial_backoff(Duration::from_millis(1));
    let config = client.config().to_builder().retry_config(retries).build();
    let client = Client::from_conf(config);
    let answer = wait(client.head_bucket().bucket("b").send()).unwrap_err();
    assert_eq!(answer.raw_response().unwrap().status().as_u16(), 503);
    assert_eq!(BUSY.load(Ordering::SeqCst), 3);
}

/// The one time is short, the other none that ends here: which of them it was is to be seen.
fn impatient(at: &str, connect: Duration, read: Duration) -> Client {
    let client = client(http::client(None).unwrap(), at);
    let timeouts = TimeoutConfig::builder()
        .connect_timeout(connect)
        .read_timeout(read)
        .build();
    let config = client.config().to_builder().timeout_config(timeouts);
    Client::from_conf(config.retry_config(RetryConfig::disabled()).build())
}

/// Retries rest on these classes: what passes is tried again.
#[test]
fn lines_that_lead_nowhere_are_told_apart() {
    let nobody = {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        listener.local_addr().unwrap().to_string()
    };
    let (short, long) = (Duration::from_millis(300), Duration::from_secs(600));
    type Is = fn(&ConnectorError) -> bool;
    let io: Is = ConnectorError::is_io;
    let timeout: Is = ConnectorError::is_timeout;
    for (scheme, address, [connect, read], is, words) in [
        ("http", nobody, [long, long], io, "Connection refused"),
        ("http", server(reset), [long, long], io, ""),
        ("http", server(hang_up), [long, long], io, ""),
        (
            "http",
            server(hang),
            [long, short],
            timeout,
            "no answer within 0.3 s",
        ),
        (
            "https",
            server(hang),
            [short, long],
            timeout,
            "no connection within 0.3 s",
        ),
    ] {
        let client = impatient(&format!("{scheme}://{address}"), connect, read);
        let answer = client.head_bucket().bucket("b").send();
        let answer = wait(async { tokio::time::timeout(long / 5, answer).await });
        let error = answer.expect("no end after two minutes").unwrap_err();
        let SdkError::DispatchFailure(failure) = &error else {
            panic!("{scheme}: {error:?}")
        };
        let why = failure.as_connector_error().unwrap();
        assert!(is(why), "{scheme}: {error:?}");
        let text = DisplayErrorContext(&error).to_string();
        assert!(text.contains(words), "{text}");
    }
}
