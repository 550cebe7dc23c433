/* SPDX-License-Identifier: MIT */
#include <string.h>

#include "cli/completion/scripts.h"

void vmsi_completion_quote(FILE *stream, const char *text, const char *special,
			   const char *quote)
{
	for (; *text; text++) {
		if (*text == '\'') {
			fputs(quote, stream);
			continue;
		}
		if (strchr(special, *text))
			fputc('\\', stream);
		fputc(*text, stream);
	}
}
