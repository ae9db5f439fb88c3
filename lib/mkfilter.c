/*
 * Build-time tool: compiles one role's table (CALLS_FILE, given with -D) to a
 * C array on standard output.  argv[1] is the role's name.
 */
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/types.h>

#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <seccomp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include <linux/filter.h>

enum line_op { OP_ALLOW, OP_IF, OP_BITS, OP_FAIL, OP_FAIL_IF };

struct line {
	const char *name;
	enum line_op op;
	unsigned int arg;
	enum scmp_compare cmp;
	uint64_t mask, value;
	int error;
};

#define EQ			 SCMP_CMP_EQ
#define NE			 SCMP_CMP_NE
#define LT			 SCMP_CMP_LT
#define LE			 SCMP_CMP_LE
#define CALL(n, why)		 { #n, OP_ALLOW, 0, EQ, 0, 0, 0 },
#define CALL_IF(n, a, c, v, why) { #n, OP_IF, a, c, 0, (uint64_t)(v), 0 },
#define CALL_BITS(n, a, m, v, why)                                             \
	{ #n, OP_BITS, a, SCMP_CMP_MASKED_EQ, (uint64_t)(m), (uint64_t)(v), 0 },
#define FAIL(n, e, why) { #n, OP_FAIL, 0, EQ, 0, 0, e },
#define FAIL_IF(n, a, c, v, e, why)                                            \
	{ #n, OP_FAIL_IF, a, c, 0, (uint64_t)(v), e },

static const struct line lines[] = {
#include CALLS_FILE
};

#define NLINES (sizeof(lines) / sizeof(lines[0]))

static void
add_line(scmp_filter_ctx ctx, const struct line *l)
{
	int nr = seccomp_syscall_resolve_name(l->name), rc;
	struct scmp_arg_cmp cmp = { l->arg, l->cmp,
		l->op == OP_BITS ? l->mask : l->value, l->value };

	if (nr == __NR_SCMP_ERROR)
		errx(1, "%s: no such system call", l->name);
	switch (l->op) {
	case OP_ALLOW:
		rc = seccomp_rule_add_exact(ctx, SCMP_ACT_ALLOW, nr, 0);
		break;
	case OP_FAIL:
		rc = seccomp_rule_add_exact(ctx,
		    SCMP_ACT_ERRNO((uint16_t)l->error), nr, 0);
		break;
	case OP_FAIL_IF:
		rc = seccomp_rule_add_exact_array(ctx,
		    SCMP_ACT_ERRNO((uint16_t)l->error), nr, 1, &cmp);
		break;
	case OP_IF:
	case OP_BITS:
	default:
		rc = seccomp_rule_add_exact_array(ctx, SCMP_ACT_ALLOW, nr, 1,
		    &cmp);
		break;
	}
	if (rc != 0)
		errx(1, "%s: %s", l->name, strerror(-rc));
}

static void
print_code(const char *role, FILE *bpf)
{
	struct sock_filter insn;
	unsigned int count = 0;

	printf("#include <stddef.h>\n#include \"lib/filter.h\"\n"
	       "static const struct sock_filter code[] = {\n");
	for (; fread(&insn, sizeof(insn), 1, bpf) == 1; count++)
		printf("\t{ 0x%x, %u, %u, 0x%x },\n", insn.code, insn.jt,
		    insn.jf, insn.k);
	printf("};\nstatic const char *const named[] = {\n");
	for (size_t i = 0; i < NLINES; i++)
		printf("\t\"%s\",\n", lines[i].name);
	printf("\tNULL,\n};\nextern const struct filter filter_%s;\n"
	       "const struct filter filter_%s = {\n\t\"%s\", code, %u, "
	       "named,\n};\n",
	    role, role, role, count);
}

int
main(int argc, char **argv)
{
	FILE *bpf = tmpfile();
	scmp_filter_ctx ctx = seccomp_init(SCMP_ACT_TRAP);

	if (argc != 2 || bpf == NULL || ctx == NULL)
		errx(1, "usage: mkfilter role");
	if (seccomp_attr_set(ctx, SCMP_FLTATR_ACT_BADARCH,
		SCMP_ACT_KILL_PROCESS) != 0 ||
	    seccomp_attr_set(ctx, SCMP_FLTATR_CTL_OPTIMIZE, 2) != 0)
		errx(1, "seccomp_attr_set");
	for (size_t i = 0; i < NLINES; i++)
		add_line(ctx, &lines[i]);
	if (seccomp_export_bpf(ctx, fileno(bpf)) != 0)
		errx(1, "seccomp_export_bpf");
	rewind(bpf);
	print_code(argv[1], bpf);
	return 0;
}
