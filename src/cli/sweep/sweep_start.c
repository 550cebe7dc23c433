/* SPDX-License-Identifier: MIT */
#include "cli/sweep/sweep_start.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* --- the program ------------------------------------------------------------------ */

/*
 * Descriptors of the sweep have numbers that programs do not use: they are open
 * while the program's libraries begin.
 */
#define FIRST_DESCRIPTOR 700

static int inherited(int descriptor)
{
	int copy = fcntl(descriptor, F_DUPFD, FIRST_DESCRIPTOR);

	/* The limit of descriptors may be lower. */
	return copy >= 0 ? copy : fcntl(descriptor, F_DUPFD, STDERR_FILENO + 1);
}

static int set_preload(const struct vmsi_sweep_worker *worker)
{
	const char *before = getenv("LD_PRELOAD");
	char *value;

	if (asprintf(&value, "%s%s%s%s", worker->library,
		     worker->leaks ? ":" VMSI_SWEEP_LEAKS_LIBRARY : "",
		     before && *before ? ":" : "", before ? before : "") < 0)
		return -1;
	return setenv("LD_PRELOAD", value, 1);
}

static int set_environment(const struct vmsi_sweep_worker *worker, int socket)
{
	const int file = inherited(worker->file);
	const int inherited_socket = socket >= 0 ? inherited(socket) : -1;
	const int report = worker->leaks ? inherited(worker->report) : -1;
	char numbers[3 * sizeof "-2147483648"];

	if (file < 0 || (socket >= 0 && inherited_socket < 0) ||
	    (worker->leaks && report < 0))
		return -1;
	snprintf(numbers, sizeof numbers, "%d %d %d", file, inherited_socket,
		 report);
	return setenv(VMSI_FAILING_VARIABLE, numbers, 1) ||
		set_preload(worker);
}

static int set_streams(int input, int output)
{
	const int nothing = open("/dev/null", O_WRONLY | O_CLOEXEC);

	return nothing < 0 || dup2(input, STDIN_FILENO) < 0 ||
		dup2(output, STDOUT_FILENO) < 0 ||
		dup2(nothing, STDERR_FILENO) < 0;
}

/* Many trials may crash, and nobody wants a file of each. */
static void have_no_core(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_CORE, &limit) == 0) {
		limit.rlim_cur = 0;
		(void)setrlimit(RLIMIT_CORE, &limit);
	}
}

static void become_program(const struct vmsi_sweep_worker *worker, int input,
			   int output, int socket, pid_t parent, int told)
{
	int error;

	(void)prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
	if (getppid() != parent)
		_exit(127);
	have_no_core();
	vmsi_restore_signals();
	if (set_streams(input, output) == 0 &&
	    set_environment(worker, socket) == 0)
		execv(worker->options->path, worker->options->arguments);
	error = errno;
	(void)!write(told, &error, sizeof error);
	_exit(127);
}

int vmsi_sweep_start(const struct vmsi_sweep_worker *worker, int input,
		     int output, int socket, pid_t *child)
{
	const pid_t parent = getpid();
	int ends[2], error = 0;
	ssize_t got;

	if (pipe2(ends, O_CLOEXEC))
		return -errno;
	*child = fork();
	if (*child == 0)
		become_program(worker, input, output, socket, parent, ends[1]);
	if (*child < 0)
		error = errno;
	close(ends[1]);
	/* The pipe ends where execve has closed it. */
	do
		got = read(ends[0], &error, sizeof error);
	while (got < 0 && errno == EINTR);
	close(ends[0]);
	if (error && *child > 0)
		(void)waitpid(*child, NULL, 0);
	return -error;
}

/* --- the server ---------------------------------------------------------------------- */

int vmsi_sweep_start_server(struct vmsi_sweep_worker *worker)
{
	const int nothing = open("/dev/null", O_RDWR | O_CLOEXEC);
	int ends[2] = { -1, -1 }, error;

	if (nothing < 0 ||
	    socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends))
		error = -errno;
	else
		error = vmsi_sweep_start(worker, nothing, nothing, ends[1],
					 &worker->server);
	if (nothing >= 0)
		close(nothing);
	if (ends[1] >= 0)
		close(ends[1]);
	worker->socket = ends[0];
	if (!error)
		return 0;
	worker->server = 0;
	if (ends[0] >= 0)
		close(ends[0]);
	return error;
}

int vmsi_sweep_send_streams(int socket, enum vmsi_failing_command command,
			    int input, int output)
{
	const int streams[] = { input, output };
	union {
		struct cmsghdr header;
		char bytes[CMSG_SPACE(sizeof streams)];
	} control = { 0 };
	char byte = (char)command;
	struct iovec vector = { &byte, 1 };
	const struct msghdr message = {
		.msg_iov = &vector, .msg_iovlen = 1,
		.msg_control = &control, .msg_controllen = sizeof control,
	};

	control.header.cmsg_level = SOL_SOCKET;
	control.header.cmsg_type = SCM_RIGHTS;
	control.header.cmsg_len = CMSG_LEN(sizeof streams);
	memcpy(CMSG_DATA(&control.header), streams, sizeof streams);
	return sendmsg(socket, &message, MSG_NOSIGNAL) == 1 ? 0 : -errno;
}

/* --- processes ------------------------------------------------------------------------- */

int vmsi_sweep_watch(pid_t child)
{
	return (int)syscall(SYS_pidfd_open, child, 0);
}

/* How long a worker waits for the processes that it has killed. */
#define KILLED_SECONDS 5

/* A child of this process that is another than but; 0: there is none. */
static pid_t other_child(const char *path, pid_t but)
{
	FILE *list = fopen(path, "re");
	int child, found = 0;

	while (list && !found && fscanf(list, "%d", &child) == 1)
		if (child != but)
			found = child;
	if (list)
		fclose(list);
	return found;
}

/* Children of those that are killed become this process's own, which is a subreaper. */
void vmsi_sweep_end_others(pid_t but)
{
	const double until = vmsi_sweep_now() + KILLED_SECONDS;
	char path[sizeof "/proc/self/task/-2147483648/children"];
	pid_t child;

	snprintf(path, sizeof path, "/proc/self/task/%d/children", getpid());
	while ((child = other_child(path, but)) &&
	       vmsi_sweep_now() < until) {
		(void)kill(child, SIGKILL);
		if (waitpid(child, NULL, WNOHANG) != child)
			usleep(500);
	}
}
