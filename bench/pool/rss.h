/* SPDX-License-Identifier: MIT */
#ifndef VMSI_BENCH_RSS_H
#define VMSI_BENCH_RSS_H

#include <stddef.h>
#include <sys/types.h>

/*
 * The most resident memory of this process between two calls, as another process sees it
 * that looks every millisecond.
 *
 *	struct rss rss;
 *
 *	rss_begin(&rss);
 *	... open the pool, use it, close it ...
 *	rss_print("frames", rss_end(&rss), ram);
 *
 * The other process ends when the thread ends that began, however that ends, and has no
 * descriptor of it. A program that cannot be watched ends, with a message and status 1.
 */
struct rss {
	struct rss_shared *shared;
	size_t before;         /* bytes */
	pid_t watcher;
};

/* Begin to look. */
void rss_begin(struct rss *rss);

/* The most bytes that were seen, less those there were at rss_begin. */
size_t rss_end(struct rss *rss);

/*
 * A line that tells the most and the RAM that it is to be within, with 2 % and 4 MiB
 * besides. Returns 0; 1: it was more.
 */
int rss_print(const char *label, size_t most, size_t ram);

#endif
