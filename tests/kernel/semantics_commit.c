/* SPDX-License-Identifier: MIT */
#include "semantics.h"

#include <stdbool.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <sys/wait.h>

/*
 * Commit. A unit is an eighth of the machine's memory, none of which is
 * touched but single pages: on the kernel only a change of Committed_AS that
 * large stands out of what other processes do.
 */

#define ALL (MREMAP_MAYMOVE | MREMAP_FIXED)

/* Return the n-th unit of the window. */
static char *unit_at(const struct caller *c, size_t n)
{
	return c->base + n * charge_unit();
}

static int overcommit_mode(void)
{
	FILE *stream = fopen("/proc/sys/vm/overcommit_memory", "re");
	int mode = 2;

	CHECK(stream != NULL);
	CHECK_IS(fscanf(stream, "%d", &mode), 1);
	(void)fclose(stream);
	return mode;
}

/* These facts are of the host's modes 0 and 1. */
static void need_mode_0_or_1(const struct caller *c)
{
	if (c->kind == CALLER_KERNEL && overcommit_mode() == 2)
		SKIP("vm.overcommit_memory is 2");
}

/* Mode 1 refuses nothing, and mode 2 more than a space. */
static void need_mode_0(const struct caller *c)
{
	int mode = overcommit_mode();

	if (mode == 2 || (c->kind == CALLER_KERNEL && mode != 0))
		SKIP("vm.overcommit_memory is not 0");
}

static char *map_unit(const struct caller *c, size_t n, int prot, int flags)
{
	CHECK_IS(c->mmap(c, unit_at(c, n), charge_unit(), prot,
			 flags | MAP_FIXED, -1, 0), unit_at(c, n));
	return unit_at(c, n);
}

static void charged_when_made(const struct caller *c)
{
	size_t before = charge(c);

	(void)map_unit(c, 0, RW, ANON);
	CHECK_CHARGED(c, before, 1);
	(void)map_unit(c, 1, PROT_WRITE, ANON);
	CHECK_CHARGED(c, before, 2);
	(void)map_unit(c, 2, RW, SHARED_ANON);
	CHECK_CHARGED(c, before, 3);
	(void)map_unit(c, 3, PROT_NONE, SHARED_ANON);
	CHECK_CHARGED(c, before, 4);
	(void)map_unit(c, 8, RW, ANON | MAP_GROWSDOWN);
	CHECK_CHARGED(c, before, 5);
	CHECK_IS(c->munmap(c, unit_at(c, 0), 9 * charge_unit()), 0);
	CHECK_CHARGED(c, before, 0);
}

/* A space has no brk, so only the kernel is tested. */
static void brk_is_charged(const struct caller *c)
{
	size_t before = charge(c);
	long end = syscall(SYS_brk, 0);

	if (syscall(SYS_brk, end + (long)charge_unit()) == end)
		SKIP("brk has no room for a unit");
	CHECK_CHARGED(c, before, 1);
	CHECK_IS(syscall(SYS_brk, end), end);
	CHECK_CHARGED(c, before, 0);
}

static void private_writable_file_is_charged(const struct caller *c)
{
	size_t before = charge(c), unit = charge_unit();
	int fd = disk_file(c, 1, 0);

	CHECK_IS(c->mmap(c, unit_at(c, 0), unit, RW, MAP_PRIVATE | MAP_FIXED,
			 fd, 0), unit_at(c, 0));
	CHECK_CHARGED(c, before, 1);
	CHECK_IS(c->mmap(c, unit_at(c, 1), unit, PROT_READ,
			 MAP_PRIVATE | MAP_FIXED, fd, 0), unit_at(c, 1));
	CHECK_CHARGED(c, before, 1);
	CHECK_IS(c->mprotect(c, unit_at(c, 1), unit, RW), 0);
	CHECK_CHARGED(c, before, 2);
	CHECK_IS(c->mprotect(c, unit_at(c, 1), unit, PROT_READ), 0);
	CHECK_CHARGED(c, before, 2);
	CHECK_IS(c->munmap(c, unit_at(c, 0), 2 * unit), 0);
	CHECK_CHARGED(c, before, 0);
}

