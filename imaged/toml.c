#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/log.h"

#include "imaged/toml.h"

#define TOML_DIGIT    "0123456789"
#define TOML_HEX      TOML_DIGIT "abcdefABCDEF"
#define TOML_LETTER   "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
#define TOML_BARE     TOML_LETTER TOML_DIGIT "_-"
#define TOML_WORD     TOML_BARE "+.:"
#define TOML_WORD_MAX 128 /* of a number or date */

struct toml_key {
	char *part[TOML_DEPTH_MAX];
	size_t n;
};

/* What is collected; a string is never longer than it was in the file. */
struct toml_text {
	char *s;
	size_t n;
};

struct toml_parser {
	const char *name;
	const char *p, *end;
	unsigned int line;
	unsigned int section; /* counts headers */
	size_t nodes;
	struct toml *newest; /* all of them, by older */
	struct toml *root, *table;
	struct toml_text text; /* as long as the document */
	struct cerr *err;
};

static const char *const toml_type_names[] = {
	[TOML_TABLE] = "table",
	[TOML_ARRAY] = "array",
	[TOML_STRING] = "string",
	[TOML_INTEGER] = "integer",
	[TOML_FLOAT] = "float",
	[TOML_BOOLEAN] = "boolean",
	[TOML_DATE] = "date",
};

const char *
toml_type_name(enum toml_type type)
{
	return toml_type_names[type];
}

static int __attribute__((format(printf, 2, 3)))
toml_fail(struct toml_parser *ps, const char *fmt, ...)
{
	char text[256];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	return cerr_set(ps->err, CERR_INVALID_ARGUMENT, "%s:%u: %s", ps->name,
	    ps->line, text);
}

static void *
toml_alloc(size_t size)
{
	void *p = calloc(1, size);

	if (p == NULL)
		fatal("toml: calloc");
	return p;
}

static void
toml_wipe(char *s)
{
	if (s != NULL)
		explicit_bzero(s, strlen(s));
	free(s);
}

/* ---- the tree ---- */

static struct toml *
toml_node(struct toml_parser *ps, enum toml_type type)
{
	struct toml *t;

	if (ps->nodes == TOML_NODES_MAX) {
		(void)toml_fail(ps, "more than %u values", TOML_NODES_MAX);
		return NULL;
	}
	t = toml_alloc(sizeof(*t));
	t->type = type;
	t->line = ps->line;
	t->older = ps->newest;
	ps->newest = t;
	ps->nodes++;
	return t;
}

void
toml_free(struct toml *doc)
{
	struct toml *older;

	/* The document holds the newest of its nodes. */
	for (struct toml *t = doc == NULL ? NULL : doc->older; t != NULL;
	     t = older) {
		older = t->older;
		toml_wipe(t->key);
		toml_wipe(t->text);
		free(t);
	}
	free(doc);
}

static struct toml *
toml_member(const struct toml *t, const char *key)
{
	for (struct toml *m = t->first; m != NULL; m = m->next) {
		if (m->key != NULL && strcmp(m->key, key) == 0)
			return m;
	}
	return NULL;
}

const struct toml *
toml_get(const struct toml *t, const char *key)
{
	return t->type == TOML_TABLE ? toml_member(t, key) : NULL;
}

static void
toml_append(struct toml *to, struct toml *t)
{
	if (to->last == NULL)
		to->first = t;
	else
		to->last->next = t;
	to->last = t;
	to->count++;
}

/* A new member; key is taken off its owner. */
static struct toml *
toml_add(struct toml_parser *ps, struct toml *table, char **key,
    enum toml_type type)
{
	struct toml *t;

	if (table->count == TOML_KEYS_MAX) {
		(void)toml_fail(ps, "more than %u keys in a table",
		    TOML_KEYS_MAX);
		return NULL;
	}
	t = toml_node(ps, type);
	if (t == NULL)
		return NULL;
	t->key = *key;
	*key = NULL;
	toml_append(table, t);
	return t;
}

/* Whether a header or a dotted key of an earlier section has made it. */
static bool
toml_is_made(const struct toml_parser *ps, const struct toml *t)
{
	return t->is_explicit || (t->section != 0 && t->section != ps->section);
}

