/* SPDX-License-Identifier: MIT */
#include "group_fixture.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/personality.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

/* What a program of a group gets when it asks for more than fits. */

static void what_does_not_fit_is_enomem(void **state)
{
	const struct vms_group_options options = default_options();

	(void)state;
	expect_said(&options, "mmap=200", "mmap ENOMEM\n");
	expect_said(&options, "mprotect=200", "mprotect ENOMEM\n");
	expect_said(&options, "mremap=200", "mremap ENOMEM\n");
	expect_said(&options, "brk=200", "brk ENOMEM\n");
	expect_said(&options, "shared=200", "shared ENOMEM\n");
	expect_said(&options, "shmget=200", "shmget ENOMEM\n");
}

static void what_fits_is_made(void **state)
{
	const struct vms_group_options options = default_options();

	(void)state;
	expect_said(&options, "mmap=40", "mmap ok\n");
	expect_said(&options, "mprotect=40", "mprotect ok\n");
	expect_said(&options, "mremap=40", "mremap ok\n");
	expect_said(&options, "brk=40", "brk ok\n");
	expect_said(&options, "shared=40", "shared ok\n");
	expect_said(&options, "shmget=40", "shmget ok\n");
}

static void after_a_refusal_smaller_requests_go_on(void **state)
{
	const struct vms_group_options options = default_options();

	(void)state;
	expect_said(&options, "mmap=40 mmap=40 mmap=10 mmap=40 mmap=5",
		    "mmap ok\nmmap ENOMEM\nmmap ok\nmmap ENOMEM\nmmap ok\n");
	expect_said(&options, "brk=40 brk=40 brk=10", "brk ok\nbrk ENOMEM\n"
		    "brk ok\n");
}

static void what_was_given_back_can_be_had_again(void **state)
{
	const struct vms_group_options options = default_options();

	(void)state;
	expect_said(&options, "mmap=40 unmap mmap=40 unmap mmap=50",
		    "mmap ok\nunmap ok\nmmap ok\nunmap ok\nmmap ok\n");
	expect_said(&options, "mmap=50 shrink=5 mmap=40",
		    "mmap ok\nshrink ok\nmmap ok\n");
	expect_said(&options, "brk=50 brk-back=50 mmap=50 unmap brk=50",
		    "brk ok\nbrk-back ok\nmmap ok\nunmap ok\nbrk ok\n");
	expect_said(&options, "shared=50 unmap mmap=50",
		    "shared ok\nunmap ok\nmmap ok\n");
	expect_said(&options, "shmget=50 mmap=50", "shmget ok\nmmap ok\n");
}

static void kinds_add_up(void **state)
{
	const struct vms_group_options options = default_options();

	(void)state;
	expect_said(&options, "mmap=20 brk=20 shared=20 mremap=20",
		    "mmap ok\nbrk ok\nshared ok\nmremap ENOMEM\n");
}

static void what_is_charged_already_is_not_charged_twice(void **state)
{
	const struct vms_group_options options = default_options();

	(void)state;
	expect_said(&options, "mmap=40 again=40 writable again=40",
		    "mmap ok\nagain ok\nwritable ok\nagain ok\n");
}

static void reservations_are_free(void **state)
{
	const struct vms_group_options options = default_options();

	(void)state;
	expect_said(&options, "none=4000 mmap=40", "none ok\nmmap ok\n");
}

static void noreserve_counts_as_asked_for(void **state)
{
	struct vms_group_options options = default_options();

	(void)state;
	expect_said(&options, "noreserve=200", "noreserve ENOMEM\n");
	expect_said(&options, "noreserve=40 mmap=40",
		    "noreserve ok\nmmap ENOMEM\n");
	options.flags = VMS_GROUP_NORESERVE_FREE;
	expect_said(&options, "noreserve=200 mmap=40",
		    "noreserve ok\nmmap ok\n");
	options.flags = 0;
	options.policy = VMS_COMMIT_HEURISTIC;
	expect_said(&options, "noreserve=200", "noreserve ok\n");
}

/* The first of the last two has the group looked at. */
static void a_segment_counts_once(void **state)
{
	const struct vms_group_options options = default_options();

	(void)state;
	expect_said(&options, "segment=40 mmap=40 mmap=20",
		    "segment ok\nmmap ENOMEM\nmmap ok\n");
}

