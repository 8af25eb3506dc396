//! A small virtual machine with Debian's own kernel, which can mount what the kernel of this
//! machine may not, and whose power can be cut.
//!
//! It sees this machine's files under their own paths: all of them to read (what it writes there
//! stays in its memory), and cargo's folder for temporary files, where every `Home` is, to
//! write. So a command that runs here runs there. It has two processors that QEMU translates,
//! some ten times slower than real ones; it starts in six seconds. It ends with the test
//! process: its agent reads from a pipe that the process holds.

use super::program::Output;
use super::tools::tool;
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, Sender, TryRecvError, channel};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock};
use std::time::Duration;
use tempfile::TempDir;

/// This machine, as QEMU's user network shows it to the guest.
pub const HOST: &str = "10.0.2.2";

/// What runs in the guest, from its start to its end.
const AGENT: &str = include_str!("vm/agent.sh");

/// What both see under one path and may write.
const SHARE: &str = env!("CARGO_TARGET_TMPDIR");

/// After this long something hangs.
const PATIENCE: Duration = Duration::from_secs(300);

/// Ended by its drop, as by a power cut; by the end of the test process, which the guest notices.
pub struct Vm {
    qemu: Mutex<Child>,
    /// What the agent is told.
    words: Mutex<ChildStdin>,
    tasks: Arc<Mutex<Tasks>>,
    folder: TempDir,
}

/// Those that go on, and who waits for what the agent says of each.
#[derive(Default)]
struct Tasks {
    last: u64,
    waiting: BTreeMap<u64, Sender<String>>,
}

impl Vm {
    /// One for all tests of a process, without disks.
    pub fn shared() -> &'static Self {
        static SHARED: OnceLock<Vm> = OnceLock::new();
        SHARED.get_or_init(|| Self::start(&[]))
    }

    /// Starts one with these images as its disks `/dev/vda`, `/dev/vdb`, …
    pub fn start(disks: &[&Path]) -> Self {
        assert!(!SHARE.contains(char::is_whitespace), "{SHARE}: a space");
        let folder = tempfile::Builder::new()
            .prefix("vm-")
            .tempdir_in(SHARE)
            .unwrap();
        fs::write(folder.path().join("agent.sh"), AGENT).unwrap();
        let errors = File::create(folder.path().join("qemu")).unwrap();
        let mut qemu = Self::command(folder.path(), disks)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(errors)
            .spawn()
            .unwrap();
        let words = qemu.stdin.take().unwrap();
        let told = qemu.stdout.take().unwrap();
        let tasks = Arc::new(Mutex::new(Tasks::default()));
        let (ready, started) = channel();
        // Task 0 is the start itself.
        tasks.lock().unwrap().waiting.insert(0, ready);
        let listener = Arc::clone(&tasks);
        std::thread::spawn(move || listen(told, &listener));
        let vm = Self {
            qemu: Mutex::new(qemu),
            words: Mutex::new(words),
            tasks,
            folder,
        };
        assert_eq!(vm.hear(&started), "ready");
        vm
    }

    fn command(folder: &Path, disks: &[&Path]) -> Command {
        let mut qemu = Command::new(tool("vm").join("run"));
        let folder = folder.display();
        // Translated, though there be a /dev/kvm: whether that one works, nobody knows before.
        // Both processors in one thread: in two of them, one may run what the other's kernel has just
        // changed, and that kernel oopses (int3 of a jump label; QEMU 7.2, Linux 6.12).
        qemu.args(["-accel", "tcg,thread=single", "-smp", "2", "-m", "1024"]);
        qemu.arg("-append").arg(format!(
            "console=ttyS0 quiet panic=-1 mitigations=off share={SHARE} agent={folder}/agent.sh"
        ));
        qemu.arg("-virtfs").arg(format!(
            "local,path={SHARE},mount_tag=share,security_model=none,multidevs=remap"
        ));
        qemu.arg("-serial").arg(format!("file:{folder}/console"));
        qemu.args(["-chardev", "stdio,id=agent,signal=off"]);
        qemu.args(["-device", "virtio-serial-pci"]);
        qemu.args(["-device", "virtserialport,chardev=agent,name=agent"]);
        qemu.args(["-netdev", "user,id=net"]);
        qemu.args(["-device", "virtio-net-pci,netdev=net,romfile="]);
        for disk in disks {
            // What the guest has synced is in the file; what it has not is lost with the guest.
            let disk = disk.display();
            qemu.arg("-drive").arg(format!(
                "file={disk},if=virtio,format=raw,cache=writeback,discard=unmap"
            ));
        }
        qemu
    }

    /// Starts `command` in the guest; its working directory is `/` there.
    pub fn start_command(&self, command: &Command) -> Task<'_> {
        self.start_script(&script_of(command))
    }

    /// Runs `command` in the guest to its end.
    pub fn run(&self, command: &Command) -> Output {
        self.start_command(command).finish()
    }

    /// Runs a shell script in the guest, which must succeed; what it printed.
    #[track_caller]
    pub fn sh(&self, script: &str) -> String {
        let path = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin; export PATH";
        let script = format!("set -e; {path}\n{script}");
        self.start_script(&script).finish().exits(0).stdout
    }

    fn start_script(&self, script: &str) -> Task<'_> {
        let (sender, said) = channel();
        let number = {
            let mut tasks = self.tasks();
            tasks.last += 1;
            let number = tasks.last;
            tasks.waiting.insert(number, sender);
            number
        };
        fs::write(self.file(number, "sh"), script).unwrap();
        self.tell(&format!("run {number}"));
        let pid = self.hear(&said);
        Task {
            vm: self,
            number,
            pid,
            said,
        }
    }

    fn file(&self, number: u64, what: &str) -> PathBuf {
        self.folder.path().join(format!("{number}.{what}"))
    }

    fn tasks(&self) -> MutexGuard<'_, Tasks> {
        self.tasks.lock().unwrap_or_else(|e| e.into_inner())
    }

    fn tell(&self, words: &str) {
        let mut agent = self.words.lock().unwrap();
        writeln!(agent, "{words}").unwrap();
        agent.flush().unwrap();
    }

    fn hear(&self, said: &Receiver<String>) -> String {
        said.recv_timeout(PATIENCE).unwrap_or_else(|why| {
            let last = |name: &str| {
                let log = fs::read(self.folder.path().join(name)).unwrap_or_default();
                String::from_utf8_lossy(&log).into_owned()
            };
            panic!(
                "the virtual machine says nothing ({why})\n{}\n{}",
                last("qemu"),
                last("console")
            )
        })
    }

    /// The power goes: nothing more of what the guest has in its memory gets to its disks.
    pub fn cut(self) {
        drop(self);
    }
}

