#include "lib/log.h"
#include "lib/metric.h"
#include "parent/conf.h"

static const char *const conf_list_names[] = {
	[CONF_CDI_DIR] = "cdi directory",
	[CONF_CNI_PATH] = "cni path",
	[CONF_HOOKS] = "hooks directory",
	[CONF_PINNED] = "pinned image",
	[CONF_ULIMIT] = "ulimit",
	[CONF_SECCOMP_DIR] = "seccomp directory",
	[CONF_NRI_REQUIRED] = "\trequire",
	[CONF_CERT_DIR] = "certificate directory",
	[CONF_HOSTS_DIR] = "hosts directory",
	[CONF_CERT_FILE] = "certificate file",
	[CONF_SEARCH] = "registry search",
	[CONF_SHORT_NAME] = "short name",
	[CONF_STORE] = "additional store",
	[CONF_FOREIGN] = "foreign layers",
};

static const char *const conf_level_names[] = {
	[LOG_LVL_ERROR] = "error",
	[LOG_LVL_WARN] = "warn",
	[LOG_LVL_INFO] = "info",
	[LOG_LVL_DEBUG] = "debug",
};

void
conf_print_quoted(FILE *out, const char *s)
{
	(void)fputc('"', out);
	for (; *s != '\0'; s++) {
		if (*s == '"' || *s == '\\')
			(void)fputc('\\', out);
		(void)fputc(*s, out);
	}
	(void)fputc('"', out);
}

static void
conf_print_pair(FILE *out, const char *name, const char *value)
{
	(void)fprintf(out, "%s ", name);
	conf_print_quoted(out, value);
}

static void
conf_print_sockets(FILE *out, const struct conf *c)
{
	const struct conf_listen *l;

	TAILQ_FOREACH(l, &c->listens, entry) {
		conf_print_pair(out, "listen on", l->path);
		conf_print_pair(out, " owner", l->owner);
		conf_print_pair(out, " group", l->group);
		(void)fprintf(out, " mode %04o\n", (unsigned int)l->mode);
	}
}

static void
conf_print_stream(FILE *out, const struct conf *c)
{
	static const char *const names[] = { " tls certificate", " key",
		" ca" };

	(void)fprintf(out, "stream listen on %s port %u", c->stream_address,
	    c->stream_port);
	for (size_t i = 0; i < CONF_NTLS; i++) {
		if (c->stream_tls[i] != NULL)
			conf_print_pair(out, names[i], c->stream_tls[i]);
	}
	(void)fprintf(out, "\nstream idle timeout %u\n", c->stream_idle);
	if (c->metrics_address != NULL)
		(void)fprintf(out, "metrics listen on %s port %u\n",
		    c->metrics_address, c->metrics_port);
}

static void
conf_print_log(FILE *out, const struct conf *c)
{
	(void)fprintf(out, "log level %s\nlog to ",
	    conf_level_names[c->log_level]);
	if (c->log_to == CONF_LOG_FILE)
		conf_print_quoted(out, c->log_file);
	else
		(void)fputs(c->log_to == CONF_LOG_SYSLOG ? "syslog" : "stderr",
		    out);
	(void)fputs(c->log_json ? " json\n" : "\n", out);
	(void)fputs("audit log ", out);
	if (!c->audit)
		(void)fputs("none", out);
	else if (c->audit_to == CONF_LOG_FILE)
		conf_print_quoted(out, c->audit_file);
	else
		(void)fputs(c->audit_to == CONF_LOG_SYSLOG ? "syslog"
							   : "stderr",
		    out);
	(void)fputc('\n', out);
}

/* Nothing to say is no block. */
static void
conf_print_runtime_block(FILE *out, const struct conf_runtime *r)
{
	const struct conf_word *w;

	if (r->type == CONF_RUNTIME_OCI && r->narguments == 0) {
		(void)fputc('\n', out);
		return;
	}
	(void)fprintf(out, " {\n\ttype %s\n", conf_runtime_type_name(r->type));
	TAILQ_FOREACH(w, &r->arguments, entry) {
		conf_print_pair(out, "\targument", w->text);
		(void)fputc('\n', out);
	}
	(void)fputs("}\n", out);
}

static void
conf_print_runtimes(FILE *out, const struct conf *c)
{
	const struct conf_runtime *r;

	TAILQ_FOREACH(r, &c->runtimes, entry) {
		conf_print_pair(out, "runtime", r->name);
		conf_print_pair(out, " path", r->path);
		(void)fputs(r->is_default ? " default" : "", out);
		conf_print_runtime_block(out, r);
	}
	if (c->cgroup != CONF_CGROUP_UNSET)
		(void)fprintf(out, "cgroup manager %s\n",
		    c->cgroup == CONF_CGROUP_SYSTEMD ? "systemd" : "cgroupfs");
}

