/* SPDX-License-Identifier: MIT */
/* A program as a user writes it, built against the installed tree only. */
#include <stdio.h>
#include <string.h>

#include <vmspace.h>

int main(void)
{
	vms_space *space = vms_space_open(1 << 20, NULL);
	char *text;

	if (!space)
		return 1;
	text = vms_mmap(space, NULL, 4096, PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (text == MAP_FAILED || !vms_space_contains(space, text, 4096))
		return 1;
	strcpy(text, vms_version());
	puts(text);
	return vms_space_close(space) ? 1 : 0;
}
