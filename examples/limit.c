/* SPDX-License-Identifier: MIT */
/*
 * vmspace/space.h: a commit limit of a program's own.
 *
 * A cache may use 64 MiB and not a page more. What does not fit is refused at
 * once with ENOMEM, and the reason can be asked for; giving memory back makes
 * room again.
 */
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include <vmspace/mapping.h>
#include <vmspace/space.h>

#define MIB ((size_t)1 << 20)

static void *take(vms_space *space, size_t length)
{
	void *memory = vms_mmap(space, NULL, length, PROT_READ | PROT_WRITE,
				MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (memory == MAP_FAILED) {
		printf("%zu MiB: %s\n", length / MIB,
		       vms_refusal_text(vms_last_refusal()));
		return NULL;
	}
	printf("%zu MiB: given\n", length / MIB);
	return memset(memory, 1, length);
}

int main(void)
{
	struct vms_space_options options = {
		.struct_size = sizeof(options),
		.name = "cache",
		.commit_limit = 64 * MIB,
		.commit_policy = VMS_COMMIT_STRICT,
	};
	vms_space *space = vms_space_open((size_t)1 << 32, &options);
	char *first;

	if (!space) {
		perror("example-limit");
		return 1;
	}
	first = take(space, 48 * MIB);
	if (!first || take(space, 32 * MIB))
		return 1;
	if (vms_decommit(space, first, 32 * MIB, VMS_DECOMMIT_UNCHARGE) < 0)
		return 1;
	printf("32 of the 48 MiB given back\n");
	if (!take(space, 32 * MIB))
		return 1;
	return vms_space_close(space) < 0;
}
