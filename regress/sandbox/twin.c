/*
 * A twin of one role: a process under the role's real, compiled filter.  Every
 * number of a system call is tried in a twin of its own, and what comes of it
 * compared with what the role's table says: made, made with certain arguments
 * (both sides of each condition), failed, or the end by SIGSYS.  The calls of
 * the other ABIs must all end it.
 *
 * Nothing that the filter lets pass is really done: a second, outer filter
 * answers it with an error that the kernel has not.
 */
#include <sys/syscall.h>

#include <linux/seccomp.h>

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/callrow.h"
#include "lib/filter.h"

#define TWIN_LAST_CALL 640
#define TWIN_X32       0x40000000
#define TWIN_TIMEOUT   5
#define TWIN_PASSED    4000   /* as errno: the role's filter let it pass */
#define TWIN_EXIT      0x7e57 /* exit_group's second argument: really end */
#define TWIN_SAYS      200    /* status for TWIN_PASSED, others say errno */

/*
 * uretprobe (335) and uprobe (336) of x86-64: since Linux 6.13 and 6.18 the
 * kernel lets them past every filter (kernel/seccomp.c), for they are made by
 * trampolines that the kernel itself puts into a traced process; from
 * anywhere else they end in SIGILL or an error.
 */
static const long twin_unfiltered[] = { 335, 336 };

extern const struct filter TWIN_FILTER;

enum twin_kind {
	TWIN_ALLOWED,
	TWIN_VALUE,
	TWIN_FAILED,
	TWIN_DEAD,
	TWIN_FREE,
	TWIN_ABI,
	TWIN_KINDS
};

struct twin_call {
	long nr;
	uint64_t args[6];
};

static unsigned int counts[TWIN_KINDS], wrong;

/* ---- what the table says ---- */

static bool
twin_holds(const struct callrow_cond *c, const uint64_t *args)
{
	uint64_t v = args[c->arg];
	const bool holds[] = {
		[CALLROW_END] = true,
		[CALLROW_EQ] = v == c->value,
		[CALLROW_NE] = v != c->value,
		[CALLROW_LT] = v < c->value,
		[CALLROW_LE] = v <= c->value,
		[CALLROW_BITS] = (v & c->mask) == c->value,
	};

	return holds[c->cmp];
}

static bool
twin_matches(const struct callrow *row, const uint64_t *args)
{
	for (size_t i = 0; row->conds[i].cmp != CALLROW_END; i++) {
		if (!twin_holds(&row->conds[i], args))
			return false;
	}
	return true;
}

/* TWIN_PASSED, an errno, or 0: it ends. */
static int
twin_expected(const char *name, const uint64_t *args)
{
	for (size_t i = 0; i < NCALLROWS; i++) {
		if (strcmp(callrows[i].name, name) == 0 &&
		    twin_matches(&callrows[i], args))
			return callrows[i].error != 0 ? callrows[i].error
						      : TWIN_PASSED;
	}
	return 0;
}

/* ---- what the kernel does ---- */

#define LOAD(at) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (at))
#define SKIP(value, yes, no)                                                   \
	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (value), (yes), (no))
#define NUMBER offsetof(struct seccomp_data, nr)
#define ARG(n) (offsetof(struct seccomp_data, args) + 8 * (n))

/* Lets nothing be done but the installing of the other, and the end. */
static void
twin_outer(void)
{
	struct sock_filter code[] = {
		LOAD(NUMBER),
		SKIP(SYS_rt_sigaction, 7, 0),
		SKIP(SYS_prctl, 0, 2),
		LOAD(ARG(0)),
		SKIP(PR_SET_SECCOMP, 4, 3),
		SKIP(SYS_exit_group, 0, 2),
		LOAD(ARG(1)),
		SKIP(TWIN_EXIT, 1, 0),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | TWIN_PASSED),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog prog = { sizeof(code) / sizeof(code[0]), code };

	if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &prog) == -1)
		_exit(77);
}

static void
twin_native(const struct twin_call *c)
{
	(void)syscall(c->nr, c->args[0], c->args[1], c->args[2], c->args[3],
	    c->args[4], c->args[5]);
}

#ifdef __x86_64__
/* The 32-bit entry; nr is the i386 number. */
static void
twin_i386(const struct twin_call *c)
{
	long nr = c->nr;

	__asm__ volatile("int $0x80" : "+a"(nr) : : "memory");
}
#endif

/* Makes the call in a child; its wait status. */
static int
twin_try(void (*fn)(const struct twin_call *), const struct twin_call *c)
{
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		(void)alarm(TWIN_TIMEOUT);
		if (prctl(PR_SET_NO_NEW_PRIVS, 1L, 0L, 0L, 0L) == -1)
			_exit(77);
		twin_outer();
		if (filter_install(&TWIN_FILTER) == -1)
			_exit(77);
		errno = 0;
		fn(c);
		(void)syscall(SYS_exit_group,
		    errno == TWIN_PASSED ? TWIN_SAYS : errno, TWIN_EXIT);
	}
	if (pid == -1 || waitpid(pid, &status, 0) == -1) {
		perror("fork");
		exit(1);
	}
	return status;
}

