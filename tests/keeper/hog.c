/* SPDX-License-Identifier: MIT
 *
 * Asks for memory in one way until it is refused, for tests/keeper/guest.sh.
 *
 * usage: hog KIND [COUNT [KIB]]    at most COUNT requests of KIB each; 400 of 1,024
 *        hog fork COUNT KIB        that many children, after one request of KIB
 *        hog crowd PROCESSES KIB   fill up together, in requests of KIB
 *        hog hold COUNT KIB        ask as mmap does, tell, and keep until standard
 *                                  input ends
 *        hog exec COUNT KIB        the same, and then execute programs
 *        hog uring COUNT KIB       the same, and then read by io_uring
 *        hog storm PROCESSES       they ask and free at random until standard input ends
 *        hog cost-pair COUNT       nanoseconds of a mapping that is made and unmapped
 *
 * Prints how many were granted and the errno of the one that was refused, 0: none was.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/shm.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <linux/io_uring.h>

static size_t chunk = 1 << 20;
static char *area; /* of mprotect and mremap */
static size_t area_size;

static bool is_mapped(const void *address)
{
	return address != MAP_FAILED;
}

static bool map(int flags)
{
	return is_mapped(mmap(NULL, chunk, PROT_READ | PROT_WRITE, flags, -1, 0));
}

static bool ask_mmap(void)
{
	return map(MAP_PRIVATE | MAP_ANONYMOUS);
}

static bool ask_noreserve(void)
{
	return map(MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE);
}

static bool ask_shared(void)
{
	return map(MAP_SHARED | MAP_ANONYMOUS);
}

static bool ask_shared_noreserve(void)
{
	return map(MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE);
}

static bool ask_brk(void)
{
	return is_mapped(sbrk((intptr_t)chunk));
}

static bool ask_malloc(void)
{
	char *memory = malloc(chunk);

	if (memory)
		memset(memory, 1, chunk);
	return memory;
}

/* Of an area that is reserved at the first call. */
static bool make_writable(int flags)
{
	if (!area)
		area = mmap(NULL, 1UL << 34, PROT_NONE,
			    MAP_PRIVATE | MAP_ANONYMOUS | flags, -1, 0);
	if (mprotect(area + area_size, chunk, PROT_READ | PROT_WRITE))
		return false;
	area_size += chunk;
	return true;
}

static bool ask_mprotect(void)
{
	return make_writable(0);
}

static bool ask_mprotect_noreserve(void)
{
	return make_writable(MAP_NORESERVE);
}

