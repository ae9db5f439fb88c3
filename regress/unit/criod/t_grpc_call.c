/* Calls from the control socket: the whole of a call without HTTP/2. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <event2/event.h>

#include "criod/grpc.h"
#include "lib/log.h"
#include "proto/cri.pb-c.h"

struct seen {
	int done;
	enum cerr_code code;
	char text[CERR_TEXT_MAX];
	size_t len;
	int cancelled;
	struct grpc_call *kept;
};

static struct event_base *base;
static struct seen seen;

static void
on_cancelled(void *arg)
{
	assert_ptr_equal(arg, &seen);
	seen.cancelled++;
}

static void
handle(void *ctx, struct grpc_call *call, const void *request)
{
	const Runtime__V1__VersionRequest *r = request;
	Runtime__V1__VersionResponse resp = RUNTIME__V1__VERSION_RESPONSE__INIT;
	struct cerr err;

	assert_ptr_equal(ctx, &seen);
	assert_string_equal(grpc_peer(call), "criodctl");
	assert_string_equal(grpc_path(call), "/x/Version");
	assert_false(mono_is_set(grpc_deadline(call)));
	if (strcmp(r->version, "fail") == 0) {
		(void)cerr_set(&err, CERR_NOT_FOUND, "no");
		grpc_fail(call, &err);
	} else if (strcmp(r->version, "keep") == 0) {
		seen.kept = call;
		grpc_on_cancel(call, on_cancelled, &seen);
	} else {
		resp.version = r->version;
		grpc_reply(call, &resp);
	}
}

static const struct grpc_method methods[] = {
	{ "/x/Version", &runtime__v1__version_request__descriptor,
	    &runtime__v1__version_response__descriptor, GRPC_UNARY, handle },
	{ "/x/None", &runtime__v1__version_request__descriptor,
	    &runtime__v1__version_response__descriptor, GRPC_UNARY, NULL },
	{ "/x/Stream", &runtime__v1__version_request__descriptor,
	    &runtime__v1__version_response__descriptor, GRPC_SERVER_STREAM,
	    handle },
};

static void
on_done(void *arg, const struct cerr *err, const uint8_t *resp, size_t len)
{
	Runtime__V1__VersionResponse *r;

	assert_ptr_equal(arg, &seen);
	seen.done++;
	seen.len = len;
	seen.code = CERR_OK;
	if (err != NULL) {
		seen.code = err->code;
		(void)snprintf(seen.text, sizeof(seen.text), "%s", err->text);
		return;
	}
	r = runtime__v1__version_response__unpack(NULL, len, resp);
	assert_non_null(r);
	(void)snprintf(seen.text, sizeof(seen.text), "%s", r->version);
	runtime__v1__version_response__free_unpacked(r, NULL);
}

static struct grpc_server *
setup(void)
{
	memset(&seen, 0, sizeof(seen));
	base = event_base_new();
	return grpc_server_new(base, methods, 3, &seen);
}

static void
teardown(struct grpc_server *s)
{
	grpc_server_free(s);
	event_base_free(base);
}

static struct grpc_call *
call_raw(struct grpc_server *s, const char *path, const void *req, size_t len)
{
	struct grpc_call *c =
	    grpc_call_local(s, path, req, len, on_done, &seen);

	assert_int_equal(seen.done, 0);
	(void)event_base_loop(base, EVLOOP_NONBLOCK);
	return c;
}

static struct grpc_call *
call_word(struct grpc_server *s, const char *path, const char *word)
{
	uint8_t req[64] = { 0x0a, (uint8_t)strlen(word) };

	memcpy(req + 2, word, strlen(word));
	return call_raw(s, path, req, strlen(word) + 2);
}

static void
t_reply(void **state)
{
	struct grpc_server *s = setup();

	(void)state;
	(void)call_word(s, "/x/Version", "hello");
	assert_int_equal(seen.done, 1);
	assert_int_equal(seen.code, CERR_OK);
	assert_string_equal(seen.text, "hello");
	teardown(s);
}

static void
t_fail(void **state)
{
	struct grpc_server *s = setup();

	(void)state;
	(void)call_word(s, "/x/Version", "fail");
	assert_int_equal(seen.done, 1);
	assert_int_equal(seen.code, CERR_NOT_FOUND);
	assert_string_equal(seen.text, "no");
	teardown(s);
}

static void
t_refused(void **state)
{
	static const struct {
		const char *path, *req;
		size_t len;
		enum cerr_code code;
	} rows[] = {
		{ "/x/None", "", 0, CERR_UNIMPLEMENTED },
		{ "/x/Stream", "", 0, CERR_UNIMPLEMENTED },
		{ "/x/version", "", 0, CERR_UNIMPLEMENTED },
		{ "", "", 0, CERR_UNIMPLEMENTED },
		{ "/x/Version", "\x0a\5x", 3, CERR_INVALID_ARGUMENT },
		{ "/x/Version", "\x0a\1\xff", 3, CERR_INVALID_ARGUMENT },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct grpc_server *s = setup();

		(void)call_raw(s, rows[i].path, rows[i].req, rows[i].len);
		assert_int_equal(seen.done, 1);
		assert_int_equal(seen.code, rows[i].code);
		teardown(s);
	}
}

static void
t_too_large(void **state)
{
	struct grpc_server *s = setup();
	uint8_t *big = calloc(1, GRPC_MESSAGE_MAX + 1);

	(void)state;
	(void)call_raw(s, "/x/Version", big, GRPC_MESSAGE_MAX + 1);
	assert_int_equal(seen.code, CERR_RESOURCE_EXHAUSTED);
	free(big);
	teardown(s);
}

static void
t_cancel_before_start(void **state)
{
	struct grpc_server *s = setup();
	struct grpc_call *c =
	    grpc_call_local(s, "/x/Version", NULL, 0, on_done, &seen);

	(void)state;
	grpc_local_cancel(c);
	(void)event_base_loop(base, EVLOOP_NONBLOCK);
	assert_int_equal(seen.done, 0);
	teardown(s);
}

static void
t_cancel(void **state)
{
	struct grpc_server *s = setup();
	struct grpc_call *c = call_word(s, "/x/Version", "keep");
	Runtime__V1__VersionResponse resp = RUNTIME__V1__VERSION_RESPONSE__INIT;

	(void)state;
	assert_ptr_equal(seen.kept, c);
	assert_false(grpc_cancelled(c));
	grpc_local_cancel(c);
	assert_int_equal(seen.cancelled, 1);
	assert_true(grpc_cancelled(c));
	/* Late comers are told at once. */
	grpc_on_cancel(c, on_cancelled, &seen);
	assert_int_equal(seen.cancelled, 2);
	grpc_reply(c, &resp);
	assert_int_equal(seen.done, 0);
	teardown(s);
}

static void
t_server_goes_first(void **state)
{
	struct grpc_server *s = setup();
	struct grpc_call *c = call_word(s, "/x/Version", "keep");
	Runtime__V1__VersionResponse resp = RUNTIME__V1__VERSION_RESPONSE__INIT;

	(void)state;
	(void)grpc_call_local(s, "/x/Version", NULL, 0, on_done, &seen);
	grpc_server_free(s);
	grpc_reply(c, &resp);
	assert_int_equal(seen.done, 1);
	(void)event_base_loop(base, EVLOOP_NONBLOCK);
	assert_int_equal(seen.done, 1);
	event_base_free(base);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(t_reply),
		cmocka_unit_test(t_fail),
		cmocka_unit_test(t_refused),
		cmocka_unit_test(t_too_large),
		cmocka_unit_test(t_cancel_before_start),
		cmocka_unit_test(t_cancel),
		cmocka_unit_test(t_server_goes_first),
	};

	log_init("test");
	return cmocka_run_group_tests(tests, NULL, NULL);
}
