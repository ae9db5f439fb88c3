/* The grammar of criod.conf(5). */

%code requires {
#include <stdbool.h>

struct lex;

struct parse_listen {
	char *owner, *group, *mode;
};

struct parse_tls {
	char *cert, *key, *ca;
};
}

%code {
#include <stdlib.h>
#include <string.h>

#include "lib/log.h"
#include "parent/conf.h"
#include "parent/lex.h"

static int conf_yylex(CONF_YYSTYPE *value, struct lex *lex);
static void conf_yyerror(struct lex *lex, const char *message);
static void parse_check(struct lex *lex, int result);
static void parse_text(struct lex *lex, enum conf_text which, char *value);
static void parse_list(struct lex *lex, enum conf_list list, char *value);
static void parse_metric(struct lex *lex, char *value, bool first);
static char *parse_word(const char *word);
static void parse_policy(struct lex *lex, char *word, char *name);
static void parse_rule(struct lex *lex, bool allow);
static void parse_rule_word(struct lex *lex, char *word, bool first);
static void parse_listen_free(struct parse_listen *l);
static void parse_listen_set(char **p, char *value);
static void parse_tls_free(struct parse_tls *t);
}

%define api.pure full
%define api.prefix {conf_yy}
%param { struct lex *lex }

%union {
	char *string;
	bool flag;
	int when;
	struct parse_listen listen;
	struct parse_tls tls;
}

%token BAD
%token ALLOW DENY NRI POLICY REGISTRATION REQUIRE
%token ADDITIONAL FOREIGN LAYERS STORE
%token AUDIT AUTH CLIENT DIGEST FILES HEADER HOSTS LOCATION NAME SEARCH SHORT TAG
%token AGE APPARMOR ARGUMENT BLOCKED BRIDGE CA CDI CERTIFICATE CGROUP CHECKPOINT CNI
%token CONFIGURATION CONTAINER CONTROL DEFAULT DIRECTORY DOWNLOADS GROUP HOOKS
%token IDLE IMAGE INCLUDE INSECURE JSON KEY LEVEL LISTEN LOG
%token MANAGER METRICS MIRROR MODE NAMELESS NETWORK ON OWNER PATH PINNED PLUGINS POD PORT PROGRAM
%token PROXY PULL
%token RECORD REGISTRY RUNTIME SECCOMP SELINUX SOCKET STATE STATS STREAM SUBNET TIMEOUT TLS TO
%token SERVER SIGNATURE SOURCE TOKEN TYPE
%token ULIMIT
%token <string> STRING
%type <flag> default insecure json
%type <when> when
%type <string> metric plugin ruleword timeoutname
%type <listen> listenopts
%type <tls> tls
%type <string> ca

%destructor { free($$); } <string>
%destructor { parse_listen_free(&$$); } <listen>
%destructor { parse_tls_free(&$$); } <tls>

%%

grammar:
	%empty
	| grammar '\n'
	| grammar statement '\n'
	| grammar error '\n' { yyerrok; }
	;

statement:
	macro
	| include
	| listen
	| runtime
	| security
	| hooks
	| cdi
	| cgroup
	| cni
	| registry
	| registries
	| directory
	| pinned
	| log
	| downloads
	| pull
	| signature
	| stats
	| stream
	| nri
	| policy
	;

macro:
	STRING '=' STRING { lex_define(lex, $1, $3); }
	;

include:
	INCLUDE STRING { lex_include(lex, $2); }
	;

listen:
	LISTEN ON STRING listenopts {
		parse_check(lex, conf_add_listen(lex->conf, $3, $4.owner,
		    $4.group, $4.mode, &lex->err));
		free($3);
		parse_listen_free(&$4);
	}
	| CONTROL SOCKET STRING { parse_text(lex, CONF_CONTROL, $3); }
	;

listenopts:
	%empty { memset(&$$, 0, sizeof($$)); }
	| listenopts OWNER STRING {
		$$ = $1;
		parse_listen_set(&$$.owner, $3);
	}
	| listenopts GROUP STRING {
		$$ = $1;
		parse_listen_set(&$$.group, $3);
	}
	| listenopts MODE STRING {
		$$ = $1;
		parse_listen_set(&$$.mode, $3);
	}
	;

