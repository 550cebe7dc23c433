/* SPDX-License-Identifier: MIT */
#include "cli/supervise/control.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "cli/supervise/snapshot.h"

/*
 * At most so many are connected. Only the owner's and root's stay connected, so
 * nobody else can use them up.
 */
#define CLIENTS_MOST 32
#define EVENTS 16
/* Of the names that somebody else may have taken. */
#define TRIES 8

struct client {
	int socket; /* -1: free */
	bool follows;
	struct vmsi_control_figures told; /* to one that follows */
};

struct vmsi_control {
	struct vmsi_kept_limit *limit;
	vms_group *group;
	enum vmsi_control_state state;
	int listener;
	int epoll; /* of the listener and all clients */
	char name[VMSI_CONTROL_NAME_MAX + 1];
	struct client clients[CLIENTS_MOST];
};

/* --- opening --------------------------------------------------------------- */

/* Returns 0 or -errno. */
static int bind_to_any_name(int listener)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	const size_t length = strlen(VMSI_CONTROL_PREFIX) + VMSI_CONTROL_DIGITS;
	const socklen_t size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) +
					   1 + length);

	for (int i = 0; i < TRIES; i++) {
		unsigned long long number;

		if (getrandom(&number, sizeof number, 0) != sizeof number)
			return -errno;
		snprintf(address.sun_path + 1, sizeof address.sun_path - 1,
			 VMSI_CONTROL_PREFIX "%016llx", number);
		if (bind(listener, (struct sockaddr *)&address, size) == 0)
			return 0;
		if (errno != EADDRINUSE)
			return -errno;
	}
	return -EADDRINUSE;
}

static int watch(struct vmsi_control *control, int socket, struct client *client)
{
	struct epoll_event event = { .events = EPOLLIN, .data.ptr = client };

	return epoll_ctl(control->epoll, EPOLL_CTL_ADD, socket, &event) ?
		-errno : 0;
}

/*
 * Each peer is told of once: one that cannot be accepted, since there are too many
 * descriptors, keeps the supervisor from nothing. It is when the next one comes.
 */
static int watch_listener(struct vmsi_control *control, int operation)
{
	struct epoll_event event = { .events = EPOLLIN | EPOLLET, .data.ptr = NULL };

	return epoll_ctl(control->epoll, operation, control->listener, &event) ?
		-errno : 0;
}

static int listen_for_requests(struct vmsi_control *control)
{
	int error;

	control->epoll = epoll_create1(EPOLL_CLOEXEC);
	control->listener = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC |
				   SOCK_NONBLOCK, 0);
	if (control->epoll < 0 || control->listener < 0)
		return -errno;
	error = bind_to_any_name(control->listener);
	if (!error && listen(control->listener, CLIENTS_MOST))
		error = -errno;
	return error ? error : watch_listener(control, EPOLL_CTL_ADD);
}

static void set_name(struct vmsi_control *control, const char *program)
{
	const char *slash = strrchr(program, '/');
	const char *name = control->limit->options->name ?
		control->limit->options->name :
		slash && slash[1] ? slash + 1 : program;

	snprintf(control->name, sizeof control->name, "%s", name);
}

struct vmsi_control *vmsi_control_open(struct vmsi_kept_limit *limit,
				       const char *program)
{
	struct vmsi_control *control = calloc(1, sizeof *control);
	int error;

	if (!control)
		return NULL;
	control->limit = limit;
	control->group = limit->group;
	control->listener = control->epoll = -1;
	for (size_t i = 0; i < CLIENTS_MOST; i++)
		control->clients[i].socket = -1;
	set_name(control, program);
	error = listen_for_requests(control);
	if (!error) {
		(void)vms_group_watch(limit->group, control->epoll);
		return control;
	}
	vmsi_control_close(control);
	errno = -error;
	return NULL;
}

/* --- answers ---------------------------------------------------------------- */

static struct vmsi_control_figures figures_of(const struct vmsi_control *control)
{
	struct vms_group_stats stats = { .struct_size = sizeof stats };
	struct vmsi_control_figures figures;

	/* The padding is sent as well. */
	memset(&figures, 0, sizeof figures);
	(void)vms_group_get_stats(control->group, &stats);
	figures.version = VMSI_CONTROL_VERSION;
	figures.state = control->state;
	figures.status = control->state == VMSI_CONTROL_RUNS ? 0 :
		vms_group_status(control->group);
	figures.first = (int32_t)vms_group_first(control->group);
	figures.processes = (uint32_t)stats.processes;
	figures.limit = stats.limit;
	figures.committed = stats.committed;
	figures.peak = vmsi_peak_told(stats.committed_peak, stats.committed);
	figures.refusals = stats.refusals;
	figures.age = stats.age;
	memcpy(figures.name, control->name, sizeof figures.name);
	figures.source.kind = control->limit->source.kind;
	figures.source.parts = control->limit->source.parts;
	return figures;
}

/* What does not fit into the buffer of the socket is not sent. */
static bool answer(int socket, const struct vmsi_control_figures *figures)
{
	return send(socket, figures, sizeof *figures,
		    MSG_NOSIGNAL | MSG_DONTWAIT) == sizeof *figures;
}

