/* SPDX-License-Identifier: MIT */
#include <dlfcn.h>
#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "preload/heap_large.h"
#include "preload/heap_next.h"
#include "preload/heap_range.h"
#include "preload/heap_settings.h"
#include "preload/marks.h"

/*
 * The operators new and delete of C++. Those of libstdc++ call malloc and free, and
 * so this library. But jemalloc, tcmalloc and mimalloc have operators of their own,
 * which do not: then large blocks are taken from the heap here. All else goes to the
 * next definition, which also throws if there is no memory.
 *
 * If the program defines some operators itself, nothing is taken here: what an
 * operator of this library gives could come back by one of the program's, and the
 * other way round.
 */

/*
 * Each operator: a name, the name that the linker sees, the parameters behind the
 * first (which is a size or a block), and what an operator new does if it fails.
 */
#define NEW_OPERATORS(X) \
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

#define DELETE_OPERATORS(X) \
	X(delete, "_ZdlPv", PLAIN) \
	X(delete_array, "_ZdaPv", PLAIN) \
	X(delete_nothrow, "_ZdlPvRKSt9nothrow_t", TAG) \
	X(delete_array_nothrow, "_ZdaPvRKSt9nothrow_t", TAG) \
	X(delete_sized, "_ZdlPvm", SIZE) \
	X(delete_array_sized, "_ZdaPvm", SIZE) \
	X(delete_aligned, "_ZdlPvSt11align_val_t", ALIGNMENT) \
	X(delete_array_aligned, "_ZdaPvSt11align_val_t", ALIGNMENT) \
	X(delete_sized_aligned, "_ZdlPvmSt11align_val_t", SIZE_ALIGNMENT) \
	X(delete_array_sized_aligned, "_ZdaPvmSt11align_val_t", \
	  SIZE_ALIGNMENT) \
	X(delete_aligned_nothrow, "_ZdlPvSt11align_val_tRKSt9nothrow_t", \
	  ALIGNMENT_TAG) \
	X(delete_array_aligned_nothrow, "_ZdaPvSt11align_val_tRKSt9nothrow_t", \
	  ALIGNMENT_TAG)

/* The types of the parameters, the parameters, and the arguments of a call. */
#define PLAIN_TYPES
#define PLAIN_PARAMETERS
#define PLAIN_ARGUMENTS
#define TAG_TYPES , const void *
#define TAG_PARAMETERS , const void *tag
#define TAG_ARGUMENTS , tag
#define SIZE_TYPES , size_t
#define SIZE_PARAMETERS , size_t size
#define SIZE_ARGUMENTS , size
#define ALIGNMENT_TYPES , size_t
#define ALIGNMENT_PARAMETERS , size_t alignment
#define ALIGNMENT_ARGUMENTS , alignment
#define ALIGNMENT_TAG_TYPES , size_t, const void *
#define ALIGNMENT_TAG_PARAMETERS , size_t alignment, const void *tag
#define ALIGNMENT_TAG_ARGUMENTS , alignment, tag
#define SIZE_ALIGNMENT_TYPES , size_t, size_t
#define SIZE_ALIGNMENT_PARAMETERS , size_t size, size_t alignment
#define SIZE_ALIGNMENT_ARGUMENTS , size, alignment

/* The alignment that the parameters ask for; 1: any. */
#define PLAIN_ALIGN 1
#define TAG_ALIGN 1
#define ALIGNMENT_ALIGN alignment
#define ALIGNMENT_TAG_ALIGN alignment

