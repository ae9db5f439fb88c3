#include <linux/capability.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "execd/ctr_flags.h"
#include "execd/launch_proc.h"
#include "execd/launch_restore.h"

#define ROOT  "50 40 0:35 / / rw,relatime - overlay o rw,lowerdir=a\n"
#define PROC  "51 50 0:38 / /proc rw,nosuid,nodev,noexec - proc proc rw\n"
#define BIND  "52 50 8:1 /var/x /data ro,relatime master:3 - ext4 /dev/sda1 rw\n"
#define KCORE "53 51 0:39 /null /proc/kcore rw,nosuid - tmpfs tmpfs rw\n"

static const char like[] = ROOT PROC BIND KCORE;

static int
same(const char *have)
{
	struct cerr err;

	return restore_mounts(have, like, &err);
}

/* Numbers, order and new instances do not matter. */
static void
test_same(void **state)
{
	(void)state;
	assert_int_equal(same(like), 0);
	assert_int_equal(same(BIND KCORE PROC ROOT), 0);
	assert_int_equal(same("1 0 0:35 / / rw - overlay o rw\n"
			      "2 1 0:99 / /proc ro,nosuid,nodev,noexec - proc p"
			      " rw\n" BIND KCORE),
	    0);
	/* The host's null device, if nobody can change it. */
	assert_int_equal(same(ROOT PROC BIND
			     "9 8 0:5 /null /proc/kcore ro,nosuid - devtmpfs d"
			     " rw\n"),
	    0);
}

static void
test_row_44_other_mounts(void **state)
{
	static const char *const bad[] = { ROOT PROC BIND,
		ROOT PROC BIND KCORE KCORE, ROOT PROC KCORE,
		ROOT PROC BIND KCORE "9 5 8:1 / /host rw - ext4 /dev/sda1 rw\n",
		/* another directory, device, place or type */
		ROOT PROC KCORE "9 5 8:1 / /data ro - ext4 /dev/sda1 rw\n",
		ROOT PROC KCORE "9 5 8:2 /var/x /data ro - ext4 /dev/sdb rw\n",
		ROOT PROC KCORE "9 5 8:1 /var/x /datb ro - ext4 /dev/sda1 rw\n",
		ROOT PROC KCORE "9 5 0:7 /var/x /data ro - overlay o rw\n",
		/* more open: writable, suid, from and to the host */
		ROOT PROC KCORE "9 5 8:1 /var/x /data rw - ext4 /dev/sda1 rw\n",
		ROOT BIND KCORE "9 5 0:3 / /proc rw,nodev,noexec - proc p rw\n",
		ROOT BIND KCORE
		"9 5 0:3 / /proc rw,nosuid,nodev,noexec shared:1 - proc p rw\n",
		ROOT PROC BIND "9 8 0:5 /null /proc/kcore rw,nosuid - devtmpfs"
			       " d rw\n",
		ROOT PROC BIND "9 8 0:5 / /proc/kcore ro,nosuid - devtmpfs d"
			       " rw\n",
		ROOT PROC BIND KCORE "not a mount\n", "" };

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(same(bad[i]), -1);
}

static void
test_lines(void **state)
{
	struct restore_mount m;

	(void)state;
	assert_true(restore_mount_get(like, 2, &m));
	assert_string_equal(m.at, "/data");
	assert_string_equal(m.root, "/var/x");
	assert_int_equal(m.flags, RESTORE_RO | RESTORE_SLAVE);
	assert_false(restore_mount_null(&m));
	assert_true(restore_mount_get(like, 3, &m));
	assert_true(restore_mount_null(&m));
	assert_false(restore_mount_get(like, 4, &m));
}

static void
test_row_44_other_status(void **state)
{
	const struct proc_status good = { .uid = { 7, 7, 7, 7 },
		.gid = { 8, 8, 8, 8 },
		.nnp = 1,
		.seccomp = 2 };
	struct fixed_ctr_create c = { .uid = 7,
		.gid = 8,
		.flags = CTR_FLAG_NNP | CTR_FLAG_SECCOMP };
	struct proc_status s = good;
	struct cerr err;

	(void)state;
	assert_int_equal(restore_status(&s, &c, &err), 0);
	s.uid[1] = 0;
	assert_int_equal(restore_status(&s, &c, &err), -1);
	/* It may have changed by itself. */
	c.caps = UINT64_C(1) << CAP_SETUID;
	assert_int_equal(restore_status(&s, &c, &err), 0);
	c.caps = 0;
	s = good;
	s.gid[3] = 0;
	assert_int_equal(restore_status(&s, &c, &err), -1);
	s = good;
	s.amb = 1;
	assert_int_equal(restore_status(&s, &c, &err), -1);
	s = good;
	s.nnp = 0;
	assert_int_equal(restore_status(&s, &c, &err), -1);
	s = good;
	s.seccomp = 0;
	assert_int_equal(restore_status(&s, &c, &err), -1);
	c.flags = CTR_FLAG_NNP;
	assert_int_equal(restore_status(&s, &c, &err), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_same),
		cmocka_unit_test(test_row_44_other_mounts),
		cmocka_unit_test(test_lines),
		cmocka_unit_test(test_row_44_other_status),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
