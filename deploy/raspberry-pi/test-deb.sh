#!/usr/bin/env bash
# Installs, runs, upgrades, removes and purges the arm64 package in a fresh Debian for arm64.
#   test-deb.sh PACKAGE.deb
# What arm64.sh needs. No systemd runs in it: the units are tried by tests/deploy.rs.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
package=$(realpath "${1:?test-deb.sh PACKAGE.deb}")
folder=$(mktemp -d)
trap 'rm -r "$folder"' EXIT
cp "$package" "$folder/package.deb"

# What happens inside, step by step.
cat >"$folder/inside.sh" <<'INSIDE'
set -eu
fail() { echo "test-deb: error: $*" >&2; exit 1; }
is() { [ "$1" = "$2" ] || fail "$3: $1 instead of $2"; }
sums() { (cd /mnt/usb && find . -type f | sort | xargs sha256sum); }

echo "install" >&2
dpkg -i /given/package.deb
id offsite >/dev/null || fail "no user offsite"
is "$(stat -c '%a %U' /usr/bin/offsite)" "755 root" "the program"
is "$(stat -c '%a %U' /etc/credstore.encrypted)" "700 root" "the place of the key"

echo "run" >&2
offsite --version
su -s /bin/sh offsite -c 'cd /tmp && HOME=/tmp offsite demo' | grep -q "ALARM: look now" || fail "the demo"
mkdir -p /mnt/usb
offsite -c /etc/offsite/offsite.toml init --store /mnt/usb/offsite --source www --bucket b \
    --region us-east-1 --allow-root-fs
chown -R offsite: /mnt/usb/offsite
echo key >/etc/credstore.encrypted/offsite-s3
echo "# mine" >>/etc/offsite/offsite.toml
config=$(sha256sum /etc/offsite/offsite.toml)
store=$(sums)

echo "upgrade" >&2
dpkg -i /given/package.deb
is "$(sha256sum /etc/offsite/offsite.toml)" "$config" "the configuration after an upgrade"
is "$(sums)" "$store" "the store after an upgrade"
su -s /bin/sh offsite -c 'offsite status' >/dev/null || [ $? -eq 3 ] || fail "status as offsite"
store=$(sums)

echo "remove" >&2
dpkg --remove offsite
[ ! -e /usr/bin/offsite ] || fail "the program is still there"
is "$(sha256sum /etc/offsite/offsite.toml)" "$config" "the configuration after a removal"

echo "purge" >&2
dpkg --purge offsite
[ ! -e /etc/offsite ] || fail "/etc/offsite is still there"
[ ! -e /etc/credstore.encrypted/offsite-s3 ] || fail "the key is still there"
is "$(sums)" "$store" "the store after a purge"
id offsite >/dev/null || fail "the store's owner is gone"
INSIDE

"$here/arm64.sh" "$folder" sh /given/inside.sh >&2
echo "test-deb: installed, run, upgraded, removed and purged" >&2