/* Into an array of tables one gets by its last. */
static struct toml *
toml_enter(struct toml_parser *ps, struct toml *t)
{
	if (t->type == TOML_ARRAY && !t->frozen)
		t = t->last;
	if (t->type == TOML_TABLE && !t->frozen)
		return t;
	(void)toml_fail(ps, "%s: is a value, not a table to add to", t->key);
	return NULL;
}

/* The table that the first parts of a header's key name. */
static struct toml *
toml_header_parent(struct toml_parser *ps, struct toml_key *key)
{
	struct toml *t = ps->root;

	for (size_t i = 0; t != NULL && i + 1 < key->n; i++) {
		struct toml *m = toml_member(t, key->part[i]);

		t = m == NULL ? toml_add(ps, t, &key->part[i], TOML_TABLE)
			      : toml_enter(ps, m);
	}
	return t;
}

/* The table, or array of tables, that a header names: new, or to be added to;
 * NULL if it may not be. */
static struct toml *
toml_open(struct toml_parser *ps, struct toml_key *key, enum toml_type type)
{
	struct toml *parent = toml_header_parent(ps, key), *t;
	char **last = &key->part[key->n - 1];

	if (parent == NULL)
		return NULL;
	t = toml_member(parent, *last);
	if (t == NULL) {
		t = toml_add(ps, parent, last, type);
	} else if (t->type != type || t->frozen ||
		   (type == TOML_TABLE && toml_is_made(ps, t))) {
		(void)toml_fail(ps, "%s: is there already, at line %u", *last,
		    t->line);
		return NULL;
	}
	if (t != NULL)
		t->is_explicit = true;
	return t;
}

static int
toml_open_table(struct toml_parser *ps, struct toml_key *key)
{
	struct toml *t = toml_open(ps, key, TOML_TABLE);

	if (t == NULL)
		return -1;
	ps->table = t;
	return 0;
}

static int
toml_open_element(struct toml_parser *ps, struct toml_key *key)
{
	struct toml *t = toml_open(ps, key, TOML_ARRAY);

	if (t == NULL)
		return -1;
	ps->table = toml_node(ps, TOML_TABLE);
	if (ps->table == NULL)
		return -1;
	toml_append(t, ps->table);
	return 0;
}

/* The place of KEY.KEY = in table: a new node, of a type to be set. */
static struct toml *
toml_place(struct toml_parser *ps, struct toml *table, struct toml_key *key)
{
	char **last = &key->part[key->n - 1];

	for (size_t i = 0; i + 1 < key->n; i++) {
		struct toml *m = toml_member(table, key->part[i]);

		if (m == NULL)
			m = toml_add(ps, table, &key->part[i], TOML_TABLE);
		else if (m->type != TOML_TABLE || m->frozen ||
			 toml_is_made(ps, m)) {
			(void)toml_fail(ps, "%s: is there already, at line %u",
			    m->key, m->line);
			return NULL;
		}
		if (m == NULL)
			return NULL;
		m->section = ps->section;
		table = m;
	}
	if (toml_member(table, *last) != NULL) {
		(void)toml_fail(ps, "%s: is given twice", *last);
		return NULL;
	}
	return toml_add(ps, table, last, TOML_STRING);
}

/* ---- characters ---- */

static bool
toml_looking_at(const struct toml_parser *ps, const char *s)
{
	size_t n = strlen(s);

	return (size_t)(ps->end - ps->p) >= n && memcmp(ps->p, s, n) == 0;
}

static bool
toml_take(struct toml_parser *ps, const char *s)
{
	if (!toml_looking_at(ps, s))
		return false;
	ps->p += strlen(s);
	return true;
}

static size_t
toml_span(const struct toml_parser *ps, const char *set)
{
	const char *p = ps->p;

	while (p < ps->end && *p != '\0' && strchr(set, *p) != NULL)
		p++;
	return (size_t)(p - ps->p);
}

static void
toml_skip_blanks(struct toml_parser *ps)
{
	ps->p += toml_span(ps, " \t");
}

static bool
toml_take_newline(struct toml_parser *ps)
{
	if (!toml_take(ps, "\n") && !toml_take(ps, "\r\n"))
		return false;
	ps->line++;
	return true;
}

static bool
toml_is_control(char c)
{
	return ((unsigned char)c < ' ' && c != '\t') || c == 0x7f;
}

