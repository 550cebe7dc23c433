/* SPDX-License-Identifier: MIT */
#ifndef VMSPACE_GROUP_H
#define VMSPACE_GROUP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <vmspace/space.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * Groups: a program and all its descendants under one commit limit. What does
 * not fit is refused with ENOMEM; nobody is killed. In libvmspace-group, which
 * needs libseccomp.
 *
 * Caveats first.
 *
 * - The caller supervises: the group's requests wait until it serves them
 *   (vms_group_serve). Where it ends, or closes the group, they fail with
 *   ENOSYS from then on; not before its own forks have ended or executed a
 *   program, which have the descriptors of the group, too: until then they wait.
 * - The group runs with no_new_privs: set-user-ID programs in it gain no
 *   rights (prctl(2), PR_SET_NO_NEW_PRIVS).
 * - The caller becomes the parent of the group's orphans (PR_SET_CHILD_SUBREAPER)
 *   and reaps them. It may have other children, and other groups; then an
 *   orphan that has asked for nothing may be counted in the wrong group.
 * - clone3(2) answers ENOSYS in the group, as on a kernel that lacks it: its
 *   flags lie in memory that could change after they were looked at. The C
 *   libraries fall back to clone(2).
 * - A filter of the group's own that notifies (SECCOMP_FILTER_FLAG_NEW_LISTENER)
 *   answers EBUSY, and so a group in a group does not work.
 * - Memory that is charged without a system call is seen late: a stack that
 *   grows, the data of a program that execve(2) starts (at its first request),
 *   and pages of files in memory that are touched and do not count already
 *   (looked at each 200 ms or, in large groups, for a hundredth of the time).
 * - Under VMS_COMMIT_STRICT a memfd or tmpfs file counts as shared anonymous
 *   memory does: what of a shared mapping can be written to and lies within the
 *   file's size counts when it is mapped (mmap(2)), made writable (mprotect(2),
 *   where the range is of one file) or made longer (mremap(2)), touched or not,
 *   each page once in the group, for as long as any process has it mapped
 *   writable. Otherwise pages count when they are touched: of what can only be
 *   read, of what lies past the end that the file had then, of a file whose
 *   process may not be looked at, under the other policies, and of MAP_NORESERVE
 *   with VMS_GROUP_NORESERVE_FREE (there also after mprotect and mremap). Each
 *   that any process has mapped counts once; where mappings overlap that are
 *   touched in part, what may be the same pages counts once. Pages that nobody
 *   has mapped do not count.
 * - So a peak above a strict limit is memory that came without a request.
 * - Shared anonymous memory counts up to its last mapped page, and System V
 *   segments those of the caller's IPC namespace.
 * - A process that may not be looked at (prctl(2), PR_SET_DUMPABLE; a program
 *   that may be executed and not read) is counted by what it may write to.
 * - A process that sets a handler without SA_RESTART is traced (ptrace(2)) by a
 *   thread of the library until it executes a program, so that calls which the
 *   handler interrupts are made again. A debugger in the group is let have it,
 *   one outside is not. The caller gets SIGCHLD for the stops, unless it handles
 *   that with SA_NOCLDSTOP. What cannot be traced is counted in
 *   vms_group_stats.interruptible.
 * - The caller waits for its children by their numbers: a wait for any child
 *   (waitpid(2) of -1) takes the stops of what is traced from the library.
 * - Where the caller ignores SIGCHLD, or has set SA_NOCLDWAIT, vms_group_spawn
 *   undoes that for the whole process, since the kernel would keep no status of
 *   the program. The program has what the caller had.
 * - A group is used by one thread at a time; vms_group_spawn forks.
 */

typedef struct vms_group vms_group;

/* A child's copy of its parent's memory is not charged until it execs. */
#define VMS_GROUP_FORK_FREE 0x1u
/* MAP_NORESERVE memory is not charged under VMS_COMMIT_STRICT either. */
#define VMS_GROUP_NORESERVE_FREE 0x2u
/*
 * Record the backtrace of the thread that is refused; after the first 500 for at most
 * a tenth of the time, in which the group waits. Each distinct one is named once, by a
 * thread of the library, while the group goes on.
 */
