#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/log.h"
#include "parent/lex.h"
#include "parent/parse.h"

/* What a word without quotes may have, beside letters and digits. */
#define LEX_WORD "_-./:@%+,*[]!~"

static const struct {
	const char *word;
	int token;
} lex_keywords[] = {
	{ "additional", ADDITIONAL },
	{ "age", AGE },
	{ "argument", ARGUMENT },
	{ "allow", ALLOW },
	{ "apparmor", APPARMOR },
	{ "audit", AUDIT },
	{ "auth", AUTH },
	{ "blocked", BLOCKED },
	{ "bridge", BRIDGE },
	{ "ca", CA },
	{ "cdi", CDI },
	{ "certificate", CERTIFICATE },
	{ "cgroup", CGROUP },
	{ "checkpoint", CHECKPOINT },
	{ "client", CLIENT },
	{ "cni", CNI },
	{ "configuration", CONFIGURATION },
	{ "container", CONTAINER },
	{ "control", CONTROL },
	{ "default", DEFAULT },
	{ "deny", DENY },
	{ "digest", DIGEST },
	{ "directory", DIRECTORY },
	{ "downloads", DOWNLOADS },
	{ "file", FILES },
	{ "foreign", FOREIGN },
	{ "group", GROUP },
	{ "header", HEADER },
	{ "hooks", HOOKS },
	{ "hosts", HOSTS },
	{ "idle", IDLE },
	{ "image", IMAGE },
	{ "include", INCLUDE },
	{ "insecure", INSECURE },
	{ "json", JSON },
	{ "key", KEY },
	{ "layers", LAYERS },
	{ "level", LEVEL },
	{ "listen", LISTEN },
	{ "location", LOCATION },
	{ "log", LOG },
	{ "manager", MANAGER },
	{ "metrics", METRICS },
	{ "mirror", MIRROR },
	{ "mode", MODE },
	{ "name", NAME },
	{ "nameless", NAMELESS },
	{ "network", NETWORK },
	{ "nri", NRI },
	{ "on", ON },
	{ "owner", OWNER },
	{ "path", PATH },
	{ "pinned", PINNED },
	{ "plugins", PLUGINS },
	{ "pod", POD },
	{ "policy", POLICY },
	{ "port", PORT },
	{ "program", PROGRAM },
	{ "proxy", PROXY },
	{ "pull", PULL },
	{ "record", RECORD },
	{ "registration", REGISTRATION },
	{ "registry", REGISTRY },
	{ "require", REQUIRE },
	{ "runtime", RUNTIME },
	{ "search", SEARCH },
	{ "seccomp", SECCOMP },
	{ "selinux", SELINUX },
	{ "server", SERVER },
	{ "short", SHORT },
	{ "signature", SIGNATURE },
	{ "socket", SOCKET },
	{ "source", SOURCE },
	{ "state", STATE },
	{ "stats", STATS },
	{ "store", STORE },
	{ "stream", STREAM },
	{ "subnet", SUBNET },
	{ "tag", TAG },
	{ "timeout", TIMEOUT },
	{ "tls", TLS },
	{ "to", TO },
	{ "token", TOKEN },
	{ "type", TYPE },
	{ "ulimit", ULIMIT },
};

#define LEX_NKEYWORDS (sizeof(lex_keywords) / sizeof(lex_keywords[0]))

static void *
lex_memory(void *p)
{
	if (p == NULL)
		fatal("malloc");
	return p;
}

static char *
lex_copy(const char *s)
{
	return lex_memory(strdup(s));
}

/* ---- errors ---- */

static void
lex_report(struct lex *lex, const char *message, const char *near)
{
	char line[2 * CONF_WORD_MAX + CERR_TEXT_MAX];

	lex->errors++;
	(void)snprintf(line, sizeof(line), "%s:%u: %s near %s%s%s", lex->name,
	    lex->line, message, near == NULL ? "" : "\"",
	    near == NULL ? "end of line" : near, near == NULL ? "" : "\"");
	lex->src->report(lex->src->arg, line);
}

/* At the last word. */
static void
lex_complain(struct lex *lex, const char *message)
{
	lex_report(lex, message, lex->word);
}