runtime:
	runtimehead
	| runtimehead '{' runtimelines '}'
	| runtimehead '{' runtimelines runtimeopt '}'
	| runtimehead '{' runtimelines error '}' { yyerrok; }
	;

cdi:
	CDI DIRECTORY STRING {
		parse_check(lex, conf_add_word(lex->conf, CONF_CDI_DIR, $3,
		    &lex->err));
		free($3);
	}
	| CDI HOOKS STRING { parse_text(lex, CONF_CDI_HOOKS, $3); }
	| CHECKPOINT STRING { parse_text(lex, CONF_CHECKPOINT, $2); }
	;

hooks:
	HOOKS DIRECTORY STRING {
		parse_check(lex, conf_add_word(lex->conf, CONF_HOOKS, $3,
		    &lex->err));
		free($3);
	}
	;

runtimehead:
	RUNTIME STRING PATH STRING default {
		lex->runtime = conf_add_runtime(lex->conf, $2, $4, $5,
		    &lex->err);
		parse_check(lex, lex->runtime == NULL ? -1 : 0);
		free($2);
		free($4);
	}
	;

runtimelines:
	%empty
	| runtimelines separator
	| runtimelines runtimeopt separator
	| runtimelines error separator { yyerrok; }
	;

runtimeopt:
	ARGUMENT STRING {
		if (lex->runtime != NULL)
			parse_check(lex, conf_runtime_argument(lex->runtime,
			    $2, &lex->err));
		free($2);
	}
	| TYPE STRING {
		if (lex->runtime != NULL)
			parse_check(lex, conf_runtime_type(lex->runtime, $2,
			    &lex->err));
		free($2);
	}
	;

security:
	SECCOMP DEFAULT STRING { parse_text(lex, CONF_SECCOMP, $3); }
	| SECCOMP DEFAULT RUNTIME {
		parse_check(lex, conf_set_text(lex->conf, CONF_SECCOMP,
		    "runtime", &lex->err));
	}
	| ULIMIT STRING {
		parse_check(lex, conf_add_word(lex->conf, CONF_ULIMIT, $2,
		    &lex->err));
		free($2);
	}
	| SELINUX STRING { parse_text(lex, CONF_SELINUX, $2); }
	| APPARMOR DEFAULT STRING { parse_text(lex, CONF_APPARMOR, $3); }
	| SECCOMP DIRECTORY STRING {
		parse_check(lex, conf_add_word(lex->conf, CONF_SECCOMP_DIR,
		    $3, &lex->err));
		free($3);
	}
	;

default:
	%empty { $$ = false; }
	| DEFAULT { $$ = true; }
	;

cgroup:
	CGROUP MANAGER STRING {
		parse_check(lex, conf_set_cgroup(lex->conf, $3, &lex->err));
		free($3);
	}
	;

cni:
	CNI CONFIGURATION STRING { parse_text(lex, CONF_CNI_CONF, $3); }
	| CNI PLUGINS STRING { parse_text(lex, CONF_CNI_PLUGINS, $3); }
	| CNI NETWORK STRING { parse_text(lex, CONF_CNI_NETWORK, $3); }
	| CNI BRIDGE SUBNET STRING { parse_text(lex, CONF_CNI_SUBNET, $4); }
	| CNI PATH STRING {
		parse_check(lex, conf_add_word(lex->conf, CONF_CNI_PATH, $3,
		    &lex->err));
		free($3);
	}
	;

directory:
	STATE DIRECTORY STRING { parse_text(lex, CONF_STATE, $3); }
	| IMAGE DIRECTORY STRING { parse_text(lex, CONF_IMAGE, $3); }
	| CONTAINER DIRECTORY STRING { parse_text(lex, CONF_CONTAINER, $3); }
	| NETWORK DIRECTORY STRING { parse_text(lex, CONF_NETWORK, $3); }
	| RECORD DIRECTORY STRING { parse_text(lex, CONF_RECORD, $3); }
	| PROGRAM DIRECTORY STRING { parse_text(lex, CONF_PROGRAM, $3); }
	| ADDITIONAL STORE STRING { parse_list(lex, CONF_STORE, $3); }
	;

