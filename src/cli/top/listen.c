/* SPDX-License-Identifier: MIT */
#include "cli/top/listen.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "cli/clock.h"
#include "cli/top/http.h"
#include "cli/top/writers.h"
#include "text/number.h"

/*
 * Clients may send anything, or nothing, for as long as they like: each has a buffer of
 * one size and a deadline, and there are so many of them at most. One more takes the
 * place of the one that has been asking for longest. No connection is used twice.
 */
#define CLIENTS 32
#define SECOND UINT64_C(1000000000)
#define ASK_NS (5 * SECOND)
#define ANSWER_NS (20 * SECOND)
#define DRAIN_NS SECOND
#define FULL_MS 100
/* Standard streams, the socket, a listing, a process and its file, and some. */
#define LEFT_TO_READ 11
/* An answer that is as young is given again. */
#define FRESH_NS (SECOND / 4)

/*
 * ASKING -- the head is complete, or judged --> ANSWERING -- all is sent --> DRAINING
 * -- the client has closed --> gone. At its deadline one that asks is answered, and any
 * other is gone.
 */
enum state { GONE, ASKING, ANSWERING, DRAINING };

struct answer {
	unsigned users;
	char *text;
	size_t length;
};

struct client {
	enum state state;
	int fd;
	uint64_t deadline;
	char head[VMSI_TOP_HTTP_MOST];
	size_t length;
	struct answer *answer;
	size_t sent, size; /* of the answer; the body of HEAD is not sent */
};

struct server {
	int fd;
	bool is_local;
	struct vmsi_top_source *source;
	struct vmsi_top_model *model;
	enum vmsi_top_view view;
	struct client clients[CLIENTS];
	size_t most;          /* clients, at least 1 */
	struct answer *last;  /* of status 200 */
	uint64_t made;        /* when */
};

/* --- addresses ----------------------------------------------------------------------- */

union address {
	struct sockaddr any;
	struct sockaddr_in four;
	struct sockaddr_in6 six;
};

static bool parse_address(const char *text, union address *address, socklen_t *size)
{
	const char *colon = strrchr(text, ':');
	char host[64];
	int port;

	if (!colon || (size_t)(colon - text) >= sizeof(host) ||
	    !vmsi_parse_int(colon + 1, &port) || port > 65535)
		return false;
	snprintf(host, sizeof(host), "%.*s", (int)(colon - text), text);
	memset(address, 0, sizeof(*address));
	if (host[0] == '[' && host[strlen(host) - 1] == ']') {
		host[strlen(host) - 1] = '\0';
		address->six.sin6_family = AF_INET6;
		address->six.sin6_port = htons((uint16_t)port);
		*size = sizeof(address->six);
		return inet_pton(AF_INET6, host + 1, &address->six.sin6_addr) == 1;
	}
	address->four.sin_family = AF_INET;
	address->four.sin_port = htons((uint16_t)port);
	*size = sizeof(address->four);
	return inet_pton(AF_INET, strcmp(host, "localhost") == 0 ? "127.0.0.1" : host,
			 &address->four.sin_addr) == 1;
}

bool vmsi_top_is_address(const char *text)
{
	union address address;
	socklen_t size;

	return parse_address(text, &address, &size);
}

static bool is_loopback(const union address *address)
{
	if (address->any.sa_family == AF_INET6)
		return IN6_IS_ADDR_LOOPBACK(&address->six.sin6_addr);
	return ntohl(address->four.sin_addr.s_addr) >> 24 == 127;
}

/* The port may be one that the kernel has chosen. */
static void tell_address(int fd)
{
	char host[INET6_ADDRSTRLEN] = "?";
	union address address;
	socklen_t size = sizeof(address);
	const bool is_told = getsockname(fd, &address.any, &size) == 0;

	if (is_told && address.any.sa_family == AF_INET6) {
		inet_ntop(AF_INET6, &address.six.sin6_addr, host, sizeof(host));
		fprintf(stderr, "listening on http://[%s]:%u/metrics\n", host,
			ntohs(address.six.sin6_port));
	} else if (is_told) {
		inet_ntop(AF_INET, &address.four.sin_addr, host, sizeof(host));
		fprintf(stderr, "listening on http://%s:%u/metrics\n", host,
			ntohs(address.four.sin_port));
	}
}

static int open_socket(const char *text, bool *is_local)
{
	const int one = 1;
	union address address;
	socklen_t size;
	int fd, error;

	if (!parse_address(text, &address, &size))
		return -EINVAL;
	*is_local = is_loopback(&address);
	fd = socket(address.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK,
		    0);
	if (fd < 0)
		return -errno;
	if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) == 0 &&
	    bind(fd, &address.any, size) == 0 && listen(fd, CLIENTS) == 0)
		return fd;
	error = errno;
	close(fd);
	return -error;
}

