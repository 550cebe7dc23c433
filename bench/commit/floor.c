/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

/*
 * What the kernel itself takes for it, whoever decides. "allow" runs a program
 * under a filter that allows everything; "listen" under one that asks about each
 * mmap, with a listener that lets each go on and does nothing else.
 */

#ifndef SECCOMP_IOCTL_NOTIF_SET_FLAGS
#define SECCOMP_IOCTL_NOTIF_SET_FLAGS SECCOMP_IOW(4, __u64)
#define SECCOMP_USER_NOTIF_FD_SYNC_WAKE_UP (1ul << 0)
#endif

static int install(struct sock_filter *filter, unsigned short length,
		   unsigned long flags)
{
	const struct sock_fprog program = { length, filter };

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
		return -1;
	return (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER,
			    SECCOMP_FILTER_FLAG_SPEC_ALLOW | flags, &program);
}

static int allow(void)
{
	struct sock_filter filter[] = {
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};

	return install(filter, 1, 0);
}

static int ask_about_mmap(void)
{
	struct sock_filter filter[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
			 offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_mmap, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_USER_NOTIF),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};

	return install(filter, 4, SECCOMP_FILTER_FLAG_NEW_LISTENER);
}

static void serve(int listener)
{
	struct seccomp_notif call;

	(void)ioctl(listener, SECCOMP_IOCTL_NOTIF_SET_FLAGS,
		    SECCOMP_USER_NOTIF_FD_SYNC_WAKE_UP);
	for (;;) {
		struct seccomp_notif_resp answer = {
			.flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE,
		};

		memset(&call, 0, sizeof call);
		if (ioctl(listener, SECCOMP_IOCTL_NOTIF_RECV, &call)) {
			if (errno == EINTR)
				continue;
			return;
		}
		answer.id = call.id;
		(void)ioctl(listener, SECCOMP_IOCTL_NOTIF_SEND, &answer);
	}
}

/* In a child, so that the program's own time is what is measured. */
static int listen_beside(void)
{
	int ends[2], listener = -1;
	pid_t program = getpid();
	char done = 0;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends))
		return -1;
	if (prctl(PR_SET_PTRACER, PR_SET_PTRACER_ANY, 0, 0, 0) &&
	    errno != EINVAL)
		return -1;
	switch (fork()) {
	case -1:
		return -1;
	case 0:
		/* Not every kernel tells that the last program has gone. */
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		close(ends[1]);
		if (read(ends[0], &listener, sizeof listener) !=
		    sizeof listener)
			_exit(1);
		listener = (int)syscall(SYS_pidfd_getfd,
					syscall(SYS_pidfd_open, program, 0),
					listener, 0);
		if (write(ends[0], &done, 1) == 1 && listener >= 0)
			serve(listener);
		_exit(0);
	}
	listener = ask_about_mmap();
	if (listener < 0 ||
	    write(ends[1], &listener, sizeof listener) != sizeof listener)
		return -1;
	return read(ends[1], &done, 1) == 1 ? 0 : -1;
}

int main(int argc, char **argv)
{
	const char *how = argc > 1 ? argv[1] : "";
	const int listens = strcmp(how, "listen") == 0;
	const int asks = strcmp(how, "--help") == 0;

	if (argc < 3 || (!listens && strcmp(how, "allow") != 0)) {
		fprintf(asks ? stdout : stderr, "usage: %s allow|listen PROGRAM ...\n",
			argv[0]);
		return asks ? 0 : 2;
	}
	if (listens ? listen_beside() : allow()) {
		perror(argv[1]);
		return 1;
	}
	execvp(argv[2], argv + 2);
	perror(argv[2]);
	return 1;
}
