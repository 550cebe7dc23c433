/* SPDX-License-Identifier: MIT */
#include "preload/heap.h"

#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>

/*
 * The operators new and delete of C++. libstdc++ makes them of malloc and free,
 * and so of ours. But jemalloc, tcmalloc and mimalloc have their own, past which
 * no large block would come to the heap: it is taken here then. All else goes to
 * the next definition, which also throws where there is no memory.
 *
 * A program may have its own for some of them, and the others are to be made of
 * these; then nothing is taken here either, for what one of ours gives could
 * come back by one of the program's, and the other way round.
 */

/*
 * Each operator: a name, the name that the linker sees, and the parameters
 * behind the first. The first is a size or a block.
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

/* What a block is aligned to without a parameter for it. */
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
 * Where a program in C loads a library in C++ for itself alone, the operators
 * are not among the definitions that follow ours. A runtime that was used must
 * not be unloaded, so its handle is kept.
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
 * Whether blocks are taken here: the operators of the next malloc are its own,
 * and the program has none before ours.
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
 * Where no runtime of C++ was found. What must not give NULL and cannot throw
 * can only end the program.
 */
enum failure { THROWS, GIVES_NULL };

VMSI_COLD static void *new_without_runtime(size_t size, size_t alignment,
					   enum failure failure)
{
	void *block = alignment > 1 ?
		vmsi_interposer.next.memalign(alignment, size ? size : 1) :
		vmsi_interposer.next.malloc(size ? size : 1);

	if (!block && failure == THROWS) {
		vmsi_interposer_complain(
			"operator new has no memory, and no runtime "
			"of C++ to throw",
			(char *)NULL);
		abort();
	}
	return block;
}

/* A large block: of the heap, or NULL and the next definition is asked. */
static void *take(size_t size, size_t alignment)
{
	if (!VMSI_RELAXED(direct) || !vmsi_interposer_wants(size))
		return NULL;
	return alignment > 1 ? vmsi_interposer_aligned_alloc(alignment, size) :
		vmsi_interposer_alloc(size);
}

/* What is small, once all is known, passes by a comparison or two and a jump. */
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