#define VMS_GROUP_BACKTRACES 0x4u
/*
 * Tell on_grant the backtrace of the thread that asks, too; of the first 500 requests,
 * then for at most a tenth of the time, in which the group waits. It is read before the
 * request is decided: the thread is stopped at its call (ptrace(2)), and makes it again.
 */
#define VMS_GROUP_GRANT_BACKTRACES 0x8u

/* So many sums can be told when they are reached. */
#define VMS_GROUP_MARKS 2

/* What a group asks for memory with. */
enum vms_group_call {
	VMS_GROUP_MMAP,
	VMS_GROUP_MPROTECT,
	VMS_GROUP_MREMAP,
	VMS_GROUP_BRK,
	VMS_GROUP_FORK,
	VMS_GROUP_EXEC,
	VMS_GROUP_SHMGET,
};

/* Count what the dynamic loader asks for before a program begins, too. */
#define VMS_GROUP_FAIL_LOADER 0x1u

/*
 * Which requests are refused although they fit; zeroes: none. Requests are
 * those that charge at least minimum bytes, numbered from 1 on in the order in
 * which they come; a call that the kernel refuses by its arguments alone is none.
 * What a malloc tries at once in place of a refused one (brk for mmap, mmap for
 * brk, both for mremap) belongs to it and is refused with it.
 */
struct vms_group_faults {
	unsigned flags;     /* VMS_GROUP_FAIL_* bits */
	uint64_t nth;       /* that one; 0: none */
	uint64_t from;      /* that one and all after it; 0: none */
	double probability; /* each, from 0 to 1 */
	uint64_t seed;      /* of the chances */
	size_t minimum;     /* bytes; alone: all of at least that size */
};

/* So many processes are named in a refusal. */
#define VMS_GROUP_HOLDERS 3

/* A process that has committed memory. */
struct vms_group_holder {
	pid_t pid;
	char command[16];
	size_t committed;   /* bytes, at most */
};

/* A request that was refused. */
struct vms_group_refusal {
	/* sizeof(struct vms_group_refusal) of the library. */
	size_t struct_size;
	uint64_t time;      /* nanoseconds since the group was made */
	pid_t process;
	pid_t thread;
	char command[16];   /* the process's name, as ps(1) shows it */
	enum vms_group_call call;
	size_t requested;   /* bytes */
	size_t committed;   /* bytes of the group at that time */
	size_t limit;       /* bytes */
	uint64_t request;   /* its number among those of vms_group_faults */
	bool injected;      /* refused on demand, not for want of memory */
	/*
	 * Refused because the caller had no memory to account for the request:
	 * it may be within the limit.
	 */
	bool unaccounted;
	/*
	 * A line for each frame, innermost first; or NULL, and why_no_backtrace says
	 * why. Valid until the callback returns.
	 */
	const char *backtrace;
	const char *why_no_backtrace;
	/* Who had most of what was committed at that time, the largest first. */
	struct vms_group_holder holders[VMS_GROUP_HOLDERS];
	size_t holder_count;
};

/* A request that was granted. */
struct vms_group_grant {
	/* sizeof(struct vms_group_grant) of the library. */
	size_t struct_size;
	uint64_t time;      /* nanoseconds since the group was made */
	pid_t process;
	pid_t thread;
	char command[16];   /* the process's name, as ps(1) shows it */
	enum vms_group_call call;
	size_t requested;   /* bytes */
	/*
	 * Bytes that were added to the group's sum: at most what the kernel charges.
	 * What a call replaces is only looked at where the limit is near.
	 */
	size_t charged;
	size_t committed;   /* bytes of the group then, with these */
	/*
	 * A line for each frame, innermost first; or NULL, and why_no_backtrace says
	 * why. Valid until the callback returns.
	 */
	const char *backtrace;
	const char *why_no_backtrace;
};