void
lex_statement_bad(struct lex *lex)
{
	char line[CONF_WORD_MAX + CERR_TEXT_MAX];

	lex->errors++;
	(void)snprintf(line, sizeof(line), "%s:%u: %s", lex->name, lex->line,
	    lex->err.text);
	lex->src->report(lex->src->arg, line);
}

void
lex_syntax(struct lex *lex)
{
	if (!lex->told)
		lex_report(lex, "syntax error", lex->at_end ? NULL : lex->word);
}

/* A word that is none: one error, not two. */
static int
lex_bad(struct lex *lex, const char *message)
{
	lex_complain(lex, message);
	lex->told = true;
	return BAD;
}

/* ---- files ---- */

/* Takes name and buf. */
static void
lex_push(struct lex *lex, char *name, char *buf, size_t len)
{
	struct lex_file *f = lex_memory(calloc(1, sizeof(*f)));

	f->up = lex->file;
	f->name = name;
	f->buf = buf;
	f->len = len;
	f->depth = lex->file == NULL ? 0 : lex->file->depth + 1;
	f->line = 1;
	f->fresh = true;
	TAILQ_INSERT_TAIL(&lex->files, f, entry);
	lex->nfiles++;
	lex->file = f;
	lex->name = f->name;
	lex->line = 1;
}

static void
lex_pop(struct lex *lex)
{
	struct lex_file *f = lex->file;

	free(f->buf);
	f->buf = NULL;
	lex->file = f->up;
}

/* Relative to the directory of the file that includes it. */
static char *
lex_include_path(const struct lex *lex, const char *path)
{
	const char *slash = strrchr(lex->file->name, '/');
	size_t size;
	char *full;

	if (*path == '/' || slash == NULL)
		return lex_copy(path);
	size = (size_t)(slash - lex->file->name) + strlen(path) + 2;
	full = lex_memory(malloc(size));
	(void)snprintf(full, size, "%.*s/%s", (int)(slash - lex->file->name),
	    lex->file->name, path);
	return full;
}

static int
lex_include_read(struct lex *lex, const char *path, char **buf, size_t *len)
{
	if (lex->src->read == NULL)
		return cerr_set(&lex->err, CERR_PERMISSION_DENIED,
		    "include is not possible here");
	if (lex->file->depth + 1 >= CONF_DEPTH_MAX)
		return cerr_set(&lex->err, CERR_INVALID_ARGUMENT,
		    "includes are nested too deeply");
	if (lex->nfiles >= CONF_FILES_MAX)
		return cerr_set(&lex->err, CERR_INVALID_ARGUMENT,
		    "too many files are included");
	return lex->src->read(path, buf, len, &lex->err);
}

static void
lex_open_include(struct lex *lex)
{
	char *path = lex_include_path(lex, lex->include);
	char *buf = NULL;
	size_t len = 0;

	if (lex_include_read(lex, path, &buf, &len) == -1) {
		lex_report(lex, lex->err.text, lex->include);
		free(path);
	} else
		lex_push(lex, path, buf, len);
	free(lex->include);
	lex->include = NULL;
}

void
lex_include(struct lex *lex, char *path)
{
	free(lex->include);
	lex->include = path;
}

/* ---- macros ---- */

static struct lex_macro *
lex_find_macro(struct lex *lex, const char *name)
{
	struct lex_macro *m;

	TAILQ_FOREACH(m, &lex->macros, entry) {
		if (strcmp(m->name, name) == 0)
			return m;
	}
	return NULL;
}

static const char *
lex_macro_wrong(struct lex *lex, const char *name)
{
	if (!isalpha((unsigned char)*name) && *name != '_')
		return "macro name does not start with a letter";
	for (; *name != '\0'; name++) {
		if (!isalnum((unsigned char)*name) && *name != '_')
			return "macro name has other than letters, digits, _";
	}
	return lex->nmacros == CONF_MACROS_MAX ? "too many macros" : NULL;
}