/* The next definition of an operator; NULL until it is looked up, or none. */
#define DECLARE_NEW(name, symbol, form, failure) \
	static void *(*next_##name)(size_t form##_TYPES);
#define DECLARE_DELETE(name, symbol, form) \
	static void (*next_##name)(void *form##_TYPES);

NEW_OPERATORS(DECLARE_NEW)
DELETE_OPERATORS(DECLARE_DELETE)

/* The operators themselves. */
#define DECLARE_OUR_NEW(name, symbol, form, failure) \
	VMSI_EXPORTED void *vmsi_interposer_##name(size_t size form##_PARAMETERS) \
		__asm__(symbol);
#define DECLARE_OUR_DELETE(name, symbol, form) \
	VMSI_EXPORTED void vmsi_interposer_##name(void *block form##_PARAMETERS) \
		__asm__(symbol);

NEW_OPERATORS(DECLARE_OUR_NEW)
DELETE_OPERATORS(DECLARE_OUR_DELETE)

/*
 * If a program in C loads a library in C++ with RTLD_LOCAL, the operators are not
 * among the next definitions, and are looked up in the runtime of C++. That must
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

static vmsi_function *find_operator(const char *symbol)
{
	vmsi_function *function = vmsi_interposer_next_function(symbol);

	return function ? function : find_in_runtime(symbol);
}

/*
 * Whether blocks are taken here: the next malloc has operators of its own, and the
 * program has none that come before those of this library.
 */
static bool direct;

#define IS_OURS(name, symbol)                      \
	(vmsi_interposer_first_function(symbol) == \
	 (vmsi_function *)vmsi_interposer_##name)
#define IS_OURS_NEW(name, symbol, form, failure) && IS_OURS(name, symbol)
#define IS_OURS_DELETE(name, symbol, form) && IS_OURS(name, symbol)

#define FIND(name, symbol) \
	__atomic_store_n(&next_##name, \
			 (__typeof__(next_##name))find_operator(symbol), \
			 __ATOMIC_RELAXED);
#define FIND_NEW(name, symbol, form, failure) FIND(name, symbol)
#define FIND_DELETE(name, symbol, form) FIND(name, symbol)

VMSI_COLD static void find_operators(void)
{
	int error = errno;

	__atomic_store_n(&direct,
			 vmsi_interposer_belongs(vmsi_interposer_next_function(
				 "_Znwm")) NEW_OPERATORS(IS_OURS_NEW)
				 DELETE_OPERATORS(IS_OURS_DELETE),
			 __ATOMIC_RELAXED);
	NEW_OPERATORS(FIND_NEW)
	DELETE_OPERATORS(FIND_DELETE)
	errno = error;
}

/*
 * No runtime of C++ was found. An operator that must not return NULL cannot throw
 * either without one, and ends the program.
 */
enum failure { THROWS, GIVES_NULL };

VMSI_COLD static void *new_without_runtime(size_t size, size_t alignment,
					   enum failure failure)
{
	void *block = alignment > 1 ?
		vmsi_interposer_next.memalign(alignment, size ? size : 1) :
		vmsi_interposer_next.malloc(size ? size : 1);

	if (!block && failure == THROWS) {
		vmsi_interposer_complain(
			"operator new has no memory, and no runtime "
			"of C++ to throw",
			(char *)NULL);
		abort();
	}
	return block;
}

/* A block of the heap if it is a large one; NULL: the next definition is asked. */
static void *take(size_t size, size_t alignment)
{
	if (!VMSI_RELAXED(direct) || !vmsi_interposer_wants(size))
		return NULL;
	return alignment > 1 ? vmsi_interposer_aligned_alloc(alignment, size) :
		vmsi_interposer_alloc(size);
}

/* When all is looked up, a small block takes a comparison or two and a jump. */
#define DEFINE_NEW(name, symbol, form, failure)                                \
	VMSI_COLD static void *slow_##name(size_t size form##_PARAMETERS)      \
	{                                                                      \
		void *block;                                                   \
                                                                               \
		if (!VMSI_RELAXED(next_##name))                                \
			find_operators();                                      \
		block = take(size, form##_ALIGN);                              \
		if (block)                                                     \
			return block;                                          \
		return next_##name ? next_##name(size form##_ARGUMENTS)        \
				   : new_without_runtime(size, form##_ALIGN,   \
							 failure);             \
	}                                                                      \
	VMSI_EXPORTED void *vmsi_interposer_##name(                            \
		size_t size form##_PARAMETERS)                                 \
	{                                                                      \
		void *(*next)(size_t form##_TYPES) =                           \
			VMSI_RELAXED(next_##name);                             \
                                                                               \
		if (vmsi_interposer_wants(size) || __builtin_expect(!next, 0)) \
			return slow_##name(size form##_ARGUMENTS);             \
		return next(size form##_ARGUMENTS);                            \
	}

#define DEFINE_DELETE(name, symbol, form)                                     \
	VMSI_COLD static void slow_##name(void *block form##_PARAMETERS)      \
	{                                                                     \
		if (!VMSI_RELAXED(next_##name))                               \
			find_operators();                                     \
		if (!next_##name)                                             \
			free(block);                                          \
		else if (VMSI_RELAXED(direct) && vmsi_interposer_has(block))  \
			vmsi_interposer_free(block);                          \
		else                                                          \
			next_##name(block form##_ARGUMENTS);                  \
	}                                                                     \
	VMSI_EXPORTED void vmsi_interposer_##name(                            \
		void *block form##_PARAMETERS)                                \
	{                                                                     \
		void (*next)(void *form##_TYPES) = VMSI_RELAXED(next_##name); \
                                                                              \
		if (vmsi_interposer_has(block) || __builtin_expect(!next, 0)) \
			slow_##name(block form##_ARGUMENTS);                  \
		else                                                          \
			next(block form##_ARGUMENTS);                         \
	}

NEW_OPERATORS(DEFINE_NEW)
DELETE_OPERATORS(DEFINE_DELETE)
