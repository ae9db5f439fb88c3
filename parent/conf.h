#ifndef CRIOD_PARENT_CONF_H
#define CRIOD_PARENT_CONF_H

/*
 * What criod.conf says, as a value: made by conf_parse or by hand, completed
 * by conf_fill, never changed after.  Nothing here looks at the host.
 */

#include <sys/queue.h>
#include <sys/types.h>

#include <stdbool.h>
#include <stdio.h>

#include "lib/cerr.h"
#include "lib/rule.h"

/* Statements of one word; conf_texts in conf.c has their spelling. */
enum conf_text {
	CONF_CONTROL,
	CONF_STATE,
	CONF_IMAGE,
	CONF_CONTAINER,
	CONF_NETWORK,
	CONF_RECORD,
	CONF_PROGRAM,
	CONF_CNI_CONF,
	CONF_CNI_PLUGINS,
	CONF_CNI_NETWORK, /* NULL: the first that is found */
	CONF_CNI_SUBNET,
	CONF_SECCOMP,
	CONF_APPARMOR,
	CONF_SELINUX,
	CONF_NRI_SOCKET, /* this and the next two within nri { } */
	CONF_NRI_PLUGINS,
	CONF_NRI_CONF,
	CONF_CDI_HOOKS,
	CONF_REGISTRY_FILE, /* this and the next two: a path, or "none" */
	CONF_AUTH_FILE,
	CONF_AUTH_DIR,
	CONF_SHORT_MODE, /* "files" or a mode */
	CONF_SIG_POLICY,
	CONF_SIG_POLICIES,
	CONF_SIG_SOURCES,
	CONF_SIG_NAMELESS,
	CONF_CHECKPOINT,
	CONF_NTEXTS,
};

enum conf_list {
	CONF_CDI_DIR,
	CONF_CNI_PATH,
	CONF_HOOKS,
	CONF_PINNED,
	CONF_SECCOMP_DIR,
	CONF_ULIMIT,
	CONF_NRI_REQUIRED,
	CONF_CERT_DIR, /* these two: paths, or "none" */
	CONF_HOSTS_DIR,
	CONF_CERT_FILE,
	CONF_SEARCH,
	CONF_SHORT_NAME, /* NAME=IMAGE */
	CONF_STORE,	 /* additional, read-only */
	CONF_FOREIGN,	 /* REGISTRY[/PATH]=URL, or *=URL */
	CONF_NLISTS,
};

enum conf_cgroup {
	CONF_CGROUP_UNSET = 0,
	CONF_CGROUP_CGROUPFS,
	CONF_CGROUP_SYSTEMD,
};

/* What a runtime is; execd/launch.h has the same order. */
enum conf_runtime_type {
	CONF_RUNTIME_OCI = 0,
	CONF_RUNTIME_GVISOR,
	CONF_RUNTIME_VM,
};

enum conf_log {
	CONF_LOG_STDERR = 0,
	CONF_LOG_SYSLOG,
	CONF_LOG_FILE,
};

/* Of "pull": seconds, and bytes a second. */
enum conf_pull {
	CONF_PULL_CONNECT,
	CONF_PULL_TLS,
	CONF_PULL_HEADER,
	CONF_PULL_IDLE,
	CONF_PULL_DOCUMENT,
	CONF_PULL_PROGRESS,
	CONF_PULL_TOTAL,
	CONF_PULL_RATE,
	CONF_NPULLS,
};

enum conf_proxy {
	CONF_PROXY_HTTP,
	CONF_PROXY_HTTPS,
	CONF_PROXY_EXCEPT,
	CONF_NPROXIES,
};

/* Files that TLS of the stream listener needs. */
enum conf_tls {
	CONF_TLS_CERT,
	CONF_TLS_KEY,
	CONF_TLS_CA, /* may be NULL when the others are not */
	CONF_NTLS,
};

#define CONF_LISTENS_MAX    16
#define CONF_RUNTIMES_MAX   64
#define CONF_ARGUMENTS_MAX  16 /* of one runtime */
#define CONF_REGISTRIES_MAX 1024
#define CONF_RULES_MAX	    1024
#define CONF_RULE_WORDS	    4 /* "path X read-only" and one too many */
#define CONF_MIRRORS_MAX    16
#define CONF_SEARCH_MAX	    16 /* registries for short names */
#define CONF_WORDS_MAX	    256
#define CONF_DOWNLOADS_MAX  32
#define CONF_CDI_MAX	    16 /* directories of devices */
#define CONF_PROFILES_MAX   16 /* directories of seccomp profiles */
#define CONF_CERTS_MAX	    16 /* directories of certificates, of hosts */

