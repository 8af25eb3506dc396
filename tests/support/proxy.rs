//! A bad line to a bucket: an HTTP/1.1 proxy on loopback that spoils the bodies of objects.
//!
//! All else passes byte for byte, the Host header too, so that a server which takes the host
//! from there (SeaweedFS does) finds the signatures good. Buckets are in the path.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// What happens to one answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// One bit in the middle of an object's body is turned.
    FlipBit,
    /// The line breaks in the middle of an object's body.
    Cut,
    /// The last byte of an object's body is missing, and Content-Length agrees with that.
    Shorten,
    /// An object's body arrives at this pace, in pieces ten times a second.
    Trickle { bytes_per_second: u32 },
    /// An object's body stops in its middle until the line is healed.
    Hold,
    /// Any request is answered 503 SlowDown and not passed on.
    Unavailable,
}

/// A request that came by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    pub method: String,
    /// Path and query, as sent.
    pub target: String,
    /// The Range header.
    pub range: Option<String>,
}

/// The proxy; dropped, it refuses connections.
pub struct FaultProxy {
    address: SocketAddr,
    line: Arc<Line>,
}

#[derive(Default)]
struct Line {
    upstream: String,
    fault: Mutex<Option<(Fault, usize)>>,
    requests: Mutex<Vec<Request>>,
    closed: AtomicBool,
}

impl FaultProxy {
    /// A proxy in front of `http://HOST:PORT`.
    pub fn start(endpoint: &str) -> Self {
        let upstream = endpoint.strip_prefix("http://").unwrap();
        let line = Arc::new(Line {
            upstream: upstream.trim_end_matches('/').to_owned(),
            ..Line::default()
        });
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = listener.local_addr().unwrap();
        let shared = Arc::clone(&line);
        std::thread::spawn(move || {
            for client in listener.incoming().flatten() {
                if shared.closed.load(Ordering::SeqCst) {
                    break;
                }
                let line = Arc::clone(&shared);
                // A connection that ends early is what this proxy is for.
                std::thread::spawn(move || drop(line.serve(client)));
            }
        });
        Self { address, line }
    }

    /// Where it answers.
    pub fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Spoils the next `times` answers that the fault applies to (`usize::MAX`: all).
    pub fn inject(&self, fault: Fault, times: usize) {
        *self.line.fault.lock().unwrap() = Some((fault, times));
    }

    /// Spoils nothing any more.
    pub fn heal(&self) {
        *self.line.fault.lock().unwrap() = None;
    }

    /// All requests so far, in order.
    pub fn requests(&self) -> Vec<Request> {
        self.line.requests.lock().unwrap().clone()
    }

    /// How many requests so far had this method.
    pub fn count(&self, method: &str) -> usize {
        let requests = self.line.requests.lock().unwrap();
        requests.iter().filter(|r| r.method == method).count()
    }
}

impl Drop for FaultProxy {
    fn drop(&mut self) {
        self.line.closed.store(true, Ordering::SeqCst);
        // Wakes the listener.
        let _ = TcpStream::connect(self.address);
    }
}

impl Line {
    /// The fault for this answer, if it is one that the fault applies to; counts it.
    fn take(&self, applies: impl Fn(Fault) -> bool) -> Option<Fault> {
        let mut slot = self.fault.lock().unwrap();
        match slot.as_mut() {
            Some((fault, left)) if *left > 0 && applies(*fault) => {
                *left -= 1;
                Some(*fault)
            }
            _ => None,
        }
    }

