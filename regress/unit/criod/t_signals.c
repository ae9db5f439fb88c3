#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <signal.h>
#include <string.h>

#include "criod/signals.h"
#include "proto/cri.pb-c.h"

#define S(n) RUNTIME__V1__SIGNAL__SIGNAL_SIG##n

static void
test_known(void **state)
{
	static const int pairs[][2] = { { S(TERM), SIGTERM },
		{ S(KILL), SIGKILL }, { S(HUP), SIGHUP }, { S(INT), SIGINT },
		{ S(USR1), SIGUSR1 }, { S(USR2), SIGUSR2 },
		{ S(QUIT), SIGQUIT }, { S(WINCH), SIGWINCH },
		{ S(XFSZ), SIGXFSZ }, { S(SYS), SIGSYS }, { S(IOT), SIGABRT },
		{ S(RTMIN), 34 }, { S(RTMINPLUS3), 37 }, { S(RTMINPLUS15), 49 },
		{ S(RTMAXMINUS14), 50 }, { S(RTMAX), 64 } };

	(void)state;
	for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++)
		assert_int_equal(signals_to_linux(pairs[i][0]), pairs[i][1]);
}

/* The names agree, as far as the C library has names. */
static void
test_names(void **state)
{
	const ProtobufCEnumDescriptor *d = &runtime__v1__signal__descriptor;

	(void)state;
	for (unsigned int i = 1; i < d->n_values; i++) {
		const char *name = d->values[i].name + strlen("SIGNAL_SIG");
		int n = signals_to_linux(d->values[i].value);
		const char *abbrev = sigabbrev_np(n);

		assert_true(n >= 1 && n <= 64);
		if (abbrev == NULL || strcmp(name, "IOT") == 0 ||
		    strcmp(name, "CLD") == 0 || strcmp(name, "IO") == 0 ||
		    strcmp(name, "POLL") == 0)
			continue;
		assert_string_equal(name, abbrev);
	}
}

static void
test_reverse(void **state)
{
	(void)state;
	for (int n = 1; n <= 64; n++) {
		int cri = signals_to_cri(n);

		if (cri != 0)
			assert_int_equal(signals_to_linux(cri), n);
	}
	assert_int_equal(signals_to_cri(SIGTERM), S(TERM));
}

static void
test_out_of_range(void **state)
{
	(void)state;
	assert_int_equal(signals_to_linux(0), 0);
	assert_int_equal(signals_to_linux(-1), 0);
	assert_int_equal(signals_to_linux(66), 0);
	assert_int_equal(signals_to_linux(INT32_MAX), 0);
	assert_int_equal(signals_to_cri(0), 0);
	assert_int_equal(signals_to_cri(1000), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_known),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_reverse),
		cmocka_unit_test(test_out_of_range),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