static void what_is_not_charged(const struct caller *c)
{
	size_t before = charge(c);

	need_mode_0_or_1(c);
	(void)map_unit(c, 0, PROT_READ, ANON);
	(void)map_unit(c, 1, PROT_NONE, ANON);
	(void)map_unit(c, 2, RW, ANON | MAP_NORESERVE);
	CHECK_IS(c->mmap(c, unit_at(c, 3), charge_unit(), RW,
			 MAP_SHARED | MAP_FIXED, disk_file(c, 1, 0), 0),
		 unit_at(c, 3));
	CHECK_CHARGED(c, before, 0);
	if (syscall(SYS_mmap, NULL, c->page, RW, MAP_DROPPABLE | MAP_ANONYMOUS,
		    -1, 0) == -1)
		return;
	CHECK_IS(c->mmap(c, unit_at(c, 4), charge_unit(), RW,
			 MAP_DROPPABLE | MAP_ANONYMOUS | MAP_FIXED, -1, 0),
		 unit_at(c, 4));
	CHECK_CHARGED(c, before, 0);
}

static void memfd_and_shared_noreserve_are_not_charged_in_full(const struct caller *c)
{
	size_t before = charge(c), unit = charge_unit();
	int fd = memory_file(c, 0, 0);

	need_mode_0_or_1(c);
	CHECK_IS(ftruncate(fd, (off_t)unit), 0);
	CHECK_IS(c->mmap(c, unit_at(c, 0), unit, RW, MAP_SHARED | MAP_FIXED,
			 fd, 0), unit_at(c, 0));
	(void)map_unit(c, 1, RW, SHARED_ANON | MAP_NORESERVE);
	CHECK_CHARGED(c, before, 0);
}

static void mprotect_charges_and_uncharges_untouched(const struct caller *c)
{
	size_t before = charge(c), unit = charge_unit();
	char *p = map_unit(c, 0, PROT_NONE, ANON);

	CHECK_IS(c->mprotect(c, p, unit, RW), 0);
	CHECK_CHARGED(c, before, 1);
	CHECK_IS(c->mprotect(c, p, unit, PROT_NONE), 0);
	CHECK_CHARGED(c, before, 0);
	CHECK_IS(c->mprotect(c, p, unit, RW), 0);
	CHECK_IS(poke(p, 1), 0);
	CHECK_IS(c->mprotect(c, p, unit, PROT_NONE), 0);
	CHECK_CHARGED(c, before, 1);
	CHECK_IS(c->mprotect(c, p, unit, RW), 0);
	CHECK_CHARGED(c, before, 1);
}

/* The kernel marks a mapping as touched, and so all parts of it. */
static void touched_is_a_state_of_the_mapping(const struct caller *c)
{
	size_t before = charge(c), unit = charge_unit();
	char *p = map_unit(c, 0, RW, ANON);

	(void)map_unit(c, 1, RW, ANON);
	CHECK_IS(poke(p, 1), 0);
	CHECK_IS(c->mprotect(c, p, 2 * unit, PROT_NONE), 0);
	CHECK_CHARGED(c, before, 2);
}

/*
 *   |touched|     |moves|stays|
 *   |touched|moved|     |stays|   was joined with touched memory for a moment
 */
static void what_moves_next_to_touched_marks_its_rest(const struct caller *c)
{
	size_t before = charge(c), unit = charge_unit();
	char *p = map_unit(c, 0, RW, ANON);

	(void)map_unit(c, 2, RW, ANON);
	(void)map_unit(c, 3, RW, ANON);
	CHECK_IS(poke(p, 1), 0);
	CHECK_IS(c->mremap(c, p + 2 * unit, unit, unit,
			   MREMAP_MAYMOVE | MREMAP_FIXED, p + unit), p + unit);
	CHECK_IS(c->mprotect(c, p + 3 * unit, unit, PROT_NONE), 0);
	CHECK_CHARGED(c, before, 3);
}

