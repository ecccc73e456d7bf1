/* SPDX-License-Identifier: (Apache-2.0 OR GPL-2.0-only)
 *
 * Facts about files: descriptor to file, device and inode, overlay layer, path.
 */
#pragma once

#define OVERLAYFS_SUPER_MAGIC 0x794c7630
#define SB_RDONLY 1
#define S_IMMUTABLE (1 << 3)
#define MAY_WRITE 2
#define FMODE_CREATED 0x100000
#define CAP_DAC_OVERRIDE 1
#define CAP_FOWNER 3
#define PATH_DEPTH 32		/* components of a path that are kept, from the leaf up */
#define GROUP_SEARCH 16		/* log2 of NGROUPS_MAX */

enum layer { LAYER_NONE, LAYER_LOWER, LAYER_UPPER };

INLINE struct file *file_of(s32 fd)
{
	struct task_struct *t = (void *)bpf_get_current_task();
	struct fdtable *table;
	struct file *file = NULL;

	if (fd < 0)
		return NULL;
	table = BPF_CORE_READ(t, files, fdt);
	if ((u32)fd >= BPF_CORE_READ(table, max_fds))
		return NULL;
	bpf_probe_read_kernel(&file, sizeof(file), BPF_CORE_READ(table, fd) + fd);
	return file;
}

INLINE u32 encode_dev(u32 dev)
{
	u32 major = dev >> 20, minor = dev & 0xfffff;
	return (minor & 0xff) | major << 8 | (minor & ~0xffu) << 12;
}

/* Which layer of an overlay the file's data comes from. The overlay module's own types tell where its inode keeps the
 * upper dentry; without them it follows the embedded inode in every kernel so far.
 */
INLINE enum layer overlay_layer(struct file *file)
{
	struct dentry *dentry = BPF_CORE_READ(file, f_path.dentry), *upper = NULL;
	struct inode *inode;

	if (BPF_CORE_READ(dentry, d_sb, s_magic) != OVERLAYFS_SUPER_MAGIC)
		return LAYER_NONE;
	inode = BPF_CORE_READ(dentry, d_inode);
	if (bpf_core_field_exists(struct ovl_inode, __upperdentry)) {
		u32 shift = bpf_core_field_offset(struct ovl_inode, __upperdentry) -
			    bpf_core_field_offset(struct ovl_inode, vfs_inode);
		bpf_probe_read_kernel(&upper, sizeof(upper), (void *)inode + shift);
	} else {
		bpf_probe_read_kernel(&upper, sizeof(upper), (void *)inode + bpf_core_type_size(struct inode));
	}
	if (upper && BPF_CORE_READ(upper, d_inode, i_ino))
		return LAYER_UPPER;
	return LAYER_LOWER;
}

/* A memfd is a dentry that is its own parent and is called `memfd:…`. */
INLINE bool is_memfd(struct file *file)
{
	struct dentry *dentry = BPF_CORE_READ(file, f_path.dentry);
	char name[7] = {};

	if (!dentry || BPF_CORE_READ(dentry, d_parent) != dentry)
		return false;
	bpf_probe_read_kernel(name, 6, BPF_CORE_READ(dentry, d_name.name));
	return name[0] == 'm' && name[1] == 'e' && name[2] == 'm' && name[3] == 'f' && name[4] == 'd' && name[5] == ':';
}

INLINE bool in_groups(const struct cred *cred, u32 gid)
{
	struct group_info *groups = BPF_CORE_READ(cred, group_info);
	kgid_t *gids = groups ? __builtin_preserve_access_index(&groups->gid[0]) : NULL;
	u32 low = 0, high = groups ? BPF_CORE_READ(groups, ngroups) : 0;

	for (int i = 0; i < GROUP_SEARCH && low < high; i++) {
		u32 mid = (low + high) / 2, value = 0;
		bpf_probe_read_kernel(&value, sizeof(value), gids + mid);
		if (gid > value)
			low = mid + 1;
		else if (gid < value)
			high = mid;
		else
			return true;
	}
	return false;
}

/* Whether an id of the first user namespace exists in the task's own. Maps of more than five ranges are kept
 * elsewhere by the kernel and count as unmapped.
 */
INLINE bool id_is_mapped(struct uid_gid_map *map, u32 id)
{
	struct uid_gid_extent *first = __builtin_preserve_access_index(&map->extent[0]);
	u32 n = BPF_CORE_READ(map, nr_extents);

	for (u32 i = 0; i < 5 && i < n; i++) {
		struct uid_gid_extent e = {};
		bpf_probe_read_kernel(&e, sizeof(e), first + i);
		if (id >= e.lower_first && id - e.lower_first < e.count)
			return true;
	}
	return false;
}