static int
toml_skip_comment(struct toml_parser *ps)
{
	if (!toml_take(ps, "#"))
		return 0;
	while (ps->p < ps->end && !toml_looking_at(ps, "\n") &&
	       !toml_looking_at(ps, "\r\n")) {
		if (toml_is_control(*ps->p++))
			return toml_fail(ps, "a control character");
	}
	return 0;
}

/* Blanks, comments and line ends. */
static int
toml_skip_lines(struct toml_parser *ps)
{
	do {
		toml_skip_blanks(ps);
		if (toml_skip_comment(ps) == -1)
			return -1;
	} while (toml_take_newline(ps));
	return 0;
}

/* The length of the UTF-8 character at p; 0 if it is none. */
static size_t
toml_utf8(const char *p, const char *end)
{
	static const unsigned long least[] = { 0, 0, 0x80, 0x800, 0x10000 };
	const unsigned char *u = (const unsigned char *)p;
	size_t n = *u < 0x80   ? 1
		   : *u < 0xc0 ? 0
		   : *u < 0xe0 ? 2
		   : *u < 0xf0 ? 3
		   : *u < 0xf8 ? 4
			       : 0;
	unsigned long c = n == 1 ? *u : *u & (0x7fU >> n);

	if (n == 0 || (size_t)(end - p) < n)
		return 0;
	for (size_t i = 1; i < n; i++) {
		if ((u[i] & 0xc0) != 0x80)
			return 0;
		c = c << 6 | (u[i] & 0x3fU);
	}
	if (c < least[n] || c > 0x10ffff || (c >= 0xd800 && c < 0xe000))
		return 0;
	return n;
}

static int
toml_check_utf8(struct toml_parser *ps)
{
	for (const char *p = ps->p; p < ps->end;) {
		size_t n = toml_utf8(p, ps->end);

		if (n == 0)
			return toml_fail(ps, "not UTF-8");
		if (*p == '\n')
			ps->line++;
		p += n;
	}
	ps->line = 1;
	return 0;
}

/* ---- strings ---- */

static void
toml_put_utf8(struct toml_text *t, unsigned long c)
{
	size_t n = c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
	static const unsigned char lead[] = { 0, 0, 0xc0, 0xe0, 0xf0 };

	for (size_t i = n; i-- > 1; c >>= 6)
		t->s[t->n + i] = (char)(0x80 | (c & 0x3f));
	t->s[t->n] = (char)(lead[n] | c);
	t->n += n;
}

static int
toml_escape_code(struct toml_parser *ps, size_t digits, struct toml_text *t)
{
	unsigned long c = 0;

	for (size_t i = 0; i < digits; i++) {
		const char *hex = "0123456789abcdef";
		char ch = ps->p < ps->end ? *ps->p : '\0';
		const char *at;

		if (ch >= 'A' && ch <= 'F')
			ch = (char)(ch + 'a' - 'A');
		at = ch == '\0' ? NULL : strchr(hex, ch);
		if (at == NULL)
			return toml_fail(ps, "\\u has too few digits");
		c = c << 4 | (unsigned long)(at - hex);
		ps->p++;
	}
	if (c == 0 || c > 0x10ffff || (c >= 0xd800 && c < 0xe000))
		return toml_fail(ps, "\\u names no character");
	toml_put_utf8(t, c);
	return 0;
}

/* After a backslash at the end of a line all white space goes. */
static bool
toml_skip_continued(struct toml_parser *ps)
{
	const char *start = ps->p;

	toml_skip_blanks(ps);
	if (!toml_take_newline(ps)) {
		ps->p = start;
		return false;
	}
	do
		toml_skip_blanks(ps);
	while (toml_take_newline(ps));
	return true;
}

static int
toml_escape(struct toml_parser *ps, bool multi, struct toml_text *t)
{
	static const char from[] = "btnfr\"\\", to[] = "\b\t\n\f\r\"\\";
	const char *at;

	if (multi && toml_skip_continued(ps))
		return 0;
	if (toml_take(ps, "u"))
		return toml_escape_code(ps, 4, t);
	if (toml_take(ps, "U"))
		return toml_escape_code(ps, 8, t);
	at = ps->p < ps->end && *ps->p != '\0' ? strchr(from, *ps->p) : NULL;
	if (at == NULL)
		return toml_fail(ps, "a backslash that escapes nothing");
	t->s[t->n++] = to[at - from];
	ps->p++;
	return 0;
}

