#!/usr/bin/env bash
# Builds offsite for a Raspberry Pi on another computer (profile `dist`: small).
#   build.sh [--target TARGET] [--deb] [--test]
#     --target   default aarch64-unknown-linux-gnu; others: see Cross.toml
#     --deb      and the Debian package; needs cargo-deb (cargo install cargo-deb)
#     --test     and tries what was built: its size, its libraries, the demo
# Where cross and Docker or Podman run, they build. On a Pi, cargo builds. Elsewhere Debian's
# compilers do, on Debian for amd64, for aarch64 and armv7: they are unpacked under target/cross
# (another folder: $OFFSITE_CROSS), nothing is installed and root is not needed. What they built
# runs here by target/cross/run/offsite, behind an emulator.
# What it does goes to stderr, the paths of what it built to stdout.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

say() { echo "build: $*" >&2; }
die() {
    say "error: $*"
    exit 1
}

target=aarch64-unknown-linux-gnu
deb='' try=''
while [[ $# -gt 0 ]]; do
    case $1 in
        --target) target=${2:?--target needs a name} && shift ;;
        --deb) deb=yes ;;
        --test) try=yes ;;
        *) sed -n '2,11s/^# \{0,1\}//p' "${BASH_SOURCE[0]}" >&2 && exit 2 ;;
    esac
    shift
done
out=${CARGO_TARGET_DIR:-target}/$target/dist
binary=$out/offsite
tools=${OFFSITE_CROSS:-$PWD/target/cross}
# What Debian calls that computer, its compiler, and its emulator.
case $target in
    aarch64-unknown-linux-gnu) arch=arm64 cc=aarch64-linux-gnu qemu=qemu-aarch64 ;;
    armv7-unknown-linux-gnueabihf)
        arch=armhf cc=arm-linux-gnueabihf qemu=qemu-arm
        tools+=-armhf
        ;;
    *) arch='' ;;
esac

# --- who builds -----------------------------------------------------------------------------

containers() { docker info || podman info; }

choose() {
    if command -v cross >/dev/null && containers >/dev/null 2>&1; then
        way=cross
    elif [[ $(uname -m)-unknown-linux-gnu == "$target" ]]; then
        way=cargo
    elif [[ -n $arch ]]; then
        way=debian
    else
        die "$target needs cross (cargo install cross) and Docker or Podman"
    fi
}

# --- Debian's compilers ---------------------------------------------------------------------

# An apt of our own: the machine's sources and keys, our lists, and packages for both machines.
private_apt() {
    local sources=/etc/apt/sources.list.d/debian.sources
    [[ -s $sources ]] || sources=/etc/apt/sources.list
    mkdir -p "$tools"/apt/{lists,cache/archives}/partial "$tools"/apt/{none,debs}
    : >"$tools/apt/preferences"
    cat "$sources" >"$tools/apt/offsite.${sources##*.}"
    # Debian 12's own emulator does not know openat2, which offsite opens every file with.
    emulator="qemu-user"
    # shellcheck disable=SC1091
    if [[ $(. /etc/os-release && echo "$VERSION_CODENAME") == bookworm ]]; then
        emulator="qemu-user/bookworm-backports"
        backports "$sources" >>"$tools/apt/offsite.${sources##*.}"
    fi
    cat >"$tools/apt/conf" <<CONF
Dir::State::lists "$tools/apt/lists";
Dir::Cache "$tools/apt/cache";
Dir::Etc::sourcelist "$tools/apt/offsite.${sources##*.}";
Dir::Etc::sourceparts "$tools/apt/none";
Dir::Etc::preferences "$tools/apt/preferences";
Dir::Etc::preferencesparts "$tools/apt/none";
APT::Architecture "amd64";
APT::Architectures { "amd64"; "$arch"; };
APT::Install-Recommends "false";
APT::Sandbox::User "root";
APT::Update::Post-Invoke-Success "";
Acquire::Languages "none";
Acquire::Retries "3";
CONF
    export APT_CONFIG=$tools/apt/conf
    apt-get -qq update >&2 || die "apt-get update failed (network?)"
}

