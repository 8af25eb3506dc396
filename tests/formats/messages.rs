//! Single files: age, gpg, openssl, scrypt, ccrypt, AES Crypt, Ansible Vault, rclone crypt, s3cmd.

use crate::support::seaweedfs::ADMIN;
use crate::support::{Seaweed, tool};
use crate::*;

#[test]
#[cfg_attr(without_age, ignore = "OFFSITE_TEST_WITHOUT names age")]
fn age() {
    let bench = Bench::new();
    let keygen = tool("age").with_file_name("age-keygen");
    bench.finish(bench.command(&keygen).args(["-o", "age.key"]));
    let recipient = bench
        .finish(bench.command(&keygen).args(["-y", "age.key"]))
        .stdout;
    for length in LENGTHS {
        let from = bench.dump(length);
        let (binary, armoured) = (bench.at("binary.age"), bench.at("armoured.age"));
        bench.pipe("age", &["-r", recipient.trim()], &from, &binary);
        encrypted(&binary, Format::Age, length);
        bench.pipe("age", &["-a", "-r", recipient.trim()], &from, &armoured);
        encrypted(&armoured, Format::Age, length);
    }
    // A long header: a hundred recipients.
    let many = bench.at("recipients");
    std::fs::write(&many, recipient.repeat(100)).unwrap();
    let to = bench.at("many.age");
    bench.pipe("age", &["-R", "recipients"], &bench.dump(100_000), &to);
    encrypted(&to, Format::Age, 100_000);
}

/// gpg with a home of its own, whose path must be short.
struct Gpg<'a> {
    bench: &'a Bench,
    home: tempfile::TempDir,
}

impl Gpg<'_> {
    fn new(bench: &Bench) -> Gpg<'_> {
        let home = tempfile::Builder::new().prefix("gpg-").tempdir().unwrap();
        Gpg { bench, home }
    }

    #[track_caller]
    fn run(&self, args: &[&str]) {
        let mut gpg = self.bench.command(tool("gpg"));
        gpg.env("GNUPGHOME", self.home.path())
            .args([
                "--batch",
                "--yes",
                "--quiet",
                "--no-symkey-cache",
                "--trust-model",
                "always",
            ])
            .args(["--pinentry-mode", "loopback", "--passphrase-file", "pass"])
            .args(["--s2k-count", "1024"])
            .args(args);
        self.bench.finish(&mut gpg);
    }
}

