/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <malloc.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

/*
 * heap_yields CALL
 *
 * Frees a large block, whose memory the heap keeps, and then asks for as much by
 * another call. Under a limit that has not room for both, the call gets what the
 * heap kept. Exits with 0 where it does.
 */

#define KEPT ((size_t)40 << 20)
#define SMALL ((size_t)1000)
#define PAGES ((size_t)8192) /* of a small block that begins on a page */

static void *by_malloc(void)
{
	return malloc(SMALL);
}

static void *by_calloc(void)
{
	return calloc(10, SMALL / 10);
}

static void *by_realloc(void)
{
	void *block = malloc(100);
	void *resized = block ? realloc(block, SMALL) : NULL;

	return resized;
}

static void *by_reallocarray(void)
{
	return reallocarray(NULL, 10, SMALL / 10);
}

static void *by_memalign(void)
{
	return memalign(64, SMALL);
}

static void *by_aligned_alloc(void)
{
	return aligned_alloc(64, SMALL / 64 * 64);
}

static void *by_posix_memalign(void)
{
	void *block = NULL;

	return posix_memalign(&block, 64, SMALL) == 0 ? block : NULL;
}

static void *by_valloc(void)
{
	return valloc(PAGES / 2);
}

static void *by_pvalloc(void)
{
	return pvalloc(PAGES / 2);
}

/* Libc's own calls of malloc are the program's. */
static void *by_strdup(void)
{
	static char text[SMALL];

	memset(text, 'x', sizeof(text) - 1);
	return strdup(text);
}

/* Small blocks, together as much as was kept. Each is written to. */
static int take_small(void *(*take)(void), size_t step)
{
	for (size_t sum = 0; sum < KEPT; sum += step) {
		char *block = take();

		if (!block)
			return 1;
		memset(block, 1, 64);
	}
	return 0;
}

static int take_large(void)
{
	char *block = malloc(KEPT * 5 / 4);

	if (!block)
		return 1;
	memset(block, 1, KEPT);
	return 0;
}

static int take_mapping(int flags)
{
	char *memory = mmap(NULL, KEPT, PROT_READ | PROT_WRITE,
			    flags | MAP_ANONYMOUS, -1, 0);

	if (memory == MAP_FAILED)
		return 1;
	memset(memory, 1, KEPT);
	return 0;
}

static char *mapped;

static int grow_mapping(void)
{
	char *memory = mremap(mapped, 4096, KEPT, MREMAP_MAYMOVE);

	if (memory == MAP_FAILED)
		return 1;
	memset(memory, 1, KEPT);
	return 0;
}

static int make_writable(void)
{
	char *memory = mmap(NULL, KEPT, PROT_NONE,
			    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (memory == MAP_FAILED ||
	    mprotect(memory, KEPT, PROT_READ | PROT_WRITE))
		return 1;
	memset(memory, 1, KEPT);
	return 0;
}

static int move_break(bool by_address)
{
	char *before = sbrk(0);

	if (by_address ? brk(before + KEPT) != 0 : sbrk(KEPT) != before)
		return 1;
	memset(before, 1, KEPT);
	return 0;
}

static int make_child(void)
{
	int status = 1;
	pid_t child = fork();

	if (child == 0)
		_exit(0);
	return child < 0 || waitpid(child, &status, 0) != child || status != 0;
}

static void *say_that_it_runs(void *said)
{
	*(int *)said = 1;
	return NULL;
}

static int make_thread(void)
{
	pthread_attr_t attributes;
	pthread_t thread;
	int said = 0;

	if (pthread_attr_init(&attributes) ||
	    pthread_attr_setstacksize(&attributes, KEPT) ||
	    pthread_create(&thread, &attributes, say_that_it_runs, &said) ||
	    pthread_join(thread, NULL))
		return 1;
	return said != 1;
}

static int keep(void)
{
	char *block = malloc(KEPT);

	if (!block)
		return 1;
	memset(block, 1, KEPT);
	free(block);
	return 0;
}

static const struct {
	const char *name;
	void *(*take)(void);
	size_t step;
} small[] = {
	{ "malloc", by_malloc, SMALL },
	{ "calloc", by_calloc, SMALL },
	{ "realloc", by_realloc, SMALL },
	{ "reallocarray", by_reallocarray, SMALL },
	{ "memalign", by_memalign, SMALL },
	{ "aligned_alloc", by_aligned_alloc, SMALL },
	{ "posix_memalign", by_posix_memalign, SMALL },
	{ "valloc", by_valloc, PAGES },
	{ "pvalloc", by_pvalloc, PAGES },
	{ "strdup", by_strdup, SMALL },
};

static int ask_by(const char *name)
{
	for (size_t i = 0; i < sizeof(small) / sizeof(small[0]); i++)
		if (strcmp(name, small[i].name) == 0)
			return take_small(small[i].take, small[i].step);
	if (strcmp(name, "large") == 0)
		return take_large();
	if (strcmp(name, "mmap") == 0)
		return take_mapping(MAP_PRIVATE);
	if (strcmp(name, "mmap-shared") == 0)
		return take_mapping(MAP_SHARED);
	if (strcmp(name, "mremap") == 0)
		return grow_mapping();
	if (strcmp(name, "mprotect") == 0)
		return make_writable();
	if (strcmp(name, "sbrk") == 0 || strcmp(name, "brk") == 0)
		return move_break(name[0] == 'b');
	if (strcmp(name, "fork") == 0)
		return make_child();
	if (strcmp(name, "thread") == 0)
		return make_thread();
	return 2;
}

int main(int argc, char **argv)
{
	int failed;

	mapped = mmap(NULL, 4096, PROT_READ | PROT_WRITE,
		      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (argc != 2 || mapped == MAP_FAILED || keep())
		return 3;
	failed = ask_by(argv[1]);
	if (failed)
		perror(argv[1]);
	return failed;
}