static void
conf_print_registry(FILE *out, const struct conf_registry *r)
{
	static const char *const whens[] = {
		[CONF_WHEN_ALWAYS] = "\n",
		[CONF_WHEN_DIGEST] = " digest\n",
		[CONF_WHEN_TAG] = " tag\n",
	};
	const struct conf_mirror *m;

	conf_print_pair(out, "registry", r->prefix);
	(void)fputs(" {\n", out);
	TAILQ_FOREACH(m, &r->mirrors, entry) {
		conf_print_pair(out, "\tmirror", m->location);
		(void)fputs(m->insecure ? " insecure" : "", out);
		(void)fputs(whens[m->when], out);
	}
	if (r->insecure)
		(void)fputs("\tinsecure\n", out);
	if (r->blocked)
		(void)fputs("\tblocked\n", out);
	if (r->ca != NULL) {
		conf_print_pair(out, "\tca", r->ca);
		(void)fputc('\n', out);
	}
	if (r->location != NULL) {
		conf_print_pair(out, "\tlocation", r->location);
		(void)fputc('\n', out);
	}
	if (r->client_cert != NULL) {
		conf_print_pair(out, "\tclient certificate", r->client_cert);
		conf_print_pair(out, " key", r->key);
		(void)fputc('\n', out);
	}
	if (r->headers != NULL) {
		conf_print_pair(out, "\theader file", r->headers);
		(void)fputc('\n', out);
	}
	if (r->token_server != NULL) {
		conf_print_pair(out, "\ttoken server", r->token_server);
		(void)fputc('\n', out);
	}
	(void)fputs("}\n", out);
}

static void
conf_print_metrics(FILE *out, const struct conf *c)
{
	const char *name;
	uint32_t bit;

	(void)fputs("pod metrics", out);
	if (c->pod_metrics == METRIC_IN_ALL || c->pod_metrics == 0) {
		(void)fputs(c->pod_metrics == 0 ? " none\n" : " all\n", out);
		return;
	}
	for (size_t i = 0; (name = metric_group_name(i, &bit)) != NULL; i++) {
		if (c->pod_metrics & bit)
			(void)fprintf(out, " %s", name);
	}
	(void)fputc('\n', out);
}

static void
conf_print_pull(FILE *out, const struct conf *c)
{
	(void)fprintf(out, "downloads %u\n", c->downloads);
	for (enum conf_pull i = 0; i < CONF_NPULLS; i++)
		(void)fprintf(out, "pull %s %u\n", conf_pull_name(i),
		    c->pull[i]);
	for (enum conf_proxy i = 0; i < CONF_NPROXIES; i++) {
		if (c->proxy[i] == NULL)
			continue;
		(void)fprintf(out, "proxy %s ", conf_proxy_name(i));
		conf_print_quoted(out, c->proxy[i]);
		(void)fputc('\n', out);
	}
}

static bool
conf_of_nri(enum conf_text which)
{
	return which == CONF_NRI_SOCKET || which == CONF_NRI_PLUGINS ||
	       which == CONF_NRI_CONF;
}

static void
conf_print_words(FILE *out, const struct conf *c, enum conf_list which)
{
	const struct conf_word *w;

	TAILQ_FOREACH(w, &c->words[which], entry) {
		conf_print_pair(out, conf_list_names[which], w->text);
		(void)fputc('\n', out);
	}
}

static void
conf_print_nri(FILE *out, const struct conf *c)
{
	if (!c->nri)
		return;
	(void)fputs("nri {\n", out);
	for (enum conf_text i = 0; i < CONF_NTEXTS; i++) {
		if (!conf_of_nri(i))
			continue;
		(void)fputc('\t', out);
		conf_print_pair(out, conf_text_name(i), c->text[i]);
		(void)fputc('\n', out);
	}
	(void)fprintf(out, "\ttimeout %u\n\tregistration timeout %u\n",
	    c->nri_request_ms, c->nri_registration_ms);
	conf_print_words(out, c, CONF_NRI_REQUIRED);
	if (c->nri_hooks)
		(void)fputs("\tallow hooks\n", out);
	if (c->nri_seccomp)
		(void)fputs("\tallow seccomp\n", out);
	(void)fputs("}\n", out);
}

void
conf_print(FILE *out, const struct conf *c)
{
	const struct conf_registry *r;

	conf_print_sockets(out, c);
	conf_print_stream(out, c);
	for (enum conf_text i = 0; i < CONF_NTEXTS; i++) {
		if (c->text[i] == NULL || conf_of_nri(i))
			continue;
		conf_print_pair(out, conf_text_name(i), c->text[i]);
		(void)fputc('\n', out);
	}
	conf_print_log(out, c);
	conf_print_runtimes(out, c);
	conf_print_pull(out, c);
	(void)fprintf(out, "stats age %u\n", c->stats_age);
	conf_print_metrics(out, c);
	for (enum conf_list i = 0; i < CONF_NLISTS; i++) {
		if (i != CONF_NRI_REQUIRED)
			conf_print_words(out, c, i);
	}
	conf_print_nri(out, c);
	TAILQ_FOREACH(r, &c->registries, entry)
		conf_print_registry(out, r);
	conf_print_rules(out, c);
}
