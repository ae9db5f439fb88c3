/*
 * Build-time tool: compiles one role's table (CALLS_FILE, given with -D) to a
 * C array on standard output.  argv[1] is the role's name.
 */
#include <err.h>
#include <seccomp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <linux/filter.h>

#include "lib/callrow.h"

static const enum scmp_compare compares[] = {
	[CALLROW_EQ] = SCMP_CMP_EQ,
	[CALLROW_NE] = SCMP_CMP_NE,
	[CALLROW_LT] = SCMP_CMP_LT,
	[CALLROW_LE] = SCMP_CMP_LE,
	[CALLROW_BITS] = SCMP_CMP_MASKED_EQ,
};

static struct scmp_arg_cmp
condition(const struct callrow_cond *c)
{
	return (struct scmp_arg_cmp){ c->arg, compares[c->cmp],
		c->cmp == CALLROW_BITS ? c->mask : c->value, c->value };
}

static void
add_row(scmp_filter_ctx ctx, const struct callrow *row)
{
	struct scmp_arg_cmp cmps[CALLROW_CONDS];
	uint32_t action = row->error != 0 ? SCMP_ACT_ERRNO((uint16_t)row->error)
					  : SCMP_ACT_ALLOW;
	int nr = seccomp_syscall_resolve_name(row->name), rc;
	unsigned int n = 0;

	if (nr == __NR_SCMP_ERROR)
		errx(1, "%s: no such system call", row->name);
	for (; row->conds[n].cmp != CALLROW_END; n++)
		cmps[n] = condition(&row->conds[n]);
	rc = seccomp_rule_add_exact_array(ctx, action, nr, n, cmps);
	if (rc != 0)
		errx(1, "%s: %s", row->name, strerror(-rc));
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
	for (size_t i = 0; i < NCALLROWS; i++)
		printf("\t\"%s\",\n", callrows[i].name);
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
	for (size_t i = 0; i < NCALLROWS; i++)
		add_row(ctx, &callrows[i]);
	if (seccomp_export_bpf(ctx, fileno(bpf)) != 0)
		errx(1, "seccomp_export_bpf");
	rewind(bpf);
	print_code(argv[1], bpf);
	return 0;
}
