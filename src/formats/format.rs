//! The formats that are told apart, and their names for the catalogue.

macro_rules! formats {
    ($($(#[$doc:meta])* $variant:ident = $name:literal,)*) => {
        /// A format of a backup, as it looks from outside.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Format {
            $($(#[$doc])* $variant,)*
        }

        impl Format {
            /// All of them.
            pub const ALL: &[Format] = &[$(Format::$variant),*];

            /// Its name, in the catalogue and for people. It never changes.
            pub fn name(self) -> &'static str {
                match self {
                    $(Format::$variant => $name,)*
                }
            }

            /// The format of that [`name`](Self::name).
            pub fn from_name(name: &str) -> Option<Self> {
                match name {
                    $($name => Some(Format::$variant),)*
                    _ => None,
                }
            }
        }
    };
}

formats! {
    /// age, binary or armoured.
    Age = "age",
    /// AES Crypt, and Duplicati, which writes it.
    AesCrypt = "aescrypt",
    /// Ansible Vault.
    AnsibleVault = "ansible-vault",
    /// AxCrypt.
    AxCrypt = "axcrypt",
    /// Borg 1: segments of a repository, encrypted or not.
    Borg = "borg",
    /// Borg 2: packs of a repository, encrypted or not.
    Borg2 = "borg2",
    /// ccrypt: known by its name alone.
    Ccrypt = "ccrypt",
    /// Cryptomator: a vault's files.
    Cryptomator = "cryptomator",
    /// Duplicacy: chunks, encrypted or not.
    Duplicacy = "duplicacy",
    /// gocryptfs: files of an encrypted folder.
    Gocryptfs = "gocryptfs",
    /// Akeeba's JPA archive, which is never encrypted.
    Jpa = "jpa",
    /// Akeeba's JPS archive.
    Jps = "jps",
    /// kopia: parts of a repository.
    Kopia = "kopia",
    /// LUKS 1 and 2: an encrypted disk, or its header.
    Luks = "luks",
    /// OpenPGP messages: gpg, duplicity, `s3cmd --encrypt`.
    OpenPgp = "openpgp",
    /// `openssl enc`, binary or base64.
    OpenSsl = "openssl",
    /// Proxmox Backup Server: blobs, encrypted or not, and indexes.
    ProxmoxBackup = "proxmox-backup",
    /// rclone crypt.
    Rclone = "rclone-crypt",
    /// restic and rustic: parts of a repository.
    Restic = "restic",
    /// Encrypted by an S3 client before it was sent, as the object's metadata says.
    S3Client = "s3-client-side",
    /// scrypt, Tarsnap's file encryption.
    Scrypt = "scrypt",
    /// 7z, encrypted or not.
    SevenZip = "7z",
    /// VeraCrypt: known by its name alone.
    VeraCrypt = "veracrypt",
    /// ZIP, not encrypted, or not all of it.
    Zip = "zip",
    /// ZIP with WinZip's AES.
    ZipAes = "zip-aes",
    /// ZIP with the old cipher, which is broken.
    ZipCrypto = "zip-crypto",
    /// bzip2.
    Bzip2 = "bzip2",
    /// A program or library for Linux.
    Elf = "elf",
    /// gzip.
    Gzip = "gzip",
    /// A JPEG picture.
    Jpeg = "jpeg",
    /// LZ4 frames.
    Lz4 = "lz4",
    /// A PDF document.
    Pdf = "pdf",
    /// A PNG picture.
    Png = "png",
    /// A dump of a database: SQL, or PostgreSQL's own form.
    Sql = "sql",
    /// An SQLite database.
    Sqlite = "sqlite",
    /// tar.
    Tar = "tar",
    /// Text in UTF-8.
    Text = "text",
    /// xz.
    Xz = "xz",
    /// Zstandard.
    Zstd = "zstd",
}

impl std::fmt::Display for Format {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn every_name_comes_back() {
        for format in Format::ALL {
            assert_eq!(Format::from_name(format.name()), Some(*format));
            let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
            assert!(format.name().chars().all(plain), "{format}");
        }
        let names: BTreeSet<_> = Format::ALL.iter().map(|f| f.name()).collect();
        assert_eq!(names.len(), Format::ALL.len());
        assert_eq!(Format::from_name("AGE"), None);
    }
}
