/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "cli/commit/commit_figures.h"
#include "text/number.h"
#include "text_canned.h"

#define KIB UINT64_C(1024)

/* What the files of a machine's /proc hold; NULL: the file cannot be read. */
struct machine {
	uint64_t page_size;
	const char *meminfo;
	const char *mode, *ratio, *kbytes, *admin_reserve, *user_reserve;
	enum vmsi_exemption exemption;
};

#define MEMINFO(ram, swap, hugetlb, limit, committed) \
	"MemTotal: " ram " kB\nMemFree: 1 kB\nSwapTotal: " swap " kB\n" \
	"CommitLimit: " limit " kB\nCommitted_AS: " committed " kB\n" \
	"HugePages_Total: 0\nHugepagesize: 2048 kB\n" \
	"Hugetlb: " hugetlb " kB\n"

/* A machine with 24 GB, no swap and the kernel's default settings. */
#define PLAIN \
	.page_size = 4096, \
	.meminfo = MEMINFO("24684092", "0", "0", "12342044", "10826024"), \
	.mode = "0\n", .ratio = "50\n", .kbytes = "0\n", \
	.admin_reserve = "8192\n", .user_reserve = "131072\n"

static char buffer[512];

static struct vmsi_reading read_number(const char *text)
{
	struct vmsi_reading reading = { .error = -EACCES };
	struct canned canned;
	struct vmsi_lines lines;

	if (text) {
		canned = canned_text(text, 7);
		lines = canned_lines(&canned, buffer, sizeof(buffer));
		reading.error = vmsi_number_read(&lines, &reading.value);
	}
	return reading;
}

static int read_meminfo(const char *text, struct vmsi_meminfo *meminfo)
{
	struct canned canned;
	struct vmsi_lines lines;

	if (!text)
		return -EACCES;
	canned = canned_text(text, 7);
	lines = canned_lines(&canned, buffer, sizeof(buffer));
	return vmsi_meminfo_read(&lines, meminfo);
}

static struct vmsi_commit_figures work_out(const struct machine *machine)
{
	struct vmsi_commit_sources sources = {
		.page_size = machine->page_size,
		.settings = {
			[VMSI_OVERCOMMIT_MEMORY] = read_number(machine->mode),
			[VMSI_OVERCOMMIT_RATIO] = read_number(machine->ratio),
			[VMSI_OVERCOMMIT_KBYTES] = read_number(machine->kbytes),
			[VMSI_ADMIN_RESERVE] =
				read_number(machine->admin_reserve),
			[VMSI_USER_RESERVE] =
				read_number(machine->user_reserve),
		},
		.exemption = machine->exemption,
	};

	sources.meminfo_error = read_meminfo(machine->meminfo,
					     &sources.meminfo);
	return vmsi_commit_work_out(&sources);
}

static void expect_kib(struct vmsi_reading reading, uint64_t kib)
{
	assert_int_equal(reading.error, 0);
	assert_int_equal(reading.value, kib * KIB);
}

static void expect_left(const struct vmsi_balance *balance, uint64_t kib)
{
	assert_int_equal(balance->error, 0);
	assert_false(balance->passed);
	assert_int_equal(balance->bytes, kib * KIB);
}

static void expect_passed(const struct vmsi_balance *balance, uint64_t kib)
{
	assert_int_equal(balance->error, 0);
	assert_true(balance->passed);
	assert_int_equal(balance->bytes, kib * KIB);
}

static void ratio_is_of_ram_in_whole_pages(void **state)
{
	const struct machine machine = { PLAIN };
	struct vmsi_commit_limit limit = work_out(&machine).limit;

	(void)state;
	assert_int_equal(limit.basis, VMSI_BASIS_RATIO);
	expect_kib(limit.ram, 24684092);
	expect_kib(limit.huge_pages, 0);
	expect_kib(limit.usable, 24684092);
	assert_int_equal(limit.ratio.value, 50);
	/* Half of the memory is 12342046 KiB, which is no multiple of a page. */
	expect_kib(limit.share, 12342044);
	expect_kib(limit.swap, 0);
	expect_kib(limit.sum, 12342044);
	expect_kib(limit.kernel, 12342044);
	assert_false(vmsi_commit_limits_differ(&limit));
}

static void huge_pages_are_taken_before_the_ratio(void **state)
{
	struct machine machine = { PLAIN };
	struct vmsi_commit_limit limit;

	(void)state;
	machine.meminfo = MEMINFO("16384000", "2097148", "4194304", "11849060",
				  "100");
	machine.ratio = "80\n";
	limit = work_out(&machine).limit;
	expect_kib(limit.huge_pages, 4194304);
	expect_kib(limit.usable, 12189696);
	/* 3047424 pages, 4 fifths of which are 2437939.2. */
	expect_kib(limit.share, 9751756);
	expect_kib(limit.sum, 11848904);
	assert_true(vmsi_commit_limits_differ(&limit));
}

