/* SPDX-License-Identifier: MIT */
#include <string.h>

#include "death.h"

#if defined(__x86_64__)
static const unsigned char code[] = { 0xc3 };                   /* ret */
#else
static const unsigned char code[] = { 0xc0, 0x03, 0x5f, 0xd6 }; /* ret */
#endif

static void call(void *address)
{
	void (*function)(void);

	memcpy(&function, &address, sizeof(function));
	function();
}

/* Run the same bytes in executable memory and then in memory that is not. */
int main(void)
{
	vms_space *space = open_space();
	char *memory = (char *)map_pages(space, 1);

	memcpy(memory, code, sizeof(code));
	__builtin___clear_cache(memory, memory + sizeof(code));
	must(vms_mprotect(space, memory, page_size(), PROT_READ | PROT_EXEC),
	     "vms_mprotect");
	call(memory);
	must(vms_mprotect(space, memory, page_size(), PROT_READ),
	     "vms_mprotect");
	misuse();
	call(memory);
	return 0;
}
