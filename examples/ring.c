/* SPDX-License-Identifier: MIT */
/*
 * vmspace/ring.h: a work queue between a parent and its children.
 *
 * The parent puts jobs into a ring for each child, and the children put the results into
 * one ring that is theirs together. A child is killed within a claim: the claim is
 * skipped, and its jobs are given to another child.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <vmspace/ring.h>

#define CHILDREN 4
#define JOBS 40
#define NUMBERS 5000   /* of a job */

struct result {
	unsigned job;
	unsigned primes;
};

static vms_ring *jobs[CHILDREN];
static vms_ring *results;

static vms_ring *take_part(const vms_ring *ring, unsigned part)
{
	const struct vms_ring_options options = {
		.struct_size = sizeof(options), .flags = part,
	};

	return vms_ring_attach(vms_ring_fd(ring), &options);
}

static unsigned count_primes(unsigned job)
{
	unsigned count = 0;

	for (unsigned n = job * NUMBERS; n < (job + 1) * NUMBERS; n++) {
		unsigned divisor = 2;

		while (divisor * divisor <= n && n % divisor != 0)
			divisor++;
		count += n > 1 && divisor * divisor > n;
	}
	return count;
}

static int work(unsigned child)
{
	/* A child has no part in its parent's rings, and takes its own. */
	vms_ring *in = take_part(jobs[child], VMS_RING_CONSUMER);
	vms_ring *out = take_part(results, VMS_RING_PRODUCER);
	unsigned job;

	if (!in || !out)
		return 1;
	while (vms_ring_read(in, &job, sizeof(job), VMS_RING_FOREVER) == sizeof(job)) {
		struct result *result;

		if (job == JOBS)
			return 0;
		result = vms_ring_claim(out, sizeof(*result), VMS_RING_FOREVER);
		if (!result)
			return 1;
		if (child == 0 && job == CHILDREN)
			(void)raise(SIGKILL);
		*result = (struct result){ job, count_primes(job) };
		if (vms_ring_commit(out, result, sizeof(*result)) != 0)
			return 1;
	}
	return 1;
}

/* What was given to a child, and of what no result has come yet, is another one's. */
static void give_again(const unsigned *primes, unsigned killed)
{
	for (unsigned job = killed; job < JOBS; job += CHILDREN)
		if (primes[job] == 0)
			(void)vms_ring_write(jobs[(killed + 1) % CHILDREN], &job,
					     sizeof(job), VMS_RING_FOREVER);
}

/* Results come in any order; those that were there when the child died come first. */
static unsigned collect(unsigned *primes)
{
	unsigned sum = 0;
	struct result result;

	for (unsigned left = JOBS; left > 0;) {
		if (vms_ring_read(results, &result, sizeof(result), 100000000) < 0) {
			if (errno != ETIMEDOUT)
				return 0;
			if (waitpid(-1, NULL, WNOHANG) > 0)
				give_again(primes, 0);
			continue;
		}
		if (result.job < JOBS && primes[result.job] == 0) {
			primes[result.job] = result.primes;
			sum += result.primes;
			left--;
		}
	}
	return sum;
}

static int make_rings(void)
{
	struct vms_ring_options options = {
		.struct_size = sizeof(options), .flags = VMS_RING_PRODUCER,
	};

	for (unsigned i = 0; i < CHILDREN; i++) {
		jobs[i] = vms_ring_create(NULL, VMS_RING_SPSC, 4096, &options);
		if (!jobs[i])
			return -1;
	}
	options.flags = VMS_RING_CONSUMER;
	results = vms_ring_create(NULL, VMS_RING_MPSC, 4096, &options);
	return results ? 0 : -1;
}

int main(void)
{
	struct vms_ring_stats stats = { .struct_size = sizeof(stats) };
	unsigned primes[JOBS] = { 0 };
	const unsigned end = JOBS;
	unsigned sum;

	if (make_rings() != 0) {
		perror("example-ring");
		return 1;
	}
	for (unsigned i = 0; i < CHILDREN; i++) {
		pid_t child = fork();

		if (child == 0)
			_exit(work(i));
		if (child < 0)
			return 1;
	}
	for (unsigned job = 0; job < JOBS; job++)
		if (vms_ring_write(jobs[job % CHILDREN], &job, sizeof(job), -1) != 0)
			return 1;
	sum = collect(primes);
	for (unsigned i = 0; i < CHILDREN; i++)
		(void)vms_ring_write(jobs[i], &end, sizeof(end), VMS_RING_NO_WAIT);
	while (waitpid(-1, NULL, 0) > 0)
		;
	if (vms_ring_get_stats(results, &stats) != 0)
		return 1;
	printf("%u primes below %d, in %d jobs of %d processes\n", sum, JOBS * NUMBERS,
	       JOBS, CHILDREN);
	printf("%llu claim of the process that was killed was skipped\n",
	       (unsigned long long)stats.skipped);
	for (unsigned i = 0; i < CHILDREN; i++)
		(void)vms_ring_close(jobs[i]);
	return vms_ring_close(results) != 0 || sum != 17984 || stats.skipped != 1;
}
