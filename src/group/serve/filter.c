/* SPDX-License-Identifier: MIT */
#include "group/serve/filter.h"

#include <errno.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <seccomp.h>
#include <stdlib.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <unistd.h>

/*
 * The supervisor is asked about calls that may charge; all others go through
 * without a stop. A rule can compare an argument with a mask, but not with
 * another argument, so even an mremap that shrinks is asked about.
 */

/* The bits of mmap's flags that say whether a mapping is shared. */
#define MAP_KIND 0x0fu

/* An argument, by its number from 0 on, has these bits under the mask. */
static struct scmp_arg_cmp has_bits(unsigned argument, uint64_t mask,
				    uint64_t bits)
{
	return (struct scmp_arg_cmp){
		.arg = argument, .op = SCMP_CMP_MASKED_EQ,
		.datum_a = mask, .datum_b = bits,
	};
}

static int notify(scmp_filter_ctx filter, int call, unsigned count,
		  const struct scmp_arg_cmp *arguments)
{
	return seccomp_rule_add_array(filter, SCMP_ACT_NOTIFY, call, count,
				      arguments);
}

/*
 * Private memory that may be written to, and every shared mapping: it is
 * charged now, or by the page when it is touched. free_flag is the flag that
 * takes private memory out, or 0.
 */
static int add_mmap(scmp_filter_ctx filter, unsigned free_flag)
{
	const struct scmp_arg_cmp private_writable[] = {
		has_bits(2, PROT_WRITE, PROT_WRITE),
		has_bits(3, MAP_KIND | free_flag, MAP_PRIVATE),
	};
	const struct scmp_arg_cmp shared[] = {
		has_bits(3, MAP_KIND, MAP_SHARED),
	};
	const struct scmp_arg_cmp validated[] = {
		has_bits(3, MAP_KIND, MAP_SHARED_VALIDATE),
	};
	int error = notify(filter, SCMP_SYS(mmap), 2, private_writable);

	if (!error)
		error = notify(filter, SCMP_SYS(mmap), 1, shared);
	if (!error)
		error = notify(filter, SCMP_SYS(mmap), 1, validated);
	return error;
}

static int add_mprotect(scmp_filter_ctx filter)
{
	const struct scmp_arg_cmp writable[] = {
		has_bits(2, PROT_WRITE, PROT_WRITE),
	};
	int error = notify(filter, SCMP_SYS(mprotect), 1, writable);

	if (error)
		return error;
	return notify(filter, SCMP_SYS(pkey_mprotect), 1, writable);
}

/*
 * A new process has a copy of its parent's memory; a thread or the child of
 * vfork has not. clone3 has its flags in memory, where they can change after
 * they were read, so programs are answered that there is no clone3.
 */
static int add_fork(scmp_filter_ctx filter)
{
	const struct scmp_arg_cmp copies[] = {
		has_bits(0, CLONE_VM, 0),
	};
	int error = notify(filter, SCMP_SYS(clone), 1, copies);

	if (!error)
		error = notify(filter, SCMP_SYS(fork), 0, NULL);
	if (!error)
		error = seccomp_rule_add(filter, SCMP_ACT_ERRNO(ENOSYS),
					 SCMP_SYS(clone3), 0);
	return error;
}

/*
 * A program that moves its heap by prctl could have one that /proc does not
 * show. It gets the answer of a kernel that was built without these options
 * (CONFIG_CHECKPOINT_RESTORE).
 */
static int add_breaks(scmp_filter_ctx filter)
{
	static const int options[] = {
		PR_SET_MM_START_BRK, PR_SET_MM_BRK, PR_SET_MM_MAP,
	};
	int error = 0;

	for (size_t i = 0; !error && i < sizeof options / sizeof options[0]; i++)
		error = seccomp_rule_add(filter, SCMP_ACT_ERRNO(EINVAL),
			SCMP_SYS(prctl), 2,
			has_bits(0, UINT32_MAX, PR_SET_MM),
			has_bits(1, UINT32_MAX, (uint64_t)options[i]));
	return error;
}

/*
 * The supervisor is asked when a process sets a handler, which may have to be
 * traced then, and when it traces another one, which is let go before.
 */
