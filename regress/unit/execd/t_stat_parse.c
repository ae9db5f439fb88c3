/* The kernel's files as numbers: v2, v1, both, and what is none of them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "execd/stat_parse.h"

static uint8_t buf[8192];
static size_t len;

static void
put_u32(uint32_t v)
{
	for (int i = 0; i < 4; i++)
		buf[len++] = (uint8_t)(v >> 8 * i);
}

static void
put(uint32_t item, uint32_t file, const char *text)
{
	put_u32(item);
	put_u32(file);
	put_u32((uint32_t)strlen(text));
	memcpy(buf + len, text, strlen(text));
	len += strlen(text);
}

static int
begin(void **state)
{
	(void)state;
	len = 0;
	return 0;
}

static void
check(const struct stat_sample *s, enum stat_num num, uint64_t want)
{
	assert_true(s->has[num]);
	assert_int_equal(s->v[num], want);
}

static void
test_v2(void **state)
{
	struct stat_sample s[2] = { 0 };

	(void)state;
	put(1, STAT_V2_CPU,
	    "usage_usec 1500\nuser_usec 1000\nsystem_usec 500\n"
	    "nr_periods 7\nnr_throttled 3\nthrottled_usec 9\n");
	put(1, STAT_V2_MEMORY_CURRENT, "4096\n");
	put(1, STAT_V2_MEMORY_MAX, "max\n");
	put(1, STAT_V2_MEMORY_STAT,
	    "anon 100\nfile 200\nkernel 50\n"
	    "file_mapped 20\ninactive_file 96\n"
	    "pgfault 11\npgmajfault 2\n");
	put(1, STAT_V2_MEMORY_EVENTS,
	    "low 0\nhigh 0\nmax 5\noom 1\n"
	    "oom_kill 1\noom_group_kill 0\n");
	put(1, STAT_V2_PIDS_CURRENT, "3\n");
	put(1, STAT_V2_PIDS_MAX, "100\n");
	assert_int_equal(stat_parse(buf, len, s, 2), 0);
	assert_false(s[0].has[STAT_CPU_USAGE]);
	check(&s[1], STAT_CPU_USAGE, 1500000);
	check(&s[1], STAT_CPU_USER, 1000000);
	check(&s[1], STAT_CFS_THROTTLED_NS, 9000);
	check(&s[1], STAT_MEM_USAGE, 4096);
	assert_false(s[1].has[STAT_MEM_LIMIT]);
	check(&s[1], STAT_MEM_RSS, 100);
	check(&s[1], STAT_MEM_FAILCNT, 5);
	check(&s[1], STAT_OOM_KILLS, 1);
	check(&s[1], STAT_THREADS, 3);
	check(&s[1], STAT_THREADS_MAX, 100);
	assert_int_equal(stat_working_set(&s[1]), 4000);
	stat_clear(&s[1]);
}

static void
test_v1(void **state)
{
	struct stat_sample s = { 0 };
	uint64_t used, limit;
	bool limited;

	(void)state;
	put(0, STAT_V1_CPUACCT_USAGE, "123456789\n");
	put(0, STAT_V1_CPUACCT_STAT, "user 5\nsystem 7\n");
	put(0, STAT_V1_MEMORY_USAGE, "1000\n");
	put(0, STAT_V1_MEMORY_LIMIT, "9223372036854771712\n");
	put(0, STAT_V1_MEMORY_STAT,
	    "cache 1\nrss 2\ntotal_cache 10\n"
	    "total_rss 20\ntotal_inactive_file 1001\n");
	put(0, STAT_V1_MEMORY_OOM,
	    "oom_kill_disable 0\nunder_oom 0\n"
	    "oom_kill 4\n");
	put(0, STAT_V1_MEMSW_USAGE, "1500\n");
	/* A v2 tree without controllers counts CPU time, less finely. */
	put(0, STAT_V2_CPU, "usage_usec 1\nuser_usec 2\n");
	assert_int_equal(stat_parse(buf, len, &s, 1), 0);
	check(&s, STAT_CPU_USAGE, 123456789);
	check(&s, STAT_CPU_USER, 50000000);
	check(&s, STAT_MEM_RSS, 20);
	check(&s, STAT_OOM_KILLS, 4);
	assert_false(s.has[STAT_MEM_LIMIT]);
	assert_int_equal(stat_working_set(&s), 0);
	assert_true(stat_swap(&s, &used, &limited, &limit));
	assert_int_equal(used, 500);
	assert_false(limited);
	stat_clear(&s);
}

