//! What a leak looks like, by the programs that write it.

use crate::*;

/// Python's own modules write it; it is needed by the tools anyway.
#[track_caller]
fn python(bench: &Bench, program: &str) {
    bench.finish(bench.command("python3").args(["-c", program]));
}

#[test]
fn what_everyone_writes() {
    let bench = Bench::new();
    bench.site();
    bench.dump(1_500_000);
    python(
        &bench,
        "import gzip,bz2,lzma,tarfile,sqlite3,zipfile
d=open('dump-1500000.sql','rb').read()
gzip.open('dump.gz','wb').write(d)
bz2.open('dump.bz2','wb').write(d)
lzma.open('dump.xz','wb').write(d)
zipfile.ZipFile('dump.zip','w',zipfile.ZIP_DEFLATED).write('dump-1500000.sql')
tarfile.open('site.tar','w').add('site')
tarfile.open('site-gnu.tar','w',format=tarfile.GNU_FORMAT).add('site')
c=sqlite3.connect('site.db')
c.execute('create table t(x)')
c.execute('insert into t values(?)',(d,))
c.commit()",
    );
    bench.finish(
        bench
            .command("sh")
            .args(["-c", "tar cf by-tar.tar site && gzip -k by-tar.tar"]),
    );
    for (name, format) in [
        ("dump.gz", Format::Gzip),
        ("dump.bz2", Format::Bzip2),
        ("dump.xz", Format::Xz),
        ("dump.zip", Format::Zip),
        ("site.tar", Format::Tar),
        ("site-gnu.tar", Format::Tar),
        ("by-tar.tar", Format::Tar),
        ("by-tar.tar.gz", Format::Gzip),
        ("site.db", Format::Sqlite),
        ("dump-1500000.sql", Format::Sql),
    ] {
        plaintext(&bench.at(name), format);
    }
    plaintext(Path::new(env!("CARGO_BIN_EXE_offsite")), Format::Elf);
    plaintext(
        Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/README.md")),
        Format::Text,
    );
    assert_eq!(judged("empty", b"", &[], None).verdict, Verdict::Unknown);
}

#[test]
#[cfg_attr(without_zstd, ignore = "OFFSITE_TEST_WITHOUT names zstd")]
#[cfg_attr(without_lz4, ignore = "OFFSITE_TEST_WITHOUT names lz4")]
fn zstd_and_lz4() {
    let bench = Bench::new();
    for length in LENGTHS {
        let from = bench.dump(length);
        for (tool, format) in [("zstd", Format::Zstd), ("lz4", Format::Lz4)] {
            let to = bench.at(tool);
            bench.pipe(tool, &["-q", "-c"], &from, &to);
            plaintext(&to, format);
        }
    }
}