/* A mark that was reached. */
struct vms_group_mark {
	/* sizeof(struct vms_group_mark) of the library. */
	size_t struct_size;
	uint64_t time;      /* nanoseconds since the group was made */
	unsigned index;     /* of the mark */
	size_t at;          /* bytes: the mark */
	size_t committed;   /* bytes of the group, at least at */
	size_t limit;       /* bytes */
	/* Whose request it was; 0: memory that came without one. */
	pid_t process;
	char command[16];   /* the process's name; "" without one */
};

/* Options of a group; zero in a field means its default. */
struct vms_group_options {
	/* sizeof(struct vms_group_options); lets the struct grow. */
	size_t struct_size;
	/* Bytes; 0: the machine's RAM plus swap. */
	size_t commit_limit;
	/*
	 * VMS_COMMIT_STRICT refuses what would take the sum past the limit;
	 * VMS_COMMIT_HEURISTIC, the default of a zeroed struct, only a single
	 * request that is larger than the limit; VMS_COMMIT_ALWAYS counts.
	 */
	enum vms_commit_policy policy;
	unsigned flags; /* VMS_GROUP_* bits */
	struct vms_group_faults faults;
	/*
	 * Called for each refusal that stood, in the order of time; NULL:
	 * nobody. An allocator that is refused may give back what it retains
	 * and ask again: so a refusal that is not injected is held for up to
	 * 200 ms, until its thread asks for something else with the same call,
	 * its process or the first one has ended, or the group is closed
	 * (vms_group_close calls it, too). Where the thread asks for the same
	 * and gets it, nothing is told: vms_group_stats.granted_again counts
	 * it. Other processes may have ended since. Injected ones are told at
	 * once, when their backtrace was named. Who waits for the descriptor alone is to serve each 200 ms.
	 * May ask for statistics and processes of the group, nothing else.
	 */
	void (*on_refusal)(void *context, vms_group *group,
			   const struct vms_group_refusal *refusal);
	void *context;
	/*
	 * Sums in bytes that are told when they are reached; 0: none. on_mark is
	 * called once for each, and again only after the sum was seen below it
	 * by more than a twentieth of it. A request that reaches a mark is told
	 * whatever is given back right afterwards. What a program gives back no
	 * call tells: a sum that is above a mark is looked at each 200 ms (in
	 * large groups, for a hundredth of the time), and where it falls and
	 * rises again meanwhile nothing is told. A refused request reaches
	 * nothing. Memory that comes without a request is seen late, as above.
	 */
	size_t marks[VMS_GROUP_MARKS];
	/*
	 * Called by vms_group_serve, after the request was let go on. Others
	 * wait meanwhile. May use the group, but neither serve nor close it.
	 */
	void (*on_mark)(void *context, vms_group *group,
			const struct vms_group_mark *mark);
	void *mark_context; /* the context of on_mark */
	/*
	 * Called before a request is refused for want of memory, while it and all
	 * others wait; NULL: nobody. Where it has raised the limit, as where that
	 * comes from elsewhere and was changed since, the request is compared with
	 * it again. May use vms_group_set_limit, vms_group_set_marks and
	 * vms_group_get_stats of this group, nothing else.
	 */
	void (*on_full)(void *context, vms_group *group);
	void *full_context; /* the context of on_full */
	/*
	 * Called for each request that charges and was let go on; NULL: nobody. At
	 * once, or, with a backtrace, when that was named: so not always in the order
	 * of time. All are told before VMS_GROUP_FIRST_ENDED and VMS_GROUP_EMPTY, the
	 * rest by vms_group_close. The kernel may still refuse the call. May ask for
	 * statistics and processes of the group, nothing else.
	 *
	 * What is not told, since nobody asks the group for it: what gives memory back
	 * (munmap(2), a lower brk(2), a process's end), memory that comes without a
	 * request (above; execve(2) among it), copies that VMS_GROUP_FORK_FREE does
	 * not charge, and MAP_NORESERVE memory where it does not count.
	 */
	void (*on_grant)(void *context, vms_group *group,
			 const struct vms_group_grant *grant);
	void *grant_context; /* the context of on_grant */
};

