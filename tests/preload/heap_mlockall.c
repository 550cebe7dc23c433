/* SPDX-License-Identifier: MIT */
#include "../outcome.h"

#include <grp.h>
#include <malloc.h>
#include <sys/resource.h>

/*
 * Programs that lock their memory: as root, and as an ordinary user under a
 * limit. Each case is a process of its own.
 */

#define KIB ((size_t)1 << 10)
#define MIB ((size_t)1 << 20)

static size_t locked_now(void)
{
	char line[256];
	size_t kib = 0;
	FILE *file = fopen("/proc/self/status", "r");

	while (file && fgets(line, sizeof(line), file))
		if (sscanf(line, "VmLck: %zu", &kib) == 1)
			break;
	if (file)
		fclose(file);
	return kib * KIB;
}

/* In steps that pages of libc's own, and of the library's, do not matter to. */
static const char *more_than(size_t before, size_t bytes)
{
	size_t now = locked_now();

	return now + 160 * KIB < before ? "less" :
		now >= before + bytes ? "locked" :
		now <= before + 160 * KIB ? "as before" : "partly";
}

static char *filled(size_t size)
{
	char *block = malloc(size);

	if (block)
		memset(block, 'x', size);
	return block;
}

static bool is_all(const char *block, int letter, size_t length)
{
	return block[0] == letter && !memcmp(block, block + 1, length - 1);
}

/* Blocks that are made, grow, and go. */
static void use_blocks(void)
{
	size_t before = locked_now();
	char *block = malloc(MIB), *grown;

	say("malloc", "%s", block ? more_than(before, MIB) : "refused");
	if (!block)
		return;
	memset(block, 'x', MIB);
	grown = realloc(block, 2 * MIB);
	say("realloc", "%s", grown ? more_than(before, 2 * MIB) : "refused");
	if (grown) {
		block = grown;
		say("contents", "%d", is_all(block, 'x', MIB));
	}
	free(block);
	say("free", "%s", more_than(before, MIB));
	block = calloc(1, 300 * KIB);
	say("calloc", "%s", block ? more_than(before, 300 * KIB) : "refused");
	free(block);
	say("free of it", "%s", more_than(before, 300 * KIB));
}

static void come_and_go(void)
{
	size_t before = locked_now();
	unsigned refused = 0;

	for (unsigned i = 0; i < 4; i++) {
		char *a = filled(MIB), *b = filled(200 * KIB + i * 50 * KIB);

		if (a)
			a = realloc(a, MIB + i * 200 * KIB);
		refused += !a + !b;
		free(a);
		free(b);
	}
	say("come and go", "%u refused, %s", refused, more_than(before, MIB));
}

static void in_child(void)
{
	int status;
	pid_t child = fork();

	if (child == 0) {
		char *block;

		say("child", "locked %zu", locked_now());
		block = filled(MIB);
		say("child, then", "%s, locked %zu", block ? "fine" : "refused",
		    locked_now());
		free(block);
		_exit(0);
	}
	waitpid(child, &status, 0);
}

static void lock(const char *name, int flags)
{
	char *before = filled(MIB), *small = filled(400 * KIB);
	size_t none = locked_now();

	outcome(name, mlockall(flags));
	say("blocks that there were", "%s", more_than(none, MIB + 400 * KIB));
	use_blocks();
	none = locked_now();
	free(before);
	say("free of an older one", "%s", more_than(none, MIB));
	none = locked_now();
	free(small);
	say("free of a small older one", "%s", more_than(none, 400 * KIB));
	come_and_go();
	in_child();
	outcome("munlockall", munlockall());
	say("locked", "%zu", locked_now());
	use_blocks();
}

static void now_and_future(void)
{
	lock("both", MCL_CURRENT | MCL_FUTURE);
}

static void now(void)
{
	lock("current", MCL_CURRENT);
}

static void future(void)
{
	lock("future", MCL_FUTURE);
}

static void on_fault_of_all(void)
{
	lock("on fault", MCL_CURRENT | MCL_FUTURE | MCL_ONFAULT);
}

/* The later call is what holds. */
static void one_after_another(void)
{
	outcome("future", mlockall(MCL_FUTURE));
	outcome("current", mlockall(MCL_CURRENT));
	use_blocks();
	outcome("future again", mlockall(MCL_FUTURE));
	use_blocks();
	outcome("both", mlockall(MCL_CURRENT | MCL_FUTURE));
	use_blocks();
}

static void before_any_block(void)
{
	outcome("before any block", mlockall(MCL_CURRENT | MCL_FUTURE));
	use_blocks();
	come_and_go();
}

static void wrong_flags(void)
{
	outcome("none", mlockall(0));
	outcome("on fault alone", mlockall(MCL_ONFAULT));
	outcome("unknown", mlockall(MCL_CURRENT | 64));
	errno = 4711;
	outcome("right", mlockall(MCL_FUTURE));
	say("errno", "%d", errno);
}

/* What the limit does not have is refused, and what it has is served after. */
static void reach_the_limit(void)
{
	struct rlimit limit;
	char *block;

	getrlimit(RLIMIT_MEMLOCK, &limit);
	outcome("both", mlockall(MCL_CURRENT | MCL_FUTURE));
	errno = 0;
	block = malloc(limit.rlim_cur);
	say("as much as the limit", "%s", block ? "fine" :
	    strerrorname_np(errno));
	free(block);
	use_blocks();
	come_and_go();
}

/* --- who runs them -------------------------------------------------------- */

static const struct situation {
	const char *name;
	bool ordinary;
	rlim_t limit;
} situations[] = {
	{ "root", false, 8 * MIB },
	{ "ordinary user", true, 8 * MIB },
	{ "ordinary user, little", true, 1 * MIB },
	{ "ordinary user, nothing", true, 0 },
};

static void enter(const struct situation *situation)
{
	struct rlimit limit = { situation->limit, situation->limit };

	if (setrlimit(RLIMIT_MEMLOCK, &limit))
		say("limit", "%s", strerrorname_np(errno));
	if (situation->ordinary && getuid() == 0 &&
	    (setgroups(0, NULL) || setgid(65534) || setuid(65534)))
		say("user", "%s", strerrorname_np(errno));
}

static void run(const struct situation *situation, void (*test)(void))
{
	int status;
	pid_t child = fork();

	if (child == 0) {
		enter(situation);
		test();
		_exit(0);
	}
	waitpid(child, &status, 0);
	say("ended", "%d", status);
}

int main(void)
{
	void (*const tests[])(void) = {
		now_and_future, now, future, on_fault_of_all, one_after_another,
		before_any_block, wrong_flags, reach_the_limit,
	};

	mallopt(M_MMAP_THRESHOLD, 128 << 10);
	for (size_t i = 0; i < sizeof(situations) / sizeof(*situations); i++) {
		say("situation", "%s", situations[i].name);
		for (size_t j = 0; j < sizeof(tests) / sizeof(*tests); j++)
			run(&situations[i], tests[j]);
	}
	/* The heap's figures are of this process. */
	free(filled(MIB));
	return 0;
}