/* One character, or one escape, of a string. */
static int
toml_string_step(struct toml_parser *ps, bool basic, bool multi,
    struct toml_text *t)
{
	if (multi && toml_take_newline(ps)) {
		t->s[t->n++] = '\n';
		return 0;
	}
	if (basic && toml_take(ps, "\\"))
		return toml_escape(ps, multi, t);
	if (toml_is_control(*ps->p))
		return toml_fail(ps, *ps->p == '\n' || *ps->p == '\r'
					 ? "a string that does not end"
					 : "a control character in a string");
	t->s[t->n++] = *ps->p++;
	return 0;
}

/* Up to two quotes may stand before the three that end it. */
static bool
toml_string_ends(struct toml_parser *ps, const char *quote, struct toml_text *t)
{
	if (!toml_take(ps, quote))
		return false;
	for (int i = 0; strlen(quote) == 3 && i < 2; i++) {
		if (ps->p == ps->end || *ps->p != *quote)
			break;
		t->s[t->n++] = *ps->p++;
	}
	return true;
}

/* NULL with an error; owned. */
static char *
toml_string(struct toml_parser *ps, bool may_multi)
{
	static const char *const quotes[] = { "\"\"\"", "'''", "\"", "'" };
	struct toml_text *t = &ps->text;
	char *s;
	size_t q = may_multi ? 0 : 2;

	t->n = 0;
	while (!toml_take(ps, quotes[q]))
		q++;
	if (q < 2)
		(void)toml_take_newline(ps);
	while (!toml_string_ends(ps, quotes[q], t)) {
		if (ps->p == ps->end) {
			(void)toml_fail(ps, "a string that does not end");
			return NULL;
		}
		if (toml_string_step(ps, q % 2 == 0, q < 2, t) == -1)
			return NULL;
	}
	s = toml_alloc(t->n + 1);
	memcpy(s, t->s, t->n);
	return s;
}

/* ---- keys ---- */

static void
toml_key_clear(struct toml_key *key)
{
	for (size_t i = 0; i < key->n; i++)
		free(key->part[i]);
	key->n = 0;
}

static char *
toml_key_part(struct toml_parser *ps)
{
	size_t n = toml_span(ps, TOML_BARE);
	char *s;

	if (toml_looking_at(ps, "\"") || toml_looking_at(ps, "'"))
		return toml_string(ps, false);
	if (n == 0) {
		(void)toml_fail(ps, "a key is missing");
		return NULL;
	}
	s = toml_alloc(n + 1);
	memcpy(s, ps->p, n);
	ps->p += n;
	return s;
}

/* A.B.C; blanks around and between are passed over. */
static int
toml_key(struct toml_parser *ps, struct toml_key *key)
{
	key->n = 0;
	do {
		char *part = NULL;

		toml_skip_blanks(ps);
		if (key->n < TOML_DEPTH_MAX)
			part = toml_key_part(ps);
		else
			(void)toml_fail(ps, "a key of more than %u parts",
			    TOML_DEPTH_MAX);
		if (part == NULL) {
			toml_key_clear(key);
			return -1;
		}
		key->part[key->n++] = part;
		toml_skip_blanks(ps);
	} while (toml_take(ps, "."));
	return 0;
}

/* ---- numbers and dates ---- */

/* Digits of set with single underscores between them, copied without. */
static size_t
toml_digits(const char **s, const char *set, char *out)
{
	size_t n = 0;
	const char *p = *s;

	while (*p != '\0' && strchr(set, *p) != NULL) {
		out[n++] = *p++;
		if (*p == '_' && p[1] != '\0' && strchr(set, p[1]) != NULL)
			p++;
	}
	out[n] = '\0';
	*s = p;
	return n;
}

static bool
toml_number_to(const char *digits, int base, struct toml *t)
{
	char *end;

	errno = 0;
	t->integer = strtoll(digits, &end, base);
	t->type = TOML_INTEGER;
	return errno == 0 && *end == '\0';
}

