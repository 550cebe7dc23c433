/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/sysmacros.h>

#include <cmocka.h>

#include "procfs/smaps.h"
#include "text_canned.h"

#define FIGURES \
	"Size:                 24 kB\n" \
	"KernelPageSize:        4 kB\n" \
	"MMUPageSize:           4 kB\n" \
	"Rss:                  20 kB\n" \
	"Anonymous:             0 kB\n" \
	"AnonHugePages:         0 kB\n" \
	"Shared_Hugetlb:        0 kB\n" \
	"Private_Hugetlb:       0 kB\n" \
	"THPeligible:           0\n"

static char buffer[32 << 10];
static struct vms_mapping_info info;

/* Read one mapping and return the result of the call. */
static int read_one(const char *text)
{
	struct canned canned = canned_text(text, 7);
	struct vmsi_lines lines = canned_lines(&canned, buffer, sizeof(buffer));

	memset(&info, 0xaa, sizeof(info));
	info.struct_size = sizeof(info);
	return vmsi_smaps_next(&lines, &info);
}

static void expect_broken(const char *text)
{
	static struct vms_mapping_info before;

	memset(&before, 0xaa, sizeof(before));
	before.struct_size = sizeof(before);
	assert_int_equal(read_one(text), -EPROTO);
	assert_memory_equal(&info, &before, sizeof(info));
}

static void file_mapping_has_all_its_parts(void **state)
{
	(void)state;
	assert_int_equal(read_one(
		"55802dd96000-55802dd9c000 r-xp 00002000 fe:01 247498"
		"                     /usr/bin/head\n"
		FIGURES "VmFlags: rd ex mr mw me \n"), 1);
	assert_int_equal(info.start, 0x55802dd96000);
	assert_int_equal(info.length, 0x6000);
	assert_int_equal(info.prot, PROT_READ | PROT_EXEC);
	assert_int_equal(info.flags, 0);
	assert_int_equal(info.offset, 0x2000);
	assert_int_equal(info.device, makedev(0xfe, 1));
	assert_int_equal(info.inode, 247498);
	assert_int_equal(info.page_size, 4096);
	assert_int_equal(info.resident, 20480);
	assert_int_equal(info.committed, 0);
	assert_string_equal(info.path, "/usr/bin/head");
	assert_string_equal(info.name, "");
}

static void accounted_memory_is_committed_in_full(void **state)
{
	(void)state;
	assert_int_equal(read_one("1000-3000 rw-p 00000000 00:00 0 \n"
				  FIGURES "VmFlags: rd wr mr mw me ac \n"), 1);
	assert_int_equal(info.committed, 0x2000);
	assert_int_equal(info.flags, VMS_MAPPING_ANONYMOUS);
	assert_string_equal(info.path, "");
}