static void drop(struct client *client)
{
	close(client->socket);
	client->socket = -1;
	client->follows = false;
}

/* --- who asks ---------------------------------------------------------------- */

static bool may_ask(int socket)
{
	struct ucred user;
	socklen_t size = sizeof user;

	return getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &user, &size) == 0 &&
		(user.uid == geteuid() || user.uid == 0);
}

static void refuse(int socket, int error)
{
	struct vmsi_control_request request;
	struct vmsi_control_figures figures;

	memset(&figures, 0, sizeof figures);
	figures.version = VMSI_CONTROL_VERSION;
	figures.error = (uint32_t)error;
	(void)answer(socket, &figures);
	/* With a request that was not read the answer would be lost. */
	(void)recv(socket, &request, sizeof request, MSG_DONTWAIT);
	close(socket);
}

static struct client *free_client(struct vmsi_control *control)
{
	for (size_t i = 0; i < CLIENTS_MOST; i++)
		if (control->clients[i].socket < 0)
			return &control->clients[i];
	return NULL;
}

static void accept_one(struct vmsi_control *control)
{
	const int socket = accept4(control->listener, NULL, NULL,
				   SOCK_CLOEXEC | SOCK_NONBLOCK);
	struct client *client = free_client(control);

	if (socket < 0)
		return;
	/* Those that wait behind it are told of anew. */
	(void)watch_listener(control, EPOLL_CTL_MOD);
	if (!may_ask(socket)) {
		refuse(socket, EPERM);
		return;
	}
	if (!client || watch(control, socket, client)) {
		refuse(socket, EAGAIN);
		return;
	}
	client->socket = socket;
}

/* --- what is asked ------------------------------------------------------------ */

/* Returns 0 or -errno. A client may send anything. */
static int set_limit(struct vmsi_control *control,
		     const struct vmsi_control_request *request)
{
	const struct vmsi_limit_source source = { request->source.kind,
		request->source.parts };

	if (request->source.kind > VMSI_LIMIT_RAM || request->limit > SIZE_MAX ||
	    (source.kind != VMSI_LIMIT_SIZE &&
	     !(source.parts > 0 && source.parts <= 1)))
		return -EINVAL;
	return vmsi_kept_limit_set(control->limit, &source,
				   (size_t)request->limit);
}

static void take_request(struct vmsi_control *control, struct client *client)
{
	struct vmsi_control_request request;
	struct vmsi_control_figures figures;
	const ssize_t got = recv(client->socket, &request, sizeof request,
				 MSG_DONTWAIT | MSG_TRUNC);
	int error = 0;

	if (got < 0 && errno == EAGAIN)
		return;
	if (got != sizeof request || request.version != VMSI_CONTROL_VERSION ||
	    request.what > VMSI_CONTROL_FOLLOW) {
		drop(client);
		return;
	}
	if (request.what == VMSI_CONTROL_SET)
		error = set_limit(control, &request);
	figures = figures_of(control);
	figures.error = (uint32_t)-error;
	client->told = figures;
	client->follows = client->follows ||
		request.what == VMSI_CONTROL_FOLLOW;
	figures.source.is_machines = request.what == VMSI_CONTROL_SET &&
		figures.source.kind == VMSI_LIMIT_CGROUP &&
		!vmsi_limit_has_cgroup();
	if (!answer(client->socket, &figures))
		drop(client);
}

void vmsi_control_serve(struct vmsi_control *control)
{
	struct epoll_event events[EVENTS];
	const int count = control ? epoll_wait(control->epoll, events, EVENTS, 0) :
				    0;

	for (int i = 0; i < count; i++) {
		struct client *client = events[i].data.ptr;

		if (!client)
			accept_one(control);
		else if (client->socket >= 0)
			take_request(control, client);
	}
}

/* --- who follows --------------------------------------------------------------- */

/* The age alone is no news. */
static bool have_changed(const struct vmsi_control_figures *figures,
			 const struct vmsi_control_figures *before)
{
	struct vmsi_control_figures same_age = *figures;

	same_age.age = before->age;
	return memcmp(&same_age, before, sizeof same_age) != 0;
}

/* One that does not read is told the newest figures when it does. */
void vmsi_control_tell(struct vmsi_control *control)
{
	struct vmsi_control_figures figures;

	if (!control)
		return;
	figures = figures_of(control);
	for (size_t i = 0; i < CLIENTS_MOST; i++) {
		struct client *client = &control->clients[i];

		if (client->follows && have_changed(&figures, &client->told) &&
		    answer(client->socket, &figures))
			client->told = figures;
	}
}

void vmsi_control_set_state(struct vmsi_control *control,
			    enum vmsi_control_state state)
{
	if (!control)
		return;
	control->state = state;
	vmsi_control_tell(control);
}

void vmsi_control_close(struct vmsi_control *control)
{
	if (!control)
		return;
	for (size_t i = 0; i < CLIENTS_MOST; i++)
		if (control->clients[i].socket >= 0)
			drop(&control->clients[i]);
	if (control->listener >= 0)
		close(control->listener);
	if (control->epoll >= 0)
		close(control->epoll);
	free(control);
}
