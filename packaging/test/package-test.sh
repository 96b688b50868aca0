#!/bin/sh
# Installs a package in a Debian of its own, with systemd as process 1, and runs steps.sh there. Nothing of this machine changes.
#   package-test.sh FOLDER DEB BEFORE_DEB      (as root; FOLDER is made, and removed at the end)
set -eu

here=$(cd "$(dirname "$0")" && pwd)
root=$1/debian
case $1 in /*) ;; *) echo "name the folder from /" >&2; exit 2 ;; esac
rm -rf "$root"
mkdir -p "$1"

mmdebstrap --quiet --variant=minbase \
    --include=systemd,systemd-sysv,dbus,adduser,ca-certificates,curl,jq,iproute2,nginx-light,openssl,procps,zsh,man-db \
    "${SUITE:-bookworm}" "$root"
mkdir "$root/package-test"
cp "$2" "$root/package-test/obol.deb"
cp "$3" "$root/package-test/before.deb"
cp "$here/steps.sh" "$here/../nginx/obol.conf" "$root/package-test/"

# Its own processes, mounts, cgroups and network; all of them end with the process that unshare waits for.
if [ -e /sys/fs/cgroup/cgroup.controllers ]; then hierarchies=/sys/fs/cgroup; else
    hierarchies="/sys/fs/cgroup/systemd /sys/fs/cgroup/unified"
fi
for hierarchy in $hierarchies; do mkdir -p "$hierarchy/package-test"; done
(
    me=$(exec sh -c 'echo $PPID')
    for hierarchy in $hierarchies; do echo "$me" > "$hierarchy/package-test/cgroup.procs"; done
    exec unshare --mount --pid --fork --kill-child --uts --ipc --cgroup --net "$here/boot.sh" "$root"
) &
outside=$!
finish() {
    kill -9 "$outside" 2> /dev/null || true
    wait "$outside" 2> /dev/null || true
    # Its cgroups are empty as soon as the last process is gone.
    for try in 1 2 3 4 5; do
        for hierarchy in $hierarchies; do
            find "$hierarchy/package-test" -depth -type d -exec rmdir {} + 2> /dev/null || true
        done
        sleep 0.2
    done
    rm -rf --one-file-system "$root"
}
trap finish EXIT
trap 'exit 1' INT TERM

inside() {
    nsenter --target "$(pgrep -P "$outside" | head -n 1)" --mount --pid --uts --ipc --cgroup --net --root --wd \
        -- /usr/bin/env -i HOME=/root LANG=C.UTF-8 PATH=/usr/sbin:/usr/bin:/sbin:/bin "$@"
}
tries=0
until inside systemctl is-system-running 2> /dev/null | grep -q -E 'running|degraded'; do
    tries=$((tries + 1))
    if [ "$tries" -gt 120 ]; then
        echo "systemd does not start here: it needs root and cgroups" >&2
        exit 1
    fi
    sleep 0.5
done
inside bash /package-test/steps.sh