/* 0xFF, 0o7, 0b1 */
static bool
toml_based(const char *s, struct toml *t)
{
	static const struct {
		const char *prefix, *set;
		int base;
	} kinds[] = {
		{ "0x", TOML_HEX, 16 },
		{ "0o", "01234567", 8 },
		{ "0b", "01", 2 },
	};
	char digits[TOML_WORD_MAX + 1];

	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		if (strncmp(s, kinds[i].prefix, 2) != 0)
			continue;
		s += 2;
		return toml_digits(&s, kinds[i].set, digits) > 0 &&
		       *s == '\0' && toml_number_to(digits, kinds[i].base, t);
	}
	return false;
}

/* .DIGITS and eDIGITS behind an integer, appended to out. */
static bool
toml_fraction(const char *s, char *out)
{
	size_t n = strlen(out);

	if (*s == '.') {
		out[n++] = *s++;
		if (toml_digits(&s, TOML_DIGIT, out + n) == 0)
			return false;
		n += strlen(out + n);
	}
	if (*s == 'e' || *s == 'E') {
		out[n++] = *s++;
		if (*s == '+' || *s == '-')
			out[n++] = *s++;
		if (toml_digits(&s, TOML_DIGIT, out + n) == 0)
			return false;
	}
	return *s == '\0';
}

static bool
toml_number(const char *s, struct toml *t)
{
	char out[TOML_WORD_MAX + 2] = "";
	bool negative = *s == '-';
	size_t n = 0;

	if (*s == '+' || *s == '-')
		out[n++] = *s++;
	if (strcmp(s, "inf") == 0 || strcmp(s, "nan") == 0) {
		t->type = TOML_FLOAT;
		t->real = *s == 'n'  ? (double)NAN
			  : negative ? -(double)INFINITY
				     : (double)INFINITY;
		return true;
	}
	if (toml_digits(&s, TOML_DIGIT, out + n) == 0 ||
	    (out[n] == '0' && out[n + 1] != '\0'))
		return false;
	if (*s == '\0')
		return toml_number_to(out, 10, t);
	t->type = TOML_FLOAT;
	if (!toml_fraction(s, out))
		return false;
	t->real = strtod(out, NULL);
	return true;
}

/* Two digits from 0 (or 1) to max. */
static bool
toml_pair(const char **s, int min, int max)
{
	const char *p = *s;
	int n;

	if (strspn(p, TOML_DIGIT) < 2)
		return false;
	n = (p[0] - '0') * 10 + p[1] - '0';
	*s = p + 2;
	return n >= min && n <= max;
}

static bool
toml_char(const char **s, const char *set)
{
	if (**s == '\0' || strchr(set, **s) == NULL)
		return false;
	(*s)++;
	return true;
}

/* YYYY-MM-DD */
static bool
toml_day(const char **s)
{
	static const int days[] = { 31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30,
		31 };
	const char *p = *s;
	int year, month;

	if (strspn(p, TOML_DIGIT) != 4)
		return false;
	for (year = 0; *p >= '0' && *p <= '9'; p++)
		year = year * 10 + *p - '0';
	if (!toml_char(&p, "-") || !toml_pair(&p, 1, 12))
		return false;
	month = (p[-2] - '0') * 10 + p[-1] - '0';
	if (!toml_char(&p, "-") || !toml_pair(&p, 1, days[month - 1]))
		return false;
	*s = p;
	return month != 2 || strncmp(p - 2, "29", 2) != 0 ||
	       (year % 4 == 0 && (year % 100 != 0 || year % 400 == 0));
}

/* HH:MM:SS[.FRACTION] */
static bool
toml_clock(const char **s)
{
	if (!toml_pair(s, 0, 23) || !toml_char(s, ":") ||
	    !toml_pair(s, 0, 59) || !toml_char(s, ":") || !toml_pair(s, 0, 60))
		return false;
	if (!toml_char(s, "."))
		return true;
	if (strspn(*s, TOML_DIGIT) == 0)
		return false;
	*s += strspn(*s, TOML_DIGIT);
	return true;
}

static bool
toml_date(const char *s)
{
	if (strspn(s, TOML_DIGIT) == 2)
		return toml_clock(&s) && *s == '\0';
	if (!toml_day(&s))
		return false;
	if (*s == '\0')
		return true;
	if (!toml_char(&s, "Tt ") || !toml_clock(&s))
		return false;
	if (*s == '\0' || (toml_char(&s, "Zz") && *s == '\0'))
		return true;
	return toml_char(&s, "+-") && toml_pair(&s, 0, 23) &&
	       toml_char(&s, ":") && toml_pair(&s, 0, 59) && *s == '\0';
}

