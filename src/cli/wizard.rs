//! `offsite init --wizard`: asks, and tries each answer at once.

use super::init::{Settings, source_section};
use super::pull::runtime;
use crate::bucket::{Bucket, Tuning};
use crate::config::Config;
use crate::credentials::{Credentials, keep};
use crate::error::{Error, Kind, Result};
use crate::home::probe_sqlite;
use crate::http;
use crate::object::{Clock, SourceName};
use crate::report;
use crate::store::{InitOptions, Store};
use rustix::termios::{self, LocalModes, OptionalActions, Termios};
use std::io::{self, BufRead as _, IsTerminal as _, Write as _};
use std::path::PathBuf;
use zeroize::Zeroizing;

/// Asks the five questions (name, endpoint, bucket, key, drive); what does not work is asked again.
pub(super) fn ask(mut settings: Settings) -> Result<Settings> {
    if !io::stdin().is_terminal() {
        let what = "the wizard asks questions, and this is no terminal";
        return Err(Error::new(Kind::Usage, what).hint(
            "without it, `offsite init --store DIR --source NAME --bucket B` does the same",
        ));
    }
    tell("Five questions; each answer is tried at once. Ctrl-C ends this and changes nothing.\n");
    settings.source = again(name)?;
    again(|| endpoint(&mut settings))?;
    settings.bucket = again(|| some("3/5 The bucket"))?;
    let (id, secret) = again(|| key(&settings))?;
    settings.store = again(|| drive(settings.allow_root_fs))?;
    let (credentials, place) = keep(settings.source.as_str(), &id, &secret)?;
    tell(&format!("The key is {place}.\n"));
    settings.credentials = credentials;
    Ok(settings)
}

/// Once more until it works, or until there are no more answers.
fn again<T>(mut question: impl FnMut() -> Result<T>) -> Result<T> {
    loop {
        match question() {
            Err(error) if error.kind() != Kind::Interrupted => {
                tell(&format!("  no: {error}\n"));
                if let Some(hint) = error.way_out() {
                    tell(&format!("  -> {}\n", crate::object::printable(hint)));
                }
            }
            answered => return answered,
        }
    }
}

/// Questions go to the terminal that answers them, not into what may be a pipe.
fn tell(text: &str) {
    let mut out = io::stderr().lock();
    let _ = write!(out, "{text}");
    let _ = out.flush();
}

fn line(question: &str) -> Result<String> {
    tell(&format!("{question}: "));
    let mut answer = String::new();
    let read = io::stdin().lock().read_line(&mut answer);
    match read {
        Ok(1..) => Ok(answer.trim().to_owned()),
        _ => Err(Error::new(Kind::Interrupted, "no more answers")),
    }
}

fn some(question: &str) -> Result<String> {
    let answer = line(question)?;
    match answer.is_empty() {
        true => Err(Error::new(Kind::Usage, "there is no default for this")),
        false => Ok(answer),
    }
}

fn name() -> Result<SourceName> {
    let answer = line("1/5 A name for this server's backups [www]")?;
    let answer = if answer.is_empty() { "www" } else { &answer };
    SourceName::new(answer)
}

fn endpoint(settings: &mut Settings) -> Result<()> {
    let answer =
        line("2/5 The provider's S3 endpoint, such as https://fra1.digitaloceanspaces.com [AWS]")?;
    if answer.is_empty() {
        settings.endpoint = None;
        settings.region = Some(some("    The bucket's region, such as eu-central-1")?);
        return Ok(());
    }
    settings.endpoint = Some(answer.clone());
    let mut tried = settings.clone();
    tried.bucket = "any".to_owned();
    checked(&tried)?;
    runtime()?.block_on(http::answers(&answer))?;
    tell("  it answers\n");
    let region = line("    The bucket's region [us-east-1]")?;
    settings.region = (!region.is_empty()).then_some(region);
    Ok(())
}

/// The settings as the configuration would have them.
fn checked(settings: &Settings) -> Result<Config> {
    let text = format!("[store]\npath = \"/\"\n{}", source_section(settings));
    Config::parse(&text)
}

/// Nothing that is typed is shown while this lives. From before the question: whoever pastes at
/// once must not see the secret in the moment until the answer is waited for.
struct Hidden(Option<Termios>);

impl Hidden {
    fn from_now_on() -> Self {
        let shown = termios::tcgetattr(io::stdin()).ok();
        if let Some(mut hidden) = shown.clone() {
            hidden.local_modes.remove(LocalModes::ECHO);
            let _ = termios::tcsetattr(io::stdin(), OptionalActions::Now, &hidden);
        }
        Self(shown)
    }
}

impl Drop for Hidden {
    fn drop(&mut self) {
        if let Some(shown) = &self.0 {
            let _ = termios::tcsetattr(io::stdin(), OptionalActions::Now, shown);
        }
    }
}

fn key(settings: &Settings) -> Result<(String, Zeroizing<String>)> {
    let id = some("4/5 The read-only key's id")?;
    let hidden = Hidden::from_now_on();
    tell("    Its secret (not shown): ");
    let secret = rpassword::read_password()
        .map(Zeroizing::new)
        .map_err(|_| Error::new(Kind::Interrupted, "no more answers"))?;
    drop(hidden);
    let config = checked(settings)?;
    let first = config.sources.first();
    let source = first.ok_or_else(|| Error::new(Kind::Usage, "there is no source"))?;
    let given = Credentials::given(&id, secret.trim());
    let bucket = Bucket::new(source, &given, Tuning::default())?;
    let page = runtime()?.block_on(async { bucket.list().next().await })?;
    let objects = page.map_or(0, |page| page.objects.len());
    tell(&match objects {
        0 => "  it lists the bucket, which is empty so far\n".to_owned(),
        1000.. => "  it lists the bucket: 1000 objects and more\n".to_owned(),
        _ => format!("  it lists the bucket: {objects} objects\n"),
    });
    Ok((id, Zeroizing::new(secret.trim().to_owned())))
}

fn drive(allow_root_fs: bool) -> Result<PathBuf> {
    let answer = some("5/5 A folder on the drive for the copy, such as /mnt/usb/offsite")?;
    let folder = PathBuf::from(answer);
    if !folder.is_absolute() {
        let what = "this is no absolute path";
        return Err(Error::new(Kind::Usage, what)
            .hint("it begins with /: `lsblk -f` shows where drives are mounted"));
    }
    // Made now: what a drive cannot do is said while another can still be plugged in.
    let options = InitOptions {
        allow_root_fs,
        now: Clock::System.now(),
        probe_sqlite: &probe_sqlite,
    };
    let marker = Store::init(&folder, &options)?;
    let (kind, room) = (&marker.facts.filesystem, report::bytes(marker.facts.total));
    tell(&format!("  it will do: {kind}, {room}\n"));
    Ok(folder)
}