#[test]
#[cfg_attr(without_gpg, ignore = "OFFSITE_TEST_WITHOUT names gpg")]
fn gpg_encrypts() {
    let bench = Bench::new();
    let gpg = Gpg::new(&bench);
    gpg.run(&[
        "--quick-gen-key",
        "owner@example.org",
        "default",
        "default",
        "never",
    ]);
    gpg.run(&[
        "--quick-gen-key",
        "other@example.org",
        "future-default",
        "default",
        "never",
    ]);
    for length in LENGTHS {
        let from = bench.dump(length);
        let from = from.to_str().unwrap();
        for (name, args) in [
            ("symmetric.gpg", &["--symmetric"][..]),
            (
                "old.gpg",
                &["--symmetric", "--cipher-algo", "3DES", "--rfc2440"],
            ),
            ("public.gpg", &["--encrypt", "-r", "owner@example.org"]),
            (
                "two.gpg",
                &[
                    "--encrypt",
                    "-r",
                    "owner@example.org",
                    "-r",
                    "other@example.org",
                ],
            ),
            ("hidden.gpg", &["--encrypt", "-R", "owner@example.org"]),
            (
                "stored.gpg",
                &["--encrypt", "-r", "owner@example.org", "-z", "0"],
            ),
            (
                "signed.gpg",
                &["--sign", "--encrypt", "-r", "owner@example.org"],
            ),
            ("armoured.asc", &["--armor", "--symmetric", "-z", "0"]),
            (
                "armoured.txt",
                &["--armor", "--encrypt", "-r", "other@example.org", "-z", "0"],
            ),
        ] {
            let to = bench.at(name);
            gpg.run(&[&["-o", to.to_str().unwrap()], args, &[from]].concat());
            // gpg compresses first; and what is not compressed is known to be long enough.
            let stored = name == "stored.gpg" || name.starts_with("armoured");
            encrypted(
                &to,
                Format::OpenPgp,
                if stored { length } else { length / 20 },
            );
        }
    }
    // Through a pipe, in parts.
    let to = bench.at("piped.gpg");
    let mut cat = bench.command("sh");
    cat.args(["-c", r#"cat dump-1500000.sql | "$0" --homedir "$1" --batch --pinentry-mode loopback --passphrase-file pass -z 0 -c > piped.gpg"#]);
    cat.arg(tool("gpg")).arg(gpg.home.path());
    bench.finish(&mut cat);
    encrypted(&to, Format::OpenPgp, 1_500_000);
}

#[test]
#[cfg_attr(without_gpg, ignore = "OFFSITE_TEST_WITHOUT names gpg")]
fn gpg_without_encryption() {
    let bench = Bench::new();
    let gpg = Gpg::new(&bench);
    gpg.run(&[
        "--quick-gen-key",
        "owner@example.org",
        "ed25519",
        "default",
        "never",
    ]);
    let readable = Verdict::Plaintext(Format::OpenPgp);
    let beside = Verdict::Metadata(Format::OpenPgp);
    for length in [200, 100_000] {
        let from = bench.dump(length);
        let from = from.to_str().unwrap();
        for (name, args, expected) in [
            ("signed.gpg", &["--sign"][..], readable),
            ("signed-stored.gpg", &["--sign", "-z", "0"], readable),
            ("signed.asc", &["--armor", "--sign"], readable),
            ("clear.asc", &["--clear-sign"], readable),
            ("store.gpg", &["--store"], readable),
            ("literal.gpg", &["--store", "-z", "0"], readable),
            ("literal.asc", &["--armor", "--store", "-z", "0"], readable),
            (
                "bzip.gpg",
                &["--store", "--compress-algo", "bzip2"],
                readable,
            ),
            (
                "zlib.gpg",
                &["--store", "--compress-algo", "zlib"],
                readable,
            ),
            ("beside.sig", &["--detach-sign"], beside),
            ("beside.asc", &["--armor", "--detach-sign"], beside),
        ] {
            let to = bench.at(name);
            gpg.run(&[&["-o", to.to_str().unwrap()], args, &[from]].concat());
            verdict(&to, expected);
        }
    }
    for (name, args, expected) in [
        ("public.asc", &["--armor", "--export"][..], readable),
        ("secret.asc", &["--armor", "--export-secret-keys"], readable),
        ("secret.gpg", &["--export-secret-keys"], readable),
    ] {
        gpg.run(&[&["-o", bench.at(name).to_str().unwrap()], args].concat());
        verdict(&bench.at(name), expected);
    }
}

#[test]
#[cfg_attr(without_openssl, ignore = "OFFSITE_TEST_WITHOUT names openssl")]
fn openssl() {
    let bench = Bench::new();
    for length in LENGTHS {
        let from = bench.dump(length);
        for (name, args) in [
            ("cbc.enc", &["-aes-256-cbc"][..]),
            ("ctr.enc", &["-aes-256-ctr"]),
            ("lines.enc", &["-aes-256-cbc", "-base64"]),
            ("line.enc", &["-aes-256-cbc", "-base64", "-A"]),
        ] {
            let to = bench.at(name);
            let common = ["enc", "-pbkdf2", "-iter", "10", "-pass", "file:pass"];
            bench.pipe("openssl", &[&common, args].concat(), &from, &to);
            encrypted(&to, Format::OpenSsl, length);
        }
    }
}

#[test]
#[cfg_attr(without_scrypt, ignore = "OFFSITE_TEST_WITHOUT names scrypt")]
fn scrypt() {
    let bench = Bench::new();
    for length in LENGTHS {
        let (from, to) = (bench.dump(length), bench.at("dump.scrypt"));
        let args = ["enc", "-t", "0.1", "--passphrase", "file:pass"];
        bench.run(
            "scrypt",
            &[&args[..], &[from.to_str().unwrap(), to.to_str().unwrap()]].concat(),
        );
        encrypted(&to, Format::Scrypt, length);
    }
}

/// Nothing but the name says what it is, so a short one is not believed.
#[test]
#[cfg_attr(without_ccrypt, ignore = "OFFSITE_TEST_WITHOUT names ccrypt")]
fn ccrypt() {
    let bench = Bench::new();
    for length in LENGTHS {
        let (from, to) = (bench.dump(length), bench.at("dump.sql.cpt"));
        bench.pipe("ccrypt", &["-e", "-k", "pass"], &from, &to);
        match length > formats::ENOUGH {
            true => encrypted(&to, Format::Ccrypt, length),
            false => verdict(&to, Verdict::Unknown),
        }
        let found = judged_as("dump.sql", &to, None);
        assert_eq!((found.verdict, found.claim), (Verdict::Unknown, None));
    }
}

#[test]
#[cfg_attr(without_aescrypt, ignore = "OFFSITE_TEST_WITHOUT names aescrypt")]
fn aes_crypt() {
    let bench = Bench::new();
    for length in LENGTHS {
        let (from, to) = (bench.dump(length), bench.at("dump.aes"));
        let files = [from.to_str().unwrap(), "-o", to.to_str().unwrap()];
        bench.run("aescrypt", &[&["-e", "-p", "correct"], &files[..]].concat());
        encrypted(&to, Format::AesCrypt, length);
    }
}

#[test]
#[cfg_attr(without_ansible, ignore = "OFFSITE_TEST_WITHOUT names ansible")]
fn ansible_vault() {
    let bench = Bench::new();
    for length in LENGTHS {
        let (from, to) = (bench.dump(length), bench.at("vault.yml"));
        let files = ["--output", to.to_str().unwrap(), from.to_str().unwrap()];
        bench.run(
            "ansible",
            &[&["encrypt", "--vault-password-file", "pass"], &files[..]].concat(),
        );
        encrypted(&to, Format::AnsibleVault, length);
    }
    let to = bench.at("labelled.yml");
    let from = bench.dump(60_000);
    let files = ["--output", to.to_str().unwrap(), from.to_str().unwrap()];
    bench.run(
        "ansible",
        &[&["encrypt", "--vault-id", "prod@pass"], &files[..]].concat(),
    );
    encrypted(&to, Format::AnsibleVault, 60_000);
}

#[test]
#[cfg_attr(without_rclone, ignore = "OFFSITE_TEST_WITHOUT names rclone")]
fn rclone_crypt() {
    let bench = Bench::new();
    let from = bench.at("from");
    std::fs::create_dir(&from).unwrap();
    for length in [0].into_iter().chain(LENGTHS) {
        std::fs::write(from.join(format!("{length}")), dump(length)).unwrap();
    }
    let password = bench.run("rclone", &["obscure", "correct horse"]).stdout;
    let config = format!(
        "[secret]\ntype = crypt\nremote = {}\nfilename_encryption = off\npassword = {password}",
        bench.at("to").display()
    );
    std::fs::write(bench.at("rclone.conf"), config).unwrap();
    bench.run(
        "rclone",
        &["--config", "rclone.conf", "copy", "from", "secret:"],
    );
    let found = files(&bench.at("to"));
    assert_eq!(found.len(), 1 + LENGTHS.len());
    for (name, path) in found {
        let length = name.strip_suffix(".bin").unwrap().parse().unwrap();
        encrypted(&path, Format::Rclone, length);
    }
}

#[test]
#[cfg_attr(without_seaweedfs, ignore = "OFFSITE_TEST_WITHOUT names seaweedfs")]
#[cfg_attr(without_s3cmd, ignore = "OFFSITE_TEST_WITHOUT names s3cmd")]
#[cfg_attr(without_gpg, ignore = "OFFSITE_TEST_WITHOUT names gpg")]
fn s3cmd_encrypts_by_gpg() {
    let bench = Bench::new();
    let bucket = Seaweed::shared().fresh_bucket("s3cmd");
    let host = bucket.endpoint.strip_prefix("http://").unwrap();
    let gpg = "%(gpg_command)s -c --batch --yes --pinentry-mode loopback --passphrase-fd %(passphrase_fd)s -o %(output_file)s %(input_file)s";
    let config = format!(
        "[default]\naccess_key = {}\nsecret_key = {}\nhost_base = {host}\nhost_bucket = {host}\nuse_https = False\n\
         gpg_command = {}\ngpg_encrypt = {gpg}\ngpg_passphrase = correct horse\n",
        ADMIN.id,
        ADMIN.secret,
        tool("gpg").display()
    );
    std::fs::write(bench.at("s3cfg"), config).unwrap();
    let home = tempfile::Builder::new().prefix("gpg-").tempdir().unwrap();
    for length in [200, 1_500_000] {
        let from = bench.dump(length);
        let to = format!("s3://{}/dump.sql", bucket.name);
        let mut s3cmd = bench.command(tool("s3cmd"));
        s3cmd.env("GNUPGHOME", home.path());
        s3cmd.args(["--config", "s3cfg", "--encrypt", "put"]);
        bench.finish(s3cmd.arg(from).arg(to));
        let bytes = bucket.get("dump.sql").unwrap();
        let found = judged("dump.sql", &bytes, &[], None);
        is_encrypted(&found, Format::OpenPgp, length / 20, "dump.sql");
    }
}
