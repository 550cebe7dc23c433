/* SPDX-License-Identifier: MIT */
#include "../outcome.h"

#include <malloc.h>

/*
 * The malloc family, line by line, with sizes on both sides of the threshold.
 * Only what every malloc promises is printed, and what a malloc may choose in a
 * way that must be the same for large and small blocks.
 */

static const size_t sizes[] = {
	1, 24, 4096, 20000, 32767, 32768, 100000, 131071, 131072, 131073,
	135168, 262144, 1000000, 9 << 20,
};

#define COUNT (sizeof(sizes) / sizeof(*sizes))

/* A block is filled with letters that follow from its size. */
static void fill(unsigned char *block, size_t size)
{
	memset(block, (int)(size % 251 + 1), size);
}

static bool is_filled(const unsigned char *block, size_t length, size_t size)
{
	return block[0] == size % 251 + 1 &&
		memcmp(block, block + 1, length - 1) == 0;
}

static bool is_zero(const unsigned char *block, size_t length)
{
	return block[0] == 0 && memcmp(block, block + 1, length - 1) == 0;
}

static const char *yes_no(bool yes)
{
	return yes ? "yes" : "no";
}

static void tell(const char *call, size_t size, void *block, size_t alignment,
		 int error)
{
	char name[64];

	snprintf(name, sizeof(name), "%s %zu", call, size);
	if (!block) {
		say(name, "NULL %s", strerrorname_np(error));
		return;
	}
	say(name, "aligned %s, enough %s, errno %d",
	    yes_no((uintptr_t)block % alignment == 0),
	    yes_no(malloc_usable_size(block) >= size), error);
	fill(block, malloc_usable_size(block));
	errno = 0;
	free(block);
	if (errno)
		say(name, "free changes errno");
}

/* errno is 0 before, so that it tells what the call has done to it. */
#define TELL(call, size, expression, alignment) do { \
	errno = 0; \
	void *got = (expression); \
	tell(call, size, got, alignment, errno); \
} while (0)

static void allocations(void)
{
	for (size_t i = 0; i < COUNT; i++) {
		size_t size = sizes[i];

		TELL("malloc", size, malloc(size), _Alignof(max_align_t));
		TELL("calloc", size, calloc(size, 1), _Alignof(max_align_t));
		TELL("realloc", size, realloc(NULL, size),
		     _Alignof(max_align_t));
		TELL("reallocarray", size, reallocarray(NULL, 1, size),
		     _Alignof(max_align_t));
		TELL("valloc", size, valloc(size), page);
	}
}

/*
 * jemalloc has no pvalloc, and libc's blocks are not for its free; and its
 * realloc that refuses does not always say so in errno.
 */
static bool is_jemalloc;

static void whole_pages(void)
{
	for (size_t i = 0; i < COUNT; i++)
		TELL("pvalloc", sizes[i], pvalloc(sizes[i]), page);
}

static void alignments(void)
{
	for (size_t alignment = 8; alignment <= 4 << 20; alignment *= 4)
		for (size_t i = 0; i < COUNT; i += 2) {
			size_t size = sizes[i];
			void *block = NULL;
			int error;

			TELL("aligned_alloc", size,
			     aligned_alloc(alignment, size), alignment);
			TELL("memalign", size, memalign(alignment, size),
			     alignment);
			errno = 0;
			error = posix_memalign(&block, alignment, size);
			tell("posix_memalign", size, block, alignment, errno);
			if (error)
				say("posix_memalign", "%d", error);
		}
}

/* Memory that was written to and freed comes back as zeroes. */
static void zeroes(void)
{
	for (int round = 0; round < 3; round++)
		for (size_t i = 0; i < COUNT; i++) {
			size_t size = sizes[i];
			unsigned char *dirty = malloc(size);
			unsigned char *block;

			fill(dirty, size);
			free(dirty);
			block = calloc(round + 1, size / (round + 1) + 1);
			say("zero", "%zu %s", size,
			    yes_no(is_zero(block, size)));
			fill(block, size);
			free(block);
		}
}

static void resize(size_t from, size_t to)
{
	unsigned char *block = malloc(from);
	size_t kept = from < to ? from : to;
	char name[64];

	snprintf(name, sizeof(name), "resize %zu to %zu", from, to);
	fill(block, from);
	errno = 0;
	block = realloc(block, to);
	if (!block) {
		say(name, "NULL");
		return;
	}
	say(name, "kept %s, enough %s, errno %d",
	    yes_no(is_filled(block, kept, from)),
	    yes_no(malloc_usable_size(block) >= to), errno);
	fill(block, malloc_usable_size(block));
	free(block);
}

static void resizes(void)
{
	for (size_t i = 0; i < COUNT; i++)
		for (size_t k = 0; k < COUNT; k++)
			resize(sizes[i], sizes[k]);
}

