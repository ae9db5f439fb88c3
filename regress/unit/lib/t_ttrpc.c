#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "lib/ttrpc.h"
#include "lib/ttrpc_pb.h"

/* Two ends; what one sends is kept until it is carried to the other. */
struct end {
	struct ttrpc *t;
	uint8_t out[65536];
	size_t nout;
	bool deaf; /* takes nothing */
	size_t requests;
	uint32_t stream;
	char method[TTRPC_NAME_MAX];
	uint8_t payload[64];
	size_t len;
};

struct result {
	size_t times;
	enum cerr_code code;
	char text[64];
	bool answered;
	uint8_t payload[64];
	size_t len;
};

static int
end_send(void *ctx, const uint8_t *buf, size_t len)
{
	struct end *e = ctx;

	if (e->deaf)
		return -1;
	assert_true(len <= sizeof(e->out) - e->nout);
	memcpy(e->out + e->nout, buf, len);
	e->nout += len;
	return 0;
}

static void
end_request(void *ctx, const struct ttrpc_request *r)
{
	struct end *e = ctx;

	e->requests++;
	e->stream = r->stream;
	assert_string_equal(r->service, "a.Service");
	memcpy(e->method, r->method, sizeof(e->method));
	assert_true(r->len <= sizeof(e->payload));
	if (r->len > 0)
		memcpy(e->payload, r->payload, r->len);
	e->len = r->len;
}

static const struct ttrpc_def client_def = { .send = end_send };
static const struct ttrpc_def server_def = { .send = end_send,
	.request = end_request,
	.max = 4096 };

static struct end client, server;

static int
setup(void **state)
{
	(void)state;
	memset(&client, 0, sizeof(client));
	memset(&server, 0, sizeof(server));
	client.t = ttrpc_new(&client_def, &client);
	server.t = ttrpc_new(&server_def, &server);
	return client.t == NULL || server.t == NULL ? -1 : 0;
}

static int
teardown(void **state)
{
	(void)state;
	ttrpc_free(client.t);
	ttrpc_free(server.t);
	return 0;
}

/* In pieces of step bytes. */
static int
carry(struct end *from, struct end *to, size_t step)
{
	struct cerr err;
	size_t n = from->nout;
	int rv = 0;

	from->nout = 0;
	for (size_t at = 0; at < n && rv == 0; at += step)
		rv = ttrpc_input(to->t, from->out + at,
		    n - at < step ? n - at : step, &err);
	return rv;
}

static void
reply(void *arg, const uint8_t *payload, size_t len, const struct cerr *err,
    bool answered)
{
	struct result *r = arg;

	r->times++;
	r->answered = answered;
	if (err != NULL) {
		r->code = err->code;
		memcpy(r->text, err->text, sizeof(r->text) - 1);
	}
	assert_true(len <= sizeof(r->payload));
	if (len > 0)
		memcpy(r->payload, payload, len);
	r->len = len;
}

static void
call(struct result *r, const char *method, const char *payload,
    int64_t timeout_ms)
{
	struct cerr err;

	memset(r, 0, sizeof(*r));
	assert_int_equal(ttrpc_call(client.t, "a.Service", method,
			     (const uint8_t *)payload, strlen(payload),
			     timeout_ms, reply, r, &err),
	    0);
}

static void
test_call(void **state)
{
	static const size_t steps[] = { 1, 3, 11, 65536 };
	struct result r;

	(void)state;
	for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
		call(&r, "Do", "what", 0);
		assert_int_equal(carry(&client, &server, steps[i]), 0);
		assert_int_equal(server.requests, i + 1);
		assert_string_equal(server.method, "Do");
		assert_int_equal(server.len, 4);
		assert_memory_equal(server.payload, "what", 4);
		assert_int_equal(ttrpc_answer(server.t, server.stream,
				     (const uint8_t *)"this", 4, NULL),
		    0);
		assert_int_equal(carry(&server, &client, steps[i]), 0);
		assert_int_equal(r.times, 1);
		assert_int_equal(r.code, CERR_OK);
		assert_true(r.answered);
		assert_memory_equal(r.payload, "this", 4);
	}
}

