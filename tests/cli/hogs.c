/* SPDX-License-Identifier: MIT */
/*
 * Has memory of one kind, says "ready", and stays until its standard input ends. Without
 * arguments: writes the kinds.
 *
 * usage: hogs [KIND BYTES]
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <vmspace.h>

#ifndef MREMAP_DONTUNMAP
#define MREMAP_DONTUNMAP 4
#endif

#define RW (PROT_READ | PROT_WRITE)

static size_t bytes;

/* The test is skipped where the host does not have such memory. */
static _Noreturn void skip(const char *what)
{
	printf("skip %s: %s\n", what, strerror(errno));
	exit(0);
}

static char *map(int prot, int flags, int file)
{
	char *memory = mmap(NULL, bytes, prot, flags, file, 0);

	if (memory == MAP_FAILED)
		skip("mmap");
	return memory;
}

static void wait_for_end(void)
{
	while (getchar() != EOF)
		;
}

static void say_ready(void)
{
	puts("ready");
	fflush(stdout);
}

/* --- private -------------------------------------------------------------- */

static void make_private(void)
{
	map(RW, MAP_PRIVATE | MAP_ANONYMOUS, -1);
}

static void make_noreserve(void)
{
	memset(map(RW, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1), 1, bytes);
}

/*
 * The stack of the first thread, which is charged as it grows. The kernel leaves 128 MiB
 * for it at least.
 */
static void grow_stack(size_t left)
{
	volatile char page[16384];

	page[0] = 1;
	if (left > sizeof(page))
		grow_stack(left - sizeof(page));
	page[1] = 1;
}

static void make_stack(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_STACK, &limit))
		skip("getrlimit");
	limit.rlim_cur = limit.rlim_max;
	if (setrlimit(RLIMIT_STACK, &limit))
		skip("setrlimit");
	if (limit.rlim_max != RLIM_INFINITY && limit.rlim_max < bytes / 2)
		skip("RLIMIT_STACK");
	grow_stack(bytes / 4);
}

static void *wait_forever(void *unused)
{
	for (;;)
		pause();
	return unused;
}

static void make_thread_stack(void)
{
	pthread_attr_t attributes;
	pthread_t thread;

	if (pthread_attr_init(&attributes) ||
	    pthread_attr_setstacksize(&attributes, bytes) ||
	    pthread_create(&thread, &attributes, wait_forever, NULL))
		skip("pthread_create");
	pthread_attr_destroy(&attributes);
}

/* Twice as much is reserved, and half of that is in use. */
static void make_space(void)
{
	const struct vms_space_options options = { .struct_size = sizeof(options) };
	vms_space *space = vms_space_open(2 * bytes, &options);

	if (!space || vms_mmap(space, NULL, bytes, RW, MAP_PRIVATE | MAP_ANONYMOUS,
			       -1, 0) == MAP_FAILED)
		skip("vms_mmap");
}

static void make_reserved(void)
{
	map(PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1);
}

/* What was charged, and has been used, stays so. */
static void make_readonly(void)
{
	char *memory = map(RW, MAP_PRIVATE | MAP_ANONYMOUS, -1);

	memory[0] = 1;
	if (mprotect(memory, bytes, PROT_READ))
		skip("mprotect");
}

/* The old place stays mapped, and is charged anew. */
static void make_dontunmap(void)
{
	char *memory = map(RW, MAP_PRIVATE | MAP_ANONYMOUS, -1);

	if (mremap(memory, bytes, bytes, MREMAP_MAYMOVE | MREMAP_DONTUNMAP,
		   NULL) == MAP_FAILED)
		skip("MREMAP_DONTUNMAP");
}

/* A copy in a child, which is charged as well. */
static void make_fork(void)
{
	make_private();
	if (fork() == 0) {
		/* It gets the end of the input, too. */
		wait_for_end();
		_exit(0);
	}
}

/* A child that has its parent's memory; the parent waits in vfork(2). */
static void make_vfork(void)
{
	char byte;

	make_private();
	say_ready();
	if (vfork() == 0) {
		while (read(0, &byte, 1) > 0)
			;
		_exit(0);
	}
}

