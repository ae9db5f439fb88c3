#ifndef CRIOD_IMAGED_TOML_H
#define CRIOD_IMAGED_TOML_H

/*
 * TOML 1.0 as a tree, in the order of the file.  Refused beside what TOML
 * itself forbids: U+0000 in strings, and more than the limits below.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/cerr.h"

#define TOML_MAX       (1024U * 1024) /* bytes of a document */
#define TOML_NODES_MAX 65536U	      /* values, of all kinds */
#define TOML_KEYS_MAX  4096U	      /* of one table */
#define TOML_DEPTH_MAX 16U	      /* parts of a key; values in values */

enum toml_type {
	TOML_TABLE = 0,
	TOML_ARRAY,
	TOML_STRING,
	TOML_INTEGER,
	TOML_FLOAT,
	TOML_BOOLEAN,
	TOML_DATE, /* or time, or both; text is as it was written */
};

struct toml {
	enum toml_type type;
	unsigned int line; /* of the document, from 1 */
	char *key;	   /* NULL in arrays and for the document itself */
	char *text;	   /* of strings and dates */
	int64_t integer;
	double real;
	bool boolean;
	/* tables and arrays */
	struct toml *first, *last;
	size_t count;
	struct toml *next; /* the next in the same table or array */
	/* while it is parsed, and for toml_free */
	bool is_explicit, frozen;
	unsigned int section;
	struct toml *older;
};

/*
 * The document's table, or NULL with err, "NAME:LINE: what is wrong",
 * INVALID_ARGUMENT.
 */
struct toml *toml_parse(const char *name, const char *buf, size_t len,
    struct cerr *err) __attribute__((warn_unused_result));
void toml_free(struct toml *doc); /* wipes; NULL is fine */

/* The member of that name; NULL if there is none or t is no table. */
const struct toml *toml_get(const struct toml *t, const char *key);
/*
 * The member if it is of that type; NULL in *m if there is none.
 * INVALID_ARGUMENT, "NAME:LINE: ...", if it is of another.
 */
int toml_want(const char *name, const struct toml *t, const char *key,
    enum toml_type type, const struct toml **m, struct cerr *err)
    __attribute__((warn_unused_result));
/* The same, of strings (NULL if there is none) and of booleans (false). */
int toml_want_text(const char *name, const struct toml *t, const char *key,
    const char **text, struct cerr *err) __attribute__((warn_unused_result));
int toml_want_flag(const char *name, const struct toml *t, const char *key,
    bool *flag, struct cerr *err) __attribute__((warn_unused_result));
/* An error about t, INVALID_ARGUMENT; what may name its key. */
int toml_wrong(const char *name, const struct toml *t, struct cerr *err,
    const char *fmt, ...) __attribute__((format(printf, 4, 5)));
/* "string", for error texts */
const char *toml_type_name(enum toml_type type);

#endif
