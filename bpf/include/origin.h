/* SPDX-License-Identifier: (Apache-2.0 OR GPL-2.0-only)
 *
 * Where a file comes from: the image, or somewhere that a running container could write to.
 *
 * The kernel's own structures are asked, never a path: a path can be changed between the question and the answer, an
 * inode cannot. Mirrors: `ORIGIN_*` in `crates/sensor/src/guard/facts.rs`.
 */
#pragma once

#define OVERLAYFS_SUPER_MAGIC 0x794c7630
#define TMPFS_MAGIC 0x01021994
#define RAMFS_MAGIC 0x858458f6
#define HUGETLBFS_MAGIC 0x958458f6
#define OVL_UPPERDATA 3 /* bit of ovl_inode.flags: the data, not only the metadata, is in the upper layer */
#define S_IFMT 0170000
#define S_IFREG 0100000

enum origin {
	ORIGIN_LOWER = 1,	/* lower layer of an overlay: as the image has it */
	ORIGIN_UPPER = 2,	/* upper layer of an overlay: written since the start */
	ORIGIN_META = 4,	/* copied up for its metadata only: the data is the lower layer's */
	ORIGIN_MEMORY = 8,	/* a file system in memory: tmpfs, ramfs, hugetlbfs */
	ORIGIN_MEMFD = 16,	/* a file without a name, made by memfd_create */
	ORIGIN_OTHER = 32,	/* any other file system */
	ORIGIN_DELETED = 64,	/* no name is left; comes beside one of the others */
	ORIGIN_REGULAR = 128,	/* a regular file; comes beside one of the others */
};

/* Members that the sensor does not read; flavours so that its own header stays its own. */
#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)
struct mnt_namespace___guard {
	struct ns_common ns;
};
struct nsproxy___guard {
	struct mnt_namespace___guard *mnt_ns;
};
struct ovl_inode___guard {
	unsigned long flags;
	struct inode vfs_inode;
	struct dentry *__upperdentry;
};
struct inode___guard {
	unsigned int i_nlink;
};
struct kernfs_node___guard {
	u64 id;
};
struct vm_area_struct___guard {
	unsigned long vm_flags;
	struct file *vm_file;
};
struct thread_info___guard {
	int preempt_count;
};
#pragma clang attribute pop

/* A memfd is a dentry that is its own parent and is called `memfd:…`. */
INLINE bool anonymous_file(struct dentry *dentry)
{
	char name[7] = {};

	if (BPF_CORE_READ(dentry, d_parent) != dentry)
		return false;
	bpf_probe_read_kernel(name, 6, BPF_CORE_READ(dentry, d_name.name));
	return name[0] == 'm' && name[1] == 'e' && name[2] == 'm' && name[3] == 'f' && name[4] == 'd' && name[5] == ':';
}

/* The overlay module's own types tell where its inode keeps the upper dentry and its flags; without them both follow
 * and precede the embedded inode in every kernel so far.
 */
INLINE u32 overlay_origin(struct inode *inode)
{
	struct dentry *upper = NULL;
	unsigned long flags = 0;
	void *base = inode;

	if (bpf_core_field_exists(struct ovl_inode___guard, __upperdentry)) {
		base = (void *)inode - bpf_core_field_offset(struct ovl_inode___guard, vfs_inode);
		bpf_probe_read_kernel(&upper, sizeof(upper),
				      base + bpf_core_field_offset(struct ovl_inode___guard, __upperdentry));
		bpf_probe_read_kernel(&flags, sizeof(flags),
				      base + bpf_core_field_offset(struct ovl_inode___guard, flags));
	} else {
		bpf_probe_read_kernel(&upper, sizeof(upper), base + bpf_core_type_size(struct inode));
		bpf_probe_read_kernel(&flags, sizeof(flags), base - sizeof(flags));
	}
	if (!upper || !BPF_CORE_READ(upper, d_inode, i_ino))
		return ORIGIN_LOWER;
	return flags & (1ul << OVL_UPPERDATA) ? ORIGIN_UPPER : ORIGIN_META;
}

INLINE u32 origin_of(struct file *file)
{
	struct dentry *dentry = BPF_CORE_READ(file, f_path.dentry);
	struct inode *inode = BPF_CORE_READ(dentry, d_inode);
	unsigned long magic = BPF_CORE_READ(dentry, d_sb, s_magic);
	u32 origin;

	if (magic == OVERLAYFS_SUPER_MAGIC)
		origin = overlay_origin(inode);
	else if (anonymous_file(dentry))
		origin = ORIGIN_MEMFD;
	else if (magic == TMPFS_MAGIC || magic == RAMFS_MAGIC || magic == HUGETLBFS_MAGIC)
		origin = ORIGIN_MEMORY;
	else
		origin = ORIGIN_OTHER;
	if (BPF_CORE_READ((struct inode___guard *)inode, i_nlink) == 0)
		origin |= ORIGIN_DELETED;
	if ((BPF_CORE_READ(inode, i_mode) & S_IFMT) == S_IFREG)
		origin |= ORIGIN_REGULAR;
	return origin;
}

INLINE u32 mount_namespace(struct task_struct *t)
{
	struct nsproxy___guard *ns = (void *)BPF_CORE_READ(t, nsproxy);
	return ns ? BPF_CORE_READ(ns, mnt_ns, ns.inum) : 0;
}
