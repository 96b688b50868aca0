#!/bin/sh
# Becomes process 1 of the Debian in a folder. Called by package-test.sh, in namespaces of its own.
set -eu

root=$1
mount --make-rprivate /
mount --bind "$root" "$root"
# As on a machine: systemd hands credentials over by a mount that its services inherit.
mount --make-rshared "$root"
mount -t tmpfs tmpfs "$root/run"
mount -t tmpfs tmpfs "$root/tmp"
mount --rbind /dev "$root/dev"
mount --make-rslave "$root/dev"
mount -t proc proc "$root/proc"
mount -t sysfs sysfs "$root/sys"
if [ -e /sys/fs/cgroup/cgroup.controllers ]; then
    mount -t cgroup2 cgroup2 "$root/sys/fs/cgroup"
else
    mount -t tmpfs tmpfs "$root/sys/fs/cgroup"
    mkdir "$root/sys/fs/cgroup/systemd" "$root/sys/fs/cgroup/unified"
    mount -t cgroup -o none,name=systemd cgroup "$root/sys/fs/cgroup/systemd"
    mount -t cgroup2 cgroup2 "$root/sys/fs/cgroup/unified"
fi
# Only its own loopback: no port of this machine is in the way.
chroot "$root" ip link set lo up
exec env -i container=package-test PATH=/usr/sbin:/usr/bin:/sbin:/bin \
    chroot "$root" /lib/systemd/systemd --unit=multi-user.target > /dev/null 2>&1