static void ratio_may_be_above_100(void **state)
{
	struct machine machine = { PLAIN };

	(void)state;
	machine.ratio = "150\n";
	expect_kib(work_out(&machine).limit.sum, 37026136);
	machine.ratio = "0\n";
	expect_kib(work_out(&machine).limit.sum, 0);
}

static void kbytes_hold_in_place_of_the_ratio(void **state)
{
	struct machine machine = { PLAIN };
	struct vmsi_commit_limit limit;

	(void)state;
	machine.kbytes = "1000003\n";
	machine.meminfo = MEMINFO("16384000", "8192", "4194304", "1008192",
				  "100");
	limit = work_out(&machine).limit;
	assert_int_equal(limit.basis, VMSI_BASIS_KBYTES);
	expect_kib(limit.share, 1000000);
	expect_kib(limit.sum, 1008192);
	assert_false(vmsi_commit_limits_differ(&limit));
	/* The ratio is unused then, so it may be unreadable. */
	machine.ratio = NULL;
	expect_kib(work_out(&machine).limit.sum, 1008192);
}

static void pages_may_be_large(void **state)
{
	struct machine machine = { PLAIN };
	struct vmsi_commit_figures figures;

	(void)state;
	machine.page_size = 65536;
	machine.meminfo = MEMINFO("1048576", "0", "0", "345984", "0");
	machine.ratio = "33\n";
	machine.admin_reserve = "8191\n";
	figures = work_out(&machine);
	/* 33 % of 16384 pages are 5406.72. */
	expect_kib(figures.limit.sum, 345984);
	expect_kib(figures.left.admin_reserve, 8128);
	assert_int_equal(figures.left.page, 65536);
	expect_left(&figures.left.small, 345984 - 8128 - 64);
	machine.kbytes = "100\n";
	expect_kib(work_out(&machine).limit.sum, 64);
}

static void pools_of_older_kernels_are_counted_by_pages(void **state)
{
	struct machine machine = { PLAIN };

	(void)state;
	machine.meminfo = "MemTotal: 1048576 kB\nMemFree: 1 kB\n"
		"SwapTotal: 0 kB\nCommitLimit: 516096 kB\n"
		"Committed_AS: 0 kB\nHugePages_Total: 8\n"
		"Hugepagesize: 2048 kB\n";
	expect_kib(work_out(&machine).limit.huge_pages, 16384);
	expect_kib(work_out(&machine).limit.sum, 516096);
}

static void modes_are_known_by_their_numbers(void **state)
{
	static const struct {
		const char *text;
		enum vmsi_commit_mode mode;
	} modes[] = {
		{ "0\n", VMSI_MODE_HEURISTIC }, { "1\n", VMSI_MODE_ALWAYS },
		{ "2\n", VMSI_MODE_STRICT }, { "3\n", VMSI_MODE_UNKNOWN },
		{ "4294967298\n", VMSI_MODE_UNKNOWN },
		{ "two\n", VMSI_MODE_UNKNOWN }, { NULL, VMSI_MODE_UNKNOWN },
	};
	struct machine machine = { PLAIN };

	(void)state;
	for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++) {
		machine.mode = modes[i].text;
		assert_int_equal(work_out(&machine).mode, modes[i].mode);
	}
}

static void largest_request_is_ram_and_swap_with_huge_pages(void **state)
{
	struct machine machine = { PLAIN };

	(void)state;
	machine.meminfo = MEMINFO("16384000", "2097148", "4194304", "1", "1");
	expect_kib(work_out(&machine).largest_request, 18481148);
}

static void reserves_are_taken_from_what_is_left(void **state)
{
	struct machine machine = { PLAIN, .exemption = VMSI_EXEMPT_NO };
	struct vmsi_commit_left left = work_out(&machine).left;

	(void)state;
	expect_kib(left.limit, 12342044);
	expect_kib(left.committed, 10826024);
	expect_kib(left.admin_taken, 8192);
	expect_left(&left.small, 12342044 - 8192 - 10826024 - 4);
	expect_kib(left.user_reserve, 131072);
	expect_kib(left.large_size, 32 * 131072);
	expect_left(&left.large, 12342044 - 8192 - 10826024 - 4 - 131072);
}