static void
test_devices(void **state)
{
	struct stat_sample s = { 0 };

	(void)state;
	put(0, STAT_NET_DEV,
	    "Inter-|   Receive                            |  Transmit\n"
	    " face |bytes    packets errs drop fifo frame compressed multicast"
	    "|bytes    packets errs drop fifo colls carrier compressed\n"
	    "    lo:       1 2 3 4 0 0 0 0 5 6 7 8 0 0 0 0\n"
	    "  eth0:100 200 300 400 0 0 0 0 500 600 700 800 0 0 0 0\n");
	put(0, STAT_V2_IO,
	    "8:0 rbytes=1 wbytes=2 rios=3 wios=4 dbytes=5 "
	    "dios=6\n254:16 \n");
	put(0, STAT_V1_IO_BYTES,
	    "8:1 Read 11\n8:1 Write 12\n8:1 Total 23\n"
	    "Total 23\n");
	put(0, STAT_V1_HUGE_2M, "2097152\n");
	put(0, STAT_V1_HUGE_MAX_2M, "4194304\n");
	put(0, STAT_V2_IO_PRESSURE,
	    "some avg10=0.50 avg60=0.25 avg300=0.00 total=77\n"
	    "full avg10=0.00 avg60=0.00 avg300=0.00 total=9\n");
	assert_int_equal(stat_parse(buf, len, &s, 1), 0);
	assert_int_equal(s.nnet, 2);
	assert_string_equal(s.net[1].name, "eth0");
	assert_int_equal(s.net[1].v[STAT_RX_DROPPED], 400);
	assert_int_equal(s.net[1].v[STAT_TX_BYTES], 500);
	assert_int_equal(s.net[1].v[STAT_TX_DROPPED], 800);
	assert_int_equal(s.nio, 2);
	assert_int_equal(s.io[0].v[STAT_IO_WIOS], 4);
	assert_int_equal(s.io[1].minor, 1);
	assert_int_equal(s.io[1].v[STAT_IO_WBYTES], 12);
	assert_true(s.huge[1].set && s.huge[1].max_set);
	assert_int_equal(s.huge[1].max, 4194304);
	assert_int_equal(s.some[STAT_PSI_IO].total, 77);
	assert_int_equal(s.full[STAT_PSI_IO].total, 9);
	assert_true(s.some[STAT_PSI_IO].avg10 > 0.49);
	stat_clear(&s);
}

/* Numbers where words should be, and the reverse, set nothing. */
static void
test_nonsense(void **state)
{
	struct stat_sample s = { 0 };
	char line[3000];

	(void)state;
	memset(line, '9', sizeof(line) - 1);
	line[sizeof(line) - 1] = '\0';
	put(0, STAT_V2_MEMORY_CURRENT, "-1\n");
	put(0, STAT_V2_PIDS_CURRENT, "12x\n");
	put(0, STAT_V2_MEMORY_MAX, line);
	put(0, STAT_V2_CPU, "usage_usec\nusage_usec x\nuser_usec");
	put(0, STAT_V2_CPU_PRESSURE, "some avg10=x\n");
	put(0, STAT_NET_DEV, "averyveryverylonginterfacename: 1 2 3\n:\n1:\n");
	assert_int_equal(stat_parse(buf, len, &s, 1), 0);
	for (int i = 0; i < STAT_NNUMS; i++)
		assert_false(s.has[i]);
	assert_int_equal(s.nnet, 0);
	assert_false(s.some[STAT_PSI_CPU].set);
	stat_clear(&s);
}

/* The launcher's own records cut or pointing elsewhere. */
static void
test_records(void **state)
{
	struct stat_sample s = { 0 };

	(void)state;
	put(1, STAT_V2_PIDS_CURRENT, "1\n");
	assert_int_equal(stat_parse(buf, len, &s, 1), -1);
	len = 0;
	put(0, STAT_NFILES, "1\n");
	assert_int_equal(stat_parse(buf, len, &s, 1), -1);
	len = 0;
	put(0, STAT_V2_PIDS_CURRENT, "1\n");
	for (size_t cut = 1; cut < len; cut++)
		assert_int_equal(stat_parse(buf, len - cut, &s, 1), -1);
	put(0, STAT_TIMES, "short");
	assert_int_equal(stat_parse(buf, len, &s, 1), 0);
	assert_false(s.has[STAT_WALL]);
	stat_clear(&s);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_v2, begin),
		cmocka_unit_test_setup(test_v1, begin),
		cmocka_unit_test_setup(test_devices, begin),
		cmocka_unit_test_setup(test_nonsense, begin),
		cmocka_unit_test_setup(test_records, begin),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