static void every_flag_is_told(void **state)
{
	static const struct {
		const char *text;
		unsigned flag;
	} flags[] = {
		{ "nr", VMS_MAPPING_NORESERVE },
		{ "lo", VMS_MAPPING_LOCKED },
		{ "gd", VMS_MAPPING_GROWSDOWN },
		{ "ht", VMS_MAPPING_HUGETLB },
		{ "sl", VMS_MAPPING_SEALED },
		{ "dc", VMS_MAPPING_DONTFORK },
		{ "wf", VMS_MAPPING_WIPEONFORK },
		{ "dd", VMS_MAPPING_DONTDUMP },
		{ "mg", VMS_MAPPING_MERGEABLE },
		{ "hg", VMS_MAPPING_HUGEPAGE },
		{ "nh", VMS_MAPPING_NOHUGEPAGE },
		{ "zz", 0 },
		{ "nrlo", 0 },
		{ "", 0 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(flags) / sizeof(flags[0]); i++) {
		char text[256];

		snprintf(text, sizeof(text),
			 "1000-2000 rw-p 00000000 00:00 0 \n"
			 "VmFlags: rd wr %s mr \n", flags[i].text);
		assert_int_equal(read_one(text), 1);
		assert_int_equal(info.flags,
				 VMS_MAPPING_ANONYMOUS | flags[i].flag);
	}
}

static void sharing_is_read_from_the_rights(void **state)
{
	(void)state;
	/* For a file opened read-only Linux clears VM_SHARED, which "sh" shows. */
	assert_int_equal(read_one("1000-2000 r--s 00001000 08:01 5 /f\n"
				  FIGURES "VmFlags: rd mr me ms \n"), 1);
	assert_int_equal(info.flags, VMS_MAPPING_SHARED);
}

static void expect_name(const char *label, const char *name, unsigned flags)
{
	char text[512];

	snprintf(text, sizeof(text),
		 "1000-2000 rw-p 00000000 00:00 0   %s\n", label);
	assert_int_equal(read_one(text), 1);
	assert_string_equal(info.name, name);
	assert_string_equal(info.path, "");
	assert_int_equal(info.flags, flags);
}

static void names_are_told_apart_from_paths(void **state)
{
	char longest[128];

	(void)state;
	expect_name("[anon:my heap: 2]", "my heap: 2", VMS_MAPPING_ANONYMOUS);
	expect_name("[anon:]", "", VMS_MAPPING_ANONYMOUS);
	expect_name("[heap]", "[heap]", VMS_MAPPING_ANONYMOUS);
	expect_name("[vvar_vclock]", "[vvar_vclock]", VMS_MAPPING_ANONYMOUS);
	expect_name("[anon:broken", "[anon:broken", VMS_MAPPING_ANONYMOUS);
	expect_name("[", "[", VMS_MAPPING_ANONYMOUS);

	memset(longest, 'n', sizeof(longest));
	memcpy(longest, "[anon:", 6);
	strcpy(longest + 6 + VMS_NAME_MAX + 3, "]");
	assert_int_equal(strlen(longest), 6 + VMS_NAME_MAX + 4);
	char cut[VMS_NAME_MAX + 1];

	memset(cut, 'n', VMS_NAME_MAX);
	cut[VMS_NAME_MAX] = '\0';
	expect_name(longest, cut, VMS_MAPPING_ANONYMOUS);
}

static void expect_path(const char *label, const char *path)
{
	char text[512];

	snprintf(text, sizeof(text),
		 "1000-2000 rw-s 00003000 fd:02 77   %s\n", label);
	assert_int_equal(read_one(text), 1);
	assert_string_equal(info.path, path);
	assert_string_equal(info.name, "");
	assert_int_equal(info.flags, VMS_MAPPING_SHARED);
	assert_int_equal(info.offset, 0x3000);
	assert_int_equal(info.inode, 77);
}

static void hostile_paths_are_kept(void **state)
{
	(void)state;
	expect_path("/tmp/with  two spaces ", "/tmp/with  two spaces ");
	expect_path("/tmp/gone (deleted)", "/tmp/gone (deleted)");
	expect_path("/new\\012line", "/new\nline");
	expect_path("/\\012", "/\n");
	expect_path("/\\01", "/\\01");
	expect_path("/a\\0122", "/a\n2");
	expect_path("/back\\slash\\134", "/back\\slash\\134");
	expect_path("/tab\there", "/tab\there");
	expect_path("/\xff\xfe\x1b[31m", "/\xff\xfe\x1b[31m");
	expect_path("/[heap]", "/[heap]");
	expect_path("[heap]", "[heap]");
	expect_path("/Rss: 12 kB", "/Rss: 12 kB");
	expect_path("anon_inode:[perf_event]", "anon_inode:[perf_event]");
	expect_path("/dev/zero (deleted)", "/dev/zero (deleted)");
	expect_path("/SYSV00000000 (deleted)", "/SYSV00000000 (deleted)");
}

static void expect_made_up(const char *first_line, const char *more,
			   const char *name, unsigned flags, uint64_t offset)
{
	char text[512];

	snprintf(text, sizeof(text), "%s\n%s", first_line, more);
	assert_int_equal(read_one(text), 1);
	assert_string_equal(info.path, "");
	assert_string_equal(info.name, name);
	assert_int_equal(info.flags, flags | VMS_MAPPING_ANONYMOUS);
	assert_int_equal(info.offset, offset);
}

static void files_that_the_kernel_made_up_are_anonymous(void **state)
{
	(void)state;
	expect_made_up("1000-2000 rw-s 00004000 00:01 9 /dev/zero (deleted)",
		       "", "", VMS_MAPPING_SHARED, 0x4000);
	expect_made_up("1000-2000 rw-s 00000000 00:01 9 [anon_shmem:ring]",
		       "", "ring", VMS_MAPPING_SHARED, 0);
	expect_made_up("200000-400000 rw-p 00200000 00:10 9 "
		       "/anon_hugepage (deleted)", "VmFlags: rd ht \n", "",
		       VMS_MAPPING_HUGETLB, 0);
	expect_made_up("1000-2000 rw-s 00000000 00:01 32768 "
		       "/SYSV000000ff (deleted)", "", "/SYSV000000ff",
		       VMS_MAPPING_SHARED, 0);
}

static void look_alikes_of_made_up_files_are_files(void **state)
{
	(void)state;
	/* This is a private mapping of a device file in a deleted directory. */
	assert_int_equal(read_one("1000-2000 rw-p 00000000 00:05 4 "
				  "/dev/zero (deleted)\n"), 1);
	assert_string_equal(info.path, "/dev/zero (deleted)");
	assert_int_equal(info.flags, 0);

	assert_int_equal(read_one("1000-2000 rw-s 00000000 00:01 4 "
				  "/SYSV0000 (deleted)\n"), 1);
	assert_string_equal(info.path, "/SYSV0000 (deleted)");

	assert_int_equal(read_one("1000-2000 rw-s 00000000 00:01 4 "
				  "/memfd:queue (deleted)\n"), 1);
	assert_string_equal(info.path, "/memfd:queue (deleted)");
	assert_int_equal(info.flags, VMS_MAPPING_SHARED);
}

static void huge_pages_count_as_resident(void **state)
{
	(void)state;
	assert_int_equal(read_one("200000-800000 rw-p 00000000 00:10 9 /f\n"
				  "KernelPageSize:     2048 kB\n"
				  "Rss:                   0 kB\n"
				  "Shared_Hugetlb:     2048 kB\n"
				  "Private_Hugetlb:    4096 kB\n"
				  "VmFlags: rd wr ht \n"), 1);
	assert_int_equal(info.resident, 6 << 20);
	assert_int_equal(info.page_size, 2 << 20);
}

static void maps_without_figures_can_be_read(void **state)
{
	struct canned canned = canned_text(
		"1000-2000 r--p 00000000 08:01 5 /a\n"
		"2000-4000 rw-p 00000000 00:00 0 \n"
		"ffffffffff600000-ffffffffff601000 --xp 00000000 00:00 0"
		"                  [vsyscall]\n", 5);
	struct vmsi_lines lines = canned_lines(&canned, buffer, sizeof(buffer));

	(void)state;
	assert_int_equal(vmsi_smaps_next(&lines, &info), 1);
	assert_string_equal(info.path, "/a");
	assert_true(info.resident == VMS_NOT_COUNTED);
	assert_int_equal(vmsi_smaps_next(&lines, &info), 1);
	assert_int_equal(info.start, 0x2000);
	assert_string_equal(info.path, "");
	assert_int_equal(vmsi_smaps_next(&lines, &info), 1);
	assert_true(info.start == 0xffffffffff600000);
	assert_int_equal(info.prot, PROT_EXEC);
	assert_string_equal(info.name, "[vsyscall]");
	assert_int_equal(vmsi_smaps_next(&lines, &info), 0);
	assert_int_equal(vmsi_smaps_next(&lines, &info), 0);
}

static void the_largest_numbers_are_read(void **state)
{
	(void)state;
	assert_int_equal(read_one(
		"0-ffffffffffffffff ---p ffffffffffffffff fff:fffff "
		"18446744073709551615 /x\n"), 1);
	assert_true(info.length == UINTPTR_MAX);
	assert_true(info.offset == UINT64_MAX);
	assert_true(info.inode == UINT64_MAX);
	assert_int_equal(info.device, makedev(0xfff, 0xfffff));
}

static void broken_first_lines_are_refused(void **state)
{
	static const char *const texts[] = {
		"\n",
		"Rss: 4 kB\n",
		" 1000-2000 r--p 00000000 00:00 0 \n",
		"1000\n",
		"1000-\n",
		"1000-2000\n",
		"1000 2000 r--p 00000000 00:00 0 \n",
		"2000-1000 r--p 00000000 00:00 0 \n",
		"1000-1000 r--p 00000000 00:00 0 \n",
		"1000-10000000000000000 r--p 00000000 00:00 0 \n",
		"0x1000-0x2000 r--p 00000000 00:00 0 \n",
		"1000-2000 r--\n",
		"1000-2000 r-- 00000000 00:00 0 \n",
		"1000-2000 w--p 00000000 00:00 0 \n",
		"1000-2000 r--q 00000000 00:00 0 \n",
		"1000-2000 r--pp 00000000 00:00 0 \n",
		"1000-2000 r--p g 00:00 0 \n",
		"1000-2000 r--p 10000000000000000 00:00 0 \n",
		"1000-2000 r--p 00000000 0000 0 \n",
		"1000-2000 r--p 00000000 00:100000000 0 \n",
		"1000-2000 r--p 00000000 00:00 \n",
		"1000-2000 r--p 00000000 00:00 x\n",
		"1000-2000 r--p 00000000 00:00 -1\n",
		"1000-2000 r--p 00000000 00:00 18446744073709551616 \n",
		"1000-2000 r--p 00000000 00:00 12/path\n",
		"1000-2000 r--p 00000000 00:00 0 ",
		"\xff\n",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		expect_broken(texts[i]);
}

static void broken_figures_are_refused(void **state)
{
	static const char *const lines[] = {
		"\n",
		"no colon here\n",
		": 4 kB\n",
		"Rss:\n",
		"Rss: \n",
		"Rss: kB\n",
		"Rss: 4\n",
		"Rss: 4 MB\n",
		"Rss: 4 kB more\n",
		"Rss: -4 kB\n",
		"Rss: 0x4 kB\n",
		"Rss: 18014398509481984 kB\n",
		"Rss: 99999999999999999999999 kB\n",
		"Rss: 4 kB",
		"KernelPageSize: four kB\n",
		"Rss: 18014398509481983 kB\nPrivate_Hugetlb: 1 kB\n",
	};
	char text[256];

	(void)state;
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		snprintf(text, sizeof(text),
			 "1000-2000 r--p 00000000 00:00 0 \n%s", lines[i]);
		expect_broken(text);
	}
}

static void unknown_figures_are_passed_over(void **state)
{
	(void)state;
	assert_int_equal(read_one("1000-2000 r--p 00000000 00:00 0 \n"
				  "FromTheFuture:  in furlongs\n"
				  "Rss:    4 kB\n"
				  "VmFlags:\n"
				  "ProtectionKey:         0\n"), 1);
	assert_int_equal(info.resident, 4096);
}

/* The file shows each newline of the path as four bytes. */
static void longest_path_is_whole_and_longer_ones_are_cut(void **state)
{
	static char text[5 * VMS_PATH_MAX];
	static char path[VMS_PATH_MAX];
	static const char head[] = "1000-2000 r--p 00000000 08:01 5 ";

	(void)state;
	for (size_t count = VMS_PATH_MAX - 2; count <= VMS_PATH_MAX + 1; count++) {
		size_t kept = count < VMS_PATH_MAX ? count : VMS_PATH_MAX - 1;
		char *at = stpcpy(text, head);

		for (size_t i = 0; i < count; i++)
			at = stpcpy(at, "\\012");
		strcpy(at, "\nRss: 8 kB\n");
		memset(path, '\n', kept);
		path[kept] = '\0';
		assert_int_equal(read_one(text), 1);
		assert_string_equal(info.path, path);
		assert_int_equal(info.resident, 8192);
	}
}

static void line_longer_than_the_buffer_loses_its_end_only(void **state)
{
	char small[64];
	struct canned canned = canned_text(
		"1000-2000 r--p 00000000 08:01 5 /0123456789/0123456789/"
		"0123456789/0123456789\n"
		"Rss: 8 kB\n"
		"2000-3000 r--p 00000000 08:01 5 /b\n", 3);
	struct vmsi_lines lines = canned_lines(&canned, small, sizeof(small));

	(void)state;
	assert_int_equal(vmsi_smaps_next(&lines, &info), 1);
	assert_string_equal(info.path, "/0123456789/0123456789/012345678");
	assert_int_equal(info.resident, 8192);
	assert_int_equal(vmsi_smaps_next(&lines, &info), 1);
	assert_string_equal(info.path, "/b");
	assert_int_equal(vmsi_smaps_next(&lines, &info), 0);
}

static void cut_figures_are_refused(void **state)
{
	char small[40];
	struct canned canned = canned_text(
		"1000-2000 r--p 00000000 08:01 5 /b\n"
		"VmFlags: rd wr mr mw me ac sd mm pf io sr rr dc de ar\n", 3);
	struct vmsi_lines lines = canned_lines(&canned, small, sizeof(small));

	(void)state;
	assert_int_equal(vmsi_smaps_next(&lines, &info), -EPROTO);
}

static void read_error_is_passed_on(void **state)
{
	struct canned canned = canned_text(
		"1000-2000 r--p 00000000 08:01 5 /b\nRss: 4 kB\n", 3);
	struct vmsi_lines lines = canned_lines(&canned, buffer, sizeof(buffer));

	(void)state;
	canned.error = -ESRCH;
	assert_int_equal(vmsi_smaps_next(&lines, &info), -ESRCH);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(file_mapping_has_all_its_parts),
		cmocka_unit_test(accounted_memory_is_committed_in_full),
		cmocka_unit_test(every_flag_is_told),
		cmocka_unit_test(sharing_is_read_from_the_rights),
		cmocka_unit_test(names_are_told_apart_from_paths),
		cmocka_unit_test(hostile_paths_are_kept),
		cmocka_unit_test(files_that_the_kernel_made_up_are_anonymous),
		cmocka_unit_test(look_alikes_of_made_up_files_are_files),
		cmocka_unit_test(huge_pages_count_as_resident),
		cmocka_unit_test(maps_without_figures_can_be_read),
		cmocka_unit_test(the_largest_numbers_are_read),
		cmocka_unit_test(broken_first_lines_are_refused),
		cmocka_unit_test(broken_figures_are_refused),
		cmocka_unit_test(unknown_figures_are_passed_over),
		cmocka_unit_test(longest_path_is_whole_and_longer_ones_are_cut),
		cmocka_unit_test(line_longer_than_the_buffer_loses_its_end_only),
		cmocka_unit_test(cut_figures_are_refused),
		cmocka_unit_test(read_error_is_passed_on),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
