/* SPDX-License-Identifier: (Apache-2.0 OR GPL-2.0-only)
 *
 * The kernel side of prevention: one decision, reached from two kinds of hooks.
 *
 * - Security hooks (`lsm/…`) refuse the operation. Only where the kernel takes BPF security modules.
 * - Tracepoints (`tp_btf/…`) kill the process before it gets back to user space: the program that was to run never
 *   executes an instruction, but a process is gone where an error would have done.
 *
 * User space binds mount namespaces and control groups to a scope (a container), and each scope to what is refused and
 * what is only reported. `inspect` answers where a file comes from for a decision that is made in user space
 * (fanotify), so that every tier goes by the same facts. Mirror: `crates/sensor/src/guard/`.
 */
#include "include/vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_tracing.h>

#define INLINE static __always_inline
#include "include/origin.h"
#include "include/verdict.h"

#define EPERM 1
struct vm_area_struct;

#define PROT_EXEC 4
#define MAP_ANONYMOUS 0x20
#define FMODE_READ 1
#define FMODE_WRITE 2
#define FMODE_NOACCOUNT (1 << 29)
#define OPEN_TO_EXECUTE 040	/* __FMODE_EXEC among the flags of an open: no program can ask for it */
#define PTRACE_MODE_ATTACH 2
#define PTRACE_POKETEXT 4
#define PTRACE_POKEDATA 5
#define PTRACE_ATTACH 16
#define PTRACE_SEIZE 0x4206
#define PROC_SUPER_MAGIC 0x9fa0
#define SIGKILL 9

#if defined(__TARGET_ARCH_x86)
#define NR_open 2
#define NR_mmap 9
#define NR_mprotect 10
#define NR_ptrace 101
#define NR_openat 257
#define NR_process_vm_writev 311
#define NR_pkey_mprotect 329
#define ARG(regs, x86, arm) BPF_CORE_READ(regs, x86)
#define RESULT(regs) BPF_CORE_READ(regs, ax)
#else
#define NR_open (-1)
#define NR_mmap 222
#define NR_mprotect 226
#define NR_ptrace 117
#define NR_openat 56
#define NR_process_vm_writev 271
#define NR_pkey_mprotect 288
#define ARG(regs, x86, arm) BPF_CORE_READ(regs, arm)
#define RESULT(regs) BPF_CORE_READ(regs, regs[0])
#endif
#define NR_openat2 437

/* An argument of a hook as a number: what the verifier knows as a pointer must not be handed to a function that is
 * walked by itself.
 */
INLINE u64 argument(void *ctx, u32 index)
{
	u64 value = 0;

	bpf_probe_read_kernel(&value, sizeof(value), ctx + index * sizeof(u64));
	return value;
}

/* Security hooks: refuse. */

SEC("lsm/bprm_check_security")
int BPF_PROG(refuse_exec, struct linux_binprm *bprm, int ret)
{
	if (ret)
		return ret;
	return judge((u64)BPF_CORE_READ(bprm, file), HOOK_EXEC, VERDICT_DENIED) ? -EPERM : 0;
}

struct task_struct___exec {
	unsigned int in_execve : 1;
} __attribute__((preserve_access_index));

/* Whether the kernel maps a program that is just being started. It was judged at its start, as what its starter may run;
 * here the program itself would be asked for, whose exceptions are others.
 */
INLINE bool is_own_start(u64 mapped)
{
	struct task_struct *t = (void *)bpf_get_current_task();
	struct task_struct___exec *flags = (void *)t;

	if ((u64)BPF_CORE_READ(t, mm, exe_file) != mapped)
		return false;
	return !bpf_core_field_exists(flags->in_execve) || BPF_CORE_READ_BITFIELD_PROBED(flags, in_execve);
}

SEC("lsm/mmap_file")
int BPF_PROG(refuse_map, struct file *file, unsigned long reqprot, unsigned long prot, unsigned long flags, int ret)
{
	u64 mapped;

	if (ret)
		return ret;
	if (!(prot & PROT_EXEC))
		return 0;
	mapped = argument(ctx, 0);
	if (!mapped || is_own_start(mapped))
		return 0;
	return judge(mapped, HOOK_MAP, VERDICT_DENIED) ? -EPERM : 0;
}

SEC("lsm/file_mprotect")
int BPF_PROG(refuse_protect, struct vm_area_struct *vma, unsigned long reqprot, unsigned long prot, int ret)
{
	u64 mapped;

	if (ret)
		return ret;
	if (!(prot & PROT_EXEC))
		return 0;
	mapped = (u64)BPF_CORE_READ((struct vm_area_struct___guard *)vma, vm_file);
	if (!mapped)
		return 0;
	return judge(mapped, HOOK_MAP, VERDICT_DENIED) ? -EPERM : 0;
}

/* A program's memory opened for writing through /proc: how code is put into a process without a new mapping. */
INLINE bool is_memory_of_process(struct file *file)
{
	struct dentry *dentry = BPF_CORE_READ(file, f_path.dentry);
	char name[4] = {};

	if (!(BPF_CORE_READ(file, f_mode) & FMODE_WRITE))
		return false;
	if (BPF_CORE_READ(dentry, d_sb, s_magic) != PROC_SUPER_MAGIC)
		return false;
	bpf_probe_read_kernel(name, sizeof(name), BPF_CORE_READ(dentry, d_name.name));
	return name[0] == 'm' && name[1] == 'e' && name[2] == 'm' && name[3] == 0;
}