# backports FILE: the first source in it once more, for backports.
backports() {
    echo
    case $1 in
        *.sources) sed '/^ *$/Q' "$1" | sed 's/^Suites:.*/Suites: bookworm-backports/' ;;
        *) grep -m1 '^deb ' "$1" | sed 's/ bookworm / bookworm-backports /' ;;
    esac
}

versions() { apt-cache madison "$1" | awk -F' *[|] *' '{print $2}' | sort; }

# unpack: rustc with its standard library for here and for there (all of one version), a C
# compiler for there, and the emulator that runs the result.
unpack() {
    [[ $(dpkg --print-architecture 2>/dev/null) == amd64 ]] ||
        die "Debian's compilers are used on Debian for amd64 only; install cross and Docker"
    say "fetching Debian's compilers into $tools"
    rm -rf "${tools:?}"/{apt,root,bin,run,version}
    local rust names missing package emulator
    private_apt
    rust=$(comm -12 <(versions rustc-web:amd64) <(versions "libstd-rust-web-dev:$arch") | sort -V | tail -1)
    [[ -n $rust ]] || die "Debian has no rustc-web for amd64 and $arch in one version"
    printf 'Package: rustc-web libstd-rust-web-*\nPin: version %s\nPin-Priority: 1001\n' \
        "$rust" >"$tools/apt/preferences"
    names=(rustc-web libstd-rust-web-dev "gcc-$cc" "libc6-dev-$arch-cross")
    missing=$(apt-get -s install "${names[@]}" | awk '/^Inst /{print $2}')
    # shellcheck disable=SC2046,SC2086  # lists of words
    (cd "$tools/apt/debs" &&
        apt-get -qq download $(printf '%s\n' "${names[@]}" $missing | sort -u) \
            "libstd-rust-web-dev:$arch=$rust" "$emulator") >&2 || die "apt-get could not download them"
    for package in "$tools"/apt/debs/*.deb; do dpkg-deb -x "$package" "$tools/root"; done
    unset APT_CONFIG
    rm -rf "$tools/apt" "$tools"/root/usr/share/{doc,man,locale}
    # One of its sixty emulators.
    find "$tools/root/usr/bin" -name 'qemu-*' ! -name "$qemu" -delete
    # The linker script names places on a Debian that has them installed.
    sed -i "s#/usr/$cc/lib/##g" "$tools/root/usr/$cc/lib/libc.so"
    wrap
    echo "$rust" >"$tools/version"
}

# wrap: a command in bin/ for each, that finds the libraries it was unpacked with.
wrap() {
    local name
    mkdir -p "$tools/bin"
    for name in rustc rustdoc "$cc"-{gcc,ar}; do
        printf '#!/bin/sh\nLD_LIBRARY_PATH=%q exec %q "$@"\n' \
            "$tools/root/usr/lib/x86_64-linux-gnu" "$tools/root/usr/bin/$name" >"$tools/bin/$name"
    done
    chmod +x "$tools"/bin/*
}

# emulated: run/offsite, the program behind the emulator. That looks for libraries by the
# environment and not by an option, so that what the program starts finds them too.
emulated() {
    mkdir -p "$tools/run"
    printf '#!/bin/sh\nQEMU_LD_PREFIX=%q exec %q %q "$@"\n' \
        "$tools/root/usr/$cc" "$tools/root/usr/bin/$qemu" "$(realpath "$binary")" \
        >"$tools/run/offsite"
    chmod +x "$tools/run/offsite"
}

# --- building and running -------------------------------------------------------------------

build() {
    local args=(build --locked --profile dist --target "$target")
    say "building with $way for $target"
    case $way in
        cross) cross "${args[@]}" >&2 ;;
        cargo) cargo "${args[@]}" >&2 ;;
        debian)
            mkdir -p "$(dirname "$tools")"
            exec 9>"$tools.lock"
            flock 9 # two at once: the second waits and finds them there
            [[ -s $tools/version ]] || unpack
            flock -u 9
            # Debian's rustc may be one version behind the one that Cargo.toml names.
            local name=${target//-/_}
            env RUSTC="$tools/bin/rustc" RUSTDOC="$tools/bin/rustdoc" \
                "CC_$name=$tools/bin/$cc-gcc" "AR_$name=$tools/bin/$cc-ar" \
                "CARGO_TARGET_${name^^}_LINKER=$tools/bin/$cc-gcc" \
                cargo "${args[@]}" --ignore-rust-version >&2
            emulated
            ;;
    esac
    [[ -x $binary ]] || die "there is no $binary"
    echo "$binary"
}

# run ARGUMENTS: the program that was built, on this computer.
run() {
    case $way in
        cross) cross run --quiet --locked --profile dist --target "$target" -- "$@" ;;
        cargo) "$binary" "$@" ;;
        debian) "$tools/run/offsite" "$@" ;;
    esac
}

# --- the package ----------------------------------------------------------------------------

package() {
    command -v cargo-deb >/dev/null || die "--deb needs cargo-deb: cargo install cargo-deb"
    local extra=target/package shell
    rm -rf "$extra"
    mkdir -p "$extra"/{man,completions}
    run man --to "$extra/man"
    gzip -9n "$extra"/man/*
    for shell in bash zsh fish; do run completions "$shell" >"$extra/completions/offsite.$shell"; done
    say "packing"
    cargo deb --locked --quiet --no-build --no-strip --profile dist --target "$target" >&2
    # Where cargo-deb puts it depends on its version.
    package=$(find "${CARGO_TARGET_DIR:-target}" -path '*/debian/*.deb' -newer "$extra/man" | head -1)
    [[ -n $package ]] || die "cargo-deb made no package"
    echo "$package"
}

# --- trying it ------------------------------------------------------------------------------

check() {
    local size newest version folder
    size=$(stat -c %s "$binary")
    say "size: $((size / 1024)) KiB"
    ((size <= 16 << 20)) || die "larger than 16 MiB"
    # The glibc of Debian 12, Ubuntu 22.04 and Raspberry Pi OS of 2023 at the latest.
    if [[ $target == *-gnu* ]]; then
        newest=$(grep -ao 'GLIBC_2\.[0-9]*' "$binary" | sort -Vu | tail -1)
        say "needs $newest"
        [[ $(printf '%s\n' GLIBC_2.35 "$newest" | sort -V | tail -1) == GLIBC_2.35 ]] ||
            die "needs a newer glibc than 2.35"
    fi
    version=$(run --version)
    [[ $version == "offsite $(sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml | head -1)"* ]] ||
        die "says it is: $version"
    say "$version runs"
    folder=$(mktemp -d)
    TMPDIR=$folder run demo >"$folder/demo" || die "the demo failed"
    grep -q 'ALARM: look now' "$folder/demo" || die "the demo raised no alarm"
    rm -r "$folder"
    say "the demo runs"
    [[ -z $deb ]] || check_package
}

# What the package holds and asks for. test-deb.sh installs it.
check_package() {
    local file list
    list=$(dpkg-deb -c "$package")
    for file in usr/bin/offsite usr/lib/systemd/system/offsite-{pull,status,scrub,drill}.{service,timer} \
        usr/lib/systemd/system/offsite-failed@.service usr/share/man/man1/offsite-pull.1.gz \
        usr/share/bash-completion/completions/offsite usr/share/doc/offsite/examples/offsite.toml; do
        grep -q " \./$file\$" <<<"$list" || die "the package has no $file"
    done
    list=$(dpkg-deb -f "$package" Depends)
    for file in 'libc6 (>= 2.34)' libgcc-s1 ca-certificates adduser; do
        [[ $list == *"$file"* ]] || die "the package does not depend on $file"
    done
    say "the package is complete"
}

package=
choose
build
[[ -z $deb ]] || package
[[ -z $try ]] || check
