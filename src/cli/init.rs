//! `offsite init`

use super::view::{named_config, usual_places};
use super::{Context, Exit, rebind, wizard, written};
use crate::catalogue::Catalogue;
use crate::config::Config;
use crate::error::{Error, Kind, Result};
use crate::home::{journal_mode, probe_sqlite};
use crate::object::{Clock, SourceName};
use crate::report;
use crate::store::{CATALOGUE, InitOptions, Marker, Store};
use std::io::Write as _;
use std::path::{Path, PathBuf};

/// Make a store on a drive, and write the configuration
///
/// On a store that exists already, the source is added to the configuration and nothing else
/// changes.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Ask on the terminal for all of it, and try each answer at once
    #[arg(long, conflicts_with_all = ["store", "source", "bucket", "credentials"])]
    wizard: bool,
    /// The store's folder, on the drive
    #[arg(long, value_name = "DIR", required_unless_present_any = ["wizard", "rebind"])]
    store: Option<PathBuf>,
    /// A name for the bucket: its folder on the drive
    #[arg(long, value_name = "NAME", required_unless_present_any = ["wizard", "rebind"])]
    source: Option<SourceName>,
    /// The bucket
    #[arg(long, value_name = "B", required_unless_present_any = ["wizard", "rebind"])]
    bucket: Option<String>,
    /// The provider's S3 endpoint; omitted for AWS
    #[arg(long, value_name = "URL")]
    endpoint: Option<String>,
    /// The bucket's region
    #[arg(long, value_name = "R")]
    region: Option<String>,
    /// Only keys that begin with this
    #[arg(long, value_name = "P")]
    prefix: Option<String>,
    /// Which versions: auto, all, current
    #[arg(long, value_name = "WHICH", default_value = "auto")]
    versions: String,
    /// Where the key lies: env, profile:NAME, process:COMMAND, systemd:NAME, vault:MOUNT/PATH
    #[arg(long, value_name = "WHERE", default_value = "env")]
    credentials: String,
    /// Plain http:// to another machine
    #[arg(long)]
    allow_http: bool,
    /// Let the store lie on the root file system
    #[arg(long)]
    allow_root_fs: bool,
    /// The store was cloned, replaced or mounted elsewhere (--store DIR): show which one the
    /// configuration expects and which one is there, and change nothing
    #[arg(long, conflicts_with_all = [
        "wizard", "source", "bucket", "endpoint", "region", "prefix", "allow_http", "allow_root_fs",
    ])]
    rebind: bool,
    /// With --rebind: bind the configuration to the store that is there, and try its drive anew
    #[arg(long, requires = "rebind")]
    yes: bool,
}

/// What a store and a source are made from.
#[derive(Clone, Debug)]
pub(super) struct Settings {
    pub(super) store: PathBuf,
    pub(super) source: SourceName,
    pub(super) bucket: String,
    pub(super) endpoint: Option<String>,
    pub(super) region: Option<String>,
    pub(super) prefix: Option<String>,
    pub(super) versions: String,
    pub(super) credentials: String,
    pub(super) allow_http: bool,
    pub(super) allow_root_fs: bool,
}

impl Args {
    fn settings(self) -> Result<Settings> {
        let settings = Settings {
            store: self.store.unwrap_or_default(),
            source: match self.source {
                Some(source) => source,
                None => SourceName::new("www")?,
            },
            bucket: self.bucket.unwrap_or_default(),
            endpoint: self.endpoint,
            region: self.region,
            prefix: self.prefix,
            versions: self.versions,
            credentials: self.credentials,
            allow_http: self.allow_http,
            allow_root_fs: self.allow_root_fs,
        };
        match self.wizard {
            true => wizard::ask(settings),
            false => Ok(settings),
        }
    }
}

pub(super) fn run(context: &mut Context, args: Args) -> Result<Exit> {
    if args.rebind {
        return rebind::run(context, args.store, args.yes);
    }
    let file = named_config(context)
        .or_else(|| usual_places().into_iter().next())
        .ok_or_else(|| {
            Error::new(Kind::Usage, "there is no place for the configuration")
                .hint("name a file with -c FILE")
        })?;
    let wizard = args.wizard;
    let args = args.settings()?;
    let store = std::path::absolute(&args.store).map_err(|e| Error::io("find", &args.store, e))?;
    crate::credentials::Credentials::from(&args.credentials)?;
    let existing = existing(&file)?;
    // Checked before the drive is touched: a wrong setting leaves nothing behind.
    let expected = check(&store, &args, existing.as_deref())?;
    if let Some(id) = expected {
        // A store of its own is never made on whatever drive is plugged in instead.
        same_store(&id, Store::open_read(&store)?.marker())?;
    }
    let options = InitOptions {
        allow_root_fs: args.allow_root_fs,
        now: Clock::System.now(),
        probe_sqlite: &probe_sqlite,
    };
    let marker = Store::init(&store, &options)?;
    let reader = Store::open_read(&store)?;
    // Over journals, only a rebuild makes one.
    if reader.stat(CATALOGUE)?.is_none() && reader.remains()?.is_empty() {
        let mode = journal_mode(&marker.facts);
        Catalogue::create_or_open(&reader.catalogue_path(), mode)?.close()?;
    }
    let text = match &existing {
        Some(text) => format!("{}\n\n{}", text.trim_end(), source_section(&args)),
        None => format!(
            "{}\n{}",
            store_section(&store, &marker, &args),
            source_section(&args)
        ),
    };
    Config::parse(&text)?;
    write(&file, &text)?;
    let out = &mut context.out;
    say(out, &store, &file, &marker, &args).map_err(written)?;
    if wizard {
        say_timer(out, &file).map_err(written)?;
    }
    Ok(Exit::Ok)
}