signature:
	SIGNATURE POLICY STRING { parse_text(lex, CONF_SIG_POLICY, $3); }
	| SIGNATURE POLICY DIRECTORY STRING {
		parse_text(lex, CONF_SIG_POLICIES, $4);
	}
	| SIGNATURE SOURCE DIRECTORY STRING {
		parse_text(lex, CONF_SIG_SOURCES, $4);
	}
	| SIGNATURE NAMELESS STRING { parse_text(lex, CONF_SIG_NAMELESS, $3); }
	;

pinned:
	PINNED IMAGE STRING {
		parse_check(lex, conf_add_word(lex->conf, CONF_PINNED, $3,
		    &lex->err));
		free($3);
	}
	;

log:
	LOG LEVEL STRING {
		parse_check(lex, conf_set_log_level(lex->conf, $3,
		    &lex->err));
		free($3);
	}
	| LOG TO STRING json {
		parse_check(lex, conf_set_log(lex->conf, $3, $4, &lex->err));
		free($3);
	}
	| AUDIT LOG STRING {
		parse_check(lex, conf_set_audit(lex->conf, $3, &lex->err));
		free($3);
	}
	;

json:
	%empty { $$ = false; }
	| JSON { $$ = true; }
	;

downloads:
	DOWNLOADS STRING {
		parse_check(lex, conf_set_downloads(lex->conf, $2,
		    &lex->err));
		free($2);
	}
	;

pull:
	PULL TIMEOUT timeoutname STRING {
		parse_check(lex, conf_set_pull(lex->conf, "timeout ", $3, $4,
		    &lex->err));
		free($3);
		free($4);
	}
	| PULL STRING STRING {
		parse_check(lex, conf_set_pull(lex->conf, "", $2, $3,
		    &lex->err));
		free($2);
		free($3);
	}
	| PROXY STRING STRING {
		parse_check(lex, conf_set_proxy(lex->conf, $2, $3,
		    &lex->err));
		free($2);
		free($3);
	}
	;

timeoutname:
	STRING
	| TLS { $$ = parse_word("tls"); }
	| IDLE { $$ = parse_word("idle"); }
	| HEADER { $$ = parse_word("header"); }
	;

stats:
	STATS AGE STRING {
		parse_check(lex, conf_set_stats_age(lex->conf, $3,
		    &lex->err));
		free($3);
	}
	| POD METRICS metrics
	| METRICS LISTEN ON STRING PORT STRING {
		parse_check(lex, conf_set_metrics_listen(lex->conf, $4, $6,
		    &lex->err));
		free($4);
		free($6);
	}
	;

metrics:
	metric { parse_metric(lex, $1, true); }
	| metrics metric { parse_metric(lex, $2, false); }
	;

metric:
	STRING
	| NETWORK { $$ = parse_word("network"); }
	;

stream:
	STREAM LISTEN ON STRING PORT STRING tls {
		parse_check(lex, conf_set_stream(lex->conf, $4, $6, $7.cert,
		    $7.key, $7.ca, &lex->err));
		free($4);
		free($6);
		parse_tls_free(&$7);
	}
	| STREAM IDLE TIMEOUT STRING {
		parse_check(lex, conf_set_stream_idle(lex->conf, $4,
		    &lex->err));
		free($4);
	}
	;

tls:
	%empty { memset(&$$, 0, sizeof($$)); }
	| TLS CERTIFICATE STRING KEY STRING ca {
		$$.cert = $3;
		$$.key = $5;
		$$.ca = $6;
	}
	;

ca:
	%empty { $$ = NULL; }
	| CA STRING { $$ = $2; }
	;

nri:
	nrihead '{' nrilines '}'
	| nrihead '{' nrilines nriopt '}'
	| nrihead '{' nrilines error '}' { yyerrok; }
	;

nrihead:
	NRI { lex->conf->nri = true; }
	;

/* As registrylines. */
nrilines:
	%empty
	| nrilines separator
	| nrilines nriopt separator
	| nrilines error separator { yyerrok; }
	;

