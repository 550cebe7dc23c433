/* SPDX-License-Identifier: MIT */
#include "cli/supervise/running.h"

#include <ctype.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/array.h"
#include "cli/clock.h"

/*
 * Finding the supervisors that run. Anybody may have taken a name that looks like one
 * of theirs, or may answer anything: a socket counts by the user that the kernel
 * tells, and what it says is only shown.
 */

/* So many are asked at once, each for at most so long. */
#define BATCH 64
#define PATIENCE_MS 1000
/* Others may take any number of names. */
#define NAMES_MOST 4096

/* --- one ----------------------------------------------------------------------- */

static int connect_to(const char *digits)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	const int length = snprintf(address.sun_path + 1,
				    sizeof address.sun_path - 1, "%s%s",
				    VMSI_CONTROL_PREFIX, digits);
	const int end = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC |
			       SOCK_NONBLOCK, 0);
	int error;

	if (end < 0)
		return -errno;
	if (connect(end, (struct sockaddr *)&address,
		    (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 +
				(size_t)length)) == 0)
		return end;
	error = errno;
	close(end);
	return -error;
}

static int look_at_user(int end, struct vmsi_live_group *group)
{
	struct ucred user;
	socklen_t size = sizeof user;

	if (getsockopt(end, SOL_SOCKET, SO_PEERCRED, &user, &size))
		return -errno;
	group->has_user = true;
	group->user = user.uid;
	group->supervisor = user.pid;
	return geteuid() == 0 || user.uid == geteuid() ? 0 : -EPERM;
}

int vmsi_live_ask(struct vmsi_live_group *group,
		  const struct vmsi_control_request *request)
{
	struct vmsi_control_request sent = *request;
	const int end = connect_to(group->digits);
	int error;

	sent.version = VMSI_CONTROL_VERSION;
	if (end < 0)
		return end;
	error = look_at_user(end, group);
	if (!error && send(end, &sent, sizeof sent, MSG_NOSIGNAL) != sizeof sent)
		error = -errno;
	if (!error)
		return end;
	close(end);
	return error;
}

static uint64_t now_ms(void)
{
	return vmsi_clock_ns() / 1000000;
}

/* Returns as vmsi_live_receive. A message of another size is of nobody we know. */
static int take_figures(int end, struct vmsi_control_figures *figures)
{
	const ssize_t got = recv(end, figures, sizeof *figures, MSG_TRUNC);

	if (got < 0)
		return -errno;
	if (got == 0)
		return 0;
	if (got != sizeof *figures || figures->version != VMSI_CONTROL_VERSION)
		return -EPROTONOSUPPORT;
	figures->name[VMSI_CONTROL_NAME_MAX] = 0;
	return 1;
}

int vmsi_live_receive(int end, struct vmsi_control_figures *figures,
		      int milliseconds)
{
	struct pollfd watched = { .fd = end, .events = POLLIN };
	int count;

	do
		count = poll(&watched, 1, milliseconds);
	while (count < 0 && errno == EINTR);
	if (count <= 0)
		return count ? -errno : -EAGAIN;
	return take_figures(end, figures);
}

/* --- all of them --------------------------------------------------------------- */

static bool is_known(const struct vmsi_live_groups *groups, const char *digits)
{
	for (size_t i = 0; i < groups->count; i++)
		if (strcmp(groups->list[i].digits, digits) == 0)
			return true;
	return false;
}

static int add(struct vmsi_live_groups *groups, const char *digits)
{
	struct vmsi_live_group *list =
		vmsi_with_capacity(groups->list, groups->count,
				   &groups->capacity, sizeof *list);

	if (!list)
		return -ENOMEM;
	groups->list = list;
	list[groups->count] = (struct vmsi_live_group){ .answers = false };
	memcpy(list[groups->count].digits, digits, VMSI_CONTROL_DIGITS);
	groups->count++;
	return 0;
}

/* The kernel writes the 0 before an abstract name as '@'. */
static int take_line(struct vmsi_live_groups *groups, const char *line)
{
	const char *name = strstr(line, " @" VMSI_CONTROL_PREFIX);
	char digits[VMSI_CONTROL_DIGITS + 1] = "";

	if (!name)
		return 0;
	name += strlen(" @" VMSI_CONTROL_PREFIX);
	for (size_t i = 0; i < VMSI_CONTROL_DIGITS; i++) {
		if (!isxdigit((unsigned char)name[i]))
			return 0;
		digits[i] = name[i];
	}
	if (name[VMSI_CONTROL_DIGITS] != '\n' || is_known(groups, digits))
		return 0;
	return add(groups, digits);
}

static int read_names(struct vmsi_live_groups *groups)
{
	FILE *file = fopen("/proc/net/unix", "re");
	size_t capacity = 0;
	char *line = NULL;
	int error = 0;

	if (!file)
		return -errno;
	while (!error && groups->count < NAMES_MOST &&
	       getline(&line, &capacity, file) > 0)
		error = take_line(groups, line);
	free(line);
	fclose(file);
	return error;
}

/*
 * Ask some, then wait for all of them together. *are_groups is whether each is a
 * supervisor that may be shown.
 */
static void ask_batch(struct vmsi_live_group *groups, size_t count,
		      bool are_groups[])
{
	const struct vmsi_control_request show = { .what = VMSI_CONTROL_SHOW };
	const uint64_t until = now_ms() + PATIENCE_MS;
	int ends[BATCH];

	for (size_t i = 0; i < count; i++) {
		ends[i] = vmsi_live_ask(&groups[i], &show);
		/* EAGAIN: too many others ask, or nobody serves them. */
		are_groups[i] = ends[i] >= 0 || ends[i] == -EAGAIN;
	}
	for (size_t i = 0; i < count; i++) {
		const uint64_t now = now_ms();
		int got;

		if (ends[i] < 0)
			continue;
		got = vmsi_live_receive(ends[i], &groups[i].figures,
					now < until ? (int)(until - now) : 0);
		groups[i].answers = got == 1 && groups[i].figures.error == 0;
		/* EAGAIN: it has no time, or too many clients. */
		are_groups[i] = groups[i].answers || got == -EAGAIN ||
			(got == 1 && groups[i].figures.error == EAGAIN);
		close(ends[i]);
	}
}

static int compare(const void *first, const void *second)
{
	const struct vmsi_live_group *one = first, *other = second;

	if (one->answers != other->answers)
		return one->answers ? -1 : 1;
	return (one->figures.age < other->figures.age) -
		(one->figures.age > other->figures.age);
}

int vmsi_live_find(struct vmsi_live_groups *groups)
{
	const int error = read_names(groups);
	size_t kept = 0;

	for (size_t begin = 0; begin < groups->count; begin += BATCH) {
		const size_t left = groups->count - begin;
		const size_t count = left < BATCH ? left : BATCH;
		bool are_groups[BATCH];

		ask_batch(&groups->list[begin], count, are_groups);
		for (size_t i = 0; i < count; i++)
			if (are_groups[i])
				groups->list[kept++] = groups->list[begin + i];
	}
	groups->count = kept;
	if (kept)
		qsort(groups->list, kept, sizeof *groups->list, compare);
	return error;
}

void vmsi_live_free(struct vmsi_live_groups *groups)
{
	free(groups->list);
	groups->list = NULL;
}