pub(super) fn existing(file: &Path) -> Result<Option<String>> {
    match std::fs::read_to_string(file) {
        Ok(text) => Ok(Some(text)),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(e) => Err(Error::io("read", file, e)),
    }
}

/// Whether the settings make a configuration, alone and together with the one that is there;
/// which store that one is for.
fn check(store: &Path, args: &Settings, existing: Option<&str>) -> Result<Option<String>> {
    let Some(text) = existing else {
        let text = format!(
            "[store]\npath = {}\n{}",
            quoted(&store.display().to_string()),
            source_section(args)
        );
        return Config::parse(&text).map(|_| None);
    };
    let config = Config::parse(text)?;
    if config.store.path != store {
        let what = format!(
            "the configuration is for another store: {}",
            config.store.path.display()
        );
        return Err(Error::new(Kind::Usage, what).hint("name another file with -c FILE"));
    }
    Config::parse(&format!("{}\n\n{}", text.trim_end(), source_section(args)))?;
    Ok(config.store.id)
}

fn same_store(expected: &str, marker: &Marker) -> Result<()> {
    if expected == marker.id {
        return Ok(());
    }
    Err(Error::new(
        Kind::Store,
        format!(
            "the configuration expects store {expected}, and this is {}",
            marker.id
        ),
    )
    .hint("is the right drive plugged in? A clone or a replacement: `offsite init --rebind`. `-c FILE` names a configuration of its own for this one"))
}

pub(super) fn write(file: &Path, text: &str) -> Result<()> {
    if let Some(dir) = file.parent().filter(|dir| !dir.as_os_str().is_empty()) {
        std::fs::create_dir_all(dir).map_err(|e| Error::io("make the folder", dir, e))?;
    }
    let dir = file.parent().filter(|dir| !dir.as_os_str().is_empty());
    // Written beside it and renamed over it: a configuration is never half there.
    let mut new = tempfile::Builder::new()
        .prefix(".offsite-")
        .tempfile_in(dir.unwrap_or(Path::new(".")))
        .map_err(|e| Error::io("write", file, e))?;
    new.write_all(text.as_bytes())
        .and_then(|()| new.as_file().sync_all())
        .map_err(|e| Error::io("write", file, e))?;
    let old = std::fs::metadata(file).map(|m| m.permissions());
    let mode = old.unwrap_or_else(|_| std::os::unix::fs::PermissionsExt::from_mode(0o644));
    std::fs::set_permissions(new.path(), mode).map_err(|e| Error::io("write", file, e))?;
    new.persist(file)
        .map_err(|e| Error::io("write", file, e.error))?;
    Ok(())
}

fn say(
    out: &mut dyn std::io::Write,
    store: &Path,
    file: &Path,
    marker: &Marker,
    args: &Settings,
) -> std::io::Result<()> {
    let facts = &marker.facts;
    writeln!(
        out,
        "store {} at {}: {}, {}{}",
        marker.id,
        store.display(),
        facts.filesystem,
        report::bytes(facts.total),
        if facts.on_root {
            ", on the root file system"
        } else {
            ""
        },
    )?;
    writeln!(out, "source {} is in {}", args.source, file.display())?;
    writeln!(out, "next: `offsite -c {} pull`", file.display())
}

/// The line that makes it happen every hour.
fn say_timer(out: &mut dyn std::io::Write, file: &Path) -> std::io::Result<()> {
    let unit = Path::new("/lib/systemd/system/offsite-pull.timer").exists()
        || Path::new("/etc/systemd/system/offsite-pull.timer").exists();
    if unit {
        return writeln!(
            out,
            "then, every hour: `systemctl enable --now offsite-pull.timer`"
        );
    }
    writeln!(
        out,
        "then, every hour: `(crontab -l; echo '17 * * * * offsite -c {} pull') | crontab -`",
        file.display()
    )
}

/// Where the smallest reserve suffices: a twentieth of a small drive.
fn min_free(total: u64) -> String {
    let reserve = (total / 20).min(5 << 30);
    if reserve >= 5 << 30 {
        return "5 GiB".to_owned();
    }
    format!("{} MiB", reserve >> 20)
}

