/* SPDX-License-Identifier: MIT */
#include "group/serve/listener.h"

#include <errno.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

/*
 * From Linux 5.19 on: a call that waits for its answer is ended by a kill only.
 */
#ifndef SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV
#define SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV (1ul << 5)
#endif
/* From Linux 6.6 on. */
#ifndef SECCOMP_IOCTL_NOTIF_SET_FLAGS
#define SECCOMP_IOCTL_NOTIF_SET_FLAGS SECCOMP_IOW(4, __u64)
#define SECCOMP_USER_NOTIF_FD_SYNC_WAKE_UP (1ul << 0)
#endif

/*
 * The filter is no sandbox. With SPEC_ALLOW, kernels before 5.16 do not slow
 * down the whole program for it.
 */
static int install(const struct sock_fprog *filter, unsigned long flags)
{
	long result = syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER,
			      SECCOMP_FILTER_FLAG_NEW_LISTENER |
			      SECCOMP_FILTER_FLAG_SPEC_ALLOW | flags, filter);

	return result < 0 ? -errno : (int)result;
}

/*
 * Without WAIT_KILLABLE_RECV, a signal whose handler was set without SA_RESTART
 * makes calls answer EINTR that never do otherwise.
 */
int vmsi_listener_install(const struct sock_fprog *filter)
{
	int listener;

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
		return -errno;
	listener = install(filter, SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV);
	if (listener == -EINVAL)
		listener = install(filter, 0);
	return listener == -EINVAL ? -ENOSYS : listener;
}

int vmsi_listener_receive(int listener, struct seccomp_notif *call)
{
	if (ioctl(listener, SECCOMP_IOCTL_NOTIF_RECV, call) == 0)
		return 1;
	return errno == ENOENT || errno == EINTR ? 0 : -errno;
}

static bool answer(int listener, struct seccomp_notif_resp response)
{
	return ioctl(listener, SECCOMP_IOCTL_NOTIF_SEND, &response) == 0;
}

bool vmsi_listener_continue(int listener, uint64_t id)
{
	return answer(listener, (struct seccomp_notif_resp){
		.id = id, .flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE });
}

bool vmsi_listener_answer(int listener, uint64_t id, int64_t result)
{
	struct seccomp_notif_resp response = { .id = id };

	if (result < 0)
		response.error = (int)result;
	else
		response.val = result;
	return answer(listener, response);
}

bool vmsi_listener_is_waited_for(int listener, uint64_t id)
{
	return ioctl(listener, SECCOMP_IOCTL_NOTIF_ID_VALID, &id) == 0;
}

bool vmsi_listener_can_continue(int listener)
{
	return vmsi_listener_continue(listener, 0) || errno == ENOENT;
}

void vmsi_listener_tune(int listener)
{
	/* Without this flag the supervisor is only woken more slowly. */
	(void)ioctl(listener, SECCOMP_IOCTL_NOTIF_SET_FLAGS,
		    SECCOMP_USER_NOTIF_FD_SYNC_WAKE_UP);
}
