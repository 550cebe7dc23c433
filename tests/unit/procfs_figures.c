/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <unistd.h>

#include <cmocka.h>

#include "host/host.h"
#include "procfs/file.h"
#include "procfs/meminfo.h"
#include "procfs/status.h"
#include "text_canned.h"

#define PERSON "Name:\tsh: a\\nb\nUmask:\t0022\nState:\tS (sleeping)\n" \
	"Tgid:\t77\nPid:\t77\nPPid:\t1\n"

static char buffer[4096];

static int read_status(const char *text, struct vmsi_status *status,
		       enum vmsi_status_memory *memory)
{
	struct canned canned = canned_text(text, 5);
	struct vmsi_lines lines = canned_lines(&canned, buffer, sizeof(buffer));

	return vmsi_status_read(&lines, status, memory);
}

static int read_meminfo(const char *text, struct vmsi_meminfo *meminfo)
{
	struct canned canned = canned_text(text, 5);
	struct vmsi_lines lines = canned_lines(&canned, buffer, sizeof(buffer));

	return vmsi_meminfo_read(&lines, meminfo);
}

static void status_is_read_in_bytes(void **state)
{
	struct vmsi_status status;
	enum vmsi_status_memory memory;

	(void)state;
	assert_int_equal(read_status(
		PERSON "VmPeak:\t    3060 kB\nVmSize:\t    3000 kB\n"
		"VmRSS:\t 1744 kB\nVmSwap:\t 12 kB\nThreads:\t3\n"
		"SigQ:\t0/96365\nCapEff:\t0000003fffdfffff\n"
		"voluntary_ctxt_switches:\t0\n",
		&status, &memory), 0);
	assert_int_equal(memory, VMSI_STATUS_HAS_MEMORY);
	assert_int_equal(status.thread_group, 77);
	assert_int_equal(status.parent, 1);
	assert_int_equal(status.threads, 3);
	assert_int_equal(status.mapped, 3000 << 10);
	assert_int_equal(status.mapped_peak, 3060 << 10);
	assert_int_equal(status.resident, 1744 << 10);
	assert_int_equal(status.swapped, 12 << 10);
	assert_int_equal(status.hugetlb, 0);
	assert_true(status.capabilities == UINT64_C(0x3fffdfffff));
}

static void process_without_memory_says_so(void **state)
{
	struct vmsi_status status;
	enum vmsi_status_memory memory;

	(void)state;
	assert_int_equal(read_status(PERSON "Threads:\t1\n", &status, &memory),
			 0);
	assert_int_equal(memory, VMSI_STATUS_NO_MEMORY);
	assert_int_equal(status.mapped, 0);
}

static void broken_status_leaves_the_results(void **state)
{
	static const char *const texts[] = {
		"",
		"Tgid:\t77\nPPid:\t1\n",
		PERSON "Threads:\tmany\n",
		PERSON "Threads:\t1 2\n",
		PERSON "Threads:\t1\nCapEff:\tall\n",
		PERSON "Threads:\t1\nVmSize:\t3000\n",
		PERSON "Threads:\t1\nVmSize:\t18014398509481984 kB\n",
		PERSON "Threads:\t1",
	};
	struct vmsi_status status = { .mapped = 5 };
	enum vmsi_status_memory memory = VMSI_STATUS_HAS_MEMORY;

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		assert_int_equal(read_status(texts[i], &status, &memory),
				 -EPROTO);
		assert_int_equal(status.mapped, 5);
		assert_int_equal(status.thread_group, 0);
		assert_int_equal(memory, VMSI_STATUS_HAS_MEMORY);
	}
}

