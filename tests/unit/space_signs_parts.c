/* SPDX-License-Identifier: MIT */
#include <stdio.h>

#include <vmspace/buffer.h>
#include <vmspace/code.h>
#include <vmspace/ring.h>
#include <vmspace/share.h>
#include <vmspace/stacks.h>

#include "signs_fixture.h"

/* What lies in a space of the program's is told by itself, and files by their paths. */

/* Whether what begins at an address is told so. */
static bool is_told(int fd, const void *start, enum vmsi_sign_kind kind,
		    const char *name)
{
	struct vmsi_sign sign;

	return signs_at(fd, start, &sign) == 1 && sign.kind == kind &&
		strcmp(sign.name, name) == 0;
}

/* How many signs within a space are of a kind, and have the name; *found is one. */
static unsigned parts_of(int fd, const vms_space *of, enum vmsi_sign_kind kind,
			 const char *name, struct vmsi_sign *found)
{
	const uintptr_t start = (uintptr_t)vms_space_base(of);
	const uintptr_t end = start + vms_space_size(of);
	struct vmsi_sign sign;
	unsigned count = 0;

	for (unsigned i = 0; i < 16; i++)
		if (read_sign(fd, i, &sign) && sign.kind == kind &&
		    sign.start >= start && sign.end <= end &&
		    strcmp(sign.name, name) == 0) {
			*found = sign;
			count++;
		}
	return count;
}

static vms_space *open_home(void)
{
	const struct vms_space_options options = {
		.struct_size = sizeof(options), .name = "home",
	};

	return vms_space_open(64 << 20, &options);
}

static vms_stacks *open_stacks(vms_space *in, const char *name)
{
	const struct vms_stacks_options options = {
		.struct_size = sizeof(options), .name = name, .space = in,
	};

	return vms_stacks_open(4, 64 << 10, &options);
}

static void tell_stacks(void)
{
	vms_space *home = open_home();
	const int fd = table_after(-1);
	vms_stacks *first, *second;
	struct vmsi_sign sign;
	vms_stack stack;

	errno = 77;
	first = open_stacks(home, "first");
	second = open_stacks(home, NULL);
	CHECK(first && second && errno == 77);
	CHECK(vms_stacks_take(first, NULL, &stack) == 0);
	CHECK(parts_of(fd, home, VMSI_SIGN_STACKS, "first", &sign) == 1);
	CHECK(sign.start <= (uintptr_t)stack.base && sign.end >= (uintptr_t)stack.top);
	CHECK(parts_of(fd, home, VMSI_SIGN_STACKS, "stacks", &sign) == 1);
	CHECK(vms_stacks_close(first) == 0);
	CHECK(parts_of(fd, home, VMSI_SIGN_STACKS, "first", &sign) == 0);
	CHECK(parts_of(fd, home, VMSI_SIGN_STACKS, "stacks", &sign) == 1);
	CHECK(is_told(fd, vms_space_base(home), VMSI_SIGN_SPACE, "home"));
	CHECK(vms_stacks_close(second) == 0 && vms_space_close(home) == 0);
}

static void stacks_in_a_space_are_told(void **state)
{
	(void)state;
	in_child(tell_stacks);
}

static void tell_code(void)
{
	vms_space *home = open_home();
	const struct vms_code_options options = {
		.struct_size = sizeof(options), .space = home, .reserve = 1 << 20,
	};
	const int fd = table_after(-1);
	vms_code *code = vms_code_open(&options);
	struct vms_code_block block;
	struct vmsi_sign sign;

	CHECK(code && vms_code_alloc(code, 64, &block) == 0);
	/* A pool of code has no name: it has that of the space. */
	CHECK(parts_of(fd, home, VMSI_SIGN_CODE, "home", &sign) == 1);
	CHECK((uintptr_t)block.write >= sign.start && (uintptr_t)block.write < sign.end);
	CHECK((uintptr_t)block.run >= sign.start && (uintptr_t)block.run < sign.end);
	CHECK(vms_code_close(code) == 0);
	CHECK(parts_of(fd, home, VMSI_SIGN_CODE, "home", &sign) == 0);
}

static void code_in_a_space_is_told(void **state)
{
	(void)state;
	in_child(tell_code);
}

