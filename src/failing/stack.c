/* SPDX-License-Identifier: MIT */
#include <dlfcn.h>
#include <link.h>
#include <stddef.h>
#include <stdint.h>
#include <unwind.h>

#include "failing/parts.h"

/*
 * The stack is unwound by libgcc, which is linked into this library, with the tables
 * that exceptions use: Debian's programs have them, and no frame pointers. Since
 * glibc has _dl_find_object neither of the two takes a lock or allocates.
 */

/* --- hashes ------------------------------------------------------------------------- */

static uint64_t mix(uint64_t hash, uint64_t word)
{
	hash = (hash ^ word) * UINT64_C(0x9e3779b97f4a7c15);
	return hash ^ hash >> 29;
}

static uint64_t hash_of_text(const char *text)
{
	uint64_t hash = 1;

	for (; *text; text++)
		hash = (hash ^ (unsigned char)*text) * UINT64_C(0x100000001b3);
	return hash ? hash : 1;
}

/* --- modules ------------------------------------------------------------------------ */

static void write_path(struct vmsi_failing_module *module, const char *path)
{
	size_t i = 0;

	for (; path[i] && i < sizeof(module->path) - 1; i++)
		module->path[i] = path[i];
}

/*
 * The slot of a module. Who takes a free one writes the path; nobody but the command
 * reads it, when the program has ended.
 */
static uint64_t slot_of_module(struct vmsi_failing_memory *memory,
			       const char *path, uint64_t hash)
{
	for (uint64_t i = 0; i < VMSI_FAILING_MODULES; i++) {
		const uint64_t slot = (hash + i) % VMSI_FAILING_MODULES;
		struct vmsi_failing_module *module = &memory->modules[slot];
		uint64_t seen = __atomic_load_n(&module->hash, __ATOMIC_RELAXED);

		if (!seen && __atomic_compare_exchange_n(
				     &module->hash, &seen, hash, false,
				     __ATOMIC_RELAXED, __ATOMIC_RELAXED)) {
			write_path(module, path);
			return slot;
		}
		if (seen == hash)
			return slot;
	}
	return VMSI_FAILING_NO_MODULE;
}

/* --- frames ------------------------------------------------------------------------- */

struct walk {
	struct vmsi_failing_memory *memory;
	struct vmsi_failing_stack *stack;
	const void *own; /* where this library is loaded */
};

static uint64_t frame(uint64_t module, uint64_t offset)
{
	return module << VMSI_FAILING_OFFSET_BITS |
		(offset & ((UINT64_C(1) << VMSI_FAILING_OFFSET_BITS) - 1));
}

/*
 * Note a frame. Code in no module (made at run time) is at another address each time
 * and counts by being there; nothing is known of who has called it.
 */
static _Unwind_Reason_Code note_frame(struct _Unwind_Context *context,
				      void *argument)
{
	struct walk *walk = argument;
	struct vmsi_failing_stack *stack = walk->stack;
	const uintptr_t address = _Unwind_GetIP(context);
	struct dl_find_object object;
	uint64_t module, offset, hash;

	/* Above the first frame there is none. */
	if (!address)
		return _URC_END_OF_STACK;
	if (_dl_find_object((void *)address, &object)) {
		stack->frames[stack->count++] = frame(VMSI_FAILING_NO_MODULE, 0);
		stack->hash = mix(stack->hash, 0);
		return _URC_END_OF_STACK;
	}
	if (object.dlfo_map_start == walk->own)
		return _URC_NO_REASON;
	hash = hash_of_text(object.dlfo_link_map->l_name);
	module = slot_of_module(walk->memory, object.dlfo_link_map->l_name,
				hash);
	offset = address - object.dlfo_link_map->l_addr;
	if (stack->count < walk->memory->choice.depth)
		stack->hash = mix(mix(stack->hash, hash), offset);
	stack->frames[stack->count++] = frame(module, offset);
	return stack->count < VMSI_FAILING_FRAMES ? _URC_NO_REASON :
						   _URC_END_OF_STACK;
}

static const void *own_start(void)
{
	static const void *start;
	struct dl_find_object object;

	if (!start && _dl_find_object(&start, &object) == 0)
		start = object.dlfo_map_start;
	return start;
}

void vmsi_failing_take_stack(struct vmsi_failing_memory *memory,
			     enum vmsi_failing_function function,
			     struct vmsi_failing_stack *stack)
{
	struct walk walk = {
		.memory = memory, .stack = stack, .own = own_start(),
	};

	stack->hash = mix(1, function);
	stack->function = (uint16_t)function;
	stack->count = 0;
	(void)_Unwind_Backtrace(note_frame, &walk);
	if (!stack->hash)
		stack->hash = 1;
}