/* Up and down through the threshold, one step after the other. */
static void swing(void)
{
	unsigned char *block = NULL;
	size_t size = 0;
	bool kept = true;

	for (int i = 0; i < 2000; i++) {
		size_t next = (size_t)(i * 7919) % 400000 + 1;

		block = realloc(block, next);
		kept = kept && (!size ||
				is_filled(block, size < next ? size : next,
					  size));
		size = next;
		fill(block, size);
	}
	free(block);
	say("swing", "kept %s", yes_no(kept));
}

/* Each step has its own letters; now and then all are looked at. */
static bool has_steps(const unsigned char *block, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (!is_filled(block + i * 10000, 10000, i))
			return false;
	return true;
}

static void grow_by_steps(void)
{
	unsigned char *block = NULL;
	bool kept = true;

	for (size_t i = 0; i < 2000; i++) {
		block = realloc(block, (i + 1) * 10000);
		memset(block + i * 10000, (int)(i % 251 + 1), 10000);
		if (i % 100 == 0)
			kept = kept && has_steps(block, i + 1);
	}
	kept = kept && has_steps(block, 2000);
	free(block);
	say("steps", "kept %s", yes_no(kept));
}

static void nothing(size_t size)
{
	void *block = malloc(size);
	char name[64];

	snprintf(name, sizeof(name), "realloc %zu to 0", size);
	errno = 0;
	block = realloc(block, 0);
	say(name, "%s, errno %d", block ? "a block" : "NULL", errno);
	free(block);
}

static void nothings(void)
{
	void *block = malloc(0);

	say("malloc 0", "%s", block ? "a block" : "NULL");
	free(block);
	block = calloc(0, 1 << 20);
	say("calloc 0", "%s", block ? "a block" : "NULL");
	free(block);
	for (size_t i = 0; i < COUNT; i++)
		nothing(sizes[i]);
	errno = 0;
	free(NULL);
	say("free NULL", "errno %d", errno);
	say("usable size of NULL", "%zu", malloc_usable_size(NULL));
}

/* So that the compiler does not see through it. */
static volatile size_t most = SIZE_MAX;

static void refusals(void)
{
	TELL("malloc", SIZE_MAX, malloc(most), 1);
	TELL("malloc", PTRDIFF_MAX, malloc(most / 2), 1);
	TELL("calloc", SIZE_MAX, calloc(most / 2, 3), 1);
	TELL("calloc", 1, calloc(most, most), 1);
	TELL("reallocarray", 1, reallocarray(NULL, most / 2, 3), 1);
	TELL("valloc", SIZE_MAX, valloc(most), 1);
	TELL("aligned_alloc", SIZE_MAX, aligned_alloc(64, most - 63), 1);
}

/*
 * realloc that fails leaves the block as it was. Not called by its name, which
 * would have the compiler believe that the block is gone.
 */
static void *(*volatile resizer)(void *block, size_t size) = realloc;
static void *(*volatile array_resizer)(void *block, size_t count,
				       size_t size) = reallocarray;

static void refused_resizes(void)
{
	for (size_t i = 0; i < COUNT; i++) {
		unsigned char *block = malloc(sizes[i]);
		void *got;
		int error;

		fill(block, sizes[i]);
		errno = 0;
		got = resizer(block, most / 2);
		error = errno;
		say("refused", "%zu %s %s, kept %s", sizes[i],
		    got ? "a block" : "NULL",
		    is_jemalloc ? "" : strerrorname_np(error),
		    yes_no(is_filled(block, sizes[i], sizes[i])));
		errno = 0;
		got = array_resizer(block, most / 2, 3);
		error = errno;
		say("refused array", "%zu %s %s, kept %s", sizes[i],
		    got ? "a block" : "NULL", strerrorname_np(error),
		    yes_no(is_filled(block, sizes[i], sizes[i])));
		free(block);
	}
}

static void refused_alignment(size_t alignment, size_t size)
{
	void *out = &page;
	int error;

	errno = 0;
	error = posix_memalign(&out, alignment, size);
	say("posix_memalign", "%zu %zu %s, out %s, errno %d", alignment, size,
	    strerrorname_np(error), out == &page ? "as it was" : "changed",
	    errno);
	if (!error)
		free(out);
}

static void refused_alignments(void)
{
	static const size_t wrong[] = { 0, 1, 3, 4, 7, 12, 24, 4097 };

	for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++) {
		refused_alignment(wrong[i], 100);
		refused_alignment(wrong[i], 1000000);
	}
}

int main(int argc, char **argv)
{
	begin();
	allocations();
	is_jemalloc = argc > 1 && strcmp(argv[1], "jemalloc") == 0;
	if (!is_jemalloc)
		whole_pages();
	alignments();
	zeroes();
	resizes();
	swing();
	grow_by_steps();
	nothings();
	refusals();
	refused_resizes();
	refused_alignments();
	return 0;
}