static void tell_buffers(void)
{
	vms_space *home = open_home();
	const struct vms_buffer_options options = {
		.struct_size = sizeof(options), .space = home,
	};
	const int fd = table_after(-1);
	vms_buffer fixed, moving;
	struct vms_detached detached;
	struct vmsi_sign sign;

	errno = 77;
	CHECK(vms_buffer_init(&fixed, 1 << 20, &options) == 0 && errno == 77);
	CHECK(parts_of(fd, home, VMSI_SIGN_BUFFERS, "home", &sign) == 1);
	CHECK(sign.start == (uintptr_t)fixed.data &&
	      sign.end == sign.start + fixed.reserved);
	/* It has no memory yet. */
	CHECK(vms_buffer_init(&moving, 0, &options) == 0);
	CHECK(parts_of(fd, home, VMSI_SIGN_BUFFERS, "home", &sign) == 1);
	CHECK(vms_buffer_free(&fixed) == 0);
	CHECK(parts_of(fd, home, VMSI_SIGN_BUFFERS, "home", &sign) == 0);
	/* Its sign goes where it goes. */
	CHECK(vms_buffer_resize(&moving, 4096) == 0);
	CHECK(vms_mmap(home, moving.data + 4096, 4096, PROT_NONE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0) !=
	      MAP_FAILED || errno == EEXIST);
	errno = 77;
	for (size_t size = 1 << 16; size <= 4 << 20; size *= 2) {
		CHECK(vms_buffer_resize(&moving, size) == 0 && errno == 77);
		CHECK(parts_of(fd, home, VMSI_SIGN_BUFFERS, "home", &sign) == 1);
		CHECK(sign.start == (uintptr_t)moving.data &&
		      sign.end == sign.start + moving.committed);
	}
	CHECK(vms_buffer_truncate(&moving, 0) == 0 && vms_buffer_shrink(&moving) == 0);
	CHECK(parts_of(fd, home, VMSI_SIGN_BUFFERS, "home", &sign) == 0);
	/* What is detached is the program's. */
	CHECK(vms_buffer_resize(&moving, 100) == 0);
	CHECK(parts_of(fd, home, VMSI_SIGN_BUFFERS, "home", &sign) == 1);
	CHECK(vms_buffer_detach(&moving, &detached) == 0);
	CHECK(parts_of(fd, home, VMSI_SIGN_BUFFERS, "home", &sign) == 0);
	CHECK(vms_detached_free(&detached) == 0);
	CHECK(vms_space_close(home) == 0);
}

static void buffers_in_a_space_are_told(void **state)
{
	(void)state;
	in_child(tell_buffers);
}

static void fork_with_parts(void)
{
	vms_space *home = open_home();
	vms_stacks *stacks = open_stacks(home, "of both");
	const int fd = table_after(-1);
	struct vmsi_sign sign;
	int status;
	pid_t child;

	CHECK(stacks && fd >= 0);
	child = fork();
	if (child == 0) {
		/* A table of its own has all, and its changes are its own. */
		vms_space *mine = open_named("mine");
		const int own = table_after(-1);

		CHECK(mine && own >= 0);
		CHECK(parts_of(own, home, VMSI_SIGN_STACKS, "of both", &sign) == 1);
		CHECK(vms_stacks_close(stacks) == 0);
		CHECK(parts_of(own, home, VMSI_SIGN_STACKS, "of both", &sign) == 0);
		_exit(0);
	}
	CHECK(waitpid(child, &status, 0) == child && status == 0);
	CHECK(parts_of(fd, home, VMSI_SIGN_STACKS, "of both", &sign) == 1);
}

static void a_child_tells_parts_anew(void **state)
{
	(void)state;
	in_child(fork_with_parts);
}

/* --- what processes share ----------------------------------------------------- */

static void tell_shared(void)
{
	char directory[] = "/tmp/vmspace-signs-XXXXXX", path[64];
	vms_share *made, *attached, *unnamed;
	vms_ring *ring;
	int fd;

	CHECK(mkdtemp(directory));
	snprintf(path, sizeof(path), "%s/share", directory);
	made = vms_share_create(path, 4096, 1 << 20, NULL);
	attached = vms_share_attach_path(path, NULL);
	unnamed = vms_share_create(NULL, 4096, 1 << 20, NULL);
	fd = table_after(-1);
	CHECK(made && attached && unnamed);
	CHECK(is_told(fd, vms_space_base(vms_space_of(vms_share_base(made))),
		      VMSI_SIGN_SHARE, path));
	CHECK(is_told(fd, vms_space_base(vms_space_of(vms_share_base(attached))),
		      VMSI_SIGN_SHARE, path));
	CHECK(is_told(fd, vms_space_base(vms_space_of(vms_share_base(unnamed))),
		      VMSI_SIGN_SHARE, ""));
	unlink(path);
	snprintf(path, sizeof(path), "%s/ring", directory);
	ring = vms_ring_create(path, VMS_RING_SPSC, 4096, NULL);
	CHECK(ring);
	unlink(path);
	rmdir(directory);
	/* Of the few signs that there are one is the ring's. */
	for (unsigned i = 0; i < 8; i++) {
		struct vmsi_sign sign;

		if (read_sign(fd, i, &sign) && sign.kind == VMSI_SIGN_RING) {
			CHECK(strcmp(sign.name, path) == 0);
			return;
		}
	}
	CHECK(false);
}

static void shares_and_rings_have_their_paths(void **state)
{
	(void)state;
	in_child(tell_shared);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(stacks_in_a_space_are_told),
		cmocka_unit_test(code_in_a_space_is_told),
		cmocka_unit_test(buffers_in_a_space_are_told),
		cmocka_unit_test(a_child_tells_parts_anew),
		cmocka_unit_test(shares_and_rings_have_their_paths),
	};

	return cmocka_run_group_tests_name("space_signs_parts", tests, NULL, NULL);
}
