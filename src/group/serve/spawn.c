/* SPDX-License-Identifier: MIT */
#include "group/serve/service.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/sysinfo.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/versioned.h"
#include "group/clock.h"
#include "group/decide/faults.h"
#include "group/decide/kernel_refuses.h"
#include "group/measure/shared.h"
#include "group/process/proc.h"
#include "group/refresh/looks.h"
#include "group/refresh/members.h"
#include "group/serve/filter.h"
#include "group/serve/listener.h"

/*
 * To start the first process of a group the supervisor forks. The child
 * installs the filter in itself, sends the listener back through a socket, and
 * executes the program. The filter has the kernel ask about that execve
 * already, so it is served while the outcome is waited for.
 */

/* The listener, those of the first process, and what it takes to look at it. */
#define DESCRIPTORS_TAKEN 5

/* --- one descriptor through a socket ------------------------------------ */

union control {
	struct cmsghdr header;
	char bytes[CMSG_SPACE(sizeof(int))];
};

/* Send a descriptor, or in its place an error (-errno). */
static bool send_listener(int socket, int listener, int error)
{
	struct iovec data = { &error, sizeof error };
	union control control = { .bytes = { 0 } };
	struct msghdr message = { .msg_iov = &data, .msg_iovlen = 1 };

	if (!error) {
		message.msg_control = control.bytes;
		message.msg_controllen = sizeof control.bytes;
		control.header.cmsg_level = SOL_SOCKET;
		control.header.cmsg_type = SCM_RIGHTS;
		control.header.cmsg_len = CMSG_LEN(sizeof listener);
		memcpy(CMSG_DATA(&control.header), &listener, sizeof listener);
	}
	return sendmsg(socket, &message, MSG_NOSIGNAL) == sizeof error;
}

static int receive_listener(int socket)
{
	int error = -ECHILD, listener;
	struct iovec data = { &error, sizeof error };
	union control control = { .bytes = { 0 } };
	struct msghdr message = {
		.msg_iov = &data, .msg_iovlen = 1,
		.msg_control = control.bytes,
		.msg_controllen = sizeof control.bytes,
	};
	ssize_t got;

	do
		got = recvmsg(socket, &message, MSG_CMSG_CLOEXEC);
	while (got < 0 && errno == EINTR);
	if (got < 0)
		return -errno;
	if (error || message.msg_controllen < CMSG_LEN(sizeof listener))
		return error ? error : -EPROTO;
	memcpy(&listener, CMSG_DATA(&control.header), sizeof listener);
	return listener;
}

/* --- ends of children ----------------------------------------------------- */

/*
 * Have the kernel keep the statuses of children, which it does not for a
 * process that ignores SIGCHLD. Returns what the caller had set.
 */
static struct sigaction hear_of_children(void)
{
	struct sigaction before, heard;

	sigaction(SIGCHLD, NULL, &before);
	heard = before;
	heard.sa_flags &= ~SA_NOCLDWAIT;
	if (heard.sa_handler == SIG_IGN)
		heard.sa_handler = SIG_DFL;
	sigaction(SIGCHLD, &heard, NULL);
	return before;
}

/* --- the child ---------------------------------------------------------- */

struct start {
	struct sock_fprog filter;
	struct sigaction child_action;
	const char *path;
	char *const *arguments;
	char *const *environment;
	struct rlimit descriptors;
	int sockets[2];
};

static _Noreturn void run_child(const struct start *start)
{
	const int socket = start->sockets[1];
	int listener, error;

	/*
	 * A listener on its way through the socket is open as long as the end
	 * that would receive it. With this copy the child would keep open what
	 * its own execve waits for, and no death of the supervisor would be
	 * told.
	 */
	close(start->sockets[0]);
	(void)setrlimit(RLIMIT_NOFILE, &start->descriptors);
	/*
	 * A signal that is ignored stays so in the program: as the caller had
	 * it.
	 */
	sigaction(SIGCHLD, &start->child_action, NULL);
	listener = vmsi_listener_install(&start->filter);
	if (listener >= 0 && !vmsi_listener_can_continue(listener))
		listener = -ENOSYS;
	if (!send_listener(socket, listener, listener < 0 ? listener : 0) ||
	    listener < 0)
		_exit(127);
	close(listener);
	execve(start->path, start->arguments, start->environment);
	error = -errno;
	(void)send(socket, &error, sizeof error, MSG_NOSIGNAL);
	_exit(127);
}

/* --- the supervisor ----------------------------------------------------- */

/*
 * Returns 0 when the program runs: then execve has closed its end of the
 * socket.
 */
