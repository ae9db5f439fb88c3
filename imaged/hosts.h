#ifndef CRIOD_IMAGED_HOSTS_H
#define CRIOD_IMAGED_HOSTS_H

/* containerd's hosts.toml: where images of one registry are read from. */

#include <stdbool.h>
#include <stddef.h>

#include "imaged/trust.h"
#include "lib/cerr.h"

#define HOSTS_MAX 16 /* of one file, the server among them */

struct Criod__RegistryFile;

struct hosts_one {
	char *host; /* HOST[:PORT]; NULL: the registry itself */
	char *root; /* "/v2" */
	bool plain, unverified;
	bool resolve, pull;
	struct trust trust;
};

struct hosts {
	struct hosts_one list[HOSTS_MAX]; /* in the order they are tried */
	size_t n;
};

/*
 * file is a hosts.toml; files may be named in it.  Errors are
 * INVALID_ARGUMENT, "FILE:LINE: ...".
 */
int hosts_parse(const struct Criod__RegistryFile *file,
    struct Criod__RegistryFile *const *files, size_t nfiles, struct hosts *h,
    struct cerr *err) __attribute__((warn_unused_result));
void hosts_clear(struct hosts *h);

#endif
