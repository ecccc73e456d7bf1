# Makes the throw-away node, inside namespaces of its own (see node.rs). $1: directory with what was prepared; $2: the
# lab's name, which is also the name of its control group.
set -eu
stage=$1
lab=$2
root=$stage/root

# Everything of the lab is in one control group, so that its events can be told from all others.
for hierarchy in /sys/fs/cgroup /sys/fs/cgroup/*; do
  if [ -e "$hierarchy/cgroup.procs" ]; then
    mkdir -p "$hierarchy/$lab/node.slice"
    if [ -e "$hierarchy/cpuset.cpus" ] && [ ! -e "$hierarchy/cgroup.controllers" ]; then
      for group in "$lab" "$lab/node.slice"; do
        cat "$hierarchy/cpuset.cpus" > "$hierarchy/$group/cpuset.cpus"
        cat "$hierarchy/cpuset.mems" > "$hierarchy/$group/cpuset.mems"
      done
    fi
    echo $$ > "$hierarchy/$lab/node.slice/cgroup.procs"
  fi
done

mount --make-rprivate /
# From here on /proc speaks of this process namespace, which `unshare --net` below relies on.
mount -t proc proc /proc
# What the node and its containers write lies in memory and goes with the mount namespace. The images go there too: only
# where all layers are on one file system do the files of an overlay have its device number, as on real nodes.
mount -t tmpfs -o size=512m,mode=755 range "$stage/memory"
mkdir "$stage/memory/images"
if [ -e "$stage/images.tar" ]; then
  # the pods' images go through containerd
  cp -a "$stage/images/node" "$stage/memory/images/node"
else
  cp -a "$stage/images/." "$stage/memory/images"
fi
overlay() { # image, name, mount point
  mkdir -p "$stage/memory/$2/upper" "$stage/memory/$2/work" "$3"
  chmod --reference="$stage/memory/images/$1" "$stage/memory/$2/upper"
  mount -t overlay overlay \
    -o "lowerdir=$stage/memory/images/$1,upperdir=$stage/memory/$2/upper,workdir=$stage/memory/$2/work" "$3"
}
overlay node node "$root"
mount -t proc proc "$root/proc"
# The kernel is the real machine's: its settings may be read here, not changed.
mount -t sysfs -o ro sysfs "$root/sys"
mount --rbind /sys/fs/cgroup "$root/sys/fs/cgroup"
mount --bind "$root/proc/sys" "$root/proc/sys"
mount -o remount,ro,bind "$root/proc/sys"
if [ -e "$root/proc/sysrq-trigger" ]; then
  mount --bind /dev/null "$root/proc/sysrq-trigger"
fi
mount -t tmpfs -o mode=755,nosuid dev "$root/dev"
for device in "null 1 3" "zero 1 5" "full 1 7" "random 1 8" "urandom 1 9" "tty 5 0"; do
  # shellcheck disable=SC2086 # three words
  set -- $device
  mknod -m 666 "$root/dev/$1" c "$2" "$3"
done
mkdir "$root/dev/pts" "$root/dev/shm" "$root/dev/mqueue"
mount -t devpts -o newinstance,ptmxmode=0666 devpts "$root/dev/pts"
ln -s pts/ptmx "$root/dev/ptmx"

# The network: one bridge with the pods' gateway and the addresses of the world outside. There is no way further.
hostname "$lab"
ip link set lo up
ip link add cni0 type bridge
for address in 10.244.1.1/24 10.96.0.1/32 203.0.113.10/32 203.0.113.20/32 198.51.100.7/32; do
  ip address add "$address" dev cni0
done
ip link set cni0 up

# The metadata service stands one hop behind the node, as clouds have it: the node forwards what pods ask.
echo 1 > /proc/sys/net/ipv4/ip_forward
mkdir -p "$root/run/netns"
: > "$root/run/netns/metadata"
unshare --net="$root/run/netns/metadata" true
ip link add metadata0 type veth peer name eth0 netns "$root/run/netns/metadata"
ip address add 169.254.169.253/30 dev metadata0
ip link set metadata0 up
nsenter --net="$root/run/netns/metadata" sh -c \
  'ip link set lo up && ip address add 169.254.169.254/30 dev eth0 && ip link set eth0 up && ip route add default via 169.254.169.253'

mkdir -p "$root/run/netns" "$root/run/range/steps"
if [ -e "$stage/images.tar" ]; then
  # containerd makes the pods. Its snapshots lie outside of the node's own overlay: overlays do not stack. Nothing else does:
  # what else it mounts into containers is then not on the file system of their layers, which nobody but they may guard.
  snapshots=$root/var/lib/containerd/io.containerd.snapshotter.v1.overlayfs
  mkdir -p "$stage/memory/snapshots" "$snapshots"
  mount --bind "$stage/memory/snapshots" "$snapshots"
  mkdir "$root/run/range/announce"
  cp -r "$stage/pods" "$root/run/range/pods"
  cp "$stage/addresses" "$stage/given-up" "$root/run/range/"
  cp "$stage/names" "$root/run/range/images"
  cp "$stage/images.tar" "$root/run/range/images.tar"
else
  bundles=$root/run/containerd/io.containerd.runtime.v2.task/k8s.io
  mkdir -p "$bundles"
  number=0
  for pod in "$stage"/pods/*; do
    id=$(cat "$pod/id")
    number=$((number + 1))
    mkdir -p "$bundles/$id"
    cp "$pod/config.json" "$bundles/$id/config.json"
    overlay "$(cat "$pod/image")" "$id" "$bundles/$id/rootfs"
    cp "$pod/hosts" "$bundles/$id/hosts"
    cp -r "$pod/account" "$bundles/$id/account"
    netns=$root/run/netns/$id
    : > "$netns"
    unshare --net="$netns" true
    ip link add "veth$number" type veth peer name eth0 netns "$netns"
    ip link set "veth$number" master cni0 up
    nsenter --net="$netns" sh -c "ip link set lo up && ip address add $(cat "$pod/address")/24 dev eth0 && ip link set eth0 up && ip route add default via 10.244.1.1"
    if [ -e "$pod/no-egress" ]; then
      # a network policy without a rule for anything but the name service: replies pass, all else is refused
      nsenter --net="$netns" sh -ec '
        iptables -A OUTPUT -o lo -j ACCEPT
        iptables -A OUTPUT -m conntrack --ctstate ESTABLISHED,RELATED -j ACCEPT
        for protocol in tcp udp; do iptables -A OUTPUT -p $protocol --dport 53 -j ACCEPT; done
        iptables -A OUTPUT -j REJECT --reject-with icmp-admin-prohibited'
    fi
  done
  cp "$stage/containers" "$root/run/range/"
fi
cp "$stage/tokens" "$root/run/range/"
if [ -e "$stage/metadata-tokens" ]; then : > "$root/run/range/metadata-tokens"; fi
cp "$stage/start" "$root/run/range/start"
for mark in $(cat "$stage/marks"); do : > "$root/run/range/steps/$mark"; done

cd "$root"
mkdir -p .old
# Capabilities that would reach the real kernel or its devices are gone for good from here on. The shells and the program
# after the pivot are the node's own.
exec setpriv \
  --bounding-set -sys_module,-sys_rawio,-sys_boot,-sys_time,-mknod,-mac_admin,-mac_override,-bpf,-perfmon,-syslog \
  sh -c 'pivot_root . .old && exec /bin/sh -c "umount -l /.old && rmdir /.old && exec /sbin/init"'