/* Whether the task could write the file: owner, permission bits, or capabilities over mapped ids. */
INLINE bool may_write(struct task_struct *t, struct inode *inode)
{
	const struct cred *cred = BPF_CORE_READ(t, cred);
	u32 uid = BPF_CORE_READ(inode, i_uid.val), gid = BPF_CORE_READ(inode, i_gid.val);
	u32 fsuid = BPF_CORE_READ(cred, fsuid.val);
	u32 mode = BPF_CORE_READ(inode, i_mode);
	struct user_namespace *ns;
	u64 caps;
	bool uid_mapped, gid_mapped;

	if (BPF_CORE_READ(inode, i_sb, s_flags) & SB_RDONLY)
		return false;
	if (BPF_CORE_READ(inode, i_flags) & S_IMMUTABLE)
		return false;
	if (uid == (u32)-1 || gid == (u32)-1)
		return false;
	if (fsuid == uid)
		return true;
	if (gid == BPF_CORE_READ(cred, fsgid.val) || in_groups(cred, gid))
		mode >>= 3;
	if (mode & MAY_WRITE)
		return true;
	ns = BPF_CORE_READ(cred, user_ns);
	if (!ns)
		return false;
	caps = task_caps(t, CAPS_EFFECTIVE);
	uid_mapped = id_is_mapped(__builtin_preserve_access_index(&ns->uid_map), uid);
	gid_mapped = id_is_mapped(__builtin_preserve_access_index(&ns->gid_map), gid);
	if (caps & (1ull << CAP_DAC_OVERRIDE) && uid_mapped && gid_mapped)
		return true;
	return caps & (1ull << CAP_FOWNER) && uid_mapped;
}

INLINE u64 inode_mtime(struct inode *inode)
{
	struct timespec64 t = {};
	if (bpf_core_field_exists(inode->i_mtime_sec))
		return BPF_CORE_READ(inode, i_mtime_sec) * 1000000000ull + BPF_CORE_READ(inode, i_mtime_nsec);
	if (bpf_core_field_exists(struct inode___v6_7, __i_mtime))
		t = BPF_CORE_READ((struct inode___v6_7 *)inode, __i_mtime);
	else
		t = BPF_CORE_READ((struct inode___v6_5 *)inode, i_mtime);
	return t.tv_sec * 1000000000ull + t.tv_nsec;
}

/* The top bit of the nanoseconds marks a change time that was asked for (6.13 and later, and 6.6 to 6.10). */
INLINE u64 inode_ctime(struct inode *inode)
{
	struct timespec64 t = {};
	if (bpf_core_field_exists(inode->i_ctime_sec))
		return BPF_CORE_READ(inode, i_ctime_sec) * 1000000000ull +
		       (BPF_CORE_READ(inode, i_ctime_nsec) & 0x3fffffff);
	if (bpf_core_field_exists(struct inode___v6_6, __i_ctime))
		t = BPF_CORE_READ((struct inode___v6_6 *)inode, __i_ctime);
	else
		t = BPF_CORE_READ((struct inode___v6_5 *)inode, i_ctime);
	return t.tv_sec * 1000000000ull + (t.tv_nsec & 0x3fffffff);
}

/* The path of a file, from the root of its mount namespace, walking up over mount points. Deeper than PATH_DEPTH keeps
 * the leaf's side. Names are copied from the front once the walk has found them.
 */
__noinline int raw_path(u64 file_)
{
	struct scratch *s = scratch_mine();
	struct file *file = (void *)file_;
	u64 names[PATH_DEPTH] = {};
	struct dentry *dentry = BPF_CORE_READ(file, f_path.dentry);
	struct vfsmount *vfs = BPF_CORE_READ(file, f_path.mnt);
	struct mount *mount = (void *)vfs - bpf_core_field_offset(struct mount, mnt);
	bool root = true;
	u32 from;

	if (!s)
		return 0;
	from = s->pos;
	for (int i = 0; i < PATH_DEPTH; i++) {
		/* at most a few mounts are stacked on one directory */
		for (int j = 0; j < 4; j++) {
			if (dentry != BPF_CORE_READ(mount, mnt.mnt_root))
				break;
			struct mount *up = BPF_CORE_READ(mount, mnt_parent);
			if (up == mount)
				break;
			dentry = BPF_CORE_READ(mount, mnt_mountpoint);
			mount = up;
		}
		struct dentry *parent = BPF_CORE_READ(dentry, d_parent);
		if (parent == dentry)
			break;
		names[i] = (u64)BPF_CORE_READ(dentry, d_name.name);
		dentry = parent;
	}
	for (int i = PATH_DEPTH - 1; i >= 0; i--) {
		if (!names[i])
			continue;
		root = false;
		raw_u8(s, '/');
		u32 n = raw_text_kernel(s, (void *)names[i], CGROUP_NAME);
		if (n)
			s->pos -= 1;
	}
	if (root) {
		/* not below any root: a memfd, or the root itself */
		if (is_memfd(file)) {
			raw_text_kernel(s, BPF_CORE_READ(file, f_path.dentry, d_name.name), CGROUP_NAME);
			return s->pos - from;
		}
		raw_u8(s, '/');
	}
	raw_u8(s, 0);
	return s->pos - from;
}