/* What was written to counts no more when it is read-only, and again afterwards. */
static bool ask_again(void)
{
	static char *parts[100];
	static size_t next;

	for (size_t i = 0; !next && i < 100; i++) {
		parts[i] = mmap(NULL, chunk, PROT_READ | PROT_WRITE,
				MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		if (!is_mapped(parts[i]))
			return false;
		parts[i][0] = 1;
		if (mprotect(parts[i], chunk, PROT_READ))
			return false;
	}
	return next < 100 && mprotect(parts[next++], chunk, PROT_READ | PROT_WRITE) == 0;
}

static bool grow(int flags)
{
	void *moved = area ? mremap(area, area_size, area_size + chunk, MREMAP_MAYMOVE) :
		mmap(NULL, chunk, PROT_READ | PROT_WRITE,
		     MAP_PRIVATE | MAP_ANONYMOUS | flags, -1, 0);

	if (!is_mapped(moved))
		return false;
	area = moved;
	area_size += chunk;
	return true;
}

static bool ask_mremap(void)
{
	return grow(0);
}

static bool ask_mremap_noreserve(void)
{
	return grow(MAP_NORESERVE);
}

/* What is moved away from stays, and what has no reserve has asked for nothing. */
static bool ask_dontunmap(void)
{
	void *moved;

	if (!area) {
		area = mmap(NULL, chunk, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
		return is_mapped(area);
	}
	moved = mremap(area, chunk, chunk, MREMAP_MAYMOVE | MREMAP_DONTUNMAP, NULL);
	return is_mapped(moved);
}

static bool ask_memfd(void)
{
	const int file = memfd_create("hog", 0);
	void *mapped = MAP_FAILED;
	int error;

	if (file < 0)
		return false;
	if (ftruncate(file, (off_t)chunk) == 0)
		mapped = mmap(NULL, chunk, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
	error = errno;
	close(file);
	errno = error;
	return is_mapped(mapped);
}

/* A segment without a name lives as long as it is attached. */
static bool ask_segment(void)
{
	const int segment = shmget(IPC_PRIVATE, chunk, 0600);
	void *attached;

	if (segment < 0)
		return false;
	attached = shmat(segment, NULL, 0);
	shmctl(segment, IPC_RMID, NULL);
	return is_mapped(attached);
}

/* A system call as a 32-bit program makes it. */
static bool call_32bit(unsigned number, unsigned first, unsigned second)
{
#ifdef __x86_64__
	unsigned result;

	__asm__ volatile("push %%rbp; xor %%ebp, %%ebp; int $0x80; pop %%rbp"
			 : "=a"(result)
			 : "0"(number), "b"(first), "c"(second),
			   "d"(PROT_READ | PROT_WRITE),
			   "S"(MAP_PRIVATE | MAP_ANONYMOUS), "D"(-1)
			 : "memory", "r8", "r9", "r10", "r11");
	if (result < -4095U)
		return true;
	errno = (int)-result;
#else
	errno = ENOSYS;
#endif
	return false;
}

static bool ask_32bit(void)
{
	return call_32bit(192 /* mmap2 */, 0, (unsigned)chunk);
}

/* The first mmap of Linux, whose arguments lie in memory; without reserve. */
static bool ask_old_32bit(void)
{
	static unsigned *arguments;

	if (!arguments) {
		arguments = mmap(NULL, 4096, PROT_READ | PROT_WRITE,
				 MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);
		arguments[2] = PROT_READ | PROT_WRITE;
		arguments[3] = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE;
		arguments[4] = -1U;
	}
	arguments[1] = (unsigned)chunk;
	return call_32bit(90, (unsigned)(uintptr_t)arguments, 0);
}

static bool ask_and_free(void)
{
	void *memory = mmap(NULL, chunk, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return is_mapped(memory) && munmap(memory, chunk) == 0;
}

/* The child stays, and ends with its parent's standard input or by its signal. */
static bool ask_fork(void)
{
	const pid_t child = fork();

	if (child == 0) {
		pause();
		_exit(0);
	}
	return child > 0;
}

static const struct {
	const char *name;
	bool (*ask)(void);
} kinds[] = {
	{ "mmap", ask_mmap },
	{ "noreserve", ask_noreserve },
	{ "shared", ask_shared },
	{ "shared-noreserve", ask_shared_noreserve },
	{ "brk", ask_brk },
	{ "malloc", ask_malloc },
	{ "mprotect", ask_mprotect },
	{ "mprotect-noreserve", ask_mprotect_noreserve },
	{ "again", ask_again },
	{ "mremap", ask_mremap },
	{ "mremap-noreserve", ask_mremap_noreserve },
	{ "dontunmap", ask_dontunmap },
	{ "memfd", ask_memfd },
	{ "segment", ask_segment },
	{ "32bit", ask_32bit },
	{ "old-32bit", ask_old_32bit },
	{ "pair", ask_and_free },
	{ "fork", ask_fork },
	{ "hold", ask_mmap },
	{ "exec", ask_mmap },
	{ "uring", ask_mmap },
};

static long fill(bool (*ask)(void), long most)
{
	long granted = 0;

	errno = 0;
	while (granted < most && ask())
		granted++;
	return granted;
}

/* All begin at once and keep what they have until all were refused. */
static void crowd(long processes)
{
	int begin[2], end[2], told[2];
	long sum = 0, granted;

	if (pipe(begin) || pipe(end) || pipe(told))
		exit(1);
	for (long i = 0; i < processes; i++) {
		char nothing;

		if (fork())
			continue;
		close(begin[1]);
		close(end[1]);
		if (read(begin[0], &nothing, 1))
			_exit(1);
		granted = fill(ask_mmap, 1000000);
		if (write(told[1], &granted, sizeof granted) < 0 ||
		    read(end[0], &nothing, 1))
			_exit(1);
		_exit(0);
	}
	close(begin[1]);
	for (long i = 0; i < processes; i++) {
		if (read(told[0], &granted, sizeof granted) != sizeof granted)
			exit(1);
		sum += granted;
	}
	printf("%ld 0\n", sum);
	fflush(stdout);
	while (getchar() != EOF)
		;
	close(end[1]);
	while (wait(NULL) > 0)
		;
	exit(0);
}

/* One request of a process of a storm, whose 64 places are what it has. */
static void ask_at_random(unsigned *seed)
{
	static struct { char *start; size_t size; } places[64];
	const unsigned random = (unsigned)rand_r(seed);
	char **start = &places[random % 64].start;
	size_t *size = &places[random % 64].size;
	const size_t other = ((size_t)rand_r(seed) % 512 + 1) * 4096;
	char *got;

	switch (random / 64 % 5) {
	case 0:
		if (*start)
			munmap(*start, *size);
		*start = NULL;
		break;
	case 1:
		if (*start)
			mprotect(*start, *size, random & 0x10000 ? PROT_READ :
				 PROT_READ | PROT_WRITE);
		break;
	case 2:
		got = *start ? mremap(*start, *size, other, MREMAP_MAYMOVE) : MAP_FAILED;
		if (is_mapped(got))
			*start = got, *size = other;
		break;
	default:
		got = *start ? MAP_FAILED :
			mmap(NULL, other, PROT_READ | PROT_WRITE, MAP_PRIVATE |
			     MAP_ANONYMOUS | (random & 0x20000 ? MAP_NORESERVE : 0),
			     -1, 0);
		if (is_mapped(got))
			*start = got, *size = other;
	}
}

/* Now and then one of them is born with what another has, and that one ends. */
static void storm(long processes)
{
	for (long i = 0; i < processes; i++) {
		unsigned seed = (unsigned)i;

		if (fork())
			continue;
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		for (unsigned n = 0; ; n++) {
			ask_at_random(&seed);
			if (n % 1000 == 999 && fork() == 0)
				_exit(0);
			while (waitpid(-1, NULL, WNOHANG) > 0)
				;
		}
	}
	printf("%ld 0\n", processes);
	fflush(stdout);
	while (getchar() != EOF)
		;
	exit(0);
}

/* A ring is set up, and something is read by a worker of the kernel. */
static void read_by_uring(void)
{
	static char data[4096];
	struct io_uring_params params = { .flags = 0 };
	const int ring = (int)syscall(SYS_io_uring_setup, 4, &params);
	const int file = open("/proc/self/exe", O_RDONLY);
	char *queue, *entries;
	struct io_uring_sqe *entry;
	unsigned *tail;

	if (ring < 0 || file < 0)
		exit(1);
	queue = mmap(NULL, 1 << 12, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, ring,
		     IORING_OFF_SQ_RING);
	entries = mmap(NULL, 1 << 12, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE,
		       ring, IORING_OFF_SQES);
	if (!is_mapped(queue) || !is_mapped(entries))
		exit(1);
	entry = (struct io_uring_sqe *)entries;
	*entry = (struct io_uring_sqe){ .opcode = IORING_OP_READ, .flags = IOSQE_ASYNC,
		.fd = file, .addr = (uintptr_t)data, .len = sizeof data };
	*(unsigned *)(queue + params.sq_off.array) = 0;
	tail = (unsigned *)(queue + params.sq_off.tail);
	__atomic_store_n(tail, 1, __ATOMIC_RELEASE);
	if (syscall(SYS_io_uring_enter, ring, 1, 1, IORING_ENTER_GETEVENTS, NULL, 0) != 1 ||
	    memcmp(data, "\177ELF", 4) != 0)
		exit(1);
}

static void run_program(void)
{
	const pid_t child = vfork();
	int status;

	if (child == 0) {
		execl("/bin/busybox", "true", NULL);
		_exit(127);
	}
	if (child < 0 || waitpid(child, &status, 0) != child || status)
		exit(1);
}

static void execute(long programs)
{
	while (programs-- > 0)
		run_program();
}

static void cost_pairs(long count)
{
	struct timespec begin, end;

	clock_gettime(CLOCK_MONOTONIC, &begin);
	if (fill(ask_and_free, count) != count)
		exit(1);
	clock_gettime(CLOCK_MONOTONIC, &end);
	printf("%ld\n", ((end.tv_sec - begin.tv_sec) * 1000000000 +
			 end.tv_nsec - begin.tv_nsec) / count);
	exit(0);
}

int main(int argc, char **argv)
{
	const char *kind = argc > 1 ? argv[1] : "";
	const long most = argc > 2 ? atol(argv[2]) : 400;
	long granted = -1;
	int error = 0;

	if (argc > 3)
		chunk = strtoul(argv[3], NULL, 10) << 10;
	if (strcmp(kind, "crowd") == 0)
		crowd(most);
	if (strcmp(kind, "storm") == 0)
		storm(most);
	if (strcmp(kind, "cost-pair") == 0)
		cost_pairs(most);
	if (strcmp(kind, "fork") == 0 && !ask_mmap())
		return 1;
	for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
		if (strcmp(kind, kinds[i].name) == 0) {
			granted = fill(kinds[i].ask, most);
			error = granted < most ? errno : 0;
		}
	if (granted < 0)
		return 2;
	if (strcmp(kind, "exec") == 0)
		execute(20);
	if (strcmp(kind, "uring") == 0)
		read_by_uring();
	printf("%ld %d\n", granted, error);
	fflush(stdout);
	if (strcmp(kind, "hold") == 0)
		while (getchar() != EOF)
			;
	if (strcmp(kind, "fork") == 0) {
		signal(SIGTERM, SIG_IGN);
		kill(0, SIGTERM);
	}
	return 0;
}