/* These need not be there; others must. */
#define CONF_SIG_POLICY_USUAL	"/etc/containers/policy.json"
#define CONF_SIG_POLICIES_USUAL "/etc/criod/policies"
#define CONF_SIG_SOURCES_USUAL	"/etc/containers/registries.d"

#define CONF_APPARMOR_OWN    "criod-default" /* the profile that criod loads */
#define CONF_STATS_AGE_MAX   60
#define CONF_STREAM_IDLE_MAX 604800 /* a week */

struct conf_word {
	TAILQ_ENTRY(conf_word) entry;
	char *text;
};

TAILQ_HEAD(conf_words, conf_word);

struct conf_listen {
	TAILQ_ENTRY(conf_listen) entry;
	char *path;
	char *owner, *group; /* names or numbers */
	mode_t mode;
};

struct conf_runtime {
	TAILQ_ENTRY(conf_runtime) entry;
	char *name, *path;
	bool is_default;
	enum conf_runtime_type type;
	struct conf_words arguments; /* before the runtime's command */
	size_t narguments;
};

/* When a mirror is asked; msg.proto has the same order. */
enum conf_when {
	CONF_WHEN_ALWAYS = 0,
	CONF_WHEN_DIGEST,
	CONF_WHEN_TAG,
};

struct conf_mirror {
	TAILQ_ENTRY(conf_mirror) entry;
	char *location;
	bool insecure;
	enum conf_when when;
};

struct conf_registry {
	TAILQ_ENTRY(conf_registry) entry;
	char *prefix;
	TAILQ_HEAD(conf_mirrors, conf_mirror) mirrors;
	size_t nmirrors;
	bool insecure, blocked;
	char *ca;		 /* NULL: the system's only */
	char *location;		 /* NULL: prefix itself */
	char *client_cert, *key; /* both or none are NULL */
	char *headers;		 /* file of header fields, or NULL */
	char *token_server;	 /* host of another site, or NULL */
};

/* Of the policy; its strings are owned by it. */
struct conf_rule {
	TAILQ_ENTRY(conf_rule) entry;
	struct rule rule;
};

TAILQ_HEAD(conf_runtimes, conf_runtime);

struct conf {
	char *text[CONF_NTEXTS];
	struct conf_words words[CONF_NLISTS];
	size_t nwords[CONF_NLISTS];
	TAILQ_HEAD(conf_listens, conf_listen) listens;
	struct conf_runtimes runtimes;
	TAILQ_HEAD(conf_registries, conf_registry) registries;
	TAILQ_HEAD(conf_rules, conf_rule) rules; /* in order */
	size_t nlistens, nruntimes, nregistries, nrules;
	enum conf_cgroup cgroup;
	unsigned int log_level; /* enum log_level */
	enum conf_log log_to;
	char *log_file; /* of CONF_LOG_FILE */
	bool log_json;
	bool audit; /* there is an audit log */
	enum conf_log audit_to;
	char *audit_file; /* of CONF_LOG_FILE */
	unsigned int downloads;
	unsigned int pull[CONF_NPULLS];
	char *proxy[CONF_NPROXIES]; /* NULL: not said */
	unsigned int stats_age;	    /* seconds */
	unsigned int pod_metrics;   /* METRIC_IN_* of lib/metric.h */
	char *stream_address;
	unsigned int stream_port;    /* 0: any free one */
	bool nri;		     /* plugins are served */
	bool nri_hooks, nri_seccomp; /* they may adjust those */
	unsigned int nri_registration_ms, nri_request_ms;
	char *metrics_address; /* NULL: no such page */
	unsigned int metrics_port;
	char *stream_tls[CONF_NTLS]; /* NULL: no TLS */
	unsigned int stream_idle;    /* seconds */
};

/* What a host offers where the file is silent; see conf_detect. */
struct conf_host {
	struct conf_runtimes runtimes; /* the first one is the default */
	enum conf_cgroup cgroup;
	const char *cni_plugins;
	const char *prefix; /* criod -r, or NULL */
};

struct conf *conf_new(void); /* fatal without memory */
void conf_free(struct conf *c);

/*
 * One statement each: the value is checked and copied.  -1 with err if it
 * is not valid; nothing has changed then.  NULL stands for "not given".
 */
int conf_set_text(struct conf *c, enum conf_text which, const char *value,
    struct cerr *err) __attribute__((warn_unused_result));
int conf_add_word(struct conf *c, enum conf_list list, const char *value,
    struct cerr *err) __attribute__((warn_unused_result));
int conf_add_listen(struct conf *c, const char *path, const char *owner,
    const char *group, const char *mode, struct cerr *err)
    __attribute__((warn_unused_result));
