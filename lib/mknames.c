/* Build-time tool: the table of native system call names, as C. */
#include <seccomp.h>
#include <stdio.h>
#include <stdlib.h>

#define LAST_CALL 1024

int
main(void)
{
	printf("#include \"lib/filter.h\"\n"
	       "extern const struct filter_name filter_names[];\n"
	       "extern const size_t filter_nnames;\n"
	       "const struct filter_name filter_names[] = {\n");
	for (int nr = 0; nr < LAST_CALL; nr++) {
		char *name =
		    seccomp_syscall_resolve_num_arch(SCMP_ARCH_NATIVE, nr);

		if (name != NULL)
			printf("\t{ %d, \"%s\" },\n", nr, name);
		free(name);
	}
	printf("};\nconst size_t filter_nnames =\n"
	       "    sizeof(filter_names) / sizeof(filter_names[0]);\n");
	return 0;
}