/* Where it is free, by the page. */
static void shared_noreserve_counts_as_asked_for(void **state)
{
	struct vms_group_options options = default_options();

	(void)state;
	expect_said(&options, "shared-noreserve=200",
		    "shared-noreserve ENOMEM\n");
	options.flags = VMS_GROUP_NORESERVE_FREE;
	expect_said(&options, "shared-noreserve=200 touch=20 mmap=20 mmap=30",
		    "shared-noreserve ok\ntouch ok\nmmap ok\n"
		    "mmap ENOMEM\n");
}

static void noreserve_made_writable_counts_as_asked_for(void **state)
{
	struct vms_group_options options = default_options();

	(void)state;
	expect_said(&options, "noreserve-writable=200",
		    "noreserve-writable ENOMEM\n");
	expect_said(&options, "noreserve-writable=40 mmap=40",
		    "noreserve-writable ok\nmmap ENOMEM\n");
	options.flags = VMS_GROUP_NORESERVE_FREE;
	expect_said(&options, "noreserve-writable=200 mmap=40",
		    "noreserve-writable ok\nmmap ok\n");
	options.flags = 0;
	options.policy = VMS_COMMIT_HEURISTIC;
	expect_said(&options, "noreserve-writable=200",
		    "noreserve-writable ok\n");
}

/* They are of a pool of their own. The last request has the group looked at. */
static void huge_pages_do_not_count(void **state)
{
	const struct vms_group_options options = default_options();
	void *probe = mmap(NULL, 200 * MIB, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE |
			   MAP_HUGETLB, -1, 0);

	(void)state;
	if (probe == MAP_FAILED) {
		print_message("# MAP_HUGETLB: %s\n", strerror(errno));
		skip();
	}
	munmap(probe, 200 * MIB);
	expect_said(&options, "huge=200 mmap=40 unmap mmap=40",
		    "huge ok\nmmap ok\nunmap ok\nmmap ok\n");
	expect_said(&options, "huge-writable=200 mmap=40",
		    "huge-writable ok\nmmap ok\n");
}

static void growing_down_counts_from_where_the_mapping_begins(void **state)
{
	const struct vms_group_options options = default_options();

	(void)state;
	expect_said(&options, "grows-down=200", "grows-down ENOMEM\n");
	expect_said(&options, "grows-down=40 mmap=40 mmap=10",
		    "grows-down ok\nmmap ENOMEM\nmmap ok\n");
}

static void files_that_are_memory_count(void **state)
{
	const struct vms_group_options options = default_options();

	(void)state;
	expect_said(&options, "zero=200", "zero ENOMEM\n");
	expect_said(&options, "zero-read=200", "zero-read ENOMEM\n");
	/* Nothing can ever be written there. */
	expect_said(&options, "zero-read-only=200", "zero-read-only ok\n");
	expect_said(&options, "zero=40 mmap=40 unmap mmap=10",
		    "zero ok\nmmap ENOMEM\nunmap ok\nmmap ok\n");
	expect_said(&options, "memfd-read=200 writable",
		    "memfd-read ok\nwritable ENOMEM\n");
	expect_said(&options, "memfd-read=40 writable touch=40 mmap=40",
		    "memfd-read ok\nwritable ok\ntouch ok\nmmap ENOMEM\n");
}

/* A node where that is allowed, else what another file is bound to. */
static void make_zero(const char *name)
{
	int file;

	if (mknod(name, S_IFCHR | 0600, makedev(1, 5)) == 0) {
		file = open(name, O_RDWR | O_CLOEXEC);
		if (file >= 0) {
			close(file);
			return;
		}
		unlink(name);
	}
	file = open(name, O_CREAT | O_EXCL | O_RDWR | O_CLOEXEC, 0600);
	assert_true(file >= 0);
	close(file);
}

static void the_zero_device_counts_by_any_name(void **state)
{
	const struct vms_group_options options = default_options();
	char directory[] = "/tmp/vmspace-zero-XXXXXX", name[48];
	struct asked asked;
	bool is_there;

	(void)state;
	assert_non_null(mkdtemp(directory));
	snprintf(name, sizeof name, "%s/nothing", directory);
	make_zero(name);
	setenv("ASKER_ZERO", name, 1);
	asked = start(&options, "zero-named=200");
	serve_until(&asked, VMS_GROUP_EMPTY);
	unlink(name);
	rmdir(directory);
	is_there = !strstr(asked.said, "ENOTSUP");
	if (is_there)
		assert_string_equal(asked.said, "zero-named ENOMEM\n");
	finish(&asked);
	if (!is_there) {
		print_message("# no node can be made, and none be bound\n");
		skip();
	}
}

