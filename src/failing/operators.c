/* SPDX-License-Identifier: MIT */
#include <dlfcn.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "failing/parts.h"

/*
 * The operators new of C++. Those of libstdc++ call malloc by its name, and so this
 * library. But jemalloc, tcmalloc and mimalloc have operators of their own, which do
 * not. An operator that fails does what the standard says: it calls the handler and
 * tries again, and throws where there is none.
 */

/*
 * Each operator: a name, the name that the linker sees, the parameters behind the
 * size, and what it does where it fails.
 */
#define OPERATORS(X) \
	X(new, "_Znwm", PLAIN, THROWS) \
	X(new_array, "_Znam", PLAIN, THROWS) \
	X(new_nothrow, "_ZnwmRKSt9nothrow_t", TAG, GIVES_NULL) \
	X(new_array_nothrow, "_ZnamRKSt9nothrow_t", TAG, GIVES_NULL) \
	X(new_aligned, "_ZnwmSt11align_val_t", ALIGNMENT, THROWS) \
	X(new_array_aligned, "_ZnamSt11align_val_t", ALIGNMENT, THROWS) \
	X(new_aligned_nothrow, "_ZnwmSt11align_val_tRKSt9nothrow_t", \
	  ALIGNMENT_TAG, GIVES_NULL) \
	X(new_array_aligned_nothrow, "_ZnamSt11align_val_tRKSt9nothrow_t", \
	  ALIGNMENT_TAG, GIVES_NULL)

#define PLAIN_TYPES
#define PLAIN_PARAMETERS
#define PLAIN_ARGUMENTS
#define PLAIN_ALIGN 1
#define TAG_TYPES , const void *
#define TAG_PARAMETERS , const void *tag
#define TAG_ARGUMENTS , tag
#define TAG_ALIGN 1
#define ALIGNMENT_TYPES , size_t
#define ALIGNMENT_PARAMETERS , size_t alignment
#define ALIGNMENT_ARGUMENTS , alignment
#define ALIGNMENT_ALIGN alignment
#define ALIGNMENT_TAG_TYPES , size_t, const void *
#define ALIGNMENT_TAG_PARAMETERS , size_t alignment, const void *tag
#define ALIGNMENT_TAG_ARGUMENTS , alignment, tag
#define ALIGNMENT_TAG_ALIGN alignment

enum failure { THROWS, GIVES_NULL };

typedef void handler(void);
typedef handler *get_handler(void);

/*
 * If a program in C loads a library in C++ with RTLD_LOCAL, what the runtime of C++
 * has is not among the next definitions, and is looked up in the runtime. That must
 * not be unloaded afterwards, so its handle is kept.
 */
static vmsi_function *find_in_runtime(const char *symbol)
{
	static const char *const runtimes[] = {
		"libstdc++.so.6", "libc++.so.1", "libc++abi.so.1",
	};

	for (size_t i = 0; i < sizeof(runtimes) / sizeof(*runtimes); i++) {
		void *runtime = dlopen(runtimes[i], RTLD_LAZY | RTLD_NOLOAD);
		void *address = runtime ? dlsym(runtime, symbol) : NULL;
		vmsi_function *function;

		if (address) {
			memcpy(&function, &address, sizeof(function));
			return function;
		}
		if (runtime)
			dlclose(runtime);
	}
	return NULL;
}

static vmsi_function *find(const char *symbol)
{
	vmsi_function *function;

	vmsi_failing_enter();
	function = vmsi_failing_find(symbol);
	if (!function)
		function = find_in_runtime(symbol);
	vmsi_failing_leave();
	return function;
}

static handler *new_handler(void)
{
	get_handler *get = (get_handler *)find("_ZSt15get_new_handlerv");

	return get ? get() : NULL;
}

/* Returns where the operator is to give NULL. */
static void *give_up(enum failure failure)
{
	vmsi_function *throw;

	if (failure == GIVES_NULL)
		return NULL;
	throw = find("_ZSt17__throw_bad_allocv");
	if (throw)
		throw();
	abort();
}

/*
 * Whether the operator is to give up: the allocation fails, and no handler has made
 * room. A handler may throw through this function.
 */
static bool fails(size_t size)
{
	while (vmsi_failing_fails(VMSI_FAILING_NEW, size)) {
		handler *handle = new_handler();

		if (!handle)
			return true;
		handle();
	}
	return false;
}

static void *without_runtime(size_t size, size_t alignment)
{
	const struct vmsi_failing_next *next = vmsi_failing_next();

	return alignment > 1 ? next->memalign(alignment, size ? size : 1) :
			       next->malloc(size ? size : 1);
}

static const void *object_of(vmsi_function *function)
{
	struct dl_find_object object;
	void *address;

	memcpy(&address, &function, sizeof(address));
	return _dl_find_object(address, &object) ? NULL :
						   object.dlfo_map_start;
}

/*
 * Whether an operator calls malloc by its name: it lies elsewhere than the next
 * malloc. Then the allocation counts in malloc, with the operator among its callers,
 * and fails there.
 */
static bool calls_malloc(vmsi_function *operator)
{
	const struct vmsi_failing_next *next = vmsi_failing_next();

	return operator && next &&
		object_of(operator) != object_of((vmsi_function *)next->malloc);
}

static void leave(const int *unused)
{
	(void)unused;
	vmsi_failing_leave();
}

#define DEFINE(name, symbol, form, failure)                                    \
	VMSI_EXPORTED void *vmsi_failing_##name(size_t size form##_PARAMETERS) \
		__asm__(symbol);                                               \
	VMSI_EXPORTED void *vmsi_failing_##name(size_t size form##_PARAMETERS) \
	{                                                                      \
		void *(*next)(size_t form##_TYPES) =                           \
			(__typeof__(next))find(symbol);                        \
                                                                               \
		if (calls_malloc((vmsi_function *)next))                       \
			return next(size form##_ARGUMENTS);                    \
		if (fails(size))                                               \
			return give_up(failure);                               \
		/* The next operator may throw. */                             \
		__attribute__((cleanup(leave))) const int entered = 0;         \
		(void)entered;                                                 \
		vmsi_failing_enter();                                          \
		return next ? next(size form##_ARGUMENTS)                      \
			    : without_runtime(size, form##_ALIGN);             \
	}

OPERATORS(DEFINE)