/* The figures of a group. */
struct vms_group_stats {
	/* sizeof(struct vms_group_stats), set by the caller. */
	size_t struct_size;
	size_t limit;       /* bytes */
	size_t committed;   /* bytes, at most: not looked at since a while */
	size_t committed_peak; /* the most that committed was */
	size_t shared;      /* of committed, what belongs to no single process */
	uint64_t requests;  /* that charge, of at least faults.minimum bytes */
	uint64_t calls;     /* that the supervisor was asked about */
	/*
	 * Injected ones too. One that its thread asks for again and gets is
	 * taken out, and counts in granted_again.
	 */
	uint64_t refusals;
	uint64_t injected;
	uint64_t looks;     /* at the kernel's own figures of a process */
	size_t processes;   /* that are known now */
	/*
	 * Processes whose calls may answer EINTR, which Linux never does: they
	 * have a handler without SA_RESTART, and could not be traced. Of brk(2)
	 * that is -4 in place of an address.
	 */
	uint64_t interruptible;
	/*
	 * Requests that were refused and granted when the same thread asked
	 * again, with what malloc tried in place of them meanwhile. They are
	 * not in refusals, and on_refusal is not called for them.
	 */
	uint64_t granted_again;
	/*
	 * Calls that failed because the caller had no memory to account for
	 * them, whatever the limit. Those of a process that is known are
	 * refusals as well; a process that there was no memory to know is in
	 * no other figure.
	 */
	uint64_t unaccounted;
	size_t highest_limit; /* bytes: the highest that limit was */
	uint64_t age;         /* nanoseconds since the group was made */
};

/* A process of a group. */
struct vms_group_process {
	/* sizeof(struct vms_group_process), set by the caller. */
	size_t struct_size;
	pid_t pid;
	bool ended;
	char command[16];
	size_t committed;   /* bytes, at most; 0 where it has ended */
	size_t committed_peak; /* bytes */
	uint64_t refusals;  /* as in vms_group_stats */
};

/*
 * Whether groups work here: tried, in a child, once.
 *
 * Returns 0; -1 with errno set where they do not:
 *   ENOSYS  the kernel has no seccomp user notification (Linux 5.0), or no way
 *           to let a notified call go on (Linux 5.5).
 *   EBUSY   the caller is under another such supervisor: a filter that notifies
 *           can be installed once.
 *   ENOTSUP  /proc is not mounted, or is of another namespace of processes.
 *   EPERM, EACCES  something that confines the caller forbids it.
 */
int vms_group_probe(void);

/*
 * Start a program as the first process of a new group.
 *
 * path       of the program; looked up as execve(2) does, not in PATH.
 * arguments  as of execve(2).
 * environment  as of execve(2); NULL: the caller's.
 *
 * The program has the caller's descriptors that are not close-on-exec, its
 * process group, terminal and signal mask.
 *
 * Returns a group that the caller closes; NULL with errno set:
 *   EINVAL  options with too small a struct_size, unknown flags or policy, a
 *           probability outside 0 to 1, no path or no arguments.
 *   E2BIG   options that the library does not know are not zero
 *           (vmspace/space.h).
 *   ENOSYS, EBUSY, ENOTSUP, EPERM  as vms_group_probe.
 *   ENOMEM, EAGAIN, EMFILE, ENFILE  not enough of something.
 *   and what execve(2) says where the program cannot be started.
 */
vms_group *vms_group_spawn(const struct vms_group_options *options,
			   const char *path, char *const arguments[],
			   char *const environment[]);

/* What vms_group_serve has come to. */
enum vms_group_event {
	VMS_GROUP_NOTHING,     /* the time is over, or a signal came */
	VMS_GROUP_FIRST_ENDED, /* the first process; told once */
	VMS_GROUP_EMPTY,       /* all processes have ended */
	VMS_GROUP_FIRST_STOPPED, /* by a signal: WIFSTOPPED; each time */
	VMS_GROUP_WATCHED,     /* the descriptor of vms_group_watch is ready */
};

