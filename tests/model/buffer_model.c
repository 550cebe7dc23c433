/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include <cmocka.h>
#include <vmspace.h>

#include "../fault/host_fault.h"
#include "../kernel/random.h"
#include "arguments.h"
#include "host/host.h"

/*
 * Random operations on three buffers and on plain arrays, in a space that is
 * narrow and has a strict commit limit, while the host fails now and then. What
 * fails must have changed nothing; all else must hold the same as the array.
 */

#define OPERATIONS_USUAL 10000
#define OPERATIONS_PER_ROUND 500
#define ALL_EVERY 50
#define BUFFERS 3
#define SPACE_HUGE_PAGES 24

static struct arguments given = { .operations = OPERATIONS_USUAL };

/* A buffer and a copy of what it must hold. */
struct subject {
	vms_buffer buffer;
	size_t most;       /* bytes that it may be asked to hold */
	size_t maximum;    /* of the buffer; 0: none */
	char *shadow;
	size_t size;
};

static struct {
	vms_space *space;
	struct subject subjects[BUFFERS];
	struct random random;
	unsigned long step, refused, moved;
	char last[200];    /* the operation, for messages */
} run;

static size_t below(size_t limit)
{
	return random_below(&run.random, limit);
}

static void say(const char *format, ...) __attribute__((format(printf, 1, 2)));

static void say(const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	(void)vsnprintf(run.last, sizeof run.last, format, arguments);
	va_end(arguments);
}

static void wrong(const char *what)
{
	fail_msg("%s: %s (step %lu, --seed %llu)", run.last, what, run.step,
		 (unsigned long long)given.seed);
}

/* --- what must hold ------------------------------------------------------------ */

static void compare_part(const struct subject *subject, size_t begin,
			 size_t length)
{
	if (memcmp(subject->buffer.data + begin, subject->shadow + begin,
		   length) != 0)
		wrong("the contents differ");
}

static void compare_contents(const struct subject *subject)
{
	size_t part = vmsi_min(subject->size, 4096);

	if (subject->buffer.size != subject->size)
		wrong("the size differs");
	compare_part(subject, 0, part);
	compare_part(subject, subject->size - part, part);
	if (run.step % ALL_EVERY == 0)
		compare_part(subject, 0, subject->size);
}

/* The space must be charged for its buffers and map nothing else. */
static void compare_figures(void)
{
	struct vms_space_stats stats = { .struct_size = sizeof stats };
	size_t committed = 0, reserved = 0;

	assert_int_equal(vms_space_get_stats(run.space, &stats), 0);
	for (int i = 0; i < BUFFERS; i++) {
		committed += run.subjects[i].buffer.committed;
		reserved += run.subjects[i].buffer.reserved;
	}
	if (stats.committed != committed)
		wrong("the space is charged for something else");
	if (stats.mapped != reserved)
		wrong("something else is mapped");
}

/* --- failing --------------------------------------------------------------------- */

static bool may_fail; /* this step's operation meets a host that fails */

static void begin_operation(void)
{
	struct fault_plan plan = {
		.mode = below(2) ? FAULT_ONCE : FAULT_FROM,
		.n = 1 + (unsigned)below(4),
		.which = below(2) ? FAULT_USUAL : FAULT_OTHER,
	};

	may_fail = below(3) == 0;
	if (!may_fail)
		plan.mode = FAULT_NEVER;
	errno = 0;
	fault_begin(&plan);
}

/* Return whether a call succeeded; a failed one must have left the buffer alone. */
static bool succeeded(bool good, const struct subject *subject,
		      const vms_buffer *before)
{
	struct fault_result result = fault_end();
	vms_buffer after = subject->buffer;

	if (good)
		return true;
	run.refused++;
	if (errno != ENOMEM && !(result.failed && errno == EAGAIN))
		wrong("a surprising errno");
	/* Where the host refuses the undo as well, more may stay committed. */
	if (result.failed > (vms_last_refusal() == VMS_REFUSAL_HOST) &&
	    after.committed > before->committed)
		after.committed = before->committed;
	if (memcmp(&after, before, sizeof *before) != 0)
		wrong("a failure changed the buffer");
	return false;
}

/* Return whether a size exceeds the buffer's maximum. */
static bool is_too_much(const struct subject *subject, size_t size)
{
	return subject->maximum && size > subject->maximum;
}