static int await_program(struct vms_group *group, int socket)
{
	struct pollfd watched[] = {
		{ .fd = socket, .events = POLLIN },
		{ .fd = group->service->listener, .events = POLLIN },
	};
	int error = 0;

	for (;;) {
		if (poll(watched, 2, -1) < 0 && errno != EINTR)
			return -errno;
		if (watched[1].revents & POLLIN)
			(void)vms_group_serve(group, 0);
		if (watched[0].revents == 0)
			continue;
		if (recv(socket, &error, sizeof error, 0) == sizeof error)
			return error;
		/*
		 * The first process may have ended by now. Its end is told once
		 * the caller has the group, since only then can the caller ask.
		 */
		group->service->first_ended_told = false;
		return 0;
	}
}

static int watch_listener(struct vms_group *group)
{
	const struct vmsi_service *service = group->service;
	struct epoll_event event = { .events = EPOLLIN };

	vmsi_listener_tune(service->listener);
	if (epoll_ctl(service->epoll, EPOLL_CTL_ADD, service->listener,
		      &event) ||
	    epoll_ctl(service->epoll, EPOLL_CTL_ADD, group->members.ends,
		      &event))
		return -errno;
	if (!vmsi_meet(group, group->members.first))
		return -ENOMEM;
	return 0;
}

static int supervise(struct vms_group *group, int socket)
{
	int error;

	vmsi_group_enlist(group);
	group->service->listener = receive_listener(socket);
	if (group->service->listener < 0)
		return group->service->listener;
	error = watch_listener(group);
	return error ? error : await_program(group, socket);
}

/* The supervisor has a descriptor for each process, so it may open the most. */
static void allow_descriptors(struct rlimit *before)
{
	struct rlimit most;

	if (getrlimit(RLIMIT_NOFILE, before))
		return;
	most = (struct rlimit){ before->rlim_max, before->rlim_max };
	(void)setrlimit(RLIMIT_NOFILE, &most);
}

/*
 * A supervisor without a descriptor to look at a process with would refuse what that
 * process asks for, and few programs survive it while they start. Returns 0 where there
 * are as many to be had as the first process takes.
 */
static int check_descriptors(int some)
{
	int taken[DESCRIPTORS_TAKEN], error = 0;
	size_t count = 0;

	while (!error && count < DESCRIPTORS_TAKEN) {
		taken[count] = fcntl(some, F_DUPFD_CLOEXEC, 0);
		if (taken[count] < 0)
			error = -errno;
		else
			count++;
	}
	while (count > 0)
		close(taken[--count]);
	return error;
}

static int fork_first(struct vms_group *group, struct start *start)
{
	int error = check_descriptors(start->sockets[0]);

	if (error) {
		close(start->sockets[1]);
		return error;
	}
	start->child_action = hear_of_children();
	group->members.first = fork();
	if (group->members.first == 0)
		run_child(start);
	error = group->members.first < 0 ? -errno : 0;
	close(start->sockets[1]);
	return error;
}

static int start_first(struct vms_group *group, struct start *start)
{
	int error;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0,
		       start->sockets))
		return -errno;
	allow_descriptors(&start->descriptors);
	error = fork_first(group, start);
	if (!error)
		error = supervise(group, start->sockets[0]);
	close(start->sockets[0]);
	if (error && group->members.first > 0) {
		/*
		 * Close the listener, so that no call of the child waits on it.
		 */
		if (group->service->listener >= 0)
			close(group->service->listener);
		group->service->listener = -1;
		(void)waitpid(group->members.first, NULL, 0);
	}
	return error;
}

/* --- the group ---------------------------------------------------------- */

static bool are_valid(const struct vms_group_options *options)
{
	return !(options->flags & ~(VMS_GROUP_FORK_FREE | VMS_GROUP_BACKTRACES |
				     VMS_GROUP_NORESERVE_FREE |
				     VMS_GROUP_GRANT_BACKTRACES)) &&
		options->policy >= VMS_COMMIT_HEURISTIC &&
		options->policy <= VMS_COMMIT_STRICT &&
		!(options->faults.flags & ~VMS_GROUP_FAIL_LOADER) &&
		options->faults.probability >= 0 &&
		options->faults.probability <= 1;
}

static size_t machine_memory(void)
{
	struct sysinfo info;

	if (sysinfo(&info))
		return SIZE_MAX;
	return ((size_t)info.totalram + info.totalswap) * info.mem_unit;
}

static int call_bytes(size_t *bytes)
{
	struct seccomp_notif_sizes sizes;

	*bytes = sizeof(struct seccomp_notif);
	if (syscall(SYS_seccomp, SECCOMP_GET_NOTIF_SIZES, 0, &sizes))
		return errno == EINVAL ? -ENOSYS : -errno;
	if (sizes.seccomp_notif > *bytes)
		*bytes = sizes.seccomp_notif;
	return 0;
}

/* A group with the state of all its layers, in one piece. */
struct whole {
	struct vms_group group;
	struct vmsi_shared shared;
	struct vmsi_looks looks;
	struct vmsi_faults faults;
	struct vmsi_service service;
};

