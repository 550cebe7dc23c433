/* SPDX-License-Identifier: MIT */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/*
 * A library that allocates in its constructor, which runs before that of the
 * preload library: blocks of all kinds, a thread, a child.
 */

char *early_blocks[4];
int early_status = -1;

static void *in_thread(void *unused)
{
	(void)unused;
	early_blocks[3] = calloc(3, 100000);
	return NULL;
}

static int in_child(void)
{
	char *block = malloc(500000);

	if (!block)
		return 1;
	memset(block, 1, 500000);
	block = realloc(block, 3000000);
	if (!block || block[499999] != 1)
		return 2;
	early_blocks[0] = realloc(early_blocks[0], 5000000);
	return early_blocks[0] && early_blocks[0][299999] == 'a' ? 0 : 3;
}

__attribute__((constructor)) static void allocate(void)
{
	pthread_t thread;
	pid_t child;

	early_blocks[0] = malloc(300000);
	memset(early_blocks[0], 'a', 300000);
	early_blocks[1] = malloc(1000);
	memset(early_blocks[1], 'b', 1000);
	early_blocks[1] = realloc(early_blocks[1], 2000000);
	early_blocks[2] = aligned_alloc(65536, 262144);
	if (pthread_create(&thread, NULL, in_thread, NULL) == 0)
		pthread_join(thread, NULL);
	child = fork();
	if (child == 0)
		_exit(in_child());
	waitpid(child, &early_status, 0);
}

/* After main, and after what main has registered. */
__attribute__((destructor)) static void let_go(void)
{
	for (int i = 0; i < 4; i++)
		free(early_blocks[i]);
	free(malloc(1000000));
}