/* --- shared --------------------------------------------------------------- */

static void make_shared(void)
{
	map(RW, MAP_SHARED | MAP_ANONYMOUS, -1);
}

/* Only a quarter is written to. */
static void make_shared_noreserve(void)
{
	memset(map(RW, MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1), 1, bytes / 4);
}

static int make_memfd(void)
{
	const int file = memfd_create("hog", MFD_CLOEXEC);

	if (file < 0 || ftruncate(file, (off_t)bytes))
		skip("memfd_create");
	return file;
}

static void make_memfd_mapped(void)
{
	const int file = make_memfd();

	memset(map(RW, MAP_SHARED, file), 1, bytes / 4);
	close(file);
}

static int make_memfd_open(void)
{
	const int file = make_memfd();

	if (fallocate(file, 0, 0, (off_t)(bytes / 4)))
		skip("fallocate");
	return file;
}

/* Nobody has it but a message that was not read. */
static void make_memfd_in_flight(void)
{
	union {
		struct cmsghdr header;
		char bytes[CMSG_SPACE(sizeof(int))];
	} control = { .bytes = { 0 } };
	char byte = 0;
	struct iovec data = { &byte, 1 };
	struct msghdr message = {
		.msg_iov = &data, .msg_iovlen = 1,
		.msg_control = control.bytes, .msg_controllen = sizeof(control.bytes),
	};
	int file = make_memfd_open(), sockets[2];

	if (socketpair(AF_UNIX, SOCK_STREAM, 0, sockets))
		skip("socketpair");
	control.header.cmsg_level = SOL_SOCKET;
	control.header.cmsg_type = SCM_RIGHTS;
	control.header.cmsg_len = CMSG_LEN(sizeof(file));
	memcpy(CMSG_DATA(&control.header), &file, sizeof(file));
	if (sendmsg(sockets[0], &message, 0) != 1)
		skip("sendmsg");
	close(file);
}

static int segment = -1;

static void make_segment(void)
{
	segment = shmget(IPC_PRIVATE, bytes, IPC_CREAT | 0600);
	if (segment < 0)
		skip("shmget");
}

static void make_attached(void)
{
	make_segment();
	if (shmat(segment, NULL, 0) == (void *)-1)
		skip("shmat");
	/* It goes with the process. */
	shmctl(segment, IPC_RMID, NULL);
	segment = -1;
}

static void make_tmpfs(void)
{
	const int file = open("/dev/shm", O_TMPFILE | O_RDWR, 0600);

	if (file < 0 || fallocate(file, 0, 0, (off_t)(bytes / 4)))
		skip("/dev/shm");
}

static void make_open(void)
{
	(void)make_memfd_open();
}

static const struct {
	const char *name;
	void (*make)(void);
} kinds[] = {
	{ "private", make_private },
	{ "noreserve", make_noreserve },
	{ "reserved", make_reserved },
	{ "stack", make_stack },
	{ "thread_stack", make_thread_stack },
	{ "space", make_space },
	{ "readonly", make_readonly },
	{ "dontunmap", make_dontunmap },
	{ "fork", make_fork },
	{ "vfork", make_vfork },
	{ "shared", make_shared },
	{ "shared_noreserve", make_shared_noreserve },
	{ "memfd_mapped", make_memfd_mapped },
	{ "memfd_open", make_open },
	{ "memfd_in_flight", make_memfd_in_flight },
	{ "attached", make_attached },
	{ "detached", make_segment },
	{ "tmpfs", make_tmpfs },
};

#define KINDS (sizeof(kinds) / sizeof(kinds[0]))

int main(int argc, char **argv)
{
	if (argc != 3) {
		for (size_t i = 0; i < KINDS; i++)
			puts(kinds[i].name);
		return 0;
	}
	bytes = strtoull(argv[2], NULL, 10);
	for (size_t i = 0; i < KINDS; i++)
		if (strcmp(argv[1], kinds[i].name) == 0)
			kinds[i].make();
	say_ready();
	wait_for_end();
	if (segment >= 0)
		shmctl(segment, IPC_RMID, NULL);
	while (wait(NULL) > 0)
		;
	return 0;
}