/* In twin_expected's words; -1: something else. */
static int
twin_outcome(int status)
{
	if (WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS)
		return 0;
	if (!WIFEXITED(status))
		return -1;
	return WEXITSTATUS(status) == TWIN_SAYS ? TWIN_PASSED
						: WEXITSTATUS(status);
}

static void
twin_compare(const struct twin_call *c, const char *name, enum twin_kind kind)
{
	int want = twin_expected(name, c->args);
	int status = twin_try(twin_native, c);

	counts[kind]++;
	if (twin_outcome(status) == want)
		return;
	wrong++;
	printf("%s: %s (%ld) with %#lx %#lx %#lx: status 0x%x, not %d\n",
	    TWIN_FILTER.role, name, c->nr, (unsigned long)c->args[0],
	    (unsigned long)c->args[1], (unsigned long)c->args[2], status, want);
}

/* ---- the calls ---- */

/* All arguments alike, but those that a row has conditions for. */
static struct twin_call
twin_call_of(long nr, const struct callrow *row, uint64_t others)
{
	struct twin_call c = { .nr = nr };

	for (int i = 0; i < 6; i++)
		c.args[i] = others;
	for (size_t i = 0; row != NULL && row->conds[i].cmp != CALLROW_END; i++)
		c.args[row->conds[i].arg] = row->conds[i].value;
	return c;
}

/* From where a condition holds, one bit after the other is turned. */
static void
twin_row(long nr, const struct callrow *row)
{
	struct twin_call c = twin_call_of(nr, row, UINT64_MAX), other;

	twin_compare(&c, row->name, TWIN_VALUE);
	for (size_t i = 0; row->conds[i].cmp != CALLROW_END; i++) {
		for (unsigned int bit = 0; bit < 64; bit++) {
			other = c;
			other.args[row->conds[i].arg] ^= UINT64_C(1) << bit;
			twin_compare(&other, row->name, TWIN_VALUE);
		}
		other.args[row->conds[i].arg] = UINT64_MAX;
		twin_compare(&other, row->name, TWIN_VALUE);
	}
}

/* A call that the table names; false if it does not. */
static bool
twin_named(long nr, const char *name)
{
	enum twin_kind kind = TWIN_DEAD;
	struct twin_call c;

	for (size_t i = 0; i < NCALLROWS; i++) {
		if (strcmp(callrows[i].name, name) != 0)
			continue;
		kind = callrows[i].error != 0 ? TWIN_FAILED : TWIN_ALLOWED;
		if (callrows[i].conds[0].cmp != CALLROW_END) {
			twin_row(nr, &callrows[i]);
			continue;
		}
		c = twin_call_of(nr, NULL, 0);
		twin_compare(&c, name, kind);
		c = twin_call_of(nr, NULL, UINT64_MAX);
		twin_compare(&c, name, kind);
	}
	return kind != TWIN_DEAD;
}

/* What the kernel does not ask the filter about: gone, or no such luck. */
static bool
twin_past_filters(long nr)
{
	struct twin_call c = twin_call_of(nr, NULL, UINT64_MAX);
	int status;

	for (size_t i = 0;
	     i < sizeof(twin_unfiltered) / sizeof(twin_unfiltered[0]); i++) {
		if (twin_unfiltered[i] != nr)
			continue;
		status = twin_try(twin_native, &c);
		if (twin_outcome(status) != 0)
			counts[TWIN_FREE]++;
		return twin_outcome(status) != 0;
	}
	return false;
}

static void
twin_other_abi(void (*fn)(const struct twin_call *), long nr, const char *abi)
{
	struct twin_call c = twin_call_of(nr, NULL, 0);
	int status = twin_try(fn, &c);

	counts[TWIN_ABI]++;
	if (twin_outcome(status) == 0)
		return;
	wrong++;
	printf("%s: %ld of %s was not killed (status 0x%x)\n", TWIN_FILTER.role,
	    nr, abi, status);
}

static void
twin_number(long nr)
{
	const char *name = filter_call_name((int)nr);
	struct twin_call c = twin_call_of(nr, NULL, UINT64_MAX);

	if (!twin_named(nr, name) && !twin_past_filters(nr))
		twin_compare(&c, name, TWIN_DEAD);
#ifdef __x86_64__
	twin_other_abi(twin_native, nr | TWIN_X32, "x32");
	twin_other_abi(twin_i386, nr, "i386");
#endif
}

int
main(void)
{
	unsigned int all = 0;

	for (long nr = 0; nr < TWIN_LAST_CALL; nr++)
		twin_number(nr);
	for (size_t i = 0; i < TWIN_KINDS; i++)
		all += counts[i];
	printf("%s: %u calls classified: %u end it, %u of other ABIs too; "
	       "%u are made, %u values of arguments tried, %u fail, "
	       "%u pass every filter; %u wrong\n",
	    TWIN_FILTER.role, all, counts[TWIN_DEAD], counts[TWIN_ABI],
	    counts[TWIN_ALLOWED] / 2, counts[TWIN_VALUE],
	    counts[TWIN_FAILED] / 2, counts[TWIN_FREE], wrong);
	return wrong != 0;
}
