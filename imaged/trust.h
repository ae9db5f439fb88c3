#ifndef CRIOD_IMAGED_TRUST_H
#define CRIOD_IMAGED_TRUST_H

/*
 * What a host is spoken to with: certificates of authorities beside the
 * system's, client certificates with their keys, header fields.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/cerr.h"

#define TRUST_CLIENTS_MAX 8
#define TRUST_HEADERS_MAX 32
#define TRUST_HEADER_MAX  4096 /* bytes of a value */

struct Criod__RegistryFile;
struct registry_client;
struct registry_header;

/* All zero is none. */
struct trust {
	uint8_t *ca; /* PEM */
	size_t ca_len;
	struct registry_client *clients;
	size_t nclients;
	struct registry_header *headers;
	size_t nheaders;
};

/* All copy; NAME is for errors, "NAME: ...", INVALID_ARGUMENT. */
int trust_add_ca(struct trust *t, const char *name, const void *pem, size_t len,
    struct cerr *err) __attribute__((warn_unused_result));
int trust_add_client(struct trust *t, const char *name, const void *cert,
    size_t cert_len, const void *key, size_t key_len, struct cerr *err)
    __attribute__((warn_unused_result));
int trust_add_header(struct trust *t, const char *name, const char *field,
    const char *value, struct cerr *err) __attribute__((warn_unused_result));

/* Lines NAME: VALUE; errors do not quote them. */
int trust_add_header_lines(struct trust *t, const char *name, const char *text,
    size_t len, struct cerr *err) __attribute__((warn_unused_result));

/*
 * What the files of kind in directory DIR are by their names: *.crt of
 * authorities, NAME.cert and NAME.key a client's.
 */
int trust_add_dir(struct trust *t, struct Criod__RegistryFile *const *files,
    size_t nfiles, unsigned int kind, const char *dir, struct cerr *err)
    __attribute__((warn_unused_result));
/* Certificates or keys, that is; headers do not count. */
bool trust_any(const struct trust *t);
void trust_clear(struct trust *t); /* wipes */

#endif