INLINE int judge_open(u64 opened, u32 verdict)
{
	struct file *file = (void *)opened;
	u32 mode = BPF_CORE_READ(file, f_mode);

	if (is_memory_of_process(file))
		return judge(opened, HOOK_INJECT, verdict);
	if (!(mode & FMODE_READ) || mode & FMODE_WRITE)
		return 0;
	return judge_script(opened, verdict);
}

SEC("lsm/file_open")
int BPF_PROG(refuse_open, struct file *file, int ret)
{
	if (ret)
		return ret;
	/* An overlay opens the layer's file behind its own, which was judged; the layer's would count as another file system's. */
	if (BPF_CORE_READ(file, f_mode) & FMODE_NOACCOUNT)
		return 0;
	/* Judged as a start, of a program or of a script, when the kernel has looked at it. */
	if (BPF_CORE_READ(file, f_flags) & OPEN_TO_EXECUTE)
		return 0;
	return judge_open(argument(ctx, 0), VERDICT_DENIED) ? -EPERM : 0;
}

SEC("lsm/ptrace_access_check")
int BPF_PROG(refuse_ptrace, struct task_struct *child, unsigned int mode, int ret)
{
	struct task_struct *t = (void *)bpf_get_current_task();

	if (ret)
		return ret;
	if (!(mode & PTRACE_MODE_ATTACH) || BPF_CORE_READ(child, tgid) == BPF_CORE_READ(t, tgid))
		return 0;
	return judge(0, HOOK_INJECT, VERDICT_DENIED) ? -EPERM : 0;
}

/* Tracepoints: kill. */

INLINE void kill_if(int refused)
{
	if (refused)
		bpf_send_signal(SIGKILL);
}

SEC("tp_btf/sched_process_exec")
int BPF_PROG(kill_exec, struct task_struct *t, pid_t old, struct linux_binprm *bprm)
{
	kill_if(judge((u64)BPF_CORE_READ(bprm, file), HOOK_EXEC, VERDICT_KILLED));
	return 0;
}

INLINE struct file *file_of(struct task_struct *t, s32 fd)
{
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

static long found_area(struct task_struct *t, struct vm_area_struct *vma, void *out)
{
	*(u64 *)out = (u64)BPF_CORE_READ((struct vm_area_struct___guard *)vma, vm_file);
	return 0;
}

SEC("tp_btf/sys_enter")
int BPF_PROG(kill_map, struct pt_regs *regs, long nr)
{
	struct task_struct *t = (void *)bpf_get_current_task();

	if (nr == NR_mmap) {
		struct file *file;

		if (!(ARG(regs, dx, regs[2]) & PROT_EXEC))
			return 0;
		if (ARG(regs, r10, regs[3]) & MAP_ANONYMOUS)
			return 0;
		file = file_of(t, ARG(regs, r8, regs[4]));
		if (file)
			kill_if(judge((u64)file, HOOK_MAP, VERDICT_KILLED));
	} else if (nr == NR_mprotect || nr == NR_pkey_mprotect) {
		u64 found = 0;

		if (!(ARG(regs, dx, regs[2]) & PROT_EXEC) || !scope_of(t))
			return 0;
		bpf_find_vma(bpf_get_current_task_btf(), ARG(regs, di, regs[0]), found_area, &found, 0);
		if (found)
			kill_if(judge(found, HOOK_MAP, VERDICT_KILLED));
	} else if (nr == NR_ptrace) {
		u64 request = ARG(regs, di, regs[0]);

		if (request == PTRACE_ATTACH || request == PTRACE_SEIZE || request == PTRACE_POKETEXT ||
		    request == PTRACE_POKEDATA)
			kill_if(judge(0, HOOK_INJECT, VERDICT_KILLED));
	} else if (nr == NR_process_vm_writev) {
		if ((s32)ARG(regs, di, regs[0]) != BPF_CORE_READ(t, tgid))
			kill_if(judge(0, HOOK_INJECT, VERDICT_KILLED));
	}
	return 0;
}

SEC("tp_btf/sys_exit")
int BPF_PROG(kill_open, struct pt_regs *regs, long ret)
{
	struct task_struct *t;
	struct file *file;
	s64 nr;

	if (ret < 0)
		return 0;
#if defined(__TARGET_ARCH_x86)
	nr = BPF_CORE_READ(regs, orig_ax);
#else
	nr = BPF_CORE_READ(regs, syscallno);
#endif
	if (nr != NR_openat && nr != NR_open && nr != NR_openat2)
		return 0;
	t = (void *)bpf_get_current_task();
	if (!scope_of(t))
		return 0;
	file = file_of(t, ret);
	if (file)
		kill_if(judge_open((u64)file, VERDICT_KILLED));
	return 0;
}

/* For decisions in user space. */

struct inspection {
	s32 fd;
	u32 origin;
	u32 dev;
	u32 pad;
	u64 ino;
};

SEC("syscall")
int inspect(struct inspection *ask)
{
	struct task_struct *t = (void *)bpf_get_current_task();
	struct file *file = file_of(t, ask->fd);

	if (!file)
		return 1;
	ask->origin = origin_of(file);
	ask->dev = device_of(file);
	ask->ino = BPF_CORE_READ(file, f_path.dentry, d_inode, i_ino);
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
