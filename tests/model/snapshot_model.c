/* SPDX-License-Identifier: MIT */
#include "../unit/pool_snapshot_fixture.h"

#include <sys/wait.h>

#include "arguments.h"
#include "../unit/no_ring.h"

/*
 * A pool is used at random by one thread, beside a shadow that says in which state each page
 * is, and children are forked that have it as it was then; each has the shadow of that
 * moment, too. Whenever such a child is asked, it looks at some pages at random, while its
 * parent has long gone on; at all before it ends. The same with pages that are kept whole,
 * and at addresses of their own.
 *
 * model-snapshot [--seed NUMBER] [--operations NUMBER]: of each pool.
 */

#define CHILDREN 3
#define LOOKS 20

static struct arguments arguments = { .operations = 4000 };
static vms_pool *pool;
static unsigned shadow[FILE_PAGES];
static uint64_t random_state;

static struct child {
	pid_t process;             /* 0: there is none */
	int questions, answers;
} children[CHILDREN];

static uint64_t some(uint64_t limit)
{
	uint64_t z = random_state += UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	return (z ^ (z >> 31)) % limit;
}

/* --- children ----------------------------------------------------------------------------- */

static int child_has_some(void)
{
	for (unsigned i = 0; i < LOOKS; i++) {
		const uint64_t page = some(FILE_PAGES);

		if (!child_has(pool, page, shadow[page]))
			return 0;
	}
	return 1;
}

static int child_has_all(void)
{
	for (uint64_t page = 0; page < FILE_PAGES; page++)
		if (!child_has(pool, page, shadow[page]))
			return 0;
	return 1;
}

/* A question is a byte: 'a' asks for all pages, and no other follows. */
static _Noreturn void be_child(int questions, int answers)
{
	char question = 0;

	while (question != 'a' && read(questions, &question, 1) == 1) {
		child_needs(question == 'a' ? child_has_all() : child_has_some());
		child_needs(write(answers, &question, 1) == 1);
	}
	child_needs(vms_pool_close(pool) == 0);
	_exit(0);
}

static void begin_child(struct child *child)
{
	int questions[2], answers[2];

	assert_int_equal(pipe(questions), 0);
	assert_int_equal(pipe(answers), 0);
	child->process = fork();
	if (child->process == 0) {
		(void)close(questions[1]);
		(void)close(answers[0]);
		/* Others would be kept waiting for the end of these. */
		for (unsigned i = 0; i < CHILDREN; i++)
			if (&children[i] != child && children[i].process)
				(void)close(children[i].questions);
		be_child(questions[0], answers[1]);
	}
	assert_true(child->process > 0);
	assert_int_equal(close(questions[0]), 0);
	assert_int_equal(close(answers[1]), 0);
	child->questions = questions[1];
	child->answers = answers[0];
}

static void ask(const struct child *child, char question)
{
	char answer;

	assert_int_equal(write(child->questions, &question, 1), 1);
	assert_int_equal(read(child->answers, &answer, 1), 1);
}

static void end_child(struct child *child)
{
	ask(child, 'a');
	assert_int_equal(close(child->questions), 0);
	assert_int_equal(close(child->answers), 0);
	must_end_well(child->process);
	child->process = 0;
}

static void use_child(void)
{
	struct child *child = &children[some(CHILDREN)];

	if (!child->process)
		begin_child(child);
	else if (some(8) == 0)
		end_child(child);
	else
		ask(child, 's');
}

/* --- the parent -------------------------------------------------------------------------------- */

static void change_some(void)
{
	const uint64_t page = some(FILE_PAGES);

	shadow[page] = (unsigned)some(90);
	change(pool, page, shadow[page], 0);
}

static void look_at_some(void)
{
	const uint64_t page = some(FILE_PAGES);

	must_be(pool, page, shadow[page]);
}

static void operate(void)
{
	const uint64_t which = some(1000);

	if (which < 600)
		change_some();
	else if (which < 950)
		look_at_some();
	else if (which < 990)
		use_child();
	else
		worked(vms_pool_flush(pool, VMS_POOL_ALL, NULL, NULL));
}

/* --- a run --------------------------------------------------------------------------------------- */

static const char *area_path(const struct place *place)
{
	static char path[128];

	(void)snprintf(path, sizeof(path), "%s.area", place->path);
	return path;
}

static vms_pool *open_it(const struct place *place, int fd, int saved, unsigned flags)
{
	/* The bytes are as many as all children need, each of which may need every page. */
	return open_snapshots_beside(fd, saved, flags, SNAPSHOT_BYTES,
				     flags & VMS_POOL_WHOLE_PAGES ? area_path(place) : NULL);
}

static void model(void **state, unsigned flags)
{
	const struct place *place = *state;
	int fd = make_pages(place->path, FILE_PAGES), saved = make_nameless();

	random_state = arguments.seed + flags;
	memset(shadow, 0, sizeof(shadow));
	pool = open_it(place, fd, saved, flags);
	assert_non_null(pool);
	for (unsigned long i = 0; i < arguments.operations; i++)
		operate();
	for (unsigned i = 0; i < CHILDREN; i++)
		if (children[i].process)
			end_child(&children[i]);
	worked(vms_pool_flush(pool, VMS_POOL_ALL, NULL, NULL));
	for (uint64_t page = 0; page < FILE_PAGES; page++)
		file_has(place->path, page, page + 1, (int)shadow[page]);
	/* A run without these has not tested what it is for. */
	assert_true(pool_stats(pool).pages_saved > 0);
	worked(vms_pool_close(pool));
	assert_int_equal(close(saved), 0);
	assert_int_equal(close(fd), 0);
}

static void frames(void **state)
{
	model(state, 0);
}

static void addressed(void **state)
{
	model(state, VMS_POOL_ADDRESSED | VMS_POOL_NO_WRITER);
}

static void whole(void **state)
{
	model(state, VMS_POOL_WHOLE_PAGES);
}

static void whole_and_addressed(void **state)
{
	model(state, VMS_POOL_WHOLE_PAGES | VMS_POOL_ADDRESSED | VMS_POOL_NO_WRITER);
}

static int drop_both(void **state)
{
	(void)unlink(area_path(*state));
	return drop_place(state);
}

#define MODEL(function) \
	cmocka_unit_test_setup_teardown(function, make_place, drop_both)

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		MODEL(frames),
		MODEL(addressed),
		MODEL(whole),
		MODEL(whole_and_addressed),
	};

	read_arguments("snapshot_model", argc, argv, &arguments);
	vmsi_uring.open = no_ring;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
