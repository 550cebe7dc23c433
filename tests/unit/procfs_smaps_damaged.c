/* SPDX-License-Identifier: MIT */
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <cmocka.h>

#include "procfs/smaps.h"
#include "text_canned.h"

/* The smaps reader gets text with random bytes changed; VMS_SEED repeats a run. */

#define FIGURES \
	"Size:                 24 kB\n" \
	"Rss:                  20 kB\n" \
	"AnonHugePages:         0 kB\n" \
	"Private_Hugetlb:       0 kB\n"

static char buffer[32 << 10];
static struct vms_mapping_info info;

static uint64_t random_state;

static size_t random_below(size_t limit)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return (size_t)(random_state % limit);
}

/* Check what must be true of any mapping that is returned. */
static void check_sane(const struct vms_mapping_info *given)
{
	assert_true(given->length > 0);
	assert_true(given->start < given->start + given->length);
	assert_true(memchr(given->path, 0, sizeof(given->path)) != NULL);
	assert_true(memchr(given->name, 0, sizeof(given->name)) != NULL);
	assert_true(given->committed == 0 || given->committed == given->length);
}

static void damaged_text_never_gives_an_insane_mapping(void **state)
{
	static const char good[] =
		"1000-2000 r--p 00000000 08:01 5 /b\n" FIGURES
		"VmFlags: rd ac \n"
		"2000-3000 rw-s 00000000 00:01 5 /dev/zero (deleted)\n" FIGURES
		"VmFlags: rd ht \n"
		"3000-4000 rw-p 00000000 00:00 0 [anon:x]\n" FIGURES;
	const char *given = getenv("VMS_SEED");
	char text[sizeof(good)];

	(void)state;
	info.struct_size = sizeof(info);
	random_state = given ? strtoull(given, NULL, 0) :
			       (uint64_t)time(NULL) * 2654435761u | 1;
	print_message("# VMS_SEED=%" PRIu64 "\n", random_state);
	for (int round = 0; round < 20000; round++) {
		memcpy(text, good, sizeof(good));
		for (size_t n = random_below(4) + 1; n > 0; n--)
			text[random_below(sizeof(good) - 1)] =
				"0f \n:-[]/\\kBVmR\0\xff"[random_below(17)];

		struct canned canned = { .text = text,
					 .length = sizeof(good) - 1,
					 .chunk = random_below(100) + 1 };
		struct vmsi_lines lines = canned_lines(&canned, buffer,
			random_below(200) + 1);

		while (vmsi_smaps_next(&lines, &info) > 0)
			check_sane(&info);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(damaged_text_never_gives_an_insane_mapping),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
