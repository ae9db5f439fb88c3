#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "execd/caps.h"
#include "execd/profile.h"
#include "execd/spec_part.h"
#include "lib/capname.h"
#include "lib/fdio.h"

#define SPEC_PATH "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

/* ---- arguments ---- */

static int
spec_append_args(struct spec *s, json_t *args, const char *field, char **list,
    size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (spec_add(s, args, spec_string(s, field, list[i])) == -1)
			return -1;
	}
	return 0;
}

/* A command replaces the image's entry point and its arguments, too. */
static json_t *
spec_args(struct spec *s)
{
	const Runtime__V1__ContainerConfig *c = s->in->config;
	const Criod__Lease *im = s->in->image;
	json_t *args = spec_array(s);
	int ret;

	if (args == NULL)
		return NULL;
	if (c->n_command > 0)
		ret = spec_append_args(s, args, "command", c->command,
		    c->n_command);
	else
		ret = spec_append_args(s, args, "image Entrypoint",
		    im->entrypoint, im->n_entrypoint);
	if (ret == 0 && c->n_args > 0)
		ret = spec_append_args(s, args, "args", c->args, c->n_args);
	else if (ret == 0 && c->n_command == 0)
		ret =
		    spec_append_args(s, args, "image Cmd", im->cmd, im->n_cmd);
	if (ret == 0 && json_array_size(args) == 0)
		ret = cerr_set(s->err, CERR_INVALID_ARGUMENT,
		    "no command: neither the request nor the image has one");
	if (ret == -1) {
		json_decref(args);
		return NULL;
	}
	return args;
}

/* ---- environment: an object of NAME to "NAME=VALUE", in order ---- */

/* A later one takes the place of an earlier one of its name. */
static int
spec_env_put(struct spec *s, json_t *env, const char *field, const char *entry)
{
	CLEANUP_FREE char *name = strndup(entry, strcspn(entry, "="));

	if (name == NULL)
		return cerr_errno(s->err, "%s", field);
	return spec_set(s, env, name, spec_string(s, field, entry));
}

static int
spec_env_default(struct spec *s, json_t *env, const char *name,
    const char *value)
{
	char entry[POLICY_PATH_MAX];

	if (json_object_get(env, name) != NULL)
		return 0;
	(void)snprintf(entry, sizeof(entry), "%s=%s", name, value);
	return spec_env_put(s, env, name, entry);
}

static int
spec_env_image(struct spec *s, json_t *env)
{
	const Criod__Lease *im = s->in->image;

	for (size_t i = 0; i < im->n_env; i++) {
		if (im->env[i][0] == '\0' || im->env[i][0] == '=')
			continue;
		if (spec_env_put(s, env, "image Env", im->env[i]) == -1)
			return -1;
	}
	return 0;
}

static int
spec_env_request(struct spec *s, json_t *env, const Runtime__V1__KeyValue *kv)
{
	CLEANUP_FREE char *entry = NULL;

	if (kv->key[0] == '\0' || strchr(kv->key, '=') != NULL)
		return cerr_set(s->err, CERR_INVALID_ARGUMENT,
		    "envs: \"%.64s\" is not a name", kv->key);
	if (kv->value.len > 0 &&
	    memchr(kv->value.data, '\0', kv->value.len) != NULL)
		return cerr_set(s->err, CERR_INVALID_ARGUMENT,
		    "envs: %.64s holds a NUL byte", kv->key);
	if (asprintf(&entry, "%s=%.*s", kv->key, (int)kv->value.len,
		kv->value.len > 0 ? (const char *)kv->value.data : "") == -1) {
		entry = NULL;
		return cerr_errno(s->err, "envs");
	}
	return spec_env_put(s, env, "envs", entry);
}