nriopt:
	SOCKET STRING { parse_text(lex, CONF_NRI_SOCKET, $2); }
	| PLUGINS STRING { parse_text(lex, CONF_NRI_PLUGINS, $2); }
	| CONFIGURATION STRING { parse_text(lex, CONF_NRI_CONF, $2); }
	| TIMEOUT STRING {
		parse_check(lex, conf_set_nri_ms(&lex->conf->nri_request_ms,
		    $2, &lex->err));
		free($2);
	}
	| REGISTRATION TIMEOUT STRING {
		parse_check(lex,
		    conf_set_nri_ms(&lex->conf->nri_registration_ms, $3,
		    &lex->err));
		free($3);
	}
	| REQUIRE plugin {
		parse_check(lex, conf_add_word(lex->conf, CONF_NRI_REQUIRED,
		    $2, &lex->err));
		free($2);
	}
	| ALLOW HOOKS { lex->conf->nri_hooks = true; }
	| ALLOW SECCOMP { lex->conf->nri_seccomp = true; }
	;

policy:
	policyhead '{' policylines '}'
	| policyhead '{' policylines policyopt '}'
	| policyhead '{' policylines error '}' { yyerrok; }
	;

policyhead:
	POLICY { parse_policy(lex, NULL, NULL); }
	| POLICY STRING STRING { parse_policy(lex, $2, $3); }
	;

plugin:
	STRING
	| AUDIT { $$ = parse_word("audit"); }
	| POLICY { $$ = parse_word("policy"); }
	;

/* As registrylines. */
policylines:
	%empty
	| policylines separator
	| policylines policyopt separator
	| policylines error separator { yyerrok; }
	;

policyopt:
	ALLOW rulewords { parse_rule(lex, true); }
	| DENY rulewords { parse_rule(lex, false); }
	;

rulewords:
	ruleword { parse_rule_word(lex, $1, true); }
	| rulewords ruleword { parse_rule_word(lex, $2, false); }
	;

/* Words that are keywords elsewhere. */
ruleword:
	STRING
	| APPARMOR { $$ = parse_word("apparmor"); }
	| DEFAULT { $$ = parse_word("default"); }
	| NETWORK { $$ = parse_word("network"); }
	| PATH { $$ = parse_word("path"); }
	| PORT { $$ = parse_word("port"); }
	| REGISTRY { $$ = parse_word("registry"); }
	| RUNTIME { $$ = parse_word("runtime"); }
	| SECCOMP { $$ = parse_word("seccomp"); }
	| SELINUX { $$ = parse_word("selinux"); }
	;

registry:
	registryhead '{' registrylines '}'
	| registryhead '{' registrylines registryopt '}'
	| registryhead '{' registrylines error '}' { yyerrok; }
	;

registryhead:
	REGISTRY STRING {
		lex->registry = conf_add_registry(lex->conf, $2, &lex->err);
		parse_check(lex, lex->registry == NULL ? -1 : 0);
		free($2);
	}
	;

/* Every option ends with a line or a semicolon, or is the last one. */
registrylines:
	%empty
	| registrylines separator
	| registrylines registryopt separator
	| registrylines error separator { yyerrok; }
	;

separator:
	'\n'
	| ';'
	;

registryopt:
	MIRROR STRING insecure when {
		if (lex->registry != NULL)
			parse_check(lex, conf_registry_mirror(lex->registry,
			    $2, $3, (enum conf_when)$4, &lex->err));
		free($2);
	}
	| LOCATION STRING {
		if (lex->registry != NULL)
			parse_check(lex, conf_registry_location(lex->registry,
			    $2, &lex->err));
		free($2);
	}
	| CLIENT CERTIFICATE STRING KEY STRING {
		if (lex->registry != NULL)
			parse_check(lex, conf_registry_client(lex->registry,
			    $3, $5, &lex->err));
		free($3);
		free($5);
	}
	| HEADER FILES STRING {
		if (lex->registry != NULL)
			parse_check(lex, conf_registry_headers(lex->registry,
			    $3, &lex->err));
		free($3);
	}
	| INSECURE {
		if (lex->registry != NULL)
			lex->registry->insecure = true;
	}
	| BLOCKED {
		if (lex->registry != NULL)
			lex->registry->blocked = true;
	}
	| CA STRING {
		if (lex->registry != NULL)
			parse_check(lex, conf_registry_ca(lex->registry, $2,
			    &lex->err));
		free($2);
	}
	| TOKEN SERVER STRING {
		if (lex->registry != NULL)
			parse_check(lex, conf_registry_token(lex->registry, $3,
			    &lex->err));
		free($3);
	}
	;

insecure:
	%empty { $$ = false; }
	| INSECURE { $$ = true; }
	;

