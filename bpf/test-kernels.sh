#!/bin/sh
# Runs the sensor's tests on other kernels, in QEMU by software emulation: one run of about a minute for each kernel.
#
#   bpf/test-kernels.sh VMLINUZ…
#
# TESTS names the test programs (default: all of them), ONLY the tests in them by a part of their names. Where a kernel has its overlay as a module, the package's
# lib/modules is looked for beside boot/.
#
# Debian: apt-get install qemu-system-x86 cpio busybox-static; apt-get download linux-image-6.1…-cloud-amd64 and
# dpkg-deb -x give kernels without installing them. The images must publish BTF.
set -eu

command -v qemu-system-x86_64 >/dev/null || { echo "skipped: qemu-system-x86_64 is not installed"; exit 0; }
command -v cpio >/dev/null || { echo "skipped: cpio is not installed"; exit 0; }
test $# -gt 0 || { echo "usage: $0 VMLINUZ..." >&2; exit 2; }

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
tests=${TESTS:-live bypass}
programs=
for test in $tests; do
	programs="$programs $(cargo test -p vedette-sensor --test "$test" --no-run --message-format json |
		sed -n "s/.*\"executable\":\"\\([^\"]*\\/$test-[^\"]*\\)\".*/\\1/p" | tail -1)"
done

root=$work/root
mkdir -p "$root/bin" "$root/proc" "$root/sys" "$root/dev" "$root/tmp" "$root/etc"
cp "$(command -v busybox)" "$root/bin/busybox"
for name in sh mount sleep cat ls kill poweroff uname ip grep cp mkdir unshare nsenter chroot sha256sum insmod; do ln -s busybox "$root/bin/$name"; done
cp /bin/true "$root/bin/true"
for program in $programs; do
	name=$(basename "$program")
	cp "$program" "$root/bin/${name%%-*}"
done
for library in $(ldd $programs /bin/true | grep -o '/[^ :]*' | sort -u); do
	case $library in *.so*)
		mkdir -p "$root$(dirname "$library")"
		cp -L "$library" "$root$library"
		# for tests that build a small root of their own, where there is no ldd
		echo "$library" >>"$root/etc/libraries"
		;;
	esac
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
for module in /module/*.ko; do [ -e "$module" ] && insmod "$module"; done
passed=yes
for test in $(cat /etc/tests); do "$test" --test-threads=1 --nocapture $(cat /etc/only) || passed=no; done
[ $passed = yes ] && echo "kernel passed"
poweroff -f
INIT
chmod +x "$root/init"
echo "$tests" >"$root/etc/tests"
echo "${ONLY:-}" >"$root/etc/only"

failed=0
for kernel; do
	rm -rf "$root/module"
	mkdir "$root/module"
	for module in "$(dirname "$kernel")"/../lib/modules/*/kernel/fs/overlayfs/overlay.ko*; do
		case $module in
		*.ko) cp "$module" "$root/module/" ;;
		*.ko.xz) xz -dc "$module" >"$root/module/overlay.ko" ;;
		esac
	done
	(cd "$root" && find . | cpio -o -H newc 2>/dev/null | gzip -1) >"$work/initrd"
	qemu-system-x86_64 -accel tcg -smp 2 -m 1024 -kernel "$kernel" -initrd "$work/initrd" -nographic -no-reboot \
		-append "console=ttyS0 quiet no_timer_check lsm=landlock,lockdown,yama,bpf panic=-1" >"$work/log" 2>&1 </dev/null || true
	[ -z "${LOG:-}" ] || cp "$work/log" "$LOG"
	grep -aE '^kernel|^test |compared|tried|stopped|runs|WRONG|hold with|works with|skipped|panicked' "$work/log" || true
	grep -aq '^kernel passed' "$work/log" || { failed=1; echo "FAILED on $kernel"; }
done
exit $failed