static void dontneed_free_and_guards_never_uncharge(const struct caller *c)
{
	size_t before = charge(c), unit = charge_unit();
	char *p = map_unit(c, 0, RW, ANON);

	CHECK_IS(poke(p, 1), 0);
	CHECK_IS(c->madvise(c, p, unit, MADV_DONTNEED), 0);
	CHECK_CHARGED(c, before, 1);
	CHECK_IS(c->madvise(c, p, unit, MADV_FREE), 0);
	CHECK_CHARGED(c, before, 1);
	CHECK_IS(poke(p, 1), 0);
	CHECK_IS(c->madvise(c, p, unit, MADV_DONTNEED), 0);
	CHECK_IS(c->mprotect(c, p, unit, PROT_NONE), 0);
	CHECK_CHARGED(c, before, 1);
}

static void guards_do_not_uncharge(const struct caller *c)
{
	size_t before = charge(c);
	char *p = map_unit(c, 0, RW, ANON);

	need_guards();
	CHECK_IS(c->madvise(c, p, pages(c, 8), MADV_GUARD_INSTALL), 0);
	CHECK_CHARGED(c, before, 1);
}

static void touched_read_only_still_charges_growth(const struct caller *c)
{
	size_t before = charge(c), unit = charge_unit();
	char *p = map_unit(c, 0, RW, ANON);

	CHECK_IS(poke(p, 1), 0);
	CHECK_IS(c->mprotect(c, p, unit, PROT_READ), 0);
	CHECK_CHARGED(c, before, 1);
	CHECK_IS(c->mremap(c, p, unit, 2 * unit, 0, NULL), p);
	CHECK_CHARGED(c, before, 2);
}

static void mremap_charges_the_growth(const struct caller *c)
{
	size_t before = charge(c), unit = charge_unit();
	char *p = map_unit(c, 0, RW, ANON);

	CHECK_IS(c->mremap(c, p, unit, 3 * unit, 0, NULL), p);
	CHECK_CHARGED(c, before, 3);
	CHECK_IS(c->mremap(c, p, 3 * unit, unit, 0, NULL), p);
	CHECK_CHARGED(c, before, 1);
	CHECK_IS(c->mremap(c, p, unit, 2 * unit, ALL, unit_at(c, 6)),
		 unit_at(c, 6));
	CHECK_CHARGED(c, before, 2);
	CHECK_IS(c->mremap(c, unit_at(c, 6), 2 * unit, 2 * unit, ALL, p), p);
	CHECK_CHARGED(c, before, 2);
}

static void dontunmap_charges_the_whole_again(const struct caller *c)
{
	size_t before = charge(c), unit = charge_unit();
	char *p = map_unit(c, 0, RW, ANON);

	CHECK_IS(poke(p, 1), 0);
	CHECK_IS(c->mremap(c, p, unit, unit, ALL | MREMAP_DONTUNMAP,
			   unit_at(c, 3)), unit_at(c, 3));
	CHECK_CHARGED(c, before, 2);
	CHECK_IS(c->munmap(c, p, unit), 0);
	CHECK_CHARGED(c, before, 1);
}

static void growing_or_aliasing_shared_is_free(const struct caller *c)
{
	size_t before = charge(c), unit = charge_unit();
	char *p = map_unit(c, 0, RW, SHARED_ANON);

	CHECK_IS(c->mremap(c, p, unit, 2 * unit, 0, NULL), p);
	CHECK_CHARGED(c, before, 1);
	CHECK_IS(c->mremap(c, p, 0, unit, ALL, unit_at(c, 4)), unit_at(c, 4));
	CHECK_CHARGED(c, before, 1);
	/* The object stays charged whole while any part of it is mapped. */
	CHECK_IS(c->munmap(c, p, 2 * unit), 0);
	CHECK_CHARGED(c, before, 1);
	CHECK_IS(c->munmap(c, unit_at(c, 4), unit - c->page), 0);
	CHECK_CHARGED(c, before, 1);
	CHECK_IS(c->munmap(c, unit_at(c, 4), unit), 0);
	CHECK_CHARGED(c, before, 0);
}