/* The image's, then ours, then the request's, each over the one before. */
static int
spec_env_fill(struct spec *s, json_t *env)
{
	const Runtime__V1__ContainerConfig *c = s->in->config;
	const char *home = s->in->user->home;
	char host[POLICY_HOSTNAME + 16];

	if (spec_env_image(s, env) == -1)
		return -1;
	(void)snprintf(host, sizeof(host), "HOSTNAME=%s", s->in->hostname);
	if (spec_env_put(s, env, "hostname", host) == -1)
		return -1;
	for (size_t i = 0; i < c->n_envs; i++) {
		if (spec_env_request(s, env, c->envs[i]) == -1)
			return -1;
	}
	if (spec_env_default(s, env, "PATH", SPEC_PATH) == -1 ||
	    (c->tty && spec_env_default(s, env, "TERM", "xterm") == -1))
		return -1;
	return spec_env_default(s, env, "HOME", home[0] != '\0' ? home : "/");
}

static json_t *
spec_env(struct spec *s)
{
	json_t *env = spec_object(s), *list = spec_array(s), *value;
	const char *name;
	int ret = -1;

	if (env != NULL && list != NULL)
		ret = spec_env_fill(s, env);
	json_object_foreach(env, name, value) {
		if (ret == 0)
			ret = spec_add(s, list, json_incref(value));
	}
	json_decref(env);
	if (ret == 0)
		return list;
	json_decref(list);
	return NULL;
}

/* ---- identity ---- */

static json_t *
spec_user(struct spec *s)
{
	const struct user *u = s->in->user;
	json_t *o = json_pack("{s:I, s:I}", "uid", (json_int_t)u->uid, "gid",
	    (json_int_t)u->gid);
	json_t *groups = spec_array(s);
	int ret = o != NULL && groups != NULL ? 0 : -1;

	for (size_t i = 0; ret == 0 && i < u->ngroups; i++)
		ret =
		    spec_add(s, groups, json_integer((json_int_t)u->groups[i]));
	if (ret == 0 && json_object_set(o, "additionalGids", groups) == 0) {
		json_decref(groups);
		return o;
	}
	json_decref(groups);
	json_decref(o);
	return NULL;
}

static json_t *
spec_cap_names(struct spec *s, uint64_t set)
{
	json_t *a = spec_array(s);

	for (unsigned int i = 0; a != NULL && i < capname_count(); i++) {
		if ((set & CAPS_BIT(i)) &&
		    spec_add(s, a, json_string(capname_name(i))) == -1) {
			json_decref(a);
			return NULL;
		}
	}
	return a;
}

/* The inheritable set is the ambient one, which the kernel asks for. */
static json_t *
spec_capabilities(struct spec *s)
{
	const Runtime__V1__Capability *c =
	    s->sc != NULL ? s->sc->capabilities : NULL;
	struct caps_in in = { .privileged = s->privileged,
		.bounding = s->in->boot->bounding_caps };
	struct caps caps;

	if (c != NULL) {
		in.add = c->add_capabilities;
		in.nadd = c->n_add_capabilities;
		in.drop = c->drop_capabilities;
		in.ndrop = c->n_drop_capabilities;
		in.ambient = c->add_ambient_capabilities;
		in.nambient = c->n_add_ambient_capabilities;
	}
	if (caps_resolve(&in, &caps, s->err) == -1)
		return NULL;
	s->out->caps = caps.permitted;
	return json_pack("{s:o, s:o, s:o, s:o, s:o}", "bounding",
	    spec_cap_names(s, caps.permitted), "effective",
	    spec_cap_names(s, caps.permitted), "permitted",
	    spec_cap_names(s, caps.permitted), "inheritable",
	    spec_cap_names(s, caps.ambient), "ambient",
	    spec_cap_names(s, caps.ambient));
}

/* ---- the rest ---- */

