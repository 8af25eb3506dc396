#!/usr/bin/env bash
# Installs, runs, upgrades, removes and purges the arm64 package in a Debian for arm64 of its own.
#   test-deb.sh PACKAGE.deb
# Needs root, Linux 6.7 or later (an emulator registered in namespaces of our own: the machine's
# own list is not touched), and what build.sh unpacked under target/cross. That Debian is made
# once, under target/cross/arm64, in some minutes. No systemd runs in it: the units are tried by
# tests/deploy.rs.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
package=$(realpath "${1:?test-deb.sh PACKAGE.deb}")
tools=${OFFSITE_CROSS:-$here/../../target/cross}
tools=$(realpath "$tools")
root=$tools/arm64

say() { echo "test-deb: $*" >&2; }
die() {
    say "error: $*"
    exit 1
}

# apart COMMAND...: as root of user, mount and process namespaces of its own, in which every user
# id is what it is here. unshare(1) cannot write such a map by itself, so it is written from
# outside; the capabilities come with the exec after that.
apart() {
    local gate child
    gate=$(mktemp -u)
    mkfifo "$gate"
    # shellcheck disable=SC2016  # the inner shell's own
    unshare --user --mount --pid --fork --kill-child \
        sh -c 'read -r _ <"$0"; exec "$@"' "$gate" "$@" </dev/null &
    child=$!
    until [[ $(readlink "/proc/$child/ns/user") != $(readlink /proc/self/ns/user) ]]; do
        kill -0 "$child" || die "unshare failed"
        sleep 0.05
    done
    echo "0 0 65536" >"/proc/$child/uid_map"
    echo "0 0 65536" >"/proc/$child/gid_map"
    echo go >"$gate"
    rm "$gate"
    wait "$child"
}

# The first lines of every script that runs apart: programs for arm64 go to the emulator. (F: it is
# opened at once, so that it is there inside another root too.)
# shellcheck disable=SC2016
emulator='
set -e
mount -t proc proc /proc
mount -t binfmt_misc none /proc/sys/fs/binfmt_misc
magic="\\x7fELF\\x02\\x01\\x01\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x02\\x00\\xb7\\x00"
mask="\\xff\\xff\\xff\\xff\\xff\\xff\\xff\\x00\\xff\\xff\\xff\\xff\\xff\\xff\\xff\\xff\\xfe\\xff\\xff\\xff"
printf "%s" ":arm64:M::$magic:$mask:$1/root/usr/bin/qemu-aarch64:OCF" >/proc/sys/fs/binfmt_misc/register
'

make_root() {
    say "making a Debian for arm64 in $root (some minutes)"
    mkdir -p "$tools/debs" "$tools/mmdebstrap"
    if ! command -v mmdebstrap >/dev/null; then
        (cd "$tools/debs" && apt-get -qq -o APT::Sandbox::User=root download mmdebstrap) >&2
        dpkg-deb -x "$tools"/debs/mmdebstrap_*.deb "$tools/mmdebstrap"
    fi
    local sources=/etc/apt/sources.list.d/debian.sources
    [[ -s $sources ]] || sources=/etc/apt/sources.list
    rm -rf "$root"
    # shellcheck disable=SC2016
    PATH=$PATH:$tools/mmdebstrap/usr/bin apart sh -c "$emulator"'
        exec mmdebstrap --quiet --mode=root --arch=arm64 --variant=apt --skip=check/qemu \
            --include=adduser,ca-certificates "$4" "$2.new" "$3"' \
        sh "$tools" "$root" "$sources" "$(. /etc/os-release && echo "$VERSION_CODENAME")" >&2
    mv "$root.new" "$root"
}

# What happens inside, step by step.
cat >"$tools/inside.sh" <<'INSIDE'
set -eu
fail() { echo "test-deb: error: $*" >&2; exit 1; }
is() { [ "$1" = "$2" ] || fail "$3: $1 instead of $2"; }
sums() { (cd /mnt/usb && find . -type f | sort | xargs sha256sum); }

dpkg --purge offsite >/dev/null 2>&1 || true
rm -rf /mnt/usb /etc/offsite /etc/credstore.encrypted

echo "install" >&2
dpkg -i /package.deb
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
dpkg -i /package.deb
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

[[ $(id -u) == 0 ]] || die "needs root"
[[ -x $tools/root/usr/bin/qemu-aarch64 ]] || die "run build.sh first"
[[ -d $root ]] || make_root
cp "$package" "$root/package.deb"
cp "$tools/inside.sh" "$root/inside.sh"
# shellcheck disable=SC2016
apart sh -c "$emulator"'
    mount -t proc proc "$2/proc"
    mount -t tmpfs tmpfs "$2/dev"
    for device in null zero urandom random; do
        touch "$2/dev/$device"
        mount --bind "/dev/$device" "$2/dev/$device"
    done
    exec chroot "$2" env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin DEBIAN_FRONTEND=noninteractive sh /inside.sh' \
    sh "$tools" "$root" >&2
say "installed, run, upgraded, removed and purged"