/* Takes both; NULL if refused or, being fixed, left as it is. */
static struct lex_macro *
lex_macro_set(struct lex *lex, char *name, char *value)
{
	struct lex_macro *m = lex_find_macro(lex, name);
	const char *wrong = m == NULL ? lex_macro_wrong(lex, name) : NULL;

	if (wrong != NULL)
		lex_report(lex, wrong, name);
	if (wrong != NULL || (m != NULL && m->fixed)) {
		free(name);
		free(value);
		return NULL;
	}
	if (m == NULL) {
		m = lex_memory(calloc(1, sizeof(*m)));
		TAILQ_INSERT_TAIL(&lex->macros, m, entry);
		lex->nmacros++;
	}
	free(m->name);
	free(m->value);
	m->name = name;
	m->value = value;
	return m;
}

void
lex_define(struct lex *lex, char *name, char *value)
{
	(void)lex_macro_set(lex, name, value);
}

static void
lex_define_fixed(struct lex *lex, const char *definition)
{
	const char *equals = strchr(definition, '=');
	struct lex_macro *m;
	char *name;

	(void)snprintf(lex->word, sizeof(lex->word), "%s", definition);
	if (equals == NULL || strlen(equals) >= CONF_WORD_MAX) {
		lex_complain(lex, "macro is not NAME=VALUE");
		return;
	}
	name = lex_memory(strndup(definition, (size_t)(equals - definition)));
	m = lex_macro_set(lex, name, lex_copy(equals + 1));
	if (m != NULL)
		m->fixed = true;
}

/* ---- characters and words ---- */

static int
lex_peek(const struct lex *lex)
{
	const struct lex_file *f = lex->file;

	return f->pos < f->len ? (unsigned char)f->buf[f->pos] : -1;
}

static bool
lex_continued(const struct lex_file *f)
{
	return f->len - f->pos >= 2 && f->buf[f->pos] == '\\' &&
	       f->buf[f->pos + 1] == '\n';
}

/* Blanks, comments and ends of line behind a backslash. */
static void
lex_skip(struct lex *lex)
{
	struct lex_file *f = lex->file;
	int c;

	while ((c = lex_peek(lex)) != -1) {
		if (c == ' ' || c == '\t' || c == '\r') {
			f->pos++;
		} else if (lex_continued(f)) {
			f->pos += 2;
			f->line++;
		} else if (c == '#') {
			while (lex_peek(lex) != -1 && lex_peek(lex) != '\n')
				f->pos++;
		} else
			return;
	}
}

static bool
lex_is_word(int c)
{
	return c > 0 && c < 0x80 && (isalnum(c) || strchr(LEX_WORD, c) != NULL);
}

/* Into lex->word; false if it is too long. */
static bool
lex_take_word(struct lex *lex)
{
	size_t n = 0;

	for (; lex_is_word(lex_peek(lex)); lex->file->pos++) {
		if (n < CONF_WORD_MAX - 1)
			lex->word[n] = (char)lex_peek(lex);
		n++;
	}
	lex->word[n < CONF_WORD_MAX ? n : CONF_WORD_MAX - 1] = '\0';
	return n < CONF_WORD_MAX;
}

static int
lex_string(struct lex *lex, char **string)
{
	*string = lex_copy(lex->word);
	return STRING;
}

/* A macro may have a keyword's name. */
static int
lex_unquoted(struct lex *lex, char **string)
{
	if (!lex_take_word(lex))
		return lex_bad(lex, "word too long");
	lex_skip(lex);
	if (lex_peek(lex) == '=')
		return lex_string(lex, string);
	for (size_t i = 0; i < LEX_NKEYWORDS; i++) {
		if (strcmp(lex_keywords[i].word, lex->word) == 0)
			return lex_keywords[i].token;
	}
	return lex_string(lex, string);
}

static int
lex_macro_value(struct lex *lex, char **string)
{
	struct lex_macro *m;

	lex->file->pos++;
	if (!lex_take_word(lex))
		return lex_bad(lex, "word too long");
	m = lex_find_macro(lex, lex->word);
	if (m == NULL)
		return lex_bad(lex, "macro not defined");
	(void)snprintf(lex->word, sizeof(lex->word), "%s", m->value);
	return lex_string(lex, string);
}

