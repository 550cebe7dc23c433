/* SPDX-License-Identifier: MIT */
#ifndef VMSI_CLI_TOP_HTTP_H
#define VMSI_CLI_TOP_HTTP_H

#include <stdbool.h>
#include <stddef.h>

/* Judges requests of HTTP/1.x, of which one path is answered. Pure. */

/* The head of a request may be so long. */
#define VMSI_TOP_HTTP_MOST 4096

struct vmsi_top_verdict {
	int status;     /* of the answer; 0: the request is not complete */
	bool is_head;   /* HEAD: the answer has no body */
};

/*
 * Judge what has come of a request, at most VMSI_TOP_HTTP_MOST bytes. is_local: only
 * hosts that are this machine by their names are answered, so that no page of the web,
 * whose name leads here, reads the answer by way of a browser.
 */
struct vmsi_top_verdict vmsi_top_http_judge(const char *bytes, size_t length,
					    bool is_local);

/* The words of a status. */
const char *vmsi_top_http_reason(int status);

#endif
