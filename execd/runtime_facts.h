#ifndef CRIOD_EXECD_RUNTIME_FACTS_H
#define CRIOD_EXECD_RUNTIME_FACTS_H

/* What an OCI runtime says of itself. */

#include <stdbool.h>
#include <stddef.h>

#define RUNTIME_FACTS_MAX (256U * 1024) /* bytes that it may say */

struct runtime_facts {
	char name[32]; /* "crun"; "unknown" if its version cannot be read */
	int version[3];
	bool rro;      /* recursive read-only mounts */
	bool criu;     /* it can use CRIU */
	bool outdated; /* holes are public that later releases mended */
};

/* text: see runtime in imsg/fixed_table.h; len bytes and a NUL behind. */
void runtime_facts_parse(const char *text, size_t len,
    struct runtime_facts *out);

#endif
