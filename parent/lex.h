#ifndef CRIOD_PARENT_LEX_H
#define CRIOD_PARENT_LEX_H

/* The words of criod.conf, across includes, for parse.y. */

#include <sys/queue.h>

#include <stdbool.h>
#include <stddef.h>

#include "lib/cerr.h"
#include "parent/conf.h"
#include "parent/conf_parse.h"

struct conf_registry;
struct conf_runtime;

struct lex_file {
	TAILQ_ENTRY(lex_file) entry;
	struct lex_file *up; /* that included it */
	char *name, *buf;
	size_t len, pos, depth;
	unsigned int line;
	bool fresh; /* at the start of a statement */
};

struct lex_macro {
	TAILQ_ENTRY(lex_macro) entry;
	char *name, *value;
	bool fixed; /* from the command line */
};

struct lex {
	const struct conf_source *src;
	TAILQ_HEAD(lex_files, lex_file) files; /* all, for their names */
	struct lex_file *file;		       /* being read */
	size_t nfiles, nmacros;
	TAILQ_HEAD(lex_macros, lex_macro) macros;
	char *include; /* to be opened when this line has ended */
	/* The last token: where it is, and how it reads. */
	const char *name;
	unsigned int line;
	bool at_end; /* it was the end of a line */
	bool told;   /* its error is already reported */
	char word[CONF_WORD_MAX];
	unsigned int errors;
	/* For the grammar's actions. */
	struct conf *conf;
	struct conf_registry *registry;
	struct conf_runtime *runtime;
	char *namespace;	      /* of the policy; NULL: every one */
	bool policy_bad;	      /* its rules are not to be kept */
	char *words[CONF_RULE_WORDS]; /* of a rule */
	size_t nwords;
	struct cerr err;
};

void lex_open(struct lex *lex, struct conf *c, const char *name,
    const char *buf, size_t len, const struct conf_source *src);
void lex_close(struct lex *lex);

/* A token of parse.y; *string is owned by the caller if it is STRING. */
int lex_next(struct lex *lex, char **string);

/* Reports lex->err, which names the word, for the statement just read. */
void lex_statement_bad(struct lex *lex);
/* Reports a syntax error at the last token. */
void lex_syntax(struct lex *lex);

/* Both take their strings. */
void lex_define(struct lex *lex, char *name, char *value);
void lex_include(struct lex *lex, char *path);

#endif