static bool
toml_boolean(const char *s, struct toml *t)
{
	if (strcmp(s, "true") != 0 && strcmp(s, "false") != 0)
		return false;
	t->type = TOML_BOOLEAN;
	t->boolean = *s == 't';
	return true;
}

/* A day may be followed by a blank and a time. */
static size_t
toml_word_length(const struct toml_parser *ps)
{
	struct toml_parser rest = *ps;
	size_t n = toml_span(ps, TOML_WORD);

	rest.p += n;
	if (n != 10 || ps->p[4] != '-' || !toml_take(&rest, " ") ||
	    toml_span(&rest, TOML_DIGIT) == 0)
		return n;
	return n + 1 + toml_span(&rest, TOML_WORD);
}

/* Whatever has no quotes. */
static int
toml_word(struct toml_parser *ps, struct toml *t)
{
	char s[TOML_WORD_MAX + 1];
	size_t n = toml_word_length(ps);

	if (n == 0)
		return toml_fail(ps, "a value is missing");
	if (n > TOML_WORD_MAX)
		return toml_fail(ps, "a number or date that is too long");
	memcpy(s, ps->p, n);
	s[n] = '\0';
	if (toml_date(s)) {
		t->type = TOML_DATE;
		t->text = toml_alloc(n + 1);
		memcpy(t->text, s, n);
	} else if (!toml_boolean(s, t) && !toml_based(s, t) &&
		   !toml_number(s, t)) {
		return toml_fail(ps, "not a value (strings need quotes)");
	}
	ps->p += n;
	return 0;
}

/* ---- values ---- */

/* Arrays and inline tables that are open, the innermost last. */
struct toml_nest {
	struct {
		struct toml *t;
		bool comma; /* was the last, or it is empty */
	} open[TOML_DEPTH_MAX];
	size_t depth;
};

/* A value that is whole, or the beginning of one that nests. */
static int
toml_begin(struct toml_parser *ps, struct toml_nest *nest, struct toml *t)
{
	bool array = toml_take(ps, "[");

	t->line = ps->line;
	if (array || toml_take(ps, "{")) {
		if (nest->depth == TOML_DEPTH_MAX)
			return toml_fail(ps, "values more than %u deep",
			    TOML_DEPTH_MAX);
		t->type = array ? TOML_ARRAY : TOML_TABLE;
		t->frozen = true;
		nest->open[nest->depth].t = t;
		nest->open[nest->depth++].comma = true;
		return 0;
	}
	if (!toml_looking_at(ps, "\"") && !toml_looking_at(ps, "'"))
		return toml_word(ps, t);
	t->type = TOML_STRING;
	t->text = toml_string(ps, true);
	return t->text == NULL ? -1 : 0;
}

static int
toml_key_value(struct toml_parser *ps, struct toml *table,
    struct toml_nest *nest)
{
	struct toml_key key;
	struct toml *t = NULL;

	if (toml_key(ps, &key) == -1)
		return -1;
	if (!toml_take(ps, "="))
		(void)toml_fail(ps, "%s: = is missing", key.part[key.n - 1]);
	else
		t = toml_place(ps, table, &key);
	toml_key_clear(&key);
	toml_skip_blanks(ps);
	return t == NULL ? -1 : toml_begin(ps, nest, t);
}

static int
toml_element(struct toml_parser *ps, struct toml *array, struct toml_nest *nest)
{
	struct toml *t = toml_node(ps, TOML_STRING);

	if (t == NULL)
		return -1;
	toml_append(array, t);
	return toml_begin(ps, nest, t);
}

/* The next thing in the innermost: its end, a comma, or a value. */
static int
toml_nest_step(struct toml_parser *ps, struct toml_nest *nest)
{
	struct toml *t = nest->open[nest->depth - 1].t;
	bool *comma = &nest->open[nest->depth - 1].comma;
	bool array = t->type == TOML_ARRAY;

	if (array && toml_skip_lines(ps) == -1)
		return -1;
	toml_skip_blanks(ps);
	if ((array || !*comma || t->count == 0) &&
	    toml_take(ps, array ? "]" : "}")) {
		nest->depth--;
		return 0;
	}
	if (ps->p == ps->end)
		return toml_fail(ps, "%s does not end",
		    array ? "an array" : "an inline table");
	if (!*comma) {
		*comma = toml_take(ps, ",");
		return *comma ? 0 : toml_fail(ps, "a comma is missing");
	}
	*comma = false;
	return array ? toml_element(ps, t, nest) : toml_key_value(ps, t, nest);
}