static void administrators_reserve_is_not_kept_from_him(void **state)
{
	struct machine machine = { PLAIN, .exemption = VMSI_EXEMPT_YES };
	struct vmsi_commit_left left = work_out(&machine).left;

	(void)state;
	expect_kib(left.admin_reserve, 8192);
	expect_kib(left.admin_taken, 0);
	expect_left(&left.small, 12342044 - 10826024 - 4);
	/* The user_reserve is kept from processes of root as well. */
	expect_left(&left.large, 12342044 - 10826024 - 4 - 131072);
	machine.admin_reserve = NULL;
	left = work_out(&machine).left;
	expect_left(&left.small, 12342044 - 10826024 - 4);
	/* Where the capability is unknown, it is taken to be missing. */
	machine = (struct machine){ PLAIN, .exemption = VMSI_EXEMPT_UNKNOWN };
	expect_kib(work_out(&machine).left.admin_taken, 8192);
}

static void limit_that_is_passed_leaves_less_than_nothing(void **state)
{
	struct machine machine = { PLAIN, .exemption = VMSI_EXEMPT_YES };
	struct vmsi_commit_left left;

	(void)state;
	machine.meminfo = MEMINFO("2000", "0", "0", "1000", "996");
	left = work_out(&machine).left;
	/* Linux refuses a sum that equals the limit, so nothing is left. */
	expect_left(&left.small, 0);
	expect_passed(&left.large, 131072);
	machine.meminfo = MEMINFO("2000", "0", "0", "1000", "5000");
	left = work_out(&machine).left;
	expect_passed(&left.small, 4004);
}

static void kernels_own_limit_is_what_holds(void **state)
{
	struct machine machine = { PLAIN, .exemption = VMSI_EXEMPT_YES };
	struct vmsi_commit_figures figures;

	(void)state;
	machine.meminfo = MEMINFO("8000", "0", "0", "3000", "1000");
	figures = work_out(&machine);
	expect_kib(figures.limit.sum, 4000);
	expect_kib(figures.limit.kernel, 3000);
	assert_true(vmsi_commit_limits_differ(&figures.limit));
	expect_left(&figures.left.small, 1996);
}

static void sum_holds_where_the_kernel_tells_no_limit(void **state)
{
	struct machine machine = { PLAIN };
	struct vmsi_commit_figures figures;

	(void)state;
	machine.meminfo = "MemTotal: 8000 kB\nMemFree: 1 kB\n";
	figures = work_out(&machine);
	expect_kib(figures.limit.sum, 4000);
	assert_int_equal(figures.limit.kernel.error, -ENODATA);
	assert_false(vmsi_commit_limits_differ(&figures.limit));
	expect_kib(figures.left.limit, 4000);
	assert_int_equal(figures.left.committed.error, -ENODATA);
	assert_int_equal(figures.left.small.error, -ENODATA);
	assert_int_equal(figures.left.large.error, -ENODATA);
}

static void file_that_cannot_be_read_hides_only_what_is_made_of_it(
	void **state)
{
	struct machine machine = { PLAIN };
	struct vmsi_commit_figures figures;

	(void)state;
	machine.ratio = NULL;
	figures = work_out(&machine);
	assert_int_equal(figures.limit.basis, VMSI_BASIS_RATIO);
	assert_int_equal(figures.limit.share.error, -EACCES);
	assert_int_equal(figures.limit.sum.error, -EACCES);
	assert_int_equal(figures.left.small.error, 0);

	machine = (struct machine){ PLAIN };
	machine.kbytes = NULL;
	figures = work_out(&machine);
	assert_int_equal(figures.limit.basis, VMSI_BASIS_UNKNOWN);
	assert_int_equal(figures.limit.sum.error, -EACCES);
	expect_kib(figures.limit.kernel, 12342044);
	assert_int_equal(figures.left.small.error, 0);

	machine = (struct machine){ PLAIN };
	machine.admin_reserve = NULL;
	figures = work_out(&machine);
	expect_kib(figures.limit.sum, 12342044);
	assert_int_equal(figures.left.small.error, -EACCES);
	assert_int_equal(figures.left.large.error, -EACCES);

	machine = (struct machine){ PLAIN };
	machine.user_reserve = NULL;
	figures = work_out(&machine);
	assert_int_equal(figures.left.small.error, 0);
	assert_int_equal(figures.left.large_size.error, -EACCES);
	assert_int_equal(figures.left.large.error, -EACCES);
}