/* Names that stand for a process's descriptors or its root. */
static bool
spec_cwd_magic(const char *dir)
{
	static const char *const roots[] = { "/proc/self", "/proc/thread-self",
		"/dev/fd", "/dev/stdin", "/dev/stdout", "/dev/stderr" };

	for (size_t i = 0; i < sizeof(roots) / sizeof(roots[0]); i++) {
		size_t len = strlen(roots[i]);

		if (strncmp(dir, roots[i], len) == 0 &&
		    (dir[len] == '/' || dir[len] == '\0'))
			return true;
	}
	return strncmp(dir, "/proc/", 6) == 0 && dir[6] >= '0' && dir[6] <= '9';
}

int
spec_check_cwd(const char *dir, char out[POLICY_PATH_MAX], struct cerr *err)
{
	if (policy_clean_path("working_dir", dir, out, err) == -1)
		return -1;
	if (spec_cwd_magic(out))
		return cerr_set(err, CERR_INVALID_ARGUMENT,
		    "working_dir: \"%.128s\" is not a place to start in", dir);
	return 0;
}

/* Old images have relative ones, which are meant from the root. */
static json_t *
spec_cwd(struct spec *s)
{
	const char *dir = s->in->config->working_dir;
	char rooted[POLICY_PATH_MAX];

	if (dir[0] == '\0')
		dir = s->in->image->working_dir;
	if (dir[0] != '/') {
		if (snprintf(rooted, sizeof(rooted), "/%s", dir) >=
		    (int)sizeof(rooted)) {
			(void)cerr_set(s->err, CERR_INVALID_ARGUMENT,
			    "working_dir: too long");
			return NULL;
		}
		dir = rooted;
	}
	if (spec_check_cwd(dir, s->out->cwd, s->err) == -1)
		return NULL;
	return spec_string(s, "working_dir", s->out->cwd);
}

/* Explicit even if 0: the runtime inherits the daemon's own. */
static json_t *
spec_oom(struct spec *s)
{
	int64_t v = s->res != NULL ? s->res->oom_score_adj : 0;

	if (v < -1000 || v > 1000) {
		(void)cerr_set(s->err, CERR_INVALID_ARGUMENT,
		    "oom_score_adj: %lld is not in -1000..1000", (long long)v);
		return NULL;
	}
	if (v < s->in->boot->oom_score_adj_min)
		v = s->in->boot->oom_score_adj_min;
	s->out->oom_score_adj = v;
	return json_integer(v);
}

/* "nofile=1024:4096" of the configuration, which the parent has checked. */
static json_t *
spec_ulimit(const char *text)
{
	long long soft, hard;
	char type[32], name[16];

	if (sscanf(text, "%15[a-z]=%lld:%lld", name, &soft, &hard) != 3)
		return NULL;
	(void)snprintf(type, sizeof(type), "RLIMIT_%s", name);
	for (char *p = type; *p != '\0'; p++)
		*p = (char)toupper((unsigned char)*p);
	return json_pack("{s:s, s:I, s:I}", "type", type, "soft",
	    (json_int_t)soft, "hard", (json_int_t)hard);
}

/* Those of others are the launcher's own. */
static int
spec_ulimits(struct spec *s, json_t *process)
{
	const Criod__BootExecd *boot = s->in->boot;
	json_t *list;

	if (boot->n_ulimits == 0)
		return 0;
	list = spec_array(s);
	for (size_t i = 0; list != NULL && i < boot->n_ulimits; i++) {
		if (spec_add(s, list, spec_ulimit(boot->ulimits[i])) == -1) {
			json_decref(list);
			return -1;
		}
	}
	return spec_set(s, process, "rlimits", list);
}

static int
spec_apparmor(struct spec *s, json_t *process)
{
	if (profile_apparmor(s->in->boot, s->sc, &s->out->apparmor, s->err) ==
	    -1)
		return -1;
	/* One of its own kernel's has no business with the host's. */
	if (s->in->own_kernel &&
	    s->out->apparmor == s->in->boot->apparmor_default)
		s->out->apparmor = "";
	if (s->out->apparmor[0] == '\0')
		return 0;
	if (s->in->own_kernel)
		return cerr_set(s->err, CERR_FAILED_PRECONDITION,
		    "apparmor: this runtime handler's containers have no "
		    "profile of the host's");
	return spec_set(s, process, "apparmorProfile",
	    spec_string(s, "apparmor", s->out->apparmor));
}

