//! `offsite init --rebind`

use super::init::{existing, quoted, write};
use super::view::config_path;
use super::{Context, Exit, written};
use crate::config::Config;
use crate::error::{Error, Kind, Result};
use crate::home::probe_sqlite;
use crate::object::Clock;
use crate::store::{InitOptions, Reader, Store};
use std::io::Write as _;
use std::path::{Path, PathBuf};

/// Shows which store the configuration expects and which one is there; with `yes`, binds one to
/// the other.
pub(super) fn run(context: &mut Context, store: Option<PathBuf>, yes: bool) -> Result<Exit> {
    let file = config_path(context)?;
    let text = existing(&file)?.unwrap_or_default();
    let config = Config::read(&file)?;
    let folder = store.unwrap_or_else(|| config.store.path.clone());
    let folder = std::path::absolute(&folder).map_err(|e| Error::io("find", &folder, e))?;
    let reader = Store::open_read(&folder)?;
    show(context, &config, &folder, &reader)?;
    knows_a_source(&config, &folder, &reader)?;
    if !yes {
        let way = "if this is the drive you mean, say it again with --yes";
        return Err(Error::new(Kind::Usage, "nothing was changed yet").hint(way));
    }
    // Checked before the drive is touched: what cannot be written leaves nothing behind.
    let text = with_store(&text, &folder, &reader.marker().id)?;
    let options = InitOptions {
        allow_root_fs: config.store.allow_root_fs,
        now: Clock::System.now(),
        probe_sqlite: &probe_sqlite,
    };
    let marker = Store::rebind(&folder, &options)?;
    write(&file, &text)?;
    writeln!(
        context.out,
        "{} is bound to store {} at {}: {}\nnext: `offsite catalogue check`",
        file.display(),
        marker.id,
        folder.display(),
        marker.facts.filesystem,
    )
    .map_err(written)?;
    Ok(Exit::Ok)
}

fn show(context: &mut Context, config: &Config, folder: &Path, reader: &Reader) -> Result<()> {
    let marker = reader.marker();
    let unknown = || "unknown".to_owned();
    let expected = config.store.id.clone().unwrap_or_else(unknown);
    let uuids = [marker.facts.uuid.clone(), reader.uuid()?].map(|u| u.unwrap_or_else(unknown));
    let [made, now] = uuids;
    let path = config.store.path.display();
    writeln!(
        context.out,
        "store id     expected {expected}, found {}\n\
         folder       expected {path}, found {}\n\
         file system  made on {made}, now on {now}",
        marker.id,
        folder.display(),
    )
    .map_err(written)
}

/// A store with another id takes the place of the expected one only if it has something of the
/// same sources: else it is the wrong drive.
fn knows_a_source(config: &Config, folder: &Path, reader: &Reader) -> Result<()> {
    let found = &reader.marker().id;
    let Some(expected) = config.store.id.as_ref().filter(|id| *id != found) else {
        return Ok(());
    };
    let there = reader.remains()?;
    if config.sources.iter().any(|s| there.contains(&s.name)) {
        return Ok(());
    }
    let names: Vec<&str> = config.sources.iter().map(|s| s.name.as_str()).collect();
    let what = format!(
        "the store {found} at {} is not {expected}, and has nothing of {}",
        folder.display(),
        names.join(" or of ")
    );
    Err(Error::new(Kind::Store, what).hint(
        "is the right drive plugged in? `-c FILE` names a configuration of its own for this one",
    ))
}

/// The configuration with another `path` and `id` under `[store]`, and all else as it was.
fn with_store(text: &str, path: &Path, id: &str) -> Result<String> {
    let wanted = [
        ("path", quoted(&path.display().to_string())),
        ("id", quoted(id)),
    ];
    let mut lines: Vec<String> = Vec::new();
    let mut inside = false;
    for line in text.lines() {
        let trimmed = line.trim_start();
        if trimmed.starts_with('[') {
            inside = trimmed.starts_with("[store]");
        }
        let sets = |name: &str| {
            let rest = trimmed.strip_prefix(name).map(str::trim_start);
            inside && rest.is_some_and(|rest| rest.starts_with('='))
        };
        if wanted.iter().any(|(name, _)| sets(name)) {
            continue;
        }
        lines.push(line.to_owned());
        if inside && trimmed.starts_with("[store]") {
            lines.extend(
                wanted
                    .iter()
                    .map(|(name, value)| format!("{name} = {value}")),
            );
        }
    }
    let new = lines.join("\n") + "\n";
    match Config::parse(&new) {
        Ok(config) if config.store.path == path && config.store.id.as_deref() == Some(id) => {
            Ok(new)
        }
        _ => {
            let [(_, path), (_, id)] = wanted;
            Err(
                Error::new(Kind::Usage, "the configuration cannot be changed here").hint(format!(
                    "write into it by hand, under [store]: path = {path} and id = {id}"
                )),
            )
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_two_settings_change() {
        let source = "\n[[source]]\nname = \"www\"\nbucket = \"b\"\nregion = \"r\"\n";
        let before = format!(
            "# mine\n[store]\n# here\nid = \"01OLD\"\n  path = '/old'\nmin_free = \"1 GiB\"\n{source}"
        );
        let after = with_store(&before, Path::new("/new \"x\""), "01NEW").unwrap();
        let config = Config::parse(&after).unwrap();
        assert_eq!(config.store.path, Path::new("/new \"x\""));
        assert_eq!(config.store.id.as_deref(), Some("01NEW"));
        assert_eq!(config.store.min_free, 1 << 30);
        assert!(after.starts_with("# mine\n[store]\n"), "{after}");
        assert!(
            after.contains("# here\n") && after.ends_with(source),
            "{after}"
        );

        let inline = format!("store = {{ path = \"/old\" }}\n{source}");
        let error = with_store(&inline, Path::new("/new"), "01NEW").unwrap_err();
        assert!(error.way_out().unwrap().contains("01NEW"));
    }
}