static void meminfo_is_read_in_bytes(void **state)
{
	struct vmsi_meminfo meminfo;

	(void)state;
	assert_int_equal(read_meminfo(
		"MemTotal:       24665088 kB\nMemFree:        1 kB\n"
		"Active(anon):      12 kB\nCommitLimit:    12332544 kB\n"
		"Committed_AS:     34 kB\nHugePages_Total:       7\n"
		"HugePages_Free:       2\nHugepagesize:       2048 kB\n"
		"Hugetlb:           14336 kB\n", &meminfo), 0);
	assert_int_equal(meminfo.ram, (uint64_t)24665088 << 10);
	assert_int_equal(meminfo.ram_free, 1024);
	assert_int_equal(meminfo.commit_limit, (uint64_t)12332544 << 10);
	assert_int_equal(meminfo.committed, 34 << 10);
	assert_int_equal(meminfo.huge_pages, 7);
	assert_int_equal(meminfo.huge_pages_free, 2);
	assert_int_equal(meminfo.huge_page_size, 2 << 20);
	assert_int_equal(meminfo.hugetlb, 14 << 20);
	assert_int_equal(meminfo.swap, 0);
	assert_true(meminfo.tells_commit);
	assert_true(meminfo.tells_hugetlb);
}

static void what_meminfo_leaves_out_is_told(void **state)
{
	struct vmsi_meminfo meminfo;

	(void)state;
	assert_int_equal(read_meminfo("MemTotal: 8 kB\nMemFree: 1 kB\n"
				      "CommitLimit: 4 kB\n", &meminfo), 0);
	assert_false(meminfo.tells_commit);
	assert_false(meminfo.tells_hugetlb);
	assert_int_equal(read_meminfo("MemTotal: 8 kB\nMemFree: 1 kB\n"
				      "CommitLimit: 4 kB\n"
				      "Committed_AS: 0 kB\n"
				      "Hugetlb: 0 kB\n", &meminfo), 0);
	assert_true(meminfo.tells_commit);
	assert_true(meminfo.tells_hugetlb);
}

static void broken_meminfo_leaves_the_result(void **state)
{
	struct vmsi_meminfo meminfo = { .ram = 5 };

	(void)state;
	assert_int_equal(read_meminfo("", &meminfo), -EPROTO);
	assert_int_equal(read_meminfo("MemTotal: 1 kB\n", &meminfo), -EPROTO);
	assert_int_equal(read_meminfo("MemTotal: 1 kB\nMemFree: 1\n", &meminfo),
			 -EPROTO);
	assert_int_equal(meminfo.ram, 5);
}

static void read_error_is_passed_on(void **state)
{
	struct canned canned = canned_text(PERSON, 5);
	struct vmsi_lines lines = canned_lines(&canned, buffer, sizeof(buffer));
	struct vmsi_status status;
	enum vmsi_status_memory memory;

	(void)state;
	canned.error = -EIO;
	assert_int_equal(vmsi_status_read(&lines, &status, &memory), -EIO);
}

static void this_kernel_is_understood(void **state)
{
	struct vmsi_lines lines;
	struct vmsi_status status;
	struct vmsi_meminfo meminfo;
	enum vmsi_status_memory memory;
	int fd = vmsi_procfs_open(0, "status");

	(void)state;
	assert_true(fd >= 0);
	vmsi_host_lines(&lines, &fd, buffer, sizeof(buffer));
	assert_int_equal(vmsi_status_read(&lines, &status, &memory), 0);
	close(fd);
	assert_int_equal(memory, VMSI_STATUS_HAS_MEMORY);
	assert_int_equal(status.thread_group, getpid());
	assert_int_equal(status.parent, getppid());
	assert_true(status.mapped >= status.resident);
	assert_true(status.resident >= 64 << 10);

	fd = (int)vmsi_host.open("/proc/meminfo");
	assert_true(fd >= 0);
	vmsi_host_lines(&lines, &fd, buffer, sizeof(buffer));
	assert_int_equal(vmsi_meminfo_read(&lines, &meminfo), 0);
	close(fd);
	assert_true(meminfo.ram >= meminfo.ram_available);
	assert_true(meminfo.ram_available > 0);
	assert_true(meminfo.committed > 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(status_is_read_in_bytes),
		cmocka_unit_test(process_without_memory_says_so),
		cmocka_unit_test(broken_status_leaves_the_results),
		cmocka_unit_test(meminfo_is_read_in_bytes),
		cmocka_unit_test(what_meminfo_leaves_out_is_told),
		cmocka_unit_test(broken_meminfo_leaves_the_result),
		cmocka_unit_test(read_error_is_passed_on),
		cmocka_unit_test(this_kernel_is_understood),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
