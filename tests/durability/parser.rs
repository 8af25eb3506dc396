//! The reader of traces reads what it is given: the other tests here rest on it.

use crate::support::trace::{Call, Event, parse};
use std::path::PathBuf;

const LOG: &str = r#"
10 openat2(7</s/www>, "incoming/ab", {flags=O_RDWR|O_CREAT|O_TRUNC|O_CLOEXEC, mode=0644, resolve=RESOLVE_BENEATH}, 24) = 9</s/www/incoming/ab>
10 openat(AT_FDCWD</home>, "/etc/hosts", O_RDONLY|O_CLOEXEC) = 3</etc/hosts>
10 openat2(7</s/www>, "latest/.", {flags=O_RDONLY|O_DIRECTORY, resolve=RESOLVE_BENEATH}, 24) = -1 ENOENT (No such file or directory)
10 write(5<socket:[99]>, "x"..., 200) = 200
10 write(9</s/www/incoming/ab>, "a\0"..., 200 <unfinished ...>
11 syncfs(7</s/www>)           = 0
10 <... write resumed>)        = 200
11 mkdirat(8</s/www>, "latest", 0755) = -1 EEXIST (File exists)
11 mkdirat(8</s/www>, "//history/.", 0755) = 0
11 renameat(8</s/www/incoming>, "ab", 9</s/www/latest>, "x") = 0
11 linkat(8</s/www/latest>, "x", 9</s/www/history>, "%v", 0) = 0
11 fdatasync(4</s/catalogue.db-wal>) = 0
11 --- SIGTERM {si_signo=SIGTERM, si_code=SI_USER, si_pid=1, si_uid=0} ---
11 fsync(6</s/www>) = ? ERESTARTSYS (To be restarted if SA_RESTART is set)
11 +++ exited with 0 +++
"#;

#[test]
fn a_log_reads_as_what_was_done() {
    let path = |text: &str| PathBuf::from(text);
    let expected = [
        (
            1,
            1,
            Call::Open {
                path: path("/s/www/incoming/ab"),
                create: true,
            },
        ),
        (5, 7, Call::Write(path("/s/www/incoming/ab"))),
        (6, 6, Call::SyncAll(path("/s/www"))),
        (9, 9, Call::MakeFolder(path("/history"))),
        (
            10,
            10,
            Call::Rename {
                from: path("/s/www/incoming/ab"),
                to: path("/s/www/latest/x"),
            },
        ),
        (
            11,
            11,
            Call::Link {
                from: path("/s/www/latest/x"),
                to: path("/s/www/history/%v"),
            },
        ),
        (12, 12, Call::Sync(path("/s/catalogue.db-wal"))),
    ];
    let expected = expected.map(|(begin, end, call)| Event { begin, end, call });
    assert_eq!(parse(LOG), expected);
}