/* In a namespace of its own, so that none stays mounted. */
static bool mount_tmpfs(const char *directory)
{
	return unshare(CLONE_NEWNS) == 0 &&
		mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 &&
		mount("tmpfs", directory, "tmpfs", 0, "size=64m") == 0;
}

static void files_of_any_tmpfs_count(void **state)
{
	const struct vms_group_options options = default_options();
	char directory[] = "/tmp/vmspace-tmpfs-XXXXXX";

	(void)state;
	assert_non_null(mkdtemp(directory));
	if (!mount_tmpfs(directory)) {
		print_message("# a tmpfs cannot be mounted: %s\n",
			      strerror(errno));
		rmdir(directory);
		skip();
	}
	setenv("ASKER_TMPFS", directory, 1);
	expect_said(&options, "tmpfs=60 touch=40 mmap=40",
		    "tmpfs ok\ntouch ok\nmmap ENOMEM\n");
	assert_int_equal(umount2(directory, MNT_DETACH), 0);
	rmdir(directory);
}

static void policies_refuse_as_they_say(void **state)
{
	struct vms_group_options options = default_options();

	(void)state;
	options.policy = VMS_COMMIT_HEURISTIC;
	expect_said(&options, "mmap=50 mmap=50 mmap=70 mmap=50",
		    "mmap ok\nmmap ok\nmmap ENOMEM\nmmap ok\n");
	options.policy = VMS_COMMIT_ALWAYS;
	expect_said(&options, "mmap=50 mmap=70", "mmap ok\nmmap ok\n");
}

/* Again and again: a count that drifts would have less of it each time. */
static void all_of_the_limit_can_be_had(void **state)
{
	const struct vms_group_options options = default_options();
	struct asked asked = start(&options, "fill=1 fill=1 fill=1 fill=1 "
				   "fill=1 fill=1 fill=1 fill=1");
	const char *line;
	int fills = 0, count;

	(void)state;
	serve_until(&asked, VMS_GROUP_EMPTY);
	for (line = asked.said; (line = strstr(line, "filled ")); line++) {
		count = atoi(line + 7);
		/* The program's own data and stack are below two. */
		assert_in_range(count, 61, 63);
		fills++;
	}
	assert_int_equal(fills, 8);
	assert_true(stats_of(asked.group).committed_peak <= LIMIT);
	assert_true(stats_of(asked.group).committed_peak > LIMIT - 2 * MIB);
	finish(&asked);
}

/* --- processes ------------------------------------------------------------ */

static void fork_charges_the_copy(void **state)
{
	const struct vms_group_options options = default_options();

	(void)state;
	expect_said(&options, "mmap=20 fork fork fork",
		    "mmap ok\nfork ok\nfork ok\nfork ok\n");
	expect_said(&options, "mmap=40 fork unmap fork",
		    "mmap ok\nfork ENOMEM\nunmap ok\nfork ok\n");
	expect_said(&options, "mmap=20 fork-map=10 fork-map=40 mmap=30",
		    "mmap ok\nfork-map ok\nfork-map ENOMEM\nmmap ok\n");
}

static void copies_count_whoever_their_parent_is(void **state)
{
	const struct vms_group_options options = default_options();

	(void)state;
	/* A refusal takes the fork out of the account, but not the copy. */
	expect_said(&options, "mmap=20 sibling mmap=25 mmap=25 mmap=15",
		    "mmap ok\nsibling ok\nmmap ENOMEM\nmmap ENOMEM\n"
		    "mmap ok\n");
	expect_said(&options, "grandchild=20 mmap=50 mmap=30",
		    "grandchild ok\nmmap ENOMEM\nmmap ok\n");
	expect_said(&options, "mmap=40 fork-of-sharer unmap fork-of-sharer",
		    "mmap ok\nfork-of-sharer ENOMEM\nunmap ok\n"
		    "fork-of-sharer ok\n");
	/* A child that has ended took what it was granted with it. */
	expect_said(&options, "mmap=5 fork mmap=15 sibling mmap=25 mmap=10",
		    "mmap ok\nfork ok\nmmap ok\nsibling ok\n"
		    "mmap ENOMEM\nmmap ok\n");
}