/*
 * Serve a group's requests for some time.
 *
 * timeout  milliseconds; 0: what waits now; negative: until something ends.
 *
 * Returns an enum vms_group_event, or -1 with errno of what failed.
 */
int vms_group_serve(vms_group *group, int timeout);

/*
 * Have vms_group_serve wait for a descriptor of the caller's as well, as long as it
 * is open: while it is readable, or its other end is closed, each call returns
 * VMS_GROUP_WATCHED at the latest when it has served one request.
 *
 * descriptor  negative: none any more.
 *
 * Returns 0, or -1 with errno EINVAL for a NULL group.
 */
int vms_group_watch(vms_group *group, int descriptor);

/*
 * Set another limit. Requests that are served from now on are compared with it, so
 * that no sum passes the limit of its time by a request. Where the group has more
 * already, nothing is taken from it, and what asks for more is refused.
 *
 * limit  bytes.
 *
 * Returns 0, or -1 with errno EINVAL for a NULL group or a limit of 0.
 */
int vms_group_set_limit(vms_group *group, size_t limit);

/*
 * Set other marks than those of the options. A mark that was told before is not
 * told again until the sum has fallen below the new one, by more than a twentieth of
 * it; one that is below the sum and was not is told within 200 ms.
 *
 * marks  bytes; 0: none.
 *
 * Returns 0, or -1 with errno EINVAL for a NULL argument.
 */
int vms_group_set_marks(vms_group *group, const size_t marks[VMS_GROUP_MARKS]);

/*
 * A descriptor that becomes readable when vms_group_serve has something to do.
 * It belongs to the group.
 */
int vms_group_descriptor(const vms_group *group);

/* The number of the first process. */
pid_t vms_group_first(const vms_group *group);

/*
 * How the first process ended, or stopped, as of waitpid(2); valid after
 * VMS_GROUP_FIRST_ENDED or VMS_GROUP_FIRST_STOPPED.
 */
int vms_group_status(const vms_group *group);

/*
 * The figures of a group. Returns 0, or -1 with errno EINVAL for a NULL
 * argument or a struct_size that is too small, E2BIG for one that is too large
 * (vmspace/space.h).
 */
int vms_group_get_stats(vms_group *group, struct vms_group_stats *stats);

/*
 * Write figures of a group as JSON, as vms_space_stats_to_json does
 * (vmspace/stat.h). Returns the bytes that the whole text has without the final 0, or -1
 * with errno EINVAL for no figures, no buffer or a struct_size that is too small, E2BIG
 * for one that is too large.
 */
int vms_group_stats_to_json(const struct vms_group_stats *stats, char *buffer,
			    size_t size);

/*
 * The next process of a group that is known, the living before the ended, of
 * which the last 4,096 at least are remembered.
 *
 * cursor  where to go on; start with 0. Processes that come or end between two
 *         calls may be missed or seen twice.
 *
 * Returns 1 and a process, 0 at the end, -1 with errno EINVAL, or E2BIG as
 * vms_group_get_stats.
 */
int vms_group_next_process(vms_group *group, size_t *cursor,
			   struct vms_group_process *process);

/*
 * Send a signal to every process of a group, those first found then too. Until
 * it is empty new ones may come; SIGKILL is sent again until it is.
 *
 * Returns how many processes it was sent to.
 */
size_t vms_group_kill(vms_group *group, int signal);

/*
 * Send a signal to one process of a group, and to no stranger that has its number
 * by now.
 *
 * process  its number; vms_group_next_process tells which there are.
 *
 * Returns 0, or -1 with errno set:
 *   EINVAL  group is NULL, process is none, or there is no such signal.
 *   ESRCH   it is no living process of the group that is known.
 *   EMFILE  the caller had no descriptor left for it, so it cannot be told from a
 *           stranger. The first process needs none.
 *   EPERM   the caller may not signal it.
 */
int vms_group_signal(vms_group *group, pid_t process, int signal);

/*
 * End supervision. Processes that still live go on, but their requests fail
 * with ENOSYS. NULL is ignored.
 */
void vms_group_close(vms_group *group);

#ifdef __cplusplus
}
#endif

#endif