when:
	%empty { $$ = CONF_WHEN_ALWAYS; }
	| DIGEST { $$ = CONF_WHEN_DIGEST; }
	| TAG { $$ = CONF_WHEN_TAG; }
	;

/* Files of other tools, and what they say, in words of criod.conf. */
registries:
	REGISTRY FILES STRING { parse_text(lex, CONF_REGISTRY_FILE, $3); }
	| REGISTRY SEARCH STRING { parse_list(lex, CONF_SEARCH, $3); }
	| CERTIFICATE DIRECTORY STRING { parse_list(lex, CONF_CERT_DIR, $3); }
	| CERTIFICATE FILES STRING { parse_list(lex, CONF_CERT_FILE, $3); }
	| HOSTS DIRECTORY STRING { parse_list(lex, CONF_HOSTS_DIR, $3); }
	| AUTH FILES STRING { parse_text(lex, CONF_AUTH_FILE, $3); }
	| AUTH DIRECTORY STRING { parse_text(lex, CONF_AUTH_DIR, $3); }
	| SHORT NAME STRING { parse_list(lex, CONF_SHORT_NAME, $3); }
	| SHORT NAME MODE STRING { parse_text(lex, CONF_SHORT_MODE, $4); }
	| FOREIGN LAYERS STRING { parse_list(lex, CONF_FOREIGN, $3); }
	;

%%

static int
conf_yylex(CONF_YYSTYPE *value, struct lex *lex)
{
	return lex_next(lex, &value->string);
}

static void
conf_yyerror(struct lex *lex, const char *message)
{
	(void)message;
	lex_syntax(lex);
}

static void
parse_check(struct lex *lex, int result)
{
	if (result == -1)
		lex_statement_bad(lex);
}

static void
parse_text(struct lex *lex, enum conf_text which, char *value)
{
	parse_check(lex, conf_set_text(lex->conf, which, value, &lex->err));
	free(value);
}

static void
parse_list(struct lex *lex, enum conf_list list, char *value)
{
	parse_check(lex, conf_add_word(lex->conf, list, value, &lex->err));
	free(value);
}

static void
parse_metric(struct lex *lex, char *value, bool first)
{
	parse_check(lex, conf_set_metrics(lex->conf, value, first, &lex->err));
	free(value);
}

/* A keyword where a word may stand. */
static char *
parse_word(const char *word)
{
	char *p = strdup(word);

	if (p == NULL)
		fatal("strdup");
	return p;
}

/* Takes both; NULL: for every namespace. */
static void
parse_policy(struct lex *lex, char *word, char *name)
{
	free(lex->namespace);
	lex->namespace = name;
	lex->policy_bad = false;
	if (word != NULL &&
	    conf_policy_namespace(word, name, &lex->err) == -1) {
		lex->policy_bad = true;
		lex_statement_bad(lex);
	}
	free(word);
}

static void
parse_rule(struct lex *lex, bool allow)
{
	char at[CONF_WORD_MAX];

	(void)snprintf(at, sizeof(at), "%.900s:%u", lex->name, lex->line);
	if (!lex->policy_bad)
		parse_check(lex, conf_add_rule(lex->conf, allow,
		    lex->namespace != NULL ? lex->namespace : "", lex->words,
		    lex->nwords, at, &lex->err));
}

/* Takes word; what is too much is counted only. */
static void
parse_rule_word(struct lex *lex, char *word, bool first)
{
	lex->nwords = first ? 0 : lex->nwords;
	if (lex->nwords == CONF_RULE_WORDS) {
		free(word);
		return;
	}
	free(lex->words[lex->nwords]);
	lex->words[lex->nwords++] = word;
}

static void
parse_listen_free(struct parse_listen *l)
{
	free(l->owner);
	free(l->group);
	free(l->mode);
}

static void
parse_listen_set(char **p, char *value)
{
	free(*p);
	*p = value;
}

static void
parse_tls_free(struct parse_tls *t)
{
	free(t->cert);
	free(t->key);
	free(t->ca);
}

int
conf_parse(struct conf *c, const char *name, const char *buf, size_t len,
    const struct conf_source *src)
{
	struct lex lex;
	int result;

	lex_open(&lex, c, name, buf, len, src);
	result = conf_yyparse(&lex);
	if (lex.errors > 0)
		result = -1;
	lex_close(&lex);
	return result == 0 ? 0 : -1;
}