/* Clients leave descriptors for what is read to answer them. */
static size_t most_clients(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) || limit.rlim_cur <= LEFT_TO_READ)
		return 1;
	return limit.rlim_cur - LEFT_TO_READ < CLIENTS ?
		(size_t)(limit.rlim_cur - LEFT_TO_READ) : CLIENTS;
}

/* --- answers ------------------------------------------------------------------------- */

static void release(struct answer *answer)
{
	if (!answer || --answer->users)
		return;
	free(answer->text);
	free(answer);
}

/* Takes the body, which is malloc's, or NULL. Returns NULL without memory. */
static struct answer *make_answer(int status, char *body, size_t length)
{
	struct answer *answer = calloc(1, sizeof(*answer));
	FILE *stream = answer ? open_memstream(&answer->text, &answer->length) : NULL;

	if (stream) {
		fprintf(stream, "HTTP/1.1 %d %s\r\n%sContent-Type: %s\r\n"
			"Content-Length: %zu\r\nCache-Control: no-store\r\n"
			"X-Content-Type-Options: nosniff\r\n"
			"Connection: close\r\n\r\n", status,
			vmsi_top_http_reason(status),
			status == 405 ? "Allow: GET, HEAD\r\n" : "",
			status == 200 ? "application/openmetrics-text; "
			"version=1.0.0; charset=utf-8" : "text/plain",
			length);
		if (body)
			fwrite(body, 1, length, stream);
	}
	free(body);
	if (stream && fclose(stream) == 0) {
		answer->users = 1;
		return answer;
	}
	if (answer)
		free(answer->text);
	free(answer);
	return NULL;
}

static struct answer *make_error(int status)
{
	char *body = NULL;
	const int length = asprintf(&body, "%d %s\n", status,
				    vmsi_top_http_reason(status));

	return length < 0 ? NULL : make_answer(status, body, (size_t)length);
}

static struct answer *make_metrics(struct server *server)
{
	char *body = NULL;
	size_t length = 0;
	FILE *stream;

	if (vmsi_top_source_read(server->source, server->model))
		return make_error(500);
	stream = open_memstream(&body, &length);
	if (!stream)
		return make_error(500);
	vmsi_top_write_openmetrics(stream, server->model, server->view);
	if (fclose(stream)) {
		free(body);
		return make_error(500);
	}
	return make_answer(200, body, length);
}

static struct answer *answer_for(struct server *server, int status)
{
	const uint64_t now = vmsi_clock_ns();

	if (status != 200)
		return make_error(status);
	if (!server->last || now - server->made > FRESH_NS) {
		release(server->last);
		server->last = make_metrics(server);
		server->made = now;
	}
	if (server->last)
		server->last->users++;
	return server->last;
}

/* --- clients ------------------------------------------------------------------------- */

static void drop(struct client *client)
{
	if (client->state == GONE)
		return;
	close(client->fd);
	release(client->answer);
	client->answer = NULL;
	client->state = GONE;
}

static void send_more(struct client *client)
{
	while (client->sent < client->size) {
		const ssize_t done = send(client->fd, client->answer->text + client->sent,
					  client->size - client->sent, MSG_NOSIGNAL);

		if (done < 0 && errno == EINTR)
			continue;
		if (done < 0 && errno == EAGAIN)
			return;
		if (done < 0) {
			drop(client);
			return;
		}
		client->sent += (size_t)done;
	}
	/* What it has sent and nobody has read would make the end an error. */
	if (shutdown(client->fd, SHUT_WR)) {
		drop(client);
		return;
	}
	client->state = DRAINING;
	client->deadline = vmsi_clock_ns() + DRAIN_NS;
}

static void answer(struct server *server, struct client *client,
		   struct vmsi_top_verdict verdict)
{
	const char *body;

	client->answer = answer_for(server, verdict.status);
	if (!client->answer) {
		drop(client);
		return;
	}
	client->sent = 0;
	client->size = client->answer->length;
	body = memmem(client->answer->text, client->size, "\r\n\r\n", 4);
	if (verdict.is_head && body)
		client->size = (size_t)(body - client->answer->text) + 4;
	client->state = ANSWERING;
	client->deadline = vmsi_clock_ns() + ANSWER_NS;
	send_more(client);
}