static void fixed_charges_the_net(const struct caller *c)
{
	size_t before = charge(c), unit = charge_unit();
	char *p = map_unit(c, 0, RW, ANON);

	(void)map_unit(c, 0, RW, ANON);
	CHECK_CHARGED(c, before, 1);
	(void)map_unit(c, 4, RW, ANON);
	CHECK_IS(c->mremap(c, p, unit, unit, ALL, unit_at(c, 4)),
		 unit_at(c, 4));
	CHECK_CHARGED(c, before, 1);
	CHECK_IS(c->mmap(c, unit_at(c, 4), unit, PROT_NONE, ANON | MAP_FIXED,
			 -1, 0), unit_at(c, 4));
	CHECK_CHARGED(c, before, 0);
}

/* Committed_AS counts parent and child; the child of a space has its own ledger. */
static void fork_charges_again_but_dontfork(const struct caller *c)
{
	size_t before = charge(c), unit = charge_unit();
	pid_t pid;

	(void)map_unit(c, 0, RW, ANON);
	(void)map_unit(c, 1, RW, ANON);
	CHECK_IS(c->madvise(c, unit_at(c, 1), unit, MADV_DONTFORK), 0);
	pid = fork();
	CHECK(pid >= 0);
	if (pid == 0) {
		CHECK_CHARGED(c, before, c->kind == CALLER_KERNEL ? 3 : 1);
		_exit(0);
	}
	CHECK_IS(waitpid(pid, NULL, 0), pid);
	CHECK_CHARGED(c, before, 2);
}

static void vfork_charges_nothing(const struct caller *c)
{
	size_t before = charge(c);
	volatile size_t during = 0;
	pid_t pid;

	(void)map_unit(c, 0, RW, ANON);
	pid = vfork();
	if (pid == 0) {
		during = charge(c);
		_exit(0);
	}
	CHECK_IS(waitpid(pid, NULL, 0), pid);
	CHECK(during - before < charge_unit() * 3 / 2);
	CHECK_CHARGED(c, before, 1);
}

static void mode_0_refuses_only_a_single_charge(const struct caller *c)
{
	size_t third = c->size / 3;

	need_mode_0(c);
	CHECK_IS(c->mmap(c, NULL, third, RW, ANON, -1, 0), -ENOMEM);
	/* The kernel checks each request, and not the sum. */
	CHECK(c->mmap(c, NULL, third / 3 * 2, RW, ANON, -1, 0) > 0);
	CHECK(c->mmap(c, NULL, third / 3 * 2, RW, ANON, -1, 0) > 0);
}

/* These policies are a space's own; in the kernel they are the machine's. */

static void set_policy(const struct caller *c, size_t limit,
		       enum vms_commit_policy policy)
{
	CHECK_IS(vms_space_set_commit(c->space, limit, policy), 0);
}

static void policy_always_accepts_all(const struct caller *c)
{
	set_policy(c, c->page, VMS_COMMIT_ALWAYS);
	(void)map(c, 16, 64, RW);
	CHECK_IS(charge(c), pages(c, 64));
	CHECK_IS(try_map(c, at(c, 128), 64, RW, MAP_FIXED | MAP_NORESERVE),
		 at(c, 128));
	CHECK_IS(charge(c), pages(c, 64));
}

static void policy_heuristic_looks_at_one_charge(const struct caller *c)
{
	set_policy(c, pages(c, 10), VMS_COMMIT_HEURISTIC);
	CHECK_IS(try_map(c, at(c, 16), 11, RW, MAP_FIXED), -ENOMEM);
	CHECK_IS(vms_last_refusal(), VMS_REFUSAL_COMMIT);
	(void)map(c, 16, 10, RW);
	(void)map(c, 32, 10, RW);
	CHECK_IS(charge(c), pages(c, 20));
}