static void without_meminfo_the_settings_are_left(void **state)
{
	static const char *const texts[] = { NULL, "", "MemTotal: x kB\n" };
	struct machine machine = { PLAIN };

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		const int error = texts[i] ? -EPROTO : -EACCES;
		struct vmsi_commit_figures figures;

		machine.meminfo = texts[i];
		figures = work_out(&machine);
		assert_int_equal(figures.mode, VMSI_MODE_HEURISTIC);
		assert_int_equal(figures.limit.ram.error, error);
		assert_int_equal(figures.limit.huge_pages.error, error);
		assert_int_equal(figures.limit.sum.error, error);
		assert_int_equal(figures.limit.kernel.error, error);
		assert_int_equal(figures.largest_request.error, error);
		assert_int_equal(figures.left.committed.error, error);
		assert_int_equal(figures.left.small.error, error);
		expect_kib(figures.left.admin_reserve, 8192);
	}
}

static void numbers_of_more_than_32_bits_are_exact(void **state)
{
	struct machine machine = { PLAIN };
	struct vmsi_commit_figures figures;

	(void)state;
	/* 4 GiB in pages times 100 passes 32 bits; so does 6 TiB in KiB. */
	machine.meminfo = MEMINFO("4194304", "4194304", "0", "8388608", "0");
	machine.ratio = "100\n";
	expect_kib(work_out(&machine).limit.sum, 8388608);
	machine.meminfo = MEMINFO("6597069768", "4294967296", "1073741824",
				  "7056631268", "5000000000");
	machine.ratio = "50\n";
	figures = work_out(&machine);
	expect_kib(figures.limit.usable, 5523327944);
	expect_kib(figures.limit.share, 2761663972);
	expect_kib(figures.limit.sum, 7056631268);
	assert_false(vmsi_commit_limits_differ(&figures.limit));
	expect_left(&figures.left.small, 7056631268 - 8192 - 5000000000 - 4);
}

static void numbers_that_do_not_fit_are_unknown(void **state)
{
	struct machine machine = { PLAIN };
	struct vmsi_commit_figures figures;

	(void)state;
	/* 2^54 KiB are 2^64 bytes. */
	machine.kbytes = "18014398509481984\n";
	figures = work_out(&machine);
	assert_int_equal(figures.limit.share.error, -EOVERFLOW);
	assert_int_equal(figures.limit.sum.error, -EOVERFLOW);

	machine = (struct machine){ PLAIN };
	machine.ratio = "18446744073709551615\n";
	assert_int_equal(work_out(&machine).limit.sum.error, -EOVERFLOW);

	machine = (struct machine){ PLAIN };
	machine.meminfo = MEMINFO("18014398509481983", "0", "0", "1", "1");
	machine.ratio = "100\n";
	figures = work_out(&machine);
	assert_int_equal(figures.largest_request.error, 0);
	machine.meminfo = MEMINFO("18014398509481983", "1", "0", "1", "1");
	figures = work_out(&machine);
	assert_int_equal(figures.largest_request.error, -EOVERFLOW);

	machine = (struct machine){ PLAIN };
	machine.user_reserve = "18014398509481980\n";
	figures = work_out(&machine);
	assert_int_equal(figures.left.large_size.error, -EOVERFLOW);
	assert_int_equal(figures.left.small.error, 0);

	/* A container shows its own RAM beside the whole machine's huge pages. */
	machine = (struct machine){ PLAIN };
	machine.meminfo = MEMINFO("1000", "0", "2048", "500", "1");
	figures = work_out(&machine);
	assert_int_equal(figures.limit.usable.error, -ERANGE);
	assert_int_equal(figures.limit.sum.error, -ERANGE);
	expect_kib(figures.left.limit, 500);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ratio_is_of_ram_in_whole_pages),
		cmocka_unit_test(huge_pages_are_taken_before_the_ratio),
		cmocka_unit_test(ratio_may_be_above_100),
		cmocka_unit_test(kbytes_hold_in_place_of_the_ratio),
		cmocka_unit_test(pages_may_be_large),
		cmocka_unit_test(pools_of_older_kernels_are_counted_by_pages),
		cmocka_unit_test(modes_are_known_by_their_numbers),
		cmocka_unit_test(
			largest_request_is_ram_and_swap_with_huge_pages),
		cmocka_unit_test(reserves_are_taken_from_what_is_left),
		cmocka_unit_test(administrators_reserve_is_not_kept_from_him),
		cmocka_unit_test(limit_that_is_passed_leaves_less_than_nothing),
		cmocka_unit_test(kernels_own_limit_is_what_holds),
		cmocka_unit_test(sum_holds_where_the_kernel_tells_no_limit),
		cmocka_unit_test(
			file_that_cannot_be_read_hides_only_what_is_made_of_it),
		cmocka_unit_test(without_meminfo_the_settings_are_left),
		cmocka_unit_test(numbers_of_more_than_32_bits_are_exact),
		cmocka_unit_test(numbers_that_do_not_fit_are_unknown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