/* --- operations -------------------------------------------------------------------- */

static size_t some_size(const struct subject *subject)
{
	switch (below(4)) {
	case 0:
		return below(3 * vmsi_page_size());
	case 1:
		return subject->size + below(100);
	default:
		return below(subject->most + subject->most / 16);
	}
}

static void fill(char *at, size_t length)
{
	for (size_t i = 0; i < length; i += 8) {
		uint64_t word = random_next(&run.random);

		memcpy(at + i, &word, vmsi_min(length - i, 8));
	}
}

/* Return a length that fits into the copy. */
static size_t some_length(const struct subject *subject)
{
	size_t length = below(4) ? below(20000) : below(subject->most / 4);

	return vmsi_min(length, 2 * subject->most - subject->size);
}

static void do_append(struct subject *subject)
{
	const vms_buffer before = subject->buffer;
	size_t length = some_length(subject);
	char *bytes = subject->shadow + subject->size;

	say("append %zu to %zu", length, subject->size);
	fill(bytes, length);
	begin_operation();
	if (!succeeded(vms_buffer_append(&subject->buffer, bytes, length) == 0,
		       subject, &before))
		return;
	if (is_too_much(subject, subject->size + length))
		wrong("it is above the maximum");
	subject->size += length;
}

static void do_append_own(struct subject *subject)
{
	const vms_buffer before = subject->buffer;
	size_t from = subject->size ? below(subject->size) : 0;
	size_t length = vmsi_min(some_length(subject), subject->size - from);

	say("append own %zu+%zu to %zu", from, length, subject->size);
	begin_operation();
	if (!succeeded(vms_buffer_append(&subject->buffer,
					 subject->buffer.data + from,
					 length) == 0,
		       subject, &before))
		return;
	memcpy(subject->shadow + subject->size, subject->shadow + from, length);
	subject->size += length;
}

static void do_extend(struct subject *subject)
{
	const vms_buffer before = subject->buffer;
	size_t length = some_length(subject);
	char *place;

	say("extend %zu by %zu", subject->size, length);
	begin_operation();
	place = vms_buffer_extend(&subject->buffer, length);
	if (!succeeded(place, subject, &before))
		return;
	if (place != subject->buffer.data + subject->size)
		wrong("not the new bytes");
	fill(place, length);
	memcpy(subject->shadow + subject->size, place, length);
	subject->size += length;
}

static void do_resize(struct subject *subject)
{
	const vms_buffer before = subject->buffer;
	size_t size = some_size(subject);

	say("resize %zu to %zu", subject->size, size);
	begin_operation();
	if (!succeeded(vms_buffer_resize(&subject->buffer, size) == 0, subject,
		       &before))
		return;
	if (is_too_much(subject, size))
		wrong("it is above the maximum");
	if (size > subject->size)
		memset(subject->shadow + subject->size, 0,
		       size - subject->size);
	subject->size = size;
}

static void do_reserve(struct subject *subject)
{
	const vms_buffer before = subject->buffer;
	size_t size = some_size(subject);

	say("reserve %zu of %zu", size, subject->size);
	begin_operation();
	if (!succeeded(vms_buffer_reserve(&subject->buffer, size) == 0, subject,
		       &before))
		return;
	if (subject->buffer.committed < size)
		wrong("less is committed");
}

static void do_truncate(struct subject *subject)
{
	size_t size = below(subject->size + 1);

	say("truncate %zu to %zu", subject->size, size);
	assert_int_equal(vms_buffer_truncate(&subject->buffer, size), 0);
	subject->size = size;
}

static void do_clear(struct subject *subject)
{
	say("clear %zu", subject->size);
	vms_buffer_clear(&subject->buffer);
	subject->size = 0;
}

static void do_shrink(struct subject *subject)
{
	const vms_buffer before = subject->buffer;

	say("shrink to %zu", subject->size);
	begin_operation();
	if (!succeeded(vms_buffer_shrink(&subject->buffer) == 0, subject,
		       &before))
		return;
	if (subject->buffer.committed - subject->size >= vmsi_page_size())
		wrong("more than a page is left");
}

