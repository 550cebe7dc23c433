/* SPDX-License-Identifier: MIT */
#include "cli/supervise/witness.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "cli/supervise/signals.h"

/*
 * A signal that the job gets may have been sent to it alone, or to its whole
 * process group: then the program has got it too, and the job must not pass it
 * on. The signal itself does not tell which. But the supervisor is in the process
 * group as well and keeps its signals blocked, so a thread of it can say whether
 * the signal is pending there. The kernel sends a signal to the newest process of
 * a group first, so that it is pending in the supervisor before the job reads it.
 * Where two signals of one number follow each other so soon that the first is
 * still pending in the supervisor and the job has read it, they become one there,
 * and the job passes the second on: the program gets it twice, which is better
 * than not at all.
 */

struct notice {
	int number; /* the signal */
};

struct answer {
	bool overtaken;
	int code; /* si_code of the pending signal */
	pid_t sender;
};

/*
 * The kernel discards a pending SIGCONT when a stop signal comes, and pending
 * stop signals when SIGCONT comes. So where the signal is not pending but one
 * that discards it is, it had come to the process group.
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

/*
 * Look for a pending signal and remove it, so that the next one can be told from
 * it.
 */
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
	struct notice question;

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

	/*
	 * Only the thread blocks these signals, since the program inherits the
	 * mask of the supervisor's main thread.
	 */
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

static bool ask(int supervisor, int number, struct answer *answer)
{
	const struct notice question = { .number = number };

	return send(supervisor, &question, sizeof question, MSG_NOSIGNAL) ==
		sizeof question &&
		recv(supervisor, answer, sizeof *answer, 0) == sizeof *answer;
}

bool vmsi_witness_has(int supervisor, const struct signalfd_siginfo *signal)
{
	struct answer answer;

	return ask(supervisor, (int)signal->ssi_signo, &answer) &&
		(answer.overtaken ||
		 (answer.code == signal->ssi_code &&
		  answer.sender == (pid_t)signal->ssi_pid));
}

bool vmsi_witness_keeps(int supervisor, int number)
{
	struct answer answer;

	return ask(supervisor, number, &answer) && answer.code == SI_USER &&
		answer.sender == getpid();
}