static int
toml_statement(struct toml_parser *ps)
{
	struct toml_nest nest = { .depth = 0 };
	int rc = toml_key_value(ps, ps->table, &nest);

	while (rc == 0 && nest.depth > 0)
		rc = toml_nest_step(ps, &nest);
	return rc;
}

static int
toml_header(struct toml_parser *ps)
{
	bool element = toml_take(ps, "[");
	struct toml_key key;
	int rc = -1;

	ps->section++;
	if (toml_key(ps, &key) == -1)
		return -1;
	if (!toml_take(ps, element ? "]]" : "]"))
		(void)toml_fail(ps, "%s is missing", element ? "]]" : "]");
	else if (element)
		rc = toml_open_element(ps, &key);
	else
		rc = toml_open_table(ps, &key);
	toml_key_clear(&key);
	return rc;
}

/* A line, with all that its value nests. */
static int
toml_line(struct toml_parser *ps)
{
	if ((toml_take(ps, "[") ? toml_header(ps) : toml_statement(ps)) == -1)
		return -1;
	toml_skip_blanks(ps);
	if (toml_skip_comment(ps) == -1)
		return -1;
	if (ps->p < ps->end && !toml_looking_at(ps, "\n") &&
	    !toml_looking_at(ps, "\r\n"))
		return toml_fail(ps, "something follows the value");
	return 0;
}

static int
toml_lines(struct toml_parser *ps)
{
	if (toml_check_utf8(ps) == -1 || toml_skip_lines(ps) == -1)
		return -1;
	while (ps->p < ps->end) {
		if (toml_line(ps) == -1 || toml_skip_lines(ps) == -1)
			return -1;
	}
	return 0;
}

struct toml *
toml_parse(const char *name, const char *buf, size_t len, struct cerr *err)
{
	struct toml_parser ps = { .name = name,
		.p = buf,
		.end = buf + len,
		.line = 1,
		.section = 1,
		.err = err };
	int rc;

	ps.root = ps.table = toml_alloc(sizeof(*ps.root));
	ps.root->line = 1;
	ps.text.s = toml_alloc(len + 1);
	if (len > TOML_MAX)
		rc = toml_fail(&ps, "longer than %u bytes", TOML_MAX);
	else
		rc = toml_lines(&ps);
	ps.root->older = ps.newest;
	explicit_bzero(ps.text.s, len);
	free(ps.text.s);
	if (rc == 0)
		return ps.root;
	toml_free(ps.root);
	return NULL;
}

/* ---- for who reads it ---- */

int
toml_wrong(const char *name, const struct toml *t, struct cerr *err,
    const char *fmt, ...)
{
	char text[512];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	return cerr_set(err, CERR_INVALID_ARGUMENT, "%s:%u: %s", name, t->line,
	    text);
}

int
toml_want(const char *name, const struct toml *t, const char *key,
    enum toml_type type, const struct toml **m, struct cerr *err)
{
	*m = toml_get(t, key);
	if (*m == NULL || (*m)->type == type)
		return 0;
	return toml_wrong(name, *m, err, "%s must be of type %s, not %s", key,
	    toml_type_name(type), toml_type_name((*m)->type));
}

int
toml_want_text(const char *name, const struct toml *t, const char *key,
    const char **text, struct cerr *err)
{
	const struct toml *m;

	if (toml_want(name, t, key, TOML_STRING, &m, err) == -1)
		return -1;
	*text = m == NULL ? NULL : m->text;
	return 0;
}

int
toml_want_flag(const char *name, const struct toml *t, const char *key,
    bool *flag, struct cerr *err)
{
	const struct toml *m;

	if (toml_want(name, t, key, TOML_BOOLEAN, &m, err) == -1)
		return -1;
	*flag = m != NULL && m->boolean;
	return 0;
}