static int add_interruptions(scmp_filter_ctx filter)
{
	static const unsigned requests[] = {
		PTRACE_TRACEME, PTRACE_ATTACH, PTRACE_SEIZE,
	};
	const struct scmp_arg_cmp sets = {
		.arg = 1, .op = SCMP_CMP_NE, .datum_a = 0 };
	int error = notify(filter, SCMP_SYS(rt_sigaction), 1, &sets);

	for (size_t i = 0; !error && i < sizeof requests / sizeof requests[0];
	     i++) {
		const struct scmp_arg_cmp request =
			has_bits(0, UINT64_MAX, requests[i]);

		error = notify(filter, SCMP_SYS(ptrace), 1, &request);
	}
	return error;
}

static int add_rules(scmp_filter_ctx filter, bool noreserve)
{
	const struct scmp_arg_cmp moves[] = {
		{ .arg = 0, .op = SCMP_CMP_NE, .datum_a = 0, .datum_b = 0 },
	};
	static const int others[] = {
		SCMP_SYS(mremap), SCMP_SYS(execve), SCMP_SYS(execveat),
		SCMP_SYS(shmget),
	};
	int error = add_mmap(filter, noreserve ? 0 : MAP_NORESERVE);

	if (!error)
		error = add_mprotect(filter);
	if (!error)
		error = add_fork(filter);
	if (!error)
		error = add_breaks(filter);
	if (!error)
		error = add_interruptions(filter);
	/* brk(0) asks where the end is. */
	if (!error)
		error = notify(filter, SCMP_SYS(brk), 1, moves);
	for (size_t i = 0; !error && i < sizeof others / sizeof others[0]; i++)
		error = notify(filter, others[i], 0, NULL);
	return error;
}

bool vmsi_filter_notifies(long call)
{
	switch (call) {
	case SYS_mmap:
	case SYS_mprotect:
	case SYS_pkey_mprotect:
	case SYS_mremap:
	case SYS_brk:
	case SYS_clone:
#ifdef SYS_fork
	case SYS_fork:
#endif
	case SYS_execve:
	case SYS_execveat:
	case SYS_shmget:
	case SYS_rt_sigaction:
	case SYS_ptrace:
		return true;
	default:
		return false;
	}
}

static int read_filter(int file, struct sock_fprog *filter)
{
	off_t bytes = lseek(file, 0, SEEK_END);
	struct sock_filter *program;

	if (bytes <= 0)
		return bytes < 0 ? -errno : -EIO;
	program = malloc((size_t)bytes);
	if (!program)
		return -ENOMEM;
	if (pread(file, program, (size_t)bytes, 0) != bytes) {
		free(program);
		return -EIO;
	}
	filter->len = (unsigned short)((size_t)bytes / sizeof *program);
	filter->filter = program;
	return 0;
}

static int export_filter(scmp_filter_ctx context, struct sock_fprog *filter)
{
	int file = memfd_create("vmspace-filter", MFD_CLOEXEC);
	int error;

	if (file < 0)
		return -errno;
	error = seccomp_export_bpf(context, file);
	if (!error)
		error = read_filter(file, filter);
	close(file);
	return error;
}

/*
 * Where something refuses seccomp(2), libseccomp takes the kernel for one that cannot
 * notify, and says EINVAL. The kernel's own answer tells why.
 */
static int ask_kernel_why(int error)
{
	struct seccomp_notif_sizes sizes;

	if ((error != -EINVAL && error != -EOPNOTSUPP) ||
	    syscall(SYS_seccomp, SECCOMP_GET_NOTIF_SIZES, 0, &sizes) == 0)
		return error;
	return errno == EINVAL ? -ENOSYS : -errno;
}

int vmsi_filter_build(bool noreserve, struct sock_fprog *filter)
{
	scmp_filter_ctx context = seccomp_init(SCMP_ACT_ALLOW);
	int error;

	if (!context)
		return -ENOMEM;
	/* Calls of another architecture have other numbers and arguments. */
	error = seccomp_attr_set(context, SCMP_FLTATR_ACT_BADARCH,
				 SCMP_ACT_ERRNO(ENOSYS));
	if (!error)
		error = add_rules(context, noreserve);
	if (!error)
		error = export_filter(context, filter);
	seccomp_release(context);
	return ask_kernel_why(error);
}
