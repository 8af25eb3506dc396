//! Those who are told: a small HTTP server that writes down what it hears and answers as it is told
//! to, and a home that tells it.

use crate::support::{Embedded, Home};
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread;

/// What an ear does when it is spoken to.
#[derive(Clone, Debug)]
pub(crate) enum Manner {
    /// Answers with this status and body.
    Answer(u16, &'static str),
    /// Takes everything and says nothing.
    Hang,
    /// Sends the caller elsewhere.
    Redirect(String),
    /// Begins an answer and hangs up.
    Cut,
}

/// One request.
#[derive(Clone, Debug)]
pub(crate) struct Heard {
    pub(crate) method: String,
    pub(crate) path: String,
    /// Names in small letters.
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: String,
}

impl Heard {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(n, _)| n == name);
        found.map(|(_, value)| value.as_str())
    }

    #[track_caller]
    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.body).unwrap_or_else(|e| panic!("{e}: {}", self.body))
    }
}

/// A listener on loopback.
pub(crate) struct Ear {
    address: SocketAddr,
    heard: Arc<Mutex<Vec<Heard>>>,
}

impl Ear {
    pub(crate) fn new() -> Self {
        Self::with(Manner::Answer(200, "OK"))
    }

    pub(crate) fn with(manner: Manner) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let ear = Self {
            address: listener.local_addr().unwrap(),
            heard: Arc::default(),
        };
        let heard = Arc::clone(&ear.heard);
        thread::spawn(move || {
            for line in listener.incoming() {
                let (heard, manner) = (Arc::clone(&heard), manner.clone());
                thread::spawn(move || listen(line.unwrap(), &heard, manner));
            }
        });
        ear
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    pub(crate) fn heard(&self) -> Vec<Heard> {
        self.heard.lock().unwrap().clone()
    }

    /// What it heard since it was last asked.
    pub(crate) fn take(&self) -> Vec<Heard> {
        std::mem::take(&mut *self.heard.lock().unwrap())
    }

    pub(crate) fn paths(&self) -> Vec<String> {
        self.heard().into_iter().map(|heard| heard.path).collect()
    }
}

/// An address where nobody listens.
pub(crate) fn nobody(path: &str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    format!("http://{}{path}", listener.local_addr().unwrap())
}

fn listen(line: TcpStream, heard: &Mutex<Vec<Heard>>, manner: Manner) {
    let mut reader = BufReader::new(line);
    let Some(one) = read(&mut reader) else { return };
    heard.lock().unwrap().push(one);
    let mut line = reader.into_inner();
    let _ = match manner {
        Manner::Answer(status, body) => {
            let length = body.len();
            write!(
                line,
                "HTTP/1.1 {status} X\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}"
            )
        }
        Manner::Redirect(to) => {
            write!(
                line,
                "HTTP/1.1 307 X\r\nLocation: {to}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
            )
        }
        Manner::Cut => write!(line, "HTTP/1.1 200 OK\r\nContent-Le"),
        // Until the caller hangs up.
        Manner::Hang => line.read_to_end(&mut Vec::new()).map(drop),
    };
}

fn read(reader: &mut BufReader<TcpStream>) -> Option<Heard> {
    let mut lines = Vec::new();
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).ok()? == 0 {
            return None;
        }
        if line == "\r\n" {
            break;
        }
        lines.push(line.trim_end().to_owned());
    }
    let mut first = lines.first()?.split(' ').map(str::to_owned);
    let (method, path) = (first.next()?, first.next()?);
    let headers: Vec<(String, String)> = lines[1..]
        .iter()
        .filter_map(|line| line.split_once(": "))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
        .collect();
    let length = headers.iter().find(|(name, _)| name == "content-length");
    let length = length.map_or(0, |(_, value)| value.parse().unwrap());
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    let body = String::from_utf8(body).unwrap();
    Some(Heard {
        method,
        path,
        headers,
        body,
    })
}

/// A bucket with one object, and a home that tells as `notify` says; attempts are short.
pub(crate) fn telling(notify: &str) -> Embedded {
    let at = Embedded::new();
    at.bucket.put("a.age", b"age-encryption.org/v1\n".to_vec());
    tell(&at.home, notify);
    at
}

/// Writes the `[notify]` section.
pub(crate) fn tell(home: &Home, notify: &str) {
    let config = fs::read_to_string(home.config()).unwrap();
    let before = config.split("\n[notify]\n").next().unwrap();
    let text = format!("{before}\n[notify]\ntimeout = \"400ms\"\n{notify}\n");
    fs::write(home.config(), text).unwrap();
}

/// Runs a python3 program with `input`, and gives back what it printed.
#[track_caller]
pub(crate) fn python(program: &str, args: &[&str], path: Option<&Path>, input: &str) -> String {
    let mut python = Command::new("python3");
    python.arg("-c").arg(program).args(args);
    if let Some(path) = path {
        let old = std::env::var("PATH").unwrap();
        python.env("PATH", format!("{}:{old}", path.display()));
    }
    let mut child = python
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    child
        .stdin
        .take()
        .unwrap()
        .write_all(input.as_bytes())
        .unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{program}");
    String::from_utf8(output.stdout).unwrap()
}
