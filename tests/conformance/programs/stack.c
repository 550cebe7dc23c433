/* SPDX-License-Identifier: MIT */
#include "../../outcome.h"

#include <pthread.h>

/* MAP_GROWSDOWN: mappings that grow when they are touched below. */

static char *room(size_t pages)
{
	char *place = must(mmap(NULL, pages * page, PROT_NONE, ANON, -1, 0));

	munmap(place, pages * page);
	return place;
}

static char *stack_at(char *place, size_t pages)
{
	return must(mmap(place, pages * page, RW, ANON | MAP_GROWSDOWN |
			 MAP_FIXED, -1, 0));
}

static void grows(void)
{
	char *place = room(1024);
	char *stack = stack_at(place + 1000 * page, 4);

	writes("top", stack + 3 * page);
	writes("just below", stack - 1);
	writes("further below", stack - 40 * page);
	reads("between", stack - 20 * page);
	outcome("mincore of the grown part",
		mincore(stack - 40 * page, 40 * page,
			(unsigned char[40]){ 0 }));
	outcome("protect down to its start",
		mprotect(stack + page, page, PROT_READ | PROT_GROWSDOWN));
	writes("read-only below", stack - 30 * page);
	outcome("unmap all", munmap(place, 1024 * page));
}

static void grows_far(void)
{
	char *place = room(4096);
	char *stack = stack_at(place + 4000 * page, 2);
	size_t errors = 0;

	for (long i = 1; i < 200; i++)
		errors += *touch(stack - i * (long)page, true) == 'S';
	say("steps down", "%zu errors", errors);
	outcome("unmap", munmap(place, 4096 * page));
}

static void neighbours(void)
{
	char *place = room(1024);
	char *stack = stack_at(place + 800 * page, 2);

	must(mmap(stack - 258 * page, page, RW, ANON | MAP_FIXED, -1, 0));
	writes("one page above the gap", stack - page);
	writes("into the gap", stack - 3 * page);
	must(mmap(stack - 258 * page, page, PROT_NONE, ANON | MAP_FIXED, -1,
		  0));
	writes("no gap for what has no rights", stack - 3 * page);
	munmap(place, 1024 * page);
}

/* A hint just below must not be followed into the gap. */
static void hints_keep_off(void)
{
	char *place = room(1024);
	char *stack = stack_at(place + 800 * page, 2);
	char *other = mmap(stack - page, page, RW, ANON, -1, 0);

	mapped_at("hint below a stack", other, stack - page);
	munmap(place, 1024 * page);
}

static volatile uintptr_t lowest;

__attribute__((noinline)) static int dig(int depth)
{
	volatile char frame[2048];

	frame[0] = (char)depth;
	lowest = (uintptr_t)frame;
	return depth ? dig(depth - 1) + frame[0] : 0;
}

static void *digger(void *argument)
{
	*(int *)argument = dig(60);
	return NULL;
}

static void threads_grow_theirs(void)
{
	char *place = room(1024);
	size_t size = 16 * page;
	char *stack = stack_at(place + 900 * page, 16);
	pthread_attr_t attributes;
	pthread_t one;
	int sum = 0;

	pthread_attr_init(&attributes);
	pthread_attr_setstack(&attributes, stack, size);
	if (pthread_create(&one, &attributes, digger, &sum))
		abort();
	pthread_join(one, NULL);
	say("a thread below its stack", "%d %d", sum,
	    lowest < (uintptr_t)stack);
	munmap(place, 1024 * page);
}

int main(void)
{
	begin();
	grows();
	grows_far();
	neighbours();
	hints_keep_off();
	threads_grow_theirs();
	return 0;
}