    fn wait_until_healed(&self) {
        while self.fault.lock().unwrap().is_some() && !self.closed.load(Ordering::SeqCst) {
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// One connection: requests one after the other, each with its answer.
    fn serve(&self, client: TcpStream) -> io::Result<()> {
        let server = TcpStream::connect(&self.upstream)?;
        client.set_nodelay(true)?;
        server.set_nodelay(true)?;
        let (mut from_client, mut client) = (BufReader::new(client.try_clone()?), client);
        let (mut from_server, mut server) = (BufReader::new(server.try_clone()?), server);
        while let Some(request) = Head::read(&mut from_client)? {
            if self.closed.load(Ordering::SeqCst) {
                break;
            }
            self.requests.lock().unwrap().push(request.as_request());
            if self.take(|f| f == Fault::Unavailable).is_some() {
                // The body may still be on its way: an end is simpler than reading it.
                return client.write_all(UNAVAILABLE);
            }
            server.write_all(&request.bytes)?;
            let waits = request.header("expect").is_some();
            if !waits {
                copy_body(&mut from_client, &mut server, request.body_of_request())?;
            }
            let Some(mut answer) = Head::read(&mut from_server)? else {
                break;
            };
            if answer.status() == 100 {
                client.write_all(&answer.bytes)?;
                copy_body(&mut from_client, &mut server, request.body_of_request())?;
                match Head::read(&mut from_server)? {
                    Some(next) => answer = next,
                    None => break,
                }
            } else if waits {
                // Refused before the body was sent; whether it still comes, nobody knows.
                pass(&answer, &request, &mut from_server, &mut client)?;
                break;
            }
            let length = match answer.body_of_answer(&request) {
                Body::Length(n) if n > 0 && is_object(&request, &answer) => n,
                body => {
                    pass(&answer, &request, &mut from_server, &mut client)?;
                    if body == Body::UntilClose {
                        break;
                    }
                    continue;
                }
            };
            match self.take(|f| f != Fault::Unavailable) {
                None => pass(&answer, &request, &mut from_server, &mut client)?,
                Some(Fault::Hold) => {
                    client.write_all(&answer.bytes)?;
                    copy_body(&mut from_server, &mut client, Body::Length(length / 2))?;
                    self.wait_until_healed();
                    let rest = Body::Length(length - length / 2);
                    copy_body(&mut from_server, &mut client, rest)?;
                }
                Some(fault) => {
                    if !spoil(fault, &answer, length, &mut from_server, &mut client)? {
                        break;
                    }
                }
            }
        }
        Ok(())
    }
}

const UNAVAILABLE: &[u8] = b"HTTP/1.1 503 Slow Down\r\nContent-Type: application/xml\r\n\
    Content-Length: 76\r\nConnection: close\r\n\r\n\
    <Error><Code>SlowDown</Code><Message>Reduce your request rate</Message></Error>";

/// Whether this is the answer to a GET of an object's bytes (all or a range), not of a listing
/// or of something about a bucket or an object.
fn is_object(request: &Head, answer: &Head) -> bool {
    let request = request.as_request();
    let (path, query) = request
        .target
        .split_once('?')
        .unwrap_or((&request.target, ""));
    let about_bytes = |pair: &str| {
        let name = pair.split('=').next().unwrap_or_default();
        matches!(name, "" | "x-id" | "versionId" | "partNumber") || name.starts_with("response-")
    };
    let in_bucket = |path: &str| path.split_once('/').is_some_and(|(_, key)| !key.is_empty());
    request.method == "GET"
        && matches!(answer.status(), 200 | 206)
        && in_bucket(path.trim_start_matches('/'))
        && query.split('&').all(about_bytes)
}

/// The answer as it is.
fn pass(
    answer: &Head,
    request: &Head,
    from: &mut impl BufRead,
    to: &mut impl Write,
) -> io::Result<()> {
    to.write_all(&answer.bytes)?;
    copy_body(from, to, answer.body_of_answer(request))
}

/// The answer with its fault; `false` when the connection is over.
fn spoil(
    fault: Fault,
    answer: &Head,
    length: u64,
    from: &mut impl BufRead,
    to: &mut impl Write,
) -> io::Result<bool> {
    let half = length / 2;
    match fault {
        Fault::FlipBit => {
            to.write_all(&answer.bytes)?;
            copy_body(from, to, Body::Length(half))?;
            let mut byte = [0];
            from.read_exact(&mut byte)?;
            to.write_all(&[byte[0] ^ 1])?;
            copy_body(from, to, Body::Length(length - half - 1))?;
        }
        Fault::Cut => {
            to.write_all(&answer.bytes)?;
            copy_body(from, to, Body::Length(half))?;
            return Ok(false);
        }
        Fault::Shorten => {
            to.write_all(&answer.with_content_length(length - 1))?;
            copy_body(from, to, Body::Length(length - 1))?;
            from.read_exact(&mut [0])?;
        }
        Fault::Trickle { bytes_per_second } => {
            to.write_all(&answer.bytes)?;
            let piece = u64::from(bytes_per_second / 10).max(1);
            let mut left = length;
            while left > 0 {
                std::thread::sleep(Duration::from_millis(100));
                let now = piece.min(left);
                copy_body(from, to, Body::Length(now))?;
                left -= now;
            }
        }
        // Dealt with where the request and the line are known.
        Fault::Hold | Fault::Unavailable => {}
    }
    Ok(true)
}

/// How a body ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Body {
    None,
    Length(u64),
    Chunked,
    UntilClose,
}

fn copy_body(from: &mut impl BufRead, to: &mut impl Write, body: Body) -> io::Result<()> {
    match body {
        Body::None => {}
        Body::Length(length) => {
            if io::copy(&mut from.take(length), to)? < length {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
        Body::UntilClose => {
            io::copy(from, to)?;
        }
        Body::Chunked => loop {
            let mut line = Vec::new();
            from.read_until(b'\n', &mut line)?;
            to.write_all(&line)?;
            let text = String::from_utf8_lossy(&line);
            let size = text.split(';').next().unwrap_or_default().trim();
            let size = u64::from_str_radix(size, 16).map_err(io::Error::other)?;
            if size == 0 {
                // Trailers, and the empty line.
                return Head::read(from)?.map_or(Ok(()), |end| to.write_all(&end.bytes));
            }
            copy_body(from, to, Body::Length(size + 2))?;
        },
    }
    Ok(())
}

/// The first line and the headers, to the empty line.
struct Head {
    bytes: Vec<u8>,
}

impl Head {
    /// `None` at the connection's end.
    fn read(from: &mut impl BufRead) -> io::Result<Option<Self>> {
        let mut bytes = Vec::new();
        loop {
            let before = bytes.len();
            if from.read_until(b'\n', &mut bytes)? == 0 {
                return Ok(None);
            }
            if bytes[before..] == *b"\r\n" {
                return Ok(Some(Self { bytes }));
            }
        }
    }

    /// A word of the first line.
    fn word(&self, n: usize) -> String {
        let text = String::from_utf8_lossy(&self.bytes);
        let line = text.lines().next().unwrap_or_default();
        line.split(' ').nth(n).unwrap_or_default().to_owned()
    }

    fn header(&self, name: &str) -> Option<String> {
        let text = String::from_utf8_lossy(&self.bytes);
        text.lines().skip(1).find_map(|line| {
            let (n, value) = line.split_once(':')?;
            n.eq_ignore_ascii_case(name)
                .then(|| value.trim().to_owned())
        })
    }

    fn as_request(&self) -> Request {
        Request {
            method: self.word(0),
            target: self.word(1),
            range: self.header("range"),
        }
    }

    fn status(&self) -> u16 {
        self.word(1).parse().unwrap_or(0)
    }

    fn body_of_request(&self) -> Body {
        self.declared().unwrap_or(Body::None)
    }

    /// RFC 9112, section 6.3.
    fn body_of_answer(&self, request: &Head) -> Body {
        if request.word(0) == "HEAD" || matches!(self.status(), 100..=199 | 204 | 304) {
            return Body::None;
        }
        self.declared().unwrap_or(Body::UntilClose)
    }

    fn declared(&self) -> Option<Body> {
        if self.header("transfer-encoding").is_some() {
            return Some(Body::Chunked);
        }
        self.header("content-length")?
            .parse()
            .ok()
            .map(Body::Length)
    }

    fn with_content_length(&self, length: u64) -> Vec<u8> {
        let text = String::from_utf8_lossy(&self.bytes);
        let is_length = |line: &str| {
            let name = line.split(':').next().unwrap_or_default();
            name.eq_ignore_ascii_case("content-length")
        };
        let replace = |line: &str| match is_length(line) {
            true => format!("Content-Length: {length}\r\n"),
            false => line.to_owned(),
        };
        let lines: String = text.split_inclusive('\n').map(replace).collect();
        lines.into_bytes()
    }
}