int conf_set_cgroup(struct conf *c, const char *value, struct cerr *err)
    __attribute__((warn_unused_result));
int conf_set_downloads(struct conf *c, const char *value, struct cerr *err)
    __attribute__((warn_unused_result));
/* "timeout " and which one, or "" and "rate". */
int conf_set_pull(struct conf *c, const char *prefix, const char *name,
    const char *value, struct cerr *err) __attribute__((warn_unused_result));
int conf_set_proxy(struct conf *c, const char *name, const char *value,
    struct cerr *err) __attribute__((warn_unused_result));
bool conf_has_proxy(const struct conf *c);
const char *conf_pull_name(enum conf_pull which);
const char *conf_proxy_name(enum conf_proxy which);
void conf_init_pull(struct conf *c); /* conf_new's */
int conf_set_stats_age(struct conf *c, const char *value, struct cerr *err)
    __attribute__((warn_unused_result));
int conf_set_metrics_listen(struct conf *c, const char *address,
    const char *port, struct cerr *err) __attribute__((warn_unused_result));
/* One word of "pod metrics"; the first one begins anew. */
int conf_set_metrics(struct conf *c, const char *value, bool first,
    struct cerr *err) __attribute__((warn_unused_result));
/* cert and key: both or none; ca only with them. */
int conf_set_stream(struct conf *c, const char *address, const char *port,
    const char *cert, const char *key, const char *ca, struct cerr *err)
    __attribute__((warn_unused_result));
int conf_set_stream_idle(struct conf *c, const char *value, struct cerr *err)
    __attribute__((warn_unused_result));
int conf_set_nri_ms(unsigned int *ms, const char *value, struct cerr *err)
    __attribute__((warn_unused_result));
int conf_set_log_level(struct conf *c, const char *value, struct cerr *err)
    __attribute__((warn_unused_result));
int conf_set_log(struct conf *c, const char *to, bool json, struct cerr *err)
    __attribute__((warn_unused_result));

int conf_set_audit(struct conf *c, const char *to, struct cerr *err)
    __attribute__((warn_unused_result));

/* The new runtime is c's; NULL with err. */
struct conf_runtime *conf_add_runtime(struct conf *c, const char *name,
    const char *path, bool is_default, struct cerr *err);
int conf_runtime_argument(struct conf_runtime *r, const char *value,
    struct cerr *err) __attribute__((warn_unused_result));
int conf_runtime_type(struct conf_runtime *r, const char *value,
    struct cerr *err) __attribute__((warn_unused_result));
const char *conf_runtime_type_name(enum conf_runtime_type type);

/* The new registry is c's; NULL with err. */
struct conf_registry *conf_add_registry(struct conf *c, const char *prefix,
    struct cerr *err);
int conf_registry_mirror(struct conf_registry *r, const char *location,
    bool insecure, enum conf_when when, struct cerr *err)
    __attribute__((warn_unused_result));
int conf_registry_ca(struct conf_registry *r, const char *path,
    struct cerr *err) __attribute__((warn_unused_result));
int conf_registry_location(struct conf_registry *r, const char *location,
    struct cerr *err) __attribute__((warn_unused_result));
int conf_registry_client(struct conf_registry *r, const char *cert,
    const char *key, struct cerr *err) __attribute__((warn_unused_result));
int conf_registry_token(struct conf_registry *r, const char *host,
    struct cerr *err) __attribute__((warn_unused_result));
int conf_registry_headers(struct conf_registry *r, const char *path,
    struct cerr *err) __attribute__((warn_unused_result));

/* conf_policy.c: the namespace that rules are for; "" for all. */
int conf_policy_namespace(const char *word, const char *name, struct cerr *err)
    __attribute__((warn_unused_result));
/* One rule by its words behind allow or deny; at says where it stands. */
int conf_add_rule(struct conf *c, bool allow, const char *namespace,
    char *const *words, size_t nwords, const char *at, struct cerr *err)
    __attribute__((warn_unused_result));
void conf_rules_free(struct conf *c);
void conf_print_rules(FILE *out, const struct conf *c);

/* Completes c with defaults, then checks what concerns several statements. */
int conf_fill(struct conf *c, const struct conf_host *host, struct cerr *err)
    __attribute__((warn_unused_result));

/* NULL before conf_fill, or when there is none. */
const struct conf_runtime *conf_default_runtime(const struct conf *c);

/* In canonical form, which conf_parse reads back to the same. */
void conf_print(FILE *out, const struct conf *c);
/* For parts of conf_print: s in double quotes. */
void conf_print_quoted(FILE *out, const char *s);
/* "state directory" */
const char *conf_text_name(enum conf_text which);

#endif
