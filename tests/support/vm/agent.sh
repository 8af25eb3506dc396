# Runs in the guest from its start to its end (tests/support/vm.rs): does what it is told over a
# port of QEMU's, and ends the guest when the other end of it is closed.
PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
export PATH
exec </dev/null >/dev/console 2>&1

# The kernel asks for the modules of what is mounted.
command -v modprobe >/dev/null || ln -s /usr/bin/busybox /usr/sbin/modprobe
for modprobe in /sbin/modprobe /usr/sbin/modprobe; do
    if [ -x $modprobe ]; then echo $modprobe >/proc/sys/kernel/modprobe; fi
done
busybox modprobe virtio_net
busybox modprobe loop
busybox ip link set lo up
busybox ip addr add 10.0.2.15/24 dev eth0
busybox ip link set eth0 up
mkdir -p /dev/shm
mount -t tmpfs none /dev/shm
# No certificate is needed here, and to read hundreds takes seconds.
mount -t tmpfs none /etc/ssl/certs

here=${0%/*}
for port in /sys/class/virtio-ports/*; do
    if [ "$(cat "$port/name")" = agent ]; then exec 3<>"/dev/${port##*/}"; fi
done
echo "0 ready" >&3
while read -r verb what <&3; do
    case $verb in
        run)
            (
                cd / || exit
                sh "$here/$what.sh" >"$here/$what.out" 2>"$here/$what.err" 3>&- &
                echo "$what $!" >&3
                wait $!
                echo "$what $?" >&3
            ) &
            ;;
        kill) kill -9 "$what" ;;
    esac
done
busybox poweroff -f
