/* SPDX-License-Identifier: MIT */
#include <dlfcn.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>
#include <vmspace.h>

/*
 * A program, whose plug-ins use the library, unloads them: it stays, with the
 * space of all buffers and what it does before and after a fork.
 *
 * usage: unload LIBRARY
 */

#define MIB ((size_t)1 << 20)
#define FIND(library, name) \
	((__typeof__(&(name)))(uintptr_t)dlsym(library, #name))

static const char *path;

/* What a plug-in has of the library. */
struct plug_in {
	void *library;
	vms_heap *(*open)(const struct vms_heap_options *options);
	void *(*allocate)(vms_heap *heap, size_t size);
	void *(*reallocate)(vms_heap *heap, void *block, size_t size);
	void (*close)(vms_heap *heap);
	int (*init)(vms_buffer *buffer, size_t maximum,
		    const struct vms_buffer_options *options);
	int (*resize)(vms_buffer *buffer, size_t size);
	int (*free)(vms_buffer *buffer);
};

static struct plug_in load(void)
{
	void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);

	if (!library)
		fail_msg("%s", dlerror());
	return (struct plug_in){
		.library = library,
		.open = FIND(library, vms_heap_open),
		.allocate = FIND(library, vms_heap_malloc),
		.reallocate = FIND(library, vms_heap_realloc),
		.close = FIND(library, vms_heap_close),
		.init = FIND(library, vms_buffer_init),
		.resize = FIND(library, vms_buffer_resize),
		.free = FIND(library, vms_buffer_free),
	};
}

static void expect_loaded(void)
{
	void *library = dlopen(path, RTLD_NOW | RTLD_NOLOAD);

	assert_non_null(library);
	dlclose(library);
}

static bool grows_in_child(const struct plug_in *plug_in, vms_heap *heap,
			   char *block)
{
	const pid_t child = fork();
	int status;

	if (child == 0) {
		alarm(3600);
		block = plug_in->reallocate(heap, block, 9 * MIB);
		_exit(!block || block[MIB - 1] != 1);
	}
	return child > 0 && waitpid(child, &status, 0) == child && status == 0;
}

static void what_it_made_is_there_when_it_is_unloaded(void **state)
{
	const struct plug_in plug_in = load();
	vms_heap *heap = plug_in.open(NULL);
	vms_buffer buffer = { .data = NULL };
	char *block;

	(void)state;
	assert_non_null(heap);
	block = plug_in.allocate(heap, MIB);
	assert_non_null(block);
	memset(block, 1, MIB);
	assert_int_equal(plug_in.init(&buffer, 0, NULL), 0);
	assert_int_equal(plug_in.resize(&buffer, MIB), 0);
	buffer.data[MIB - 1] = 1;
	assert_int_equal(dlclose(plug_in.library), 0);
	expect_loaded();
	assert_int_equal(plug_in.resize(&buffer, 9 * MIB), 0);
	assert_int_equal(buffer.data[MIB - 1], 1);
	assert_true(grows_in_child(&plug_in, heap, block));
	assert_int_equal(plug_in.free(&buffer), 0);
	plug_in.close(heap);
}

static size_t addresses_in_use(void)
{
	FILE *file = fopen("/proc/self/statm", "re");
	size_t pages = 0;

	assert_non_null(file);
	assert_int_equal(fscanf(file, "%zu", &pages), 1);
	fclose(file);
	return pages * (size_t)sysconf(_SC_PAGESIZE);
}

static void use_buffer_once(void)
{
	const struct plug_in plug_in = load();
	vms_buffer buffer = { .data = NULL };

	assert_int_equal(plug_in.init(&buffer, 0, NULL), 0);
	assert_int_equal(plug_in.resize(&buffer, MIB), 0);
	assert_int_equal(plug_in.free(&buffer), 0);
	assert_int_equal(dlclose(plug_in.library), 0);
}

static void loaded_again_it_takes_no_more_addresses(void **state)
{
	size_t before;

	(void)state;
	use_buffer_once();
	before = addresses_in_use();
	for (int i = 0; i < 3; i++)
		use_buffer_once();
	assert_true(addresses_in_use() <= before + 64 * MIB);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_it_made_is_there_when_it_is_unloaded),
		cmocka_unit_test(loaded_again_it_takes_no_more_addresses),
	};

	if (argc < 2) {
		fprintf(stderr, "usage: %s LIBRARY\n", argv[0]);
		return 2;
	}
	path = argv[1];
	return cmocka_run_group_tests_name("unload", tests, NULL, NULL);
}