static void fork_is_free_where_asked_for(void **state)
{
	struct vms_group_options options = default_options();

	(void)state;
	options.flags = VMS_GROUP_FORK_FREE;
	expect_said(&options, "mmap=40 fork fork-map=10 fork-map=40",
		    "mmap ok\nfork ok\nfork-map ok\nfork-map ENOMEM\n");
}

static void expect_charged_image(void)
{
	struct vms_group_options options = default_options();

	options.flags = VMS_GROUP_FORK_FREE;
	expect_said(&options, "mmap=20 image=15",
		    "mmap ok\nmmap ok\nmmap ok\nmmap ENOMEM\nimage ok\n");
}

static void a_free_copy_that_executes_a_program_is_charged(void **state)
{
	(void)state;
	expect_charged_image();
}

/* The same program's memory then lies where that of the copy did. */
static void a_program_is_known_without_random_addresses(void **state)
{
	const int before = personality(0xffffffff);

	(void)state;
	if (before == -1 ||
	    personality((unsigned long)before | ADDR_NO_RANDOMIZE) == -1) {
		print_message("# personality: %s\n", strerror(errno));
		skip();
	}
	expect_charged_image();
	personality((unsigned long)before);
}

static void what_is_not_copied_is_not_charged(void **state)
{
	const struct vms_group_options options = default_options();

	(void)state;
	expect_said(&options, "mmap=50 vfork spawn vfork spawn mmap=5",
		    "mmap ok\nvfork ok\nspawn ok\nvfork ok\nspawn ok\n"
		    "mmap ok\n");
	expect_said(&options, "mmap=50 keep fork mmap=5",
		    "mmap ok\nkeep ok\nfork ok\nmmap ok\n");
}

static void threads_are_charged_what_they_map(void **state)
{
	const struct vms_group_options options = default_options();

	(void)state;
	expect_said(&options, "mmap=30 threads=10", "mmap ok\nthreads ok\n");
	expect_said(&options, "mmap=30 threads=20",
		    "mmap ok\nthreads ENOMEM\n");
}

static void exec_gives_back_what_it_drops(void **state)
{
	const struct vms_group_options options = default_options();

	(void)state;
	expect_said(&options, "mmap=50 exec", "mmap ok\nnone ok\nmmap ok\n");
}

static void clone3_is_not_there(void **state)
{
	const struct vms_group_options options = default_options();

	(void)state;
	expect_said(&options, "clone3", "clone3 ENOSYS\n");
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_does_not_fit_is_enomem),
		cmocka_unit_test(what_fits_is_made),
		cmocka_unit_test(after_a_refusal_smaller_requests_go_on),
		cmocka_unit_test(what_was_given_back_can_be_had_again),
		cmocka_unit_test(kinds_add_up),
		cmocka_unit_test(what_is_charged_already_is_not_charged_twice),
		cmocka_unit_test(reservations_are_free),
		cmocka_unit_test(noreserve_counts_as_asked_for),
		cmocka_unit_test(a_segment_counts_once),
		cmocka_unit_test(shared_noreserve_counts_as_asked_for),
		cmocka_unit_test(noreserve_made_writable_counts_as_asked_for),
		cmocka_unit_test(huge_pages_do_not_count),
		cmocka_unit_test(
			growing_down_counts_from_where_the_mapping_begins),
		cmocka_unit_test(files_that_are_memory_count),
		cmocka_unit_test(the_zero_device_counts_by_any_name),
		cmocka_unit_test(files_of_any_tmpfs_count),
		cmocka_unit_test(policies_refuse_as_they_say),
		cmocka_unit_test(all_of_the_limit_can_be_had),
		cmocka_unit_test(fork_charges_the_copy),
		cmocka_unit_test(copies_count_whoever_their_parent_is),
		cmocka_unit_test(fork_is_free_where_asked_for),
		cmocka_unit_test(
			a_free_copy_that_executes_a_program_is_charged),
		cmocka_unit_test(a_program_is_known_without_random_addresses),
		cmocka_unit_test(what_is_not_copied_is_not_charged),
		cmocka_unit_test(threads_are_charged_what_they_map),
		cmocka_unit_test(exec_gives_back_what_it_drops),
		cmocka_unit_test(clone3_is_not_there),
	};

	need_groups(argc, argv);
	return cmocka_run_group_tests_name("group_calls", tests, NULL, NULL);
}
