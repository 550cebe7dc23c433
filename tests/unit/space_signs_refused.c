/* SPDX-License-Identifier: MIT */
#include <sys/resource.h>
#include <sys/stat.h>

#include "signs_fixture.h"

/* Each call that the host may refuse for the table of names is refused in turn. */

static struct vmsi_host_calls real;
static int refused_call, calls_made;

static bool is_refused(void)
{
	return ++calls_made == refused_call;
}

#define REFUSING(name, parameters, arguments) \
	static long refuse_##name parameters \
	{ \
		return is_refused() ? -ENOMEM : real.name arguments; \
	}
REFUSING(memfd_create, (const char *name, unsigned flags), (name, flags))
REFUSING(ftruncate, (int fd, uint64_t length), (fd, length))
REFUSING(fallocate, (int fd, int mode, uint64_t offset, uint64_t length),
	 (fd, mode, offset, length))
REFUSING(fstat, (int fd, struct stat *status), (fd, status))
REFUSING(add_seals, (int fd, int seals), (fd, seals))
REFUSING(duplicate, (int fd, int least), (fd, least))

static long refuse_mmap(uintptr_t address, size_t length, int prot, int flags,
			int fd, uint64_t offset)
{
	/* Those of the table, and not of the space. */
	if (fd >= 0 && is_refused())
		return -ENOMEM;
	return real.mmap(address, length, prot, flags, fd, offset);
}

static long refuse_madvise(uintptr_t address, size_t length, int advice)
{
	if (advice == MADV_DONTFORK && is_refused())
		return -ENOMEM;
	return real.madvise(address, length, advice);
}

static long refuse_limit(int resource, uint64_t *soft, uint64_t *hard)
{
	if (resource == RLIMIT_NOFILE && is_refused())
		return -EINVAL;
	return real.limit(resource, soft, hard);
}

static void refuse_one(void)
{
	vms_space *one;

	errno = 77;
	real = vmsi_host;
	vmsi_host.memfd_create = refuse_memfd_create;
	vmsi_host.ftruncate = refuse_ftruncate;
	vmsi_host.fallocate = refuse_fallocate;
	vmsi_host.fstat = refuse_fstat;
	vmsi_host.add_seals = refuse_add_seals;
	vmsi_host.duplicate = refuse_duplicate;
	vmsi_host.mmap = refuse_mmap;
	vmsi_host.madvise = refuse_madvise;
	vmsi_host.limit = refuse_limit;
	one = open_named("x");
	vmsi_host = real;
	CHECK(one && errno == 77);
	if (calls_made < refused_call)
		_exit(200);
	/* Nothing is left of it, and nothing is tried again. */
	CHECK(table_after(-1) == -1);
	CHECK(open_named("y") && table_after(-1) == -1);
	CHECK(vms_space_close(one) == 0);
}

static void a_refused_call_leaves_a_space_unnamed(void **state)
{
	int status = 0;

	(void)state;
	for (refused_call = 1; refused_call < 50; refused_call++) {
		const pid_t child = fork();

		if (child == 0) {
			refuse_one();
			_exit(0);
		}
		assert_int_equal(waitpid(child, &status, 0), child);
		if (WIFEXITED(status) && WEXITSTATUS(status) == 200)
			break;
		if (status)
			fail_msg("call %d: status %#x", refused_call, status);
	}
	/* memfd_create, ftruncate, fallocate, fstat, mmap, madvise, seals, limit, dup. */
	assert_int_equal(refused_call, 10);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_refused_call_leaves_a_space_unnamed),
	};

	return cmocka_run_group_tests_name("space_signs_refused", tests, NULL, NULL);
}