/* What follows broken quotes is skipped: it would be misread. */
static int
lex_quoted_bad(struct lex *lex, size_t n, const char *message)
{
	int token;

	lex->word[n] = '\0';
	token = lex_bad(lex, message);
	while (lex_peek(lex) != -1 && lex_peek(lex) != '\n')
		lex->file->pos++;
	return token;
}

static int
lex_quoted(struct lex *lex, char **string)
{
	struct lex_file *f = lex->file;
	size_t n = 0;
	int c;

	f->pos++;
	while ((c = lex_peek(lex)) != '"') {
		if (c == -1 || c == '\n')
			return lex_quoted_bad(lex, n, "quotes not closed");
		if (c < 0x20 || c == 0x7f)
			return lex_quoted_bad(lex, n,
			    "control character in quotes");
		if (n == CONF_WORD_MAX - 1)
			return lex_quoted_bad(lex, n, "word too long");
		f->pos++;
		if (c == '\\' &&
		    (lex_peek(lex) == '"' || lex_peek(lex) == '\\')) {
			c = lex_peek(lex);
			f->pos++;
		}
		lex->word[n++] = (char)c;
	}
	lex->word[n] = '\0';
	f->pos++;
	return lex_string(lex, string);
}

static int
lex_sign(struct lex *lex, int c)
{
	lex->file->pos++;
	if (strchr("{}=;", c) == NULL || c == '\0') {
		while (lex_peek(lex) >= 0x80)
			lex->file->pos++;
		(void)snprintf(lex->word, sizeof(lex->word),
		    c > 0x20 && c < 0x7f ? "%c" : "\\x%02x", c);
		return lex_bad(lex, "unexpected character");
	}
	lex->word[0] = (char)c;
	lex->word[1] = '\0';
	return c;
}

static int
lex_end(struct lex *lex)
{
	lex->file->fresh = true;
	lex->at_end = true;
	return '\n';
}

/* A token of the current file; -1 at its end. */
static int
lex_here(struct lex *lex, char **string)
{
	struct lex_file *f = lex->file;
	int c;

	lex_skip(lex);
	c = lex_peek(lex);
	if (c == -1 && f->fresh)
		return -1;
	lex->name = f->name;
	lex->line = f->line;
	if (c == -1)
		return lex_end(lex);
	if (c == '\n') {
		f->pos++;
		f->line++;
		return lex_end(lex);
	}
	f->fresh = false;
	lex->at_end = false;
	if (c == '"')
		return lex_quoted(lex, string);
	if (c == '$')
		return lex_macro_value(lex, string);
	return lex_is_word(c) ? lex_unquoted(lex, string) : lex_sign(lex, c);
}

int
lex_next(struct lex *lex, char **string)
{
	int token;

	lex->told = false;
	while (lex->file != NULL) {
		if (lex->include != NULL && lex->at_end)
			lex_open_include(lex);
		token = lex_here(lex, string);
		if (token != -1)
			return token;
		lex_pop(lex);
	}
	lex->at_end = true;
	return 0;
}

void
lex_open(struct lex *lex, struct conf *c, const char *name, const char *buf,
    size_t len, const struct conf_source *src)
{
	char *copy = lex_memory(malloc(len + 1));

	memset(lex, 0, sizeof(*lex));
	TAILQ_INIT(&lex->files);
	TAILQ_INIT(&lex->macros);
	lex->src = src;
	lex->conf = c;
	memcpy(copy, buf, len);
	lex_push(lex, lex_copy(name), copy, len);
	for (size_t i = 0; src->macros != NULL && src->macros[i] != NULL; i++)
		lex_define_fixed(lex, src->macros[i]);
}

void
lex_close(struct lex *lex)
{
	struct lex_file *f;
	struct lex_macro *m;

	while ((f = TAILQ_FIRST(&lex->files)) != NULL) {
		TAILQ_REMOVE(&lex->files, f, entry);
		free(f->name);
		free(f->buf);
		free(f);
	}
	while ((m = TAILQ_FIRST(&lex->macros)) != NULL) {
		TAILQ_REMOVE(&lex->macros, m, entry);
		free(m->name);
		free(m->value);
		free(m);
	}
	for (size_t i = 0; i < CONF_RULE_WORDS; i++)
		free(lex->words[i]);
	free(lex->namespace);
	free(lex->include);
}
