/* SPDX-License-Identifier: MIT */
#include "top_fixture.h"

#include <stdlib.h>

#include "cli/top/http.h"
#include "cli/top/writers.h"

/* Requests of HTTP, and the text of OpenMetrics. */

static int judge_bytes(const char *bytes, size_t length)
{
	return vmsi_top_http_judge(bytes, length, true).status;
}

static int judge(const char *text)
{
	return judge_bytes(text, strlen(text));
}

#define HOST "Host: 127.0.0.1:9\r\n"

static void a_request_is_complete_at_its_empty_line(void **state)
{
	static const char text[] = "GET /metrics HTTP/1.1\r\n" HOST "\r\n";

	(void)state;
	for (size_t i = 0; i + 1 < sizeof(text) - 1; i++)
		assert_int_equal(judge_bytes(text, i), 0);
	assert_int_equal(judge(text), 200);
	assert_int_equal(judge("GET /metrics HTTP/1.0\n\n"), 200);
}

static void one_path_is_answered(void **state)
{
	(void)state;
	assert_int_equal(judge("GET / HTTP/1.1\r\n" HOST "\r\n"), 404);
	assert_int_equal(judge("GET /metrics/ HTTP/1.1\r\n" HOST "\r\n"), 404);
	assert_int_equal(judge("GET /../metrics HTTP/1.1\r\n" HOST "\r\n"), 404);
	assert_int_equal(judge("GET /metrics?x=1 HTTP/1.1\r\n" HOST "\r\n"), 200);
	assert_int_equal(judge("GET http://a:1/metrics HTTP/1.1\r\n" HOST "\r\n"), 200);
	assert_int_equal(judge("GET http:// HTTP/1.1\r\n" HOST "\r\n"), 404);
	assert_int_equal(judge("POST /metrics HTTP/1.1\r\n" HOST "\r\n"), 405);
	assert_int_equal(judge("GET /metrics HTTP/2.0\r\n" HOST "\r\n"), 505);
	assert_false(vmsi_top_http_judge("GET / HTTP/1.0\n\n", 16, true).is_head);
	assert_true(vmsi_top_http_judge("HEAD /metrics HTTP/1.0\n\n", 24, true).is_head);
}

static void what_is_no_request_is_refused(void **state)
{
	static const char *const texts[] = {
		"\r\n\r\n", "GET\r\n\r\n", "GET /metrics\r\n\r\n", "\n\n",
		"GET  /metrics HTTP/1.1\r\n" HOST "\r\n",
		"G\x01T /metrics HTTP/1.1", "get /metrics HTTP/1.1\r\n" HOST "\r\n",
		"GET /metrics HTTP/1.1\r\n\r\n",
		"GET /metrics HTTP/1.1\r\n" HOST HOST "\r\n",
		"GET /metrics FTP/1.1\r\n" HOST "\r\n", "\x16\x03\x01\x02",
	};
	char endless[VMSI_TOP_HTTP_MOST];

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		assert_int_equal(judge(texts[i]), 400);
	assert_int_equal(judge_bytes("GET /\0 HTTP/1.1\r\n\r\n", 20), 400);
	memset(endless, 'A', sizeof(endless));
	assert_int_equal(judge_bytes(endless, sizeof(endless) - 1), 0);
	assert_int_equal(judge_bytes(endless, sizeof(endless)), 431);
}

static void names_of_others_are_no_hosts_of_this_machine(void **state)
{
	static const char evil[] = "GET /metrics HTTP/1.1\r\nHost: evil.test\r\n\r\n";

	(void)state;
	assert_int_equal(judge(evil), 403);
	assert_int_equal(judge("GET /metrics HTTP/1.1\r\nhOST:\tlocalhost:1\r\n\r\n"),
			 200);
	assert_int_equal(judge("GET /metrics HTTP/1.1\r\nHost: [::1]:1\r\n\r\n"), 200);
	assert_int_equal(judge("GET /metrics HTTP/1.1\r\nHost: localhost.evil\r\n\r\n"),
			 403);
	assert_int_equal(judge("GET /metrics HTTP/1.1\r\nHost: 1.2.3.4.evil\r\n\r\n"),
			 403);
	assert_int_equal(vmsi_top_http_judge(evil, strlen(evil), false).status, 200);
}

/* --- OpenMetrics ------------------------------------------------------------------------- */

static char *written(enum vmsi_top_view view)
{
	char *text = NULL;
	size_t size;
	FILE *stream = open_memstream(&text, &size);

	assert_non_null(stream);
	vmsi_top_write_openmetrics(stream, &model, view);
	assert_int_equal(fclose(stream), 0);
	return text;
}

static void metrics_have_types_units_and_an_end(void **state)
{
	char *text;

	(void)state;
	begin();
	process(7, 1, "a \"quote\" \\ \n \xff", 4096)->minor = 12;
	take();
	text = written(VMSI_TOP_VIEW_MACHINE);
	assert_string_equal(text,
		"# TYPE vmspace_process_resident_bytes gauge\n"
		"# UNIT vmspace_process_resident_bytes bytes\n"
		"# HELP vmspace_process_resident_bytes What is in memory.\n"
		"vmspace_process_resident_bytes{pid=\"7\",name="
		"\"a \\\"quote\\\" \\\\\\\\ \\\\012 \\\\377\"} 4096\n"
		"# TYPE vmspace_process_minor_faults counter\n"
		"# HELP vmspace_process_minor_faults Page faults that read nothing.\n"
		"vmspace_process_minor_faults_total{pid=\"7\",name="
		"\"a \\\"quote\\\" \\\\\\\\ \\\\012 \\\\377\"} 12\n"
		"# TYPE vmspace_process_major_faults counter\n"
		"# HELP vmspace_process_major_faults Page faults that had to read.\n"
		"vmspace_process_major_faults_total{pid=\"7\",name="
		"\"a \\\"quote\\\" \\\\\\\\ \\\\012 \\\\377\"} 0\n"
		"# EOF\n");
	free(text);
}

static void a_limit_has_metrics(void **state)
{
	char *text;

	(void)state;
	begin();
	sample.limit = (struct vmsi_top_limit){
		.is_known = true, .name = "build", .first = 4, .limit = 100,
		.refusals = 3,
	};
	take();
	sample.limit = (struct vmsi_top_limit){ 0 };
	text = written(VMSI_TOP_VIEW_GROUP);
	assert_non_null(strstr(text, "\nvmspace_limit_limit_bytes{pid=\"4\","
			       "group=\"build\"} 100\n"));
	assert_non_null(strstr(text, "\nvmspace_limit_refusals_total{pid=\"4\","
			       "group=\"build\"} 3\n"));
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_request_is_complete_at_its_empty_line),
		cmocka_unit_test(one_path_is_answered),
		cmocka_unit_test(what_is_no_request_is_refused),
		cmocka_unit_test(names_of_others_are_no_hosts_of_this_machine),
		cmocka_unit_test(metrics_have_types_units_and_an_end),
		cmocka_unit_test(a_limit_has_metrics),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
