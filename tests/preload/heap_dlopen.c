/* SPDX-License-Identifier: MIT */
#include "../outcome.h"

#include <dlfcn.h>

/*
 * A library in C++ that is loaded for the program alone: its operators new and
 * delete are in no list of the loader that a preload library sees.
 */

int main(int argc, char **argv)
{
	void *library = argc > 1 ? dlopen(argv[1], RTLD_NOW | RTLD_LOCAL) :
		NULL;
	void *(*make)(size_t count);
	size_t (*release)(void *strings);
	int (*refuse)(void);

	begin();
	if (!library) {
		say("library", "%s", dlerror());
		return 1;
	}
	make = (void *(*)(size_t))(uintptr_t)dlsym(library, "make_strings");
	release = (size_t (*)(void *))(uintptr_t)dlsym(library, "free_strings");
	refuse = (int (*)(void))(uintptr_t)dlsym(library, "refuse");
	for (size_t count = 1; count < 60; count += 20)
		say("strings", "%zu", release(make(count)));
	/* mimalloc in C cannot throw and ends the program. */
	if (argc < 3 || strcmp(argv[2], "mimalloc") != 0)
		say("refused", "%d", refuse());
	dlclose(library);
	return 0;
}
