#ifndef CRIOD_CRIOD_CHECK_TAB_H
#define CRIOD_CRIOD_CHECK_TAB_H

/*
 * Runs tables of checks over protobuf-c messages.  path is the message's own
 * place in the request, "" at the top.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "criod/check_value.h"
#include "lib/cerr.h"

#define CHECK_PATH_SIZE 512

/* One string field. */
struct check_string {
	const char *name;
	size_t offset; /* of a char * */
	check_value_fn fn;
};

/* One repeated string field. */
struct check_list {
	const char *name;
	size_t n_offset, offset; /* of a size_t and a char ** */
	check_value_fn fn;
	size_t max; /* items */
};

/* One number that has bounds. */
struct check_number {
	const char *name;
	size_t offset; /* of an int64_t */
	int64_t min, max;
	int64_t least; /* of what is above 0 */
};

/* "path.name: why", INVALID_ARGUMENT; -1. */
int check_fail(struct cerr *err, const char *path, const char *name,
    const char *why);
/* out: "path.name[i]", cut if need be. */
void check_path_item(char out[CHECK_PATH_SIZE], const char *path,
    const char *name, size_t i);

int check_strings(const void *m, const char *path,
    const struct check_string *rows, size_t n, struct cerr *err)
    __attribute__((warn_unused_result));
int check_lists(const void *m, const char *path, const struct check_list *rows,
    size_t n, struct cerr *err) __attribute__((warn_unused_result));
int check_numbers(const void *m, const char *path,
    const struct check_number *rows, size_t n, struct cerr *err)
    __attribute__((warn_unused_result));
int check_map(void *const *entries, size_t n, const char *path,
    check_value_fn key, check_value_fn value, struct cerr *err)
    __attribute__((warn_unused_result));
/* A config's labels and annotations. */
int check_maps(void *const *labels, size_t nlabels, void *const *annotations,
    size_t nannotations, struct cerr *err) __attribute__((warn_unused_result));
/* Every enum anywhere in the message has a value that the CRI names. */
int check_enums(const void *m, const char *path, struct cerr *err)
    __attribute__((warn_unused_result));

#define CHECK_COUNT(rows) (sizeof(rows) / sizeof((rows)[0]))
#define CHECK_MAP_MAX	  4096 /* entries */

#endif