static void
test_empty_and_error(void **state)
{
	struct result r, s;
	struct cerr err;

	(void)state;
	call(&r, "Do", "", 0);
	assert_int_equal(carry(&client, &server, 7), 0);
	assert_int_equal(ttrpc_answer(server.t, server.stream, NULL, 0, NULL),
	    0);
	call(&s, "Do", "", 0);
	assert_int_equal(carry(&client, &server, 7), 0);
	(void)cerr_set(&err, CERR_NOT_FOUND, "not here");
	assert_int_equal(ttrpc_answer(server.t, server.stream, NULL, 0, &err),
	    0);
	assert_int_equal(carry(&server, &client, 7), 0);
	assert_int_equal(r.code, CERR_OK);
	assert_int_equal(r.len, 0);
	assert_int_equal(s.code, CERR_NOT_FOUND);
	assert_string_equal(s.text, "not here");
	assert_true(s.answered);
}

/* A side without handler says so, and goes on. */
static void
test_unimplemented(void **state)
{
	struct result r;

	(void)state;
	memset(&r, 0, sizeof(r));
	ttrpc_free(server.t);
	server.t = ttrpc_new(&client_def, &server);
	call(&r, "Do", "what", 0);
	assert_int_equal(carry(&client, &server, 5), 0);
	assert_int_equal(carry(&server, &client, 5), 0);
	assert_int_equal(r.code, CERR_UNIMPLEMENTED);
}

static void
test_deadline(void **state)
{
	struct timespec pause = { 0, 20000000 };
	struct result late, patient;

	(void)state;
	assert_false(mono_is_set(ttrpc_deadline(client.t)));
	call(&patient, "Do", "", 0);
	call(&late, "Do", "", 5);
	assert_true(mono_is_set(ttrpc_deadline(client.t)));
	(void)nanosleep(&pause, NULL);
	ttrpc_expire(client.t);
	assert_int_equal(late.times, 1);
	assert_int_equal(late.code, CERR_DEADLINE_EXCEEDED);
	assert_false(late.answered);
	assert_int_equal(patient.times, 0);
	/* Its answer, when it comes after all, is nobody's. */
	assert_int_equal(carry(&client, &server, 100), 0);
	assert_int_equal(ttrpc_answer(server.t, server.stream, NULL, 0, NULL),
	    0);
	assert_int_equal(carry(&server, &client, 100), 0);
	assert_int_equal(late.times, 1);
}

static void
test_fail(void **state)
{
	struct result r;
	struct cerr err;

	(void)state;
	call(&r, "Do", "", 0);
	(void)cerr_set(&err, CERR_UNAVAILABLE, "gone");
	ttrpc_fail(client.t, &err);
	assert_int_equal(r.times, 1);
	assert_int_equal(r.code, CERR_UNAVAILABLE);
	assert_false(r.answered);
	assert_int_equal(ttrpc_call(client.t, "a.Service", "Do", NULL, 0, 0,
			     reply, &r, &err),
	    -1);
}

static void
test_bounds(void **state)
{
	struct result r[TTRPC_CALLS_MAX];
	struct cerr err;

	(void)state;
	for (size_t i = 0; i < TTRPC_CALLS_MAX; i++)
		call(&r[i], "Do", "", 0);
	assert_int_equal(ttrpc_call(client.t, "a.Service", "Do", NULL, 0, 0,
			     reply, &r[0], &err),
	    -1);
	assert_int_equal(err.code, CERR_RESOURCE_EXHAUSTED);
	assert_int_equal(carry(&client, &server, 4096), 0);
	assert_int_equal(server.requests, TTRPC_CALLS_MAX);
	/* The server's own bound: a 65th is answered at once. */
	server.nout = 0;
	{
		static const uint8_t more[] = { 0, 0, 0, 0, 0, 0, 9, 1, 1, 0 };

		assert_int_equal(ttrpc_input(server.t, more, sizeof(more),
				     &err),
		    0);
		assert_int_equal(server.requests, TTRPC_CALLS_MAX);
		assert_true(server.nout > 0);
	}
	client.deaf = true;
	ttrpc_fail(client.t, &err);
}