/* systemd, or what starts as one: it has a type of its own in policies. */
static bool
spec_runs_init(const json_t *process)
{
	const char *cmd = json_string_value(
	    json_array_get(json_object_get(process, "args"), 0));
	const char *base = strrchr(cmd, '/');

	return strstr(cmd, "/sbin/init") != NULL ||
	       strcmp(base != NULL ? base + 1 : cmd, "systemd") == 0;
}

/* What a shim runs has a kernel of its own, in which there are no labels. */
int
spec_selinux(struct spec *s, json_t *process)
{
	struct selinux_in in = { .boot = s->in->boot,
		.level = s->in->selinux_level,
		.ctr = s->sc != NULL ? s->sc->selinux_options : NULL,
		.init = spec_runs_init(process),
		.vm = s->in->shim };

	if (s->in->own_kernel && !s->in->shim)
		return 0;
	in.pod = selinux_pod(s->in->pod_config, &in.open);
	in.open = in.open || s->privileged;
	if (selinux_make(&in, &s->out->labels, s->err) == -1)
		return -1;
	if (s->out->labels.process[0] == '\0')
		return 0;
	return spec_set(s, process, "selinuxLabel",
	    json_string(s->out->labels.process));
}

json_t *
spec_process(struct spec *s)
{
	json_t *p = spec_object(s);

	if (p == NULL)
		return NULL;
	if (spec_set(s, p, "terminal", json_boolean(s->in->config->tty)) ==
		-1 ||
	    spec_set(s, p, "user", spec_user(s)) == -1 ||
	    spec_set(s, p, "args", spec_args(s)) == -1 ||
	    spec_set(s, p, "env", spec_env(s)) == -1 ||
	    spec_set(s, p, "cwd", spec_cwd(s)) == -1 ||
	    spec_set(s, p, "capabilities", spec_capabilities(s)) == -1 ||
	    spec_set(s, p, "noNewPrivileges",
		json_boolean(s->sc != NULL && s->sc->no_new_privs)) == -1 ||
	    spec_set(s, p, "oomScoreAdj", spec_oom(s)) == -1 ||
	    spec_ulimits(s, p) == -1 || spec_apparmor(s, p) == -1 ||
	    spec_selinux(s, p) == -1) {
		json_decref(p);
		return NULL;
	}
	return p;
}

/* A terminal's user expects TERM; what the container has is kept. */
static int
spec_exec_term(struct spec *s, json_t *process)
{
	json_t *env = json_object_get(process, "env"), *entry;
	const char *text;
	size_t i;

	json_array_foreach(env, i, entry) {
		text = json_string_value(entry);
		if (text != NULL && strncmp(text, "TERM=", 5) == 0)
			return 0;
	}
	if (env != NULL)
		return spec_add(s, env, json_string("TERM=xterm"));
	env = spec_array(s);
	if (spec_add(s, env, json_string("TERM=xterm")) == -1) {
		json_decref(env);
		return -1;
	}
	return spec_set(s, process, "env", env);
}

int
spec_exec_args(json_t *process, char *const *args, size_t nargs, bool tty,
    struct cerr *err)
{
	struct spec s = { .err = err };
	json_t *list;

	err->code = CERR_OK;
	list = spec_array(&s);
	if (list == NULL)
		return -1;
	for (size_t i = 0; i < nargs; i++) {
		if (spec_add(&s, list, spec_string(&s, "cmd", args[i])) == -1) {
			json_decref(list);
			return -1;
		}
	}
	if (spec_set(&s, process, "args", list) == -1 ||
	    (tty && spec_exec_term(&s, process) == -1))
		return -1;
	return spec_set(&s, process, "terminal", json_boolean(tty));
}