impl Drop for Vm {
    fn drop(&mut self) {
        let qemu = self.qemu.get_mut().unwrap();
        let _ = qemu.kill();
        let _ = qemu.wait();
    }
}

/// Hands each line of the agent to who waits for it.
fn listen(told: ChildStdout, tasks: &Mutex<Tasks>) {
    for line in BufReader::new(told).lines() {
        let Ok(line) = line else { break };
        let Some((number, rest)) = line.split_once(' ') else {
            continue;
        };
        let tasks = tasks.lock().unwrap();
        if let Some(task) = number.parse().ok().and_then(|n: u64| tasks.waiting.get(&n)) {
            let _ = task.send(rest.to_owned());
        }
    }
    // Who still waits hears that nobody will speak.
    tasks.lock().unwrap().waiting.clear();
}

/// A command that goes on in the guest.
pub struct Task<'a> {
    vm: &'a Vm,
    number: u64,
    pid: String,
    said: Receiver<String>,
}

impl Task<'_> {
    /// Whether it goes on, as far as is known here.
    pub fn goes_on(&mut self) -> bool {
        match self.said.try_recv() {
            Ok(code) => {
                // Kept for `finish`.
                let (sender, said) = channel();
                sender.send(code).unwrap();
                self.said = said;
                false
            }
            Err(TryRecvError::Empty) => true,
            // The machine has ended; `finish` says so.
            Err(TryRecvError::Disconnected) => false,
        }
    }

    /// SIGKILL: no handler runs, nothing is flushed.
    pub fn kill(self) -> Output {
        self.vm.tell(&format!("kill {}", self.pid));
        self.finish()
    }

    /// Waits for the end.
    pub fn finish(self) -> Output {
        let code: i32 = self.vm.hear(&self.said).parse().unwrap();
        self.vm.tasks().waiting.remove(&self.number);
        // As a shell says it: above 128, the signal that ended it.
        let status = if code > 128 { code - 128 } else { code << 8 };
        let read = |what| {
            let bytes = fs::read(self.vm.file(self.number, what)).unwrap();
            String::from_utf8_lossy(&bytes).into_owned()
        };
        Output {
            status: ExitStatus::from_raw(status),
            stdout: read("out"),
            stderr: read("err"),
        }
    }
}

/// A shell script that becomes `command`, with the environment that it names and no other.
fn script_of(command: &Command) -> String {
    let mut script = "exec env -i".to_owned();
    let mut word = |word: &str| {
        script.push_str(" '");
        script.push_str(&word.replace('\'', "'\\''"));
        script.push('\'');
    };
    for (name, value) in command.get_envs() {
        if let Some(value) = value {
            word(&format!(
                "{}={}",
                name.to_str().unwrap(),
                value.to_str().unwrap()
            ));
        }
    }
    word(command.get_program().to_str().unwrap());
    for arg in command.get_args() {
        word(arg.to_str().unwrap());
    }
    script
}