/* Each of these ends the conversation. */
static void
test_malformed(void **state)
{
	static const struct {
		const char *bytes;
		size_t len;
	} bad[] = {
		{ "\0\x10\0\1\0\0\0\1\1\0", 10 },	/* over max */
		{ "\0\0\0\0\0\0\0\2\1\0", 10 },		/* even stream */
		{ "\0\0\0\0\0\0\0\1\3\0", 10 },		/* data of no stream */
		{ "\0\0\0\0\0\0\0\1\7\0", 10 },		/* no such type */
		{ "\0\0\0\0\0\0\0\1\2\0", 10 },		/* answer to no call */
		{ "\0\0\0\2\0\0\0\1\1\0\x0a\x7f", 12 }, /* string too long */
		{ "\0\0\0\1\0\0\0\1\1\0\x80", 11 },	/* unfinished varint */
		{ "\0\0\0\1\0\0\0\1\1\0\x0b", 11 },	/* a group */
		{ "\0\0\0\2\0\0\0\1\1\0\x02\x00", 12 }, /* field 0 */
	};
	struct cerr err;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		ttrpc_free(server.t);
		server.t = ttrpc_new(&server_def, &server);
		assert_int_equal(ttrpc_input(server.t,
				     (const uint8_t *)bad[i].bytes, bad[i].len,
				     &err),
		    -1);
	}
	assert_int_equal(server.requests, 0);
}

/* Unknown fields are passed over; a name that is too long is no method. */
static void
test_tolerant(void **state)
{
	static const uint8_t unknown[] = { 0, 0, 0, 22, 0, 0, 0, 1, 1, 0, 0x0a,
		9, 'a', '.', 'S', 'e', 'r', 'v', 'i', 'c', 'e', 0x12, 2, 'D',
		'o', 0x2a, 0, 0x35, 1, 2, 3, 4 };
	uint8_t longname[10 + 3 + 200] = { 0, 0, 0, 203, 0, 0, 0, 3, 1, 0, 0x12,
		200, 1 };
	struct cerr err;

	(void)state;
	assert_int_equal(ttrpc_input(server.t, unknown, sizeof(unknown), &err),
	    0);
	assert_int_equal(server.requests, 1);
	assert_string_equal(server.method, "Do");
	ttrpc_free(server.t);
	server.t = ttrpc_new(&server_def, &server);
	memset(longname + 13, 'x', 200);
	assert_int_equal(ttrpc_input(server.t, longname, sizeof(longname),
			     &err),
	    0);
	assert_int_equal(server.requests, 1);
	assert_true(server.nout > 0);
}

static void
test_request_bytes(void **state)
{
	/* service "s", method "m", payload "p", 1 ms; from the definition. */
	static const uint8_t want[] = { 0, 0, 0, 13, 0, 0, 0, 1, 1, 0, 0x0a, 1,
		's', 0x12, 1, 'm', 0x1a, 1, 'p', 0x20, 0xc0, 0x84, 0x3d };
	struct result r;
	struct cerr err;

	(void)state;
	assert_int_equal(ttrpc_call(client.t, "s", "m", (const uint8_t *)"p", 1,
			     1, reply, &r, &err),
	    0);
	assert_int_equal(client.nout, sizeof(want));
	assert_memory_equal(client.out, want, sizeof(want));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_call, setup, teardown),
		cmocka_unit_test_setup_teardown(test_empty_and_error, setup,
		    teardown),
		cmocka_unit_test_setup_teardown(test_unimplemented, setup,
		    teardown),
		cmocka_unit_test_setup_teardown(test_deadline, setup, teardown),
		cmocka_unit_test_setup_teardown(test_fail, setup, teardown),
		cmocka_unit_test_setup_teardown(test_bounds, setup, teardown),
		cmocka_unit_test_setup_teardown(test_malformed, setup,
		    teardown),
		cmocka_unit_test_setup_teardown(test_tolerant, setup, teardown),
		cmocka_unit_test_setup_teardown(test_request_bytes, setup,
		    teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
