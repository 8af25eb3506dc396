#!/usr/bin/env bash
# Runs a command as root in a fresh Debian for arm64; what it changes there is gone at its end.
#   arm64.sh FOLDER COMMAND...     FOLDER is seen there as /given
# Needs root, Linux 6.7 or later (an emulator registered in namespaces of our own: the machine's
# own list is not touched), and what build.sh unpacked under target/cross. That Debian is made
# once, under target/cross/arm64, in some minutes: what Raspberry Pi OS Lite has as well and the
# guide uses. The network is the machine's own. No systemd runs in it.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
[[ $# -ge 2 ]] || { sed -n '2,7s/^# \{0,1\}//p' "${BASH_SOURCE[0]}" >&2 && exit 2; }
given=$(realpath "$1")
shift
tools=$(realpath "${OFFSITE_CROSS:-$here/../../target/cross}")
root=$tools/arm64
packages=adduser,ca-certificates,e2fsprogs,fdisk,sudo,systemd,systemd-timesyncd

say() { echo "arm64: $*" >&2; }
die() {
    say "error: $*"
    exit 1
}

# apart COMMAND...: as root of user, mount and process namespaces of its own, in which every user
# id is what it is here. unshare(1) cannot write such a map by itself, so it is written from
# outside; the capabilities come with the exec after that.
apart() {
    local gate child inner outer
    gate=$(mktemp -u)
    mkfifo "$gate"
    # shellcheck disable=SC2016  # the inner shell's own
    unshare --user --mount --pid --fork --kill-child \
        sh -c 'read -r _ <"$0"; exec "$@"' "$gate" "$@" </dev/null &
    child=$!
    # shellcheck disable=SC2064  # this child, this folder
    trap "kill $child 2>/dev/null || true; rm -rf $gate ${fresh-}" EXIT
    outer=$(readlink /proc/self/ns/user)
    # Empty while the process cannot be looked at.
    until inner=$(readlink "/proc/$child/ns/user") && [[ -n $inner && $inner != "$outer" ]]; do
        kill -0 "$child" || die "unshare failed"
        sleep 0.05
    done
    echo "0 0 65536" >"/proc/$child/uid_map"
    echo "0 0 65536" >"/proc/$child/gid_map"
    echo go >"$gate"
    wait "$child"
}

# The first lines of every script that runs apart: programs for arm64 go to the emulator. (F: it is
# opened at once, so that it is there inside another root too. C: sudo runs as its file's owner.)
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
    rm -rf "$root" "$root.new"
    # shellcheck disable=SC1091,SC2016
    PATH=$PATH:$tools/mmdebstrap/usr/bin apart sh -c "$emulator"'
        exec mmdebstrap --quiet --mode=root --arch=arm64 --variant=apt --skip=check/qemu \
            --include="$5" "$4" "$2.new" "$3"' \
        sh "$tools" "$root" "$sources" "$(. /etc/os-release && echo "$VERSION_CODENAME")" "$packages" >&2
    mv "$root.new" "$root"
    echo "$packages" >"$root.packages"
}

[[ $(id -u) == 0 ]] || die "needs root"
[[ -x $tools/root/usr/bin/qemu-aarch64 ]] || die "run build.sh first"
[[ $(cat "$root.packages" 2>/dev/null) == "$packages" ]] || make_root
# Where it is written to: on a disk, because systemd-creds keeps no key in memory.
fresh=$(mktemp -d "$tools/fresh.XXXXXX")
# shellcheck disable=SC2016
apart sh -c "$emulator"'
    below=$2 fresh=$3 given=$4
    shift 4
    mkdir "$fresh/upper" "$fresh/work" "$fresh/root"
    mount -t overlay -o "userxattr,lowerdir=$below,upperdir=$fresh/upper,workdir=$fresh/work" \
        overlay "$fresh/root"
    cd "$fresh/root"
    mkdir given
    mount --rbind "$given" given
    mount --rbind /sys sys
    mount -t proc proc proc
    mount -t tmpfs tmpfs run
    mount -t tmpfs tmpfs dev
    for device in null zero urandom random; do
        touch "dev/$device"
        mount --bind "/dev/$device" "dev/$device"
    done
    for file in resolv.conf hosts; do cat "/etc/$file" >"etc/$file"; done
    exec chroot . env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
        DEBIAN_FRONTEND=noninteractive "$@"' \
    sh "$tools" "$root" "$fresh" "$given" "$@"
