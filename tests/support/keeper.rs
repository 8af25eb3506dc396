//! A server that lives as long as the test process that started it, and no longer.

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// Runs `$3…` in the background and ends it by SIGKILL when standard input reaches its end: the
/// other end of that pipe is held by the test process and is closed by the kernel however that
/// process ends. Then the server's folder, `$1`, goes, and the files named in `$2`.
const KEEPER: &str = r#"
folder=$1 sockets=$2; shift 2
exec 3<&0
"$@" &
server=$!
{ cat <&3 >/dev/null; kill -9 "$server"; } 2>/dev/null &
watch=$!
wait "$server"
kill "$watch" 2>/dev/null
rm -rf -- "$folder" $sockets
"#;

/// Ends its server when it is dropped; a static is never dropped, and the end of the process ends
/// the server.
pub struct Keeper(Child);

impl Keeper {
    /// Starts `command` in `folder`, which goes with the server, as do the files named in `more`
    /// (with spaces between them). What it prints goes to `output`.
    pub fn start(command: &Command, folder: &Path, more: &str, output: &File) -> Self {
        let mut keeper = Command::new("sh");
        keeper
            .args(["-c", KEEPER, "keeper"])
            .arg(folder)
            .arg(more)
            .arg(command.get_program())
            .args(command.get_args())
            .current_dir(folder);
        for (name, value) in command.get_envs() {
            keeper.env(name, value.unwrap_or_default());
        }
        let keeper = keeper
            .stdin(Stdio::piped())
            .stdout(output.try_clone().unwrap())
            .stderr(output.try_clone().unwrap())
            // A Ctrl-C at the terminal is for the tests; the keeper follows them.
            .process_group(0)
            .spawn();
        Self(keeper.unwrap_or_else(|e| panic!("cannot run sh: {e}")))
    }

    /// Whether the server is no longer there.
    pub fn ended(&mut self) -> bool {
        matches!(self.0.try_wait(), Ok(Some(_)))
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        drop(self.0.stdin.take());
        let _ = self.0.wait();
    }
}

/// Ports that nobody listens on now, all different because all are held at the same time.
pub fn free_ports<const N: usize>() -> [u16; N] {
    let held = [(); N].map(|()| TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap());
    held.map(|listener| listener.local_addr().unwrap().port())
}

/// The whole answer to one GET on loopback, `None` when there is none.
pub fn get(port: u16, path: &str) -> Option<String> {
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).ok()?;
    stream.set_read_timeout(Some(Duration::from_secs(5))).ok()?;
    write!(
        stream,
        "GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n"
    )
    .ok()?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).ok()?;
    (!answer.is_empty()).then(|| String::from_utf8_lossy(&answer).into_owned())
}

/// How a server's log ends.
pub fn last_lines(log: &mut File) -> String {
    let mut told = String::new();
    let _ = log.read_to_string(&mut told);
    let lines: Vec<&str> = told.lines().collect();
    lines[lines.len().saturating_sub(20)..].join("\n")
}
