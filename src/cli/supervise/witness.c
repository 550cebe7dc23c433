/* SPDX-License-Identifier: MIT */
#include "cli/supervise/witness.h"

#include <errno.h>
#include <pthread.h>
#include <stdint.h>
#include <sys/socket.h>
#include <time.h>

#include "cli/supervise/signals.h"

/*
 * A signal that the job gets may have been sent to it alone, or to its whole
 * process group; then the program has it too, and must not get it twice. The
 * signal does not say. So the supervisor, which is of the group as well, keeps
 * its signals blocked, and a thread of it tells whether one has come.
 *
 * The kernel goes through a process group from its newest process on: the
 * supervisor has a signal before the job has it. Where two of a kind come so
 * close that the second meets the first in the supervisor, but no more in the
 * job, the second is taken for one to the job alone: better twice than not
 * at all.
 */

struct question {
	int number; /* of a signal */
};

struct answer {
	bool overtaken;
	int code; /* si_code of what has come */
	pid_t sender;
};

/*
 * Signals that stop a process take SIGCONT from those that wait, and the other
 * way round. The later one cancels the earlier, and the program has got it.
 */
static bool is_overtaken(int number)
{
	sigset_t waiting;
	bool stops;

	sigpending(&waiting);
	stops = sigismember(&waiting, SIGTSTP) ||
		sigismember(&waiting, SIGTTIN) ||
		sigismember(&waiting, SIGTTOU);
	if (number == SIGCONT)
		return stops;
	return (number == SIGTSTP || number == SIGTTIN || number == SIGTTOU) &&
		sigismember(&waiting, SIGCONT);
}

/* Takes the signal away, so that the next of its kind is seen. */
static struct answer look(int number)
{
	const struct timespec at_once = { 0, 0 };
	struct answer answer = { .sender = -1 };
	siginfo_t info;
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, number);
	if (sigtimedwait(&set, &info, &at_once) == number) {
		answer.code = info.si_code;
		answer.sender = info.si_pid;
	} else {
		answer.overtaken = is_overtaken(number);
	}
	return answer;
}

static void *answer_questions(void *context)
{
	const int job = (int)(intptr_t)context;
	struct question question;

	while (recv(job, &question, sizeof question, 0) == sizeof question) {
		const struct answer answer = look(question.number);

		(void)send(job, &answer, sizeof answer, MSG_NOSIGNAL);
	}
	return NULL;
}

int vmsi_witness_start(int job)
{
	sigset_t signals, before;
	pthread_t thread;
	int error;

	/* Only the thread blocks them: the program starts with the caller's mask. */
	vmsi_passed_on_signals(&signals);
	pthread_sigmask(SIG_BLOCK, &signals, &before);
	error = pthread_create(&thread, NULL, answer_questions,
			       (void *)(intptr_t)job);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (!error)
		pthread_detach(thread);
	errno = error;
	return error ? -1 : 0;
}

bool vmsi_witness_has(int supervisor, const struct signalfd_siginfo *signal)
{
	const struct question question = { .number = (int)signal->ssi_signo };
	struct answer answer;

	return send(supervisor, &question, sizeof question, MSG_NOSIGNAL) ==
		sizeof question &&
		recv(supervisor, &answer, sizeof answer, 0) == sizeof answer &&
		(answer.overtaken ||
		 (answer.code == signal->ssi_code &&
		  answer.sender == (pid_t)signal->ssi_pid));
}
