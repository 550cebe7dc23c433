/* SPDX-License-Identifier: MIT */
#include "rss.h"

#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

struct rss_shared {
	_Atomic size_t most;   /* bytes */
	_Atomic size_t looks;
};

static _Noreturn void fail(const char *what)
{
	perror(what);
	_exit(1);
}

static int open_statm(pid_t process)
{
	char path[64];
	int fd;

	(void)snprintf(path, sizeof(path), "/proc/%ld/statm", (long)process);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		fail(path);
	return fd;
}

/* 0: the process is not there any more. */
static size_t resident_of(int fd)
{
	char text[128] = "";
	unsigned long long size = 0, resident = 0;

	if (pread(fd, text, sizeof(text) - 1, 0) <= 0 ||
	    sscanf(text, "%llu %llu", &size, &resident) != 2)
		return 0;
	return (size_t)resident * (size_t)sysconf(_SC_PAGESIZE);
}

/* Ends of pipes and the like are the other's: who waits for their close must not wait. */
static int keep_only(int fd)
{
	const int kept = fcntl(fd, F_DUPFD_CLOEXEC, 3);

	if (kept < 0)
		fail("fcntl");
	if (kept > 3)
		(void)close_range(3, (unsigned)kept - 1, 0);
	(void)close_range((unsigned)kept + 1, ~0u, 0);
	return kept;
}

static _Noreturn void look(struct rss_shared *shared, int statm)
{
	const struct timespec millisecond = { .tv_nsec = 1000000 };
	const int fd = keep_only(statm);

	for (;;) {
		const size_t resident = resident_of(fd);

		if (resident > atomic_load(&shared->most))
			atomic_store(&shared->most, resident);
		atomic_fetch_add(&shared->looks, 1);
		(void)nanosleep(&millisecond, NULL);
	}
}

/* The kernel sends it when the thread ends that began; who ended before that is no parent. */
static void end_with(pid_t parent)
{
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0 || getppid() != parent)
		_exit(1);
}

void rss_begin(struct rss *rss)
{
	const pid_t self = getpid();
	const int fd = open_statm(self);

	rss->shared = mmap(NULL, sizeof(*rss->shared), PROT_READ | PROT_WRITE,
			   MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (rss->shared == MAP_FAILED)
		fail("mmap");
	(void)fflush(NULL);
	rss->watcher = fork();
	if (rss->watcher < 0)
		fail("fork");
	if (rss->watcher == 0) {
		end_with(self);
		look(rss->shared, fd);
	}
	while (atomic_load(&rss->shared->looks) == 0 &&
	       waitpid(rss->watcher, NULL, WNOHANG) == 0)
		(void)usleep(100);
	if (atomic_load(&rss->shared->looks) == 0)
		fail("no process can watch");
	rss->before = resident_of(fd);
	(void)close(fd);
}

size_t rss_end(struct rss *rss)
{
	size_t most;

	(void)kill(rss->watcher, SIGKILL);
	(void)waitpid(rss->watcher, NULL, 0);
	most = atomic_load(&rss->shared->most);
	(void)munmap(rss->shared, sizeof(*rss->shared));
	return most > rss->before ? most - rss->before : 0;
}

int rss_print(const char *label, size_t most, size_t ram)
{
	const size_t allowed = ram + ram / 50 + ((size_t)4 << 20);
	const double mib = 1 << 20;

	printf("%-44s %12.1f MiB resident at most, of %.1f%s\n", label, (double)most / mib,
	       (double)ram / mib, most > allowed ? ": TOO MUCH" : "");
	return most > allowed;
}
