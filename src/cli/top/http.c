/* SPDX-License-Identifier: MIT */
#include "cli/top/http.h"

#include <string.h>
#include <strings.h>

#include "text/scan.h"

static bool is(const struct vmsi_scan *scan, const char *text)
{
	return vmsi_scan_is(scan, text);
}

/* --- lines --------------------------------------------------------------------------- */

/* Where the empty line ends that ends the head; NULL: it has not come. */
static const char *end_of_head(const char *bytes, size_t length)
{
	for (size_t i = 0; i < length; i++) {
		if (bytes[i] != '\n')
			continue;
		if (i + 1 < length && bytes[i + 1] == '\n')
			return bytes + i + 2;
		if (i + 2 < length && bytes[i + 1] == '\r' && bytes[i + 2] == '\n')
			return bytes + i + 3;
	}
	return NULL;
}

static bool has_controls(const char *bytes, const char *end)
{
	for (; bytes < end; bytes++)
		if ((unsigned char)*bytes < 0x20 && *bytes != '\t' &&
		    *bytes != '\r' && *bytes != '\n')
			return true;
	return false;
}

static bool next_line(struct vmsi_scan *head, struct vmsi_scan *line)
{
	if (!vmsi_scan_line(head, line))
		return false;
	if (line->at < line->end && line->end[-1] == '\r')
		line->end--;
	return true;
}

/* --- the host ------------------------------------------------------------------------ */

static bool begins_with_case(struct vmsi_scan scan, const char *text)
{
	const size_t length = strlen(text);

	return vmsi_scan_left(&scan) >= length &&
		strncasecmp(scan.at, text, length) == 0;
}

/* An address, or "localhost": no name that somebody else could give. */
static bool is_this_machine(struct vmsi_scan host)
{
	if (host.at < host.end && *host.at == '[')
		return true;
	if (begins_with_case(host, "localhost"))
		return vmsi_scan_left(&host) == 9 || host.at[9] == ':';
	for (; host.at < host.end && *host.at != ':'; host.at++)
		if ((*host.at < '0' || *host.at > '9') && *host.at != '.')
			return false;
	return true;
}

/* Find the host among the fields. False: there is none, or more than one. */
static bool find_host(struct vmsi_scan fields, struct vmsi_scan *host)
{
	struct vmsi_scan line;
	unsigned count = 0;

	while (next_line(&fields, &line) && line.at < line.end) {
		if (!begins_with_case(line, "host:"))
			continue;
		*host = (struct vmsi_scan){ line.at + 5, line.end };
		vmsi_scan_blanks(host);
		count++;
	}
	return count == 1;
}

/* --- the request ---------------------------------------------------------------------- */

/* The path of a target, without a query; one may have a host in front. */
static struct vmsi_scan path_of(struct vmsi_scan target)
{
	const char *query;

	if (begins_with_case(target, "http://")) {
		target.at += 7;
		while (target.at < target.end && *target.at != '/')
			target.at++;
	}
	query = target.at < target.end ?
		memchr(target.at, '?', vmsi_scan_left(&target)) : NULL;
	if (query)
		target.end = query;
	return target;
}

static bool is_word(struct vmsi_scan word)
{
	for (; word.at < word.end; word.at++)
		if (*word.at < 'A' || *word.at > 'Z')
			return false;
	return true;
}

static int judge_line(struct vmsi_scan line, bool *is_head, bool *needs_host)
{
	struct vmsi_scan method, target, path;

	if (!vmsi_scan_word(&line, ' ', &method) || !vmsi_scan_char(&line, ' ') ||
	    !vmsi_scan_word(&line, ' ', &target) || !vmsi_scan_char(&line, ' ') ||
	    !is_word(method) || !vmsi_scan_begins(&line, "HTTP/"))
		return 400;
	*needs_host = is(&line, "HTTP/1.1");
	if (!*needs_host && !is(&line, "HTTP/1.0"))
		return 505;
	*is_head = is(&method, "HEAD");
	if (!*is_head && !is(&method, "GET"))
		return 405;
	path = path_of(target);
	return is(&path, "/metrics") ? 200 : 404;
}

static int judge_head(struct vmsi_scan head, bool is_local, bool *is_head)
{
	struct vmsi_scan line, host;
	bool needs_host = false;
	int status;

	if (!next_line(&head, &line))
		return 400;
	status = judge_line(line, is_head, &needs_host);
	if (status == 400 || status == 505)
		return status;
	if (!find_host(head, &host))
		return needs_host ? 400 : status;
	return is_local && !is_this_machine(host) ? 403 : status;
}

struct vmsi_top_verdict vmsi_top_http_judge(const char *bytes, size_t length,
					    bool is_local)
{
	const char *end = end_of_head(bytes, length);
	struct vmsi_top_verdict verdict = { 0 };

	if (has_controls(bytes, end ? end : bytes + length))
		verdict.status = 400;
	else if (end)
		verdict.status = judge_head((struct vmsi_scan){ bytes, end }, is_local,
					    &verdict.is_head);
	else if (length >= VMSI_TOP_HTTP_MOST)
		verdict.status = 431;
	return verdict;
}

const char *vmsi_top_http_reason(int status)
{
	switch (status) {
	case 200:
		return "OK";
	case 400:
		return "Bad Request";
	case 403:
		return "Forbidden";
	case 404:
		return "Not Found";
	case 405:
		return "Method Not Allowed";
	case 408:
		return "Request Timeout";
	case 431:
		return "Request Header Fields Too Large";
	case 505:
		return "HTTP Version Not Supported";
	default:
		return "Internal Server Error";
	}
}
