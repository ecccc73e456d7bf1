#!/bin/sh
# Runs the sensor's tests on other kernels, in QEMU by software emulation: one run of about a minute for each kernel.
#
#   bpf/test-kernels.sh VMLINUZ…
#
# Debian: apt-get install qemu-system-x86 cpio busybox-static; apt-get download linux-image-6.1…-cloud-amd64 and
# dpkg-deb -x give kernels without installing them. The images must publish BTF.
set -eu

command -v qemu-system-x86_64 >/dev/null || { echo "skipped: qemu-system-x86_64 is not installed"; exit 0; }
command -v cpio >/dev/null || { echo "skipped: cpio is not installed"; exit 0; }
test $# -gt 0 || { echo "usage: $0 VMLINUZ..." >&2; exit 2; }

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
test_program=$(cargo test -p vedette-sensor --test live --no-run --message-format json |
	sed -n 's/.*"executable":"\([^"]*\/live-[^"]*\)".*/\1/p' | tail -1)

root=$work/root
mkdir -p "$root/bin" "$root/proc" "$root/sys" "$root/dev" "$root/tmp" "$root/etc"
cp "$(command -v busybox)" "$root/bin/busybox"
for name in sh mount sleep cat ls kill poweroff uname ip grep; do ln -s busybox "$root/bin/$name"; done
cp /bin/true "$root/bin/true"
cp "$test_program" "$root/bin/live"
for library in $(ldd "$test_program" /bin/true | grep -o '/[^ :]*' | sort -u); do
	case $library in *.so*) mkdir -p "$root$(dirname "$library")"; cp -L "$library" "$root$library" ;; esac
done
cat >"$root/init" <<'INIT'
#!/bin/sh
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev
mount -t tmpfs tmp /tmp
mount -t securityfs security /sys/kernel/security
mount -t cgroup2 cgroup /sys/fs/cgroup
ip link set lo up
echo root:x:0:0:root:/:/bin/sh > /etc/passwd
echo vm > /etc/hostname
export PATH=/bin
echo "kernel $(uname -r)"
live --test-threads=1 --nocapture && echo "kernel passed"
poweroff -f
INIT
chmod +x "$root/init"
(cd "$root" && find . | cpio -o -H newc 2>/dev/null | gzip -1) >"$work/initrd"

failed=0
for kernel; do
	qemu-system-x86_64 -accel tcg -smp 2 -m 1024 -kernel "$kernel" -initrd "$work/initrd" -nographic -no-reboot \
		-append "console=ttyS0 quiet lsm=landlock,lockdown,yama,bpf panic=-1" >"$work/log" 2>&1 </dev/null || true
	grep -aE '^kernel|^test |compared|skipped|panicked' "$work/log" || true
	grep -aq '^kernel passed' "$work/log" || { failed=1; echo "FAILED on $kernel"; }
done
exit $failed