static struct vms_group *allocate(void)
{
	struct whole *whole = calloc(1, sizeof *whole);

	if (!whole)
		return NULL;
	whole->group.shared = &whole->shared;
	whole->group.looks = &whole->looks;
	whole->group.faults = &whole->faults;
	whole->group.service = &whole->service;
	whole->group.members.ends = -1;
	whole->service.listener = whole->service.epoll = -1;
	whole->service.watched = -1;
	return &whole->group;
}

static bool counts_noreserve(const struct vms_group_options *options)
{
	return options->policy == VMS_COMMIT_STRICT &&
		!(options->flags & VMS_GROUP_NORESERVE_FREE);
}

static void take_options(struct vms_group *group,
			 const struct vms_group_options *options)
{
	group->flags = options->flags;
	group->counts_noreserve = counts_noreserve(options);
	vmsi_account_init(&group->account, options->commit_limit ?
			  options->commit_limit : machine_memory(),
			  options->policy);
	vmsi_faults_init(group->faults, &options->faults);
	group->service->refusals.on_refusal = options->on_refusal;
	group->service->refusals.context = options->context;
	group->service->on_mark = options->on_mark;
	group->service->mark_context = options->mark_context;
	group->service->on_full = options->on_full;
	group->service->full_context = options->full_context;
	vmsi_marks_set(&group->account.marks, options->marks);
}

static int tell_grants(struct vmsi_service *service,
		       const struct vms_group_options *options)
{
	if (!options->on_grant)
		return 0;
	service->grants = calloc(1, sizeof *service->grants);
	if (!service->grants)
		return -ENOMEM;
	service->grants->on_grant = options->on_grant;
	service->grants->context = options->grant_context;
	return 0;
}

static int make_group(const struct vms_group_options *options,
		      struct vms_group **made)
{
	struct vms_group *group = allocate();
	struct vmsi_service *service;
	int error;

	if (!group)
		return -ENOMEM;
	*made = group;
	take_options(group, options);
	vmsi_tmpfs_read(group->shared);
	group->addresses_end = vmsi_addresses_end();
	service = group->service;
	service->refusals.born = vmsi_now();
	error = call_bytes(&service->call_bytes);
	if (!error)
		error = tell_grants(service, options);
	if (error)
		return error;
	service->call = malloc(service->call_bytes);
	service->epoll = epoll_create1(EPOLL_CLOEXEC);
	group->members.ends = epoll_create1(EPOLL_CLOEXEC);
	if (!service->call || service->epoll < 0 || group->members.ends < 0)
		return service->call ? -errno : -ENOMEM;
	/*
	 * As a subreaper the supervisor becomes the parent of the group's orphans, and
	 * finds them among its children.
	 */
	return prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) ? -errno : 0;
}

vms_group *vms_group_spawn(const struct vms_group_options *options,
			   const char *path, char *const arguments[],
			   char *const environment[])
{
	struct start start = {
		.path = path, .arguments = arguments,
		.environment = environment ? environment : environ,
	};
	struct vms_group_options known;
	struct vms_group *group = NULL;
	int error = options ? vmsi_take_options(&known, sizeof known,
						VMSI_FIRST_GROUP_OPTIONS,
						options) : -EINVAL;

	if (!error && (!are_valid(&known) || !path || !arguments ||
		       !arguments[0]))
		error = -EINVAL;
	if (error) {
		errno = -error;
		return NULL;
	}
	/*
	 * If /proc numbered processes in another way than the kernel tells them to
	 * the supervisor, it would read the figures of others.
	 */
	error = vmsi_proc_is_ours() ? make_group(&known, &group) : -ENOTSUP;
	if (!error)
		error = vmsi_filter_build(group->counts_noreserve, &start.filter);
	if (!error)
		error = start_first(group, &start);
	free(start.filter.filter);
	if (!error)
		return group;
	vms_group_close(group);
	errno = -error;
	return NULL;
}

/* --- probing ------------------------------------------------------------ */

static _Noreturn void try_listener(const struct sock_fprog *filter)
{
	int listener = vmsi_listener_install(filter);

	if (listener < 0)
		_exit(-listener);
	_exit(vmsi_listener_can_continue(listener) ? 0 : ENOSYS);
}

int vms_group_probe(void)
{
	const struct sigaction before = hear_of_children();
	struct sock_fprog filter = { 0, NULL };
	int status, error = vmsi_proc_is_ours() ?
		vmsi_filter_build(false, &filter) : -ENOTSUP;
	pid_t child = error ? -1 : fork();

	if (child == 0)
		try_listener(&filter);
	if (!error && child < 0)
		error = -errno;
	free(filter.filter);
	if (!error)
		error = waitpid(child, &status, 0) == child ?
			-WEXITSTATUS(status) : -errno;
	sigaction(SIGCHLD, &before, NULL);
	if (!error)
		return 0;
	errno = -error;
	return -1;
}