static void receive(struct server *server, struct client *client)
{
	const ssize_t got = recv(client->fd, client->head + client->length,
				 sizeof(client->head) - client->length, 0);
	struct vmsi_top_verdict verdict;

	if (got < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (got <= 0) {
		drop(client);
		return;
	}
	client->length += (size_t)got;
	verdict = vmsi_top_http_judge(client->head, client->length, server->is_local);
	if (verdict.status)
		answer(server, client, verdict);
}

static void drain(struct client *client)
{
	char bytes[4096];
	const ssize_t got = recv(client->fd, bytes, sizeof(bytes), 0);

	if (got == 0 || (got < 0 && errno != EAGAIN && errno != EINTR))
		drop(client);
}

static void pass_deadline(struct server *server, struct client *client, uint64_t now)
{
	const struct vmsi_top_verdict late = { .status = 408 };

	if (client->state == GONE || now < client->deadline)
		return;
	if (client->state == ASKING)
		answer(server, client, late);
	else
		drop(client);
}

static void serve(struct server *server, struct client *client, short events)
{
	if (events == 0)
		return;
	if (client->state == ASKING)
		receive(server, client);
	else if (client->state == ANSWERING && events & POLLOUT)
		send_more(client);
	else if (client->state == DRAINING || events & (POLLERR | POLLNVAL))
		drain(client);
}

/* --- the server ---------------------------------------------------------------------- */

/* Make place: drop the client that will be late first. False: there is none. */
static bool drop_oldest(struct server *server)
{
	struct client *oldest = NULL;

	for (size_t i = 0; i < CLIENTS; i++) {
		struct client *client = &server->clients[i];

		if (client->state != GONE &&
		    (!oldest || client->deadline < oldest->deadline))
			oldest = client;
	}
	if (oldest)
		drop(oldest);
	return oldest != NULL;
}

static struct client *find_place(struct server *server)
{
	for (;;) {
		for (size_t i = 0; i < server->most; i++)
			if (server->clients[i].state == GONE)
				return &server->clients[i];
		(void)drop_oldest(server);
	}
}

/*
 * Without a descriptor for another client the oldest makes place, or poll would tell of
 * the new one for ever. Without any client others have taken the last descriptors of
 * the machine, for a while.
 */
static void make_do(struct server *server, int error)
{
	const bool is_full = error == EMFILE || error == ENFILE || error == ENOBUFS ||
		error == ENOMEM;

	if (is_full && !drop_oldest(server))
		(void)poll(NULL, 0, FULL_MS);
}

static void take_client(struct server *server)
{
	const int fd = accept4(server->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	struct client *client;

	if (fd < 0) {
		make_do(server, errno);
		return;
	}
	client = find_place(server);
	client->state = ASKING;
	client->fd = fd;
	client->length = 0;
	client->deadline = vmsi_clock_ns() + ASK_NS;
}

static int milliseconds_left(const struct server *server, uint64_t now)
{
	uint64_t next = UINT64_MAX;

	for (size_t i = 0; i < CLIENTS; i++)
		if (server->clients[i].state != GONE &&
		    server->clients[i].deadline < next)
			next = server->clients[i].deadline;
	if (next == UINT64_MAX)
		return -1;
	return next > now ? (int)((next - now) / 1000000) + 1 : 0;
}

/* As many as there are: poll refuses more than the process may have descriptors. */
static nfds_t watch(struct server *server, uint64_t now, struct pollfd *watched,
		    struct client **whose)
{
	nfds_t count = 0;

	for (size_t i = 0; i < CLIENTS; i++) {
		struct client *client = &server->clients[i];

		pass_deadline(server, client, now);
		if (client->state == GONE)
			continue;
		whose[count] = client;
		watched[count++] = (struct pollfd){
			.fd = client->fd,
			.events = client->state == ANSWERING ? POLLOUT : POLLIN,
		};
	}
	watched[count] = (struct pollfd){ .fd = server->fd, .events = POLLIN };
	return count;
}

static int turn(struct server *server)
{
	struct pollfd watched[CLIENTS + 1];
	struct client *whose[CLIENTS];
	const uint64_t now = vmsi_clock_ns();
	const nfds_t count = watch(server, now, watched, whose);

	if (poll(watched, count + 1, milliseconds_left(server, now)) < 0)
		return errno == EINTR ? 0 : -errno;
	for (nfds_t i = 0; i < count; i++)
		serve(server, whose[i], watched[i].revents);
	if (watched[count].revents)
		take_client(server);
	return 0;
}

enum vmsi_exit vmsi_top_listen(const char *address, struct vmsi_top_source *source,
			       struct vmsi_top_model *model, enum vmsi_top_view view)
{
	struct server *server = calloc(1, sizeof(*server));
	int error = server ? 0 : -ENOMEM;

	if (server) {
		server->source = source;
		server->model = model;
		server->view = view;
		server->most = most_clients();
		server->fd = open_socket(address, &server->is_local);
		error = server->fd < 0 ? server->fd : 0;
	}
	if (!error)
		tell_address(server->fd);
	while (!error)
		error = turn(server);
	vmsi_complain(address, "%s", strerror(-error));
	if (server && server->fd >= 0)
		close(server->fd);
	free(server);
	return VMSI_EXIT_FAILED;
}