/* Make a buffer of a random kind, if the space has addresses for it. */
static void init(struct subject *subject)
{
	struct vms_buffer_options options = {
		.struct_size = sizeof options,
		.space = run.space,
		.flags = below(2) ? VMS_BUFFER_SMALL_PAGES : 0,
	};

	subject->maximum = below(2) ? 0 : 1 + below(subject->most);
	if (vms_buffer_init(&subject->buffer, subject->maximum, &options) != 0) {
		assert_int_equal(errno, ENOMEM);
		assert_int_equal(vms_last_refusal(), VMS_REFUSAL_ADDRESSES);
		subject->maximum = 0;
		assert_int_equal(vms_buffer_init(&subject->buffer, 0,
						 &options), 0);
	}
	subject->size = 0;
}

static void compare_detached(const struct subject *subject,
			     struct vms_detached *detached)
{
	if (detached->size != subject->size)
		wrong("it was detached with another size");
	if (subject->size &&
	    memcmp(detached->address, subject->shadow, subject->size) != 0)
		wrong("the contents were lost");
	assert_int_equal(vms_detached_free(detached), 0);
}

/* Free or detach a buffer, and begin another. */
static void do_replace(struct subject *subject)
{
	const vms_buffer before = subject->buffer;
	struct vms_detached detached;
	bool detach = below(2);
	bool good;

	say("%s %zu", detach ? "detach" : "free", subject->size);
	begin_operation();
	good = (detach ? vms_buffer_detach(&subject->buffer, &detached) :
			 vms_buffer_free(&subject->buffer)) == 0;
	if (!succeeded(good, subject, &before))
		return;
	run.moved += before.moves;
	if (detach)
		compare_detached(subject, &detached);
	init(subject);
}

static void operate(void)
{
	static void (*const kinds[])(struct subject *) = {
		do_append, do_append, do_append, do_append, do_append_own,
		do_extend, do_extend, do_resize, do_resize, do_reserve,
		do_truncate, do_clear, do_shrink, do_shrink, do_replace,
	};
	struct subject *subject = &run.subjects[below(BUFFERS)];

	kinds[below(sizeof kinds / sizeof *kinds)](subject);
	run.step++;
	/* The next call gives back what the host refused to take. */
	compare_figures();
	for (int i = 0; i < BUFFERS; i++)
		compare_contents(&run.subjects[i]);
}

/* --- rounds ------------------------------------------------------------------------ */

static void begin_round(void)
{
	const size_t huge = vmsi_huge_page_size();
	struct vms_space_options options = {
		.struct_size = sizeof options,
		.commit_policy = VMS_COMMIT_STRICT,
		.commit_limit = (4 + below(SPACE_HUGE_PAGES)) * huge,
	};

	run.space = vms_space_open(SPACE_HUGE_PAGES * huge, &options);
	assert_non_null(run.space);
	for (int i = 0; i < BUFFERS; i++)
		init(&run.subjects[i]);
}

static void end_round(void)
{
	for (int i = 0; i < BUFFERS; i++) {
		run.moved += run.subjects[i].buffer.moves;
		assert_int_equal(vms_buffer_free(&run.subjects[i].buffer), 0);
	}
	compare_figures();
	assert_int_equal(vms_space_close(run.space), 0);
}

static void make_shadows(void)
{
	/* With 64 KiB pages, huge ones are too large to fill. */
	const size_t most = vmsi_min(6 * vmsi_huge_page_size(), 12 << 20);

	for (int i = 0; i < BUFFERS; i++) {
		run.subjects[i].most = most;
		run.subjects[i].shadow = malloc(2 * most);
		assert_non_null(run.subjects[i].shadow);
	}
}

static void contents_and_figures(void **state)
{
	(void)state;
	run.random.state = given.seed;
	make_shadows();
	fault_install();
	while (run.step < given.operations) {
		begin_round();
		for (int i = 0; i < OPERATIONS_PER_ROUND; i++)
			operate();
		end_round();
	}
	fault_remove();
	for (int i = 0; i < BUFFERS; i++)
		free(run.subjects[i].shadow);
	print_message("# %lu operations, %lu refused, %lu moves\n", run.step,
		      run.refused, run.moved);
	/* A run without these events has not tested them. */
	assert_true(run.refused > 0);
	assert_true(run.moved > 0);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(contents_and_figures),
	};

	read_arguments("buffer_model", argc, argv, &given);
	return cmocka_run_group_tests_name("buffer_model", tests, NULL, NULL);
}