pub(super) fn quoted(text: &str) -> String {
    toml::Value::from(text).to_string()
}

fn store_section(store: &Path, marker: &Marker, args: &Settings) -> String {
    let path = quoted(&store.display().to_string());
    let (id, min_free) = (quoted(&marker.id), quoted(&min_free(marker.facts.total)));
    let root = if args.allow_root_fs { "" } else { "# " };
    format!(
        "# offsite: where the copy is, and which buckets it is of. No secret belongs in this file.\n\
         \n\
         [store]\n\
         path = {path}\n\
         # The wrong drive at the right mount point is refused.\n\
         id = {id}\n\
         # This much stays free on the drive.\n\
         min_free = {min_free}\n\
         # The store may lie on the root file system (else a missing mount would fill it).\n\
         {root}allow_root_fs = true\n\
         \n\
         # [watch]\n\
         # A source whose last complete pull is older than this is a finding.\n\
         # pull_overdue = \"36h\"\n\
         # A key in use for longer than this is a finding: make a new one, then revoke the old.\n\
         # rotate_after = \"90d\"\n\
         \n\
         # What a run may take. What it leaves is for the next one, and it says so (exit 3).\n\
         # [limits]\n\
         # rate = \"08:00 1MiB/s 23:00 off\"  # or \"2 MiB/s\" all day\n\
         # concurrency = 4  # requests at once\n\
         # max_duration = \"2h\"\n\
         # max_bytes = \"200 GiB\"  # of one source in one run\n\
         # max_object = \"1 TiB\"  # larger objects stay in the bucket; they are a finding\n\
         \n\
         # Where `offsite mirror` keeps a second full store: another disk, or a NAS.\n\
         # [mirror]\n\
         # to = \"/mnt/second/offsite\"\n\
         \n\
         # What `offsite drill` lets open a backup that it brought back: a line for sh, run with the files.\n\
         # [[drill]]\n\
         # series = \"site/*\"  # its name, or a pattern\n\
         # command = 'age --decrypt -i /root/key.txt \"$1\" >/dev/null'\n\
         # timeout = \"1h\"\n\
         \n\
         # Who is told how each run went; `offsite notify --test` tries it out.\n\
         # [notify]\n\
         # healthcheck = \"https://hc-ping.com/your-uuid\"\n\
         # command = [\"/usr/local/bin/offsite-mail\"]  # a program; JSON comes on its standard input\n\
         # timeout = \"10s\"  # of one attempt to tell somebody\n\
         # allow_http = true  # plain http:// to another machine\n\
         # [notify.webhook]\n\
         # url = \"https://example.org/offsite\"\n\
         # secret = \"systemd:offsite-webhook\"  # or \"env:NAME\"\n\
         # [notify.ntfy]\n\
         # url = \"https://ntfy.sh/your-topic\"\n\
         # token = \"env:NTFY_TOKEN\"\n"
    )
}

pub(super) fn source_section(args: &Settings) -> String {
    let mut text = format!(
        "[[source]]\n\
         name = {}\n\
         bucket = {}\n",
        quoted(args.source.as_str()),
        quoted(&args.bucket)
    );
    let mut set = |name: &str, value: Option<&String>, example: &str| match value {
        Some(value) => text.push_str(&format!("{name} = {}\n", quoted(value))),
        None => text.push_str(&format!("# {name} = {example}\n")),
    };
    set(
        "endpoint",
        args.endpoint.as_ref(),
        "\"https://fra1.digitaloceanspaces.com\"  # omitted for AWS",
    );
    set("region", args.region.as_ref(), "\"eu-central-1\"");
    set(
        "prefix",
        args.prefix.as_ref(),
        "\"\"  # only keys that begin with this",
    );
    set("versions", Some(&args.versions), "");
    set("credentials", Some(&args.credentials), "");
    text.push_str(
        "# Where the key lies: systemd:NAME, profile:NAME, process:COMMAND, vault:MOUNT/PATH, env.\n\
         # include = [\"**/*.age\"]  # only keys that match one of these\n\
         # exclude = [\"tmp/**\"]\n\
         # require = \"provider\"  # warn of versions with weaker evidence\n\
         # minisign = \"RW...\"  # the public key that signs; require = \"signed\" or signed = [\"**/*.age\"] demands it\n\
         # addressing = \"auto\"  # auto, path, virtual\n\
         # ca_file = \"/etc/ssl/my-ca.pem\"  # a private CA\n\
         # What is not encrypted: \"require\" is an alarm, \"warn\" one warning a format, \"ignore\" nothing.\n\
         # encryption = \"warn\"\n",
    );
    text.push_str(match args.allow_http {
        true => "allow_http = true\n",
        false => "# allow_http = true  # plain http:// to another machine\n",
    });
    text
}
