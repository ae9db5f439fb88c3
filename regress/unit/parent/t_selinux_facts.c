#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <string.h>

#include "parent/selinux.h"

/* What a policy says counts; what it does not say, or says badly, stays. */
static void
t_contexts(void **state)
{
	static const char text[] =
	    "# comment\n"
	    "process = \"system_u:system_r:p_t:s0\"\n"
	    "content = \"system_u:object_r:virt_var_lib_t:s0\"\n"
	    "  file=system_u:object_r:f_t:s0\n"
	    "ro_file = \"system_u:object_r:ro_t:s0\"\n"
	    "init_process\n"
	    "init_process = \"\"\n"
	    "kvm_process = \"system_u:system_r:k_t:s0\"\n"
	    "processes = \"x\"\n"
	    "process = \"system_u:system_r:q_t:s0\"";
	struct selinux_facts s = { .init = "kept" };
	char longer[600];

	(void)state;
	selinux_contexts(&s, text);
	assert_string_equal(s.process, "system_u:system_r:q_t:s0");
	assert_string_equal(s.file, "system_u:object_r:f_t:s0");
	assert_string_equal(s.init, "kept");
	assert_string_equal(s.kvm, "system_u:system_r:k_t:s0");
	memset(longer, 'a', sizeof(longer) - 1);
	longer[sizeof(longer) - 1] = '\0';
	memcpy(longer, "file=", 5);
	selinux_contexts(&s, longer);
	assert_string_equal(s.file, "system_u:object_r:f_t:s0");
	selinux_contexts(&s, "");
	selinux_contexts(&s, "\n\nfile");
	assert_string_equal(s.file, "system_u:object_r:f_t:s0");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(t_contexts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
