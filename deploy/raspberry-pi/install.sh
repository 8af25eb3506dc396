#!/bin/sh
# Installs offsite on a Linux with systemd and without apt (Debian's package does all this by itself).
#   sudo sh install.sh PROGRAM       PROGRAM: the file that build.sh made, or `cargo build --release`
#   sudo sh install.sh --uninstall   a store, a configuration and a key stay where they are
set -eu
here=$(cd "$(dirname "$0")" && pwd)
root=${DESTDIR:-}
units="offsite-pull.service offsite-pull.timer offsite-status.service offsite-status.timer offsite-scrub.service offsite-scrub.timer offsite-drill.service offsite-drill.timer offsite-failed@.service"

manager() { [ -n "$root" ] || [ ! -d /run/systemd/system ] || systemctl "$@"; }

case ${1:-} in
    --uninstall)
        manager disable --now offsite-pull.timer offsite-status.timer offsite-scrub.timer offsite-drill.timer || true
        for unit in $units; do rm -f "$root/etc/systemd/system/$unit"; done
        rm -f "$root/usr/local/bin/offsite" "$root"/usr/local/share/man/man1/offsite*.1
        manager daemon-reload
        exit
        ;;
    '' | -*)
        sed -n '2,4s/^# \{0,1\}//p' "$0" >&2
        exit 2
        ;;
esac

"$1" --version >/dev/null || {
    echo "install.sh: $1 does not run on this computer: is it built for another one?" >&2
    exit 1
}
install -d "$root/usr/local/bin" "$root/usr/local/share/man/man1" "$root/etc/systemd/system"
install -d -m 755 "$root/etc/offsite"
install -d -m 700 "$root/etc/credstore.encrypted"
# Beside it and renamed over it: a pull that is running goes on with the old one.
install -m 755 "$1" "$root/usr/local/bin/.offsite.new"
mv "$root/usr/local/bin/.offsite.new" "$root/usr/local/bin/offsite"
"$root/usr/local/bin/offsite" man --to "$root/usr/local/share/man/man1"
for unit in $units; do
    sed 's#^ExecStart=/usr/bin/offsite #ExecStart=/usr/local/bin/offsite #' "$here/$unit" \
        >"$root/etc/systemd/system/$unit"
done
if [ -z "$root" ] && ! getent passwd offsite >/dev/null; then
    useradd --system --user-group --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin offsite
fi
manager daemon-reload
echo "installed; how to go on: $here/README.md, from the key on"