static void policy_strict_sums_and_ignores_noreserve(const struct caller *c)
{
	char *p;

	set_policy(c, pages(c, 10), VMS_COMMIT_STRICT);
	p = map(c, 16, 6, RW);
	CHECK_IS(try_map(c, at(c, 32), 5, RW, MAP_FIXED), -ENOMEM);
	CHECK_IS(try_map(c, at(c, 32), 5, RW, MAP_FIXED | MAP_NORESERVE),
		 -ENOMEM);
	CHECK_IS(try_map(c, at(c, 32), 4, RW, MAP_FIXED | MAP_NORESERVE),
		 at(c, 32));
	CHECK_IS(charge(c), pages(c, 10));
	CHECK_IS(c->mremap(c, p, pages(c, 6), pages(c, 7), 0, NULL), -ENOMEM);
	CHECK_IS(vms_last_refusal(), VMS_REFUSAL_COMMIT);
	CHECK_IS(c->munmap(c, at(c, 32), c->page), 0);
	CHECK_IS(c->mremap(c, p, pages(c, 6), pages(c, 7), 0, NULL), p);
	(void)map(c, 64, 4, PROT_READ);
	CHECK_IS(c->mprotect(c, at(c, 64), c->page, RW), -ENOMEM);
	CHECK_IS(prot_at(c, at(c, 64)), PROT_READ);
	CHECK_IS(charge(c), pages(c, 10));
}

/* At a full strict limit, a replacement of the same size fits. */
static void policy_strict_charges_the_net(const struct caller *c)
{
	char *p;

	set_policy(c, pages(c, 8), VMS_COMMIT_STRICT);
	p = map(c, 16, 8, RW);
	fill(c, p, 8, 1);
	(void)map(c, 18, 2, RW);
	CHECK_IS(peek(at(c, 18)), 0);
	CHECK_IS(peek(at(c, 20)), 5);
	CHECK_IS(try_map(c, at(c, 20), 5, RW, MAP_FIXED), -ENOMEM);
	CHECK_IS(peek(at(c, 20)), 5);
	CHECK_IS(charge(c), pages(c, 8));
}

#define S "Commit: "
#define UNITS(body, line) CASE_IN(body, window_of_units, S line)
static const struct semantics_case cases[] = {
	UNITS(charged_when_made,
	      "charged when made: private writable, shared anonymous, GROWSDOWN"),
	CASE_KERNEL(brk_is_charged, S "charged when made: brk"),
	UNITS(private_writable_file_is_charged,
	      "charged when made: private writable, also of a file"),
	UNITS(what_is_not_charged,
	      "not charged: read-only, PROT_NONE, NORESERVE, DROPPABLE, shared file"),
	UNITS(memfd_and_shared_noreserve_are_not_charged_in_full,
	      "memfd and shared NORESERVE: page by page when touched"),
	UNITS(mprotect_charges_and_uncharges_untouched,
	      "mprotect NONE to RW charges; back uncharges only the untouched"),
	UNITS(touched_is_a_state_of_the_mapping,
	      "touched is a state of the mapping"),
	UNITS(what_moves_next_to_touched_marks_its_rest,
	      "touched is a state of the mapping"),
	UNITS(dontneed_free_and_guards_never_uncharge,
	      "DONTNEED and FREE never uncharge"),
	UNITS(guards_do_not_uncharge, "guards never uncharge"),
	UNITS(touched_read_only_still_charges_growth,
	      "a touched mapping made read-only still charges growth"),
	UNITS(mremap_charges_the_growth, "mremap charges the growth"),
	UNITS(dontunmap_charges_the_whole_again,
	      "DONTUNMAP charges the whole again"),
	UNITS(growing_or_aliasing_shared_is_free,
	      "growing or aliasing shared is free"),
	UNITS(fixed_charges_the_net, "FIXED charges the net"),
	UNITS(fork_charges_again_but_dontfork,
	      "fork charges everything again but DONTFORK"),
	UNITS(vfork_charges_nothing, "vfork nothing"),
	CASE_IN(mode_0_refuses_only_a_single_charge, window_over_memory,
		S "mode 0: refuse only a single charge larger than RAM plus swap"),
	CASE_SPACE(policy_always_accepts_all, S "mode 1: accept all"),
	CASE_SPACE(policy_heuristic_looks_at_one_charge, S "mode 0: no sum"),
	CASE_SPACE(policy_strict_sums_and_ignores_noreserve,
		   S "mode 2: NORESERVE is ignored; the sum stays in the limit"),
	CASE_SPACE(policy_strict_charges_the_net, S "mode 2: FIXED charges the net"),
};

SEMANTICS_MAIN(cases)
