#include <sys/queue.h>

#include <event2/event.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "lib/json.h"
#include "lib/log.h"
#include "lib/mono.h"

#include "imaged/auth.h"
#include "imaged/holds.h"
#include "imaged/regconf.h"
#include "imaged/session.h"
#include "imaged/url.h"

#define SESSION_AUTH_MAX  2 /* tokens or passwords tried for one request */
#define SESSION_PROGRESS  (64U * 1024)
#define SESSION_JITTER_MS 1000

struct session_call {
	TAILQ_ENTRY(session_call) entry;
	struct session *session; /* one reference */
	struct session_request r;
	char name[DIGEST_SIZE]; /* room for a tag too */
	struct http_call *http; /* one of these three is set: */
	struct event *delay;	/* pending until the next try */
	bool waiting;		/* for the session's token */
	unsigned int tries, auths;
	uint64_t best;	   /* bytes of a blob that were there once */
	bool whole;	   /* the blob in one piece: its parts are not given */
	struct mono since; /* when something came last */
	unsigned int generation; /* of the authorization it was sent with */
};

struct session {
	unsigned int refs;
	const struct session_env *env;
	struct registry_endpoint e;
	char *url; /* all that is asked for here; NULL: by e */
	struct auth_creds *creds;
	unsigned int tries_max;
	size_t client;	   /* which of its certificates is shown */
	unsigned int near; /* enum address_near, where it is */
	char key[DIGEST_SIZE + REF_NAME_MAX + 2];
	bool plain;		 /* http, or https was found not to be there */
	bool signatures;	 /* it said that it keeps some */
	char *authorization;	 /* field value; NULL */
	unsigned int generation; /* counts its changes */
	struct http_call *token; /* being asked for */
	TAILQ_HEAD(, session_call) calls;
};

static void session_send(struct session_call *c);

struct session *
session_new(const struct session_env *env, const struct registry_endpoint *e,
    struct auth_creds *creds, unsigned int tries)
{
	struct session *s = calloc(1, sizeof(*s));

	if (s == NULL)
		fatal("session: calloc");
	if (e->creds != NULL &&
	    !(auth_creds_any(creds) && auth_creds_for(creds, e->host)))
		creds = e->creds;
	s->refs = 1;
	s->env = env;
	s->e = *e;
	(void)regconf_ref(s->e.conf);
	s->plain = e->plain;
	s->creds = auth_creds_ref(creds);
	s->tries_max = tries;
	TAILQ_INIT(&s->calls);
	(void)snprintf(s->key, sizeof(s->key), "%s %s", creds->key, e->host);
	if (creds->registry_token[0] != '\0' && auth_creds_for(creds, e->host))
		s->authorization = auth_bearer(creds->registry_token);
	return s;
}

struct session *
session_new_url(const struct session *from, const char *url)
{
	struct registry_endpoint e = { .pull = true };
	struct auth_creds *none = auth_creds_none();
	const char *host = strstr(url, "://");
	struct session *s;

	host = host == NULL ? url : host + 3;
	e.plain = strncasecmp(url, "http://", 7) == 0;
	(void)snprintf(e.host, sizeof(e.host), "%.*s",
	    (int)strcspn(host, "/?#"), host);
	(void)snprintf(e.path, sizeof(e.path), "%s",
	    host + strcspn(host, "/?#"));
	s = session_new(from->env, &e, none, SESSION_TRIES_MAX);
	auth_creds_unref(none);
	s->near = from->near;
	s->url = strdup(url);
	if (s->url == NULL)
		fatal("session: strdup");
	return s;
}

void
session_set_tries(struct session *s, unsigned int tries)
{
	s->tries_max = tries;
}

struct session *
session_ref(struct session *s)
{
	s->refs++;
	return s;
}

void
session_unref(struct session *s)
{
	if (s == NULL || --s->refs > 0)
		return;
	http_cancel(s->token);
	auth_wipe(s->authorization);
	auth_creds_unref(s->creds);
	free(s->url);
	regconf_unref(s->e.conf);
	free(s);
}

const char *
session_host(const struct session *s)
{
	return s->e.host;
}

const char *
session_path(const struct session *s)
{
	return s->e.path;
}

bool
session_resolves(const struct session *s)
{
	return s->e.resolve;
}

bool
session_pulls(const struct session *s)
{
	return s->e.pull;
}

const char *
session_key(const struct session *s)
{
	return s->key;
}

bool
session_has_signatures(const struct session *s)
{
	return s->signatures;
}

/* ---- the end of a call ---- */

static void
session_call_free(struct session_call *c)
{
	TAILQ_REMOVE(&c->session->calls, c, entry);
	http_cancel(c->http);
	event_free(c->delay);
	session_unref(c->session);
	free(c);
}

void
session_cancel(struct session_call *c)
{
	if (c != NULL)
		session_call_free(c);
}

/* Also for http's callbacks: their http_call is gone when they return. */
static void
session_end(struct session_call *c, const struct http_reply *reply,
    const struct cerr *err)
{
	session_done_fn done = c->r.done;
	void *arg = c->r.arg;
	struct session *s = session_ref(c->session);

	session_call_free(c);
	done(arg, reply, err);
	session_unref(s);
}

static void
session_fail(struct session_call *c, enum cerr_code code, const char *why)
{
	struct cerr err;

	(void)cerr_set(&err, code, "%s: %.*s %s of %s: %s", c->session->e.host,
	    (int)strlen(c->r.kind) - 1, c->r.kind, c->name, c->session->e.path,
	    why);
	session_end(c, NULL, &err);
}

static int64_t
session_ms(int64_t seconds)
{
	return seconds > INT64_MAX / 1000 ? INT64_MAX : seconds * 1000;
}

/* A blob that comes nearer each time is worth more tries. */
static void
session_note_progress(struct session_call *c)
{
	uint64_t have = c->r.offset == NULL ? 0 : c->r.offset(c->r.arg);

	if (have < c->best + SESSION_PROGRESS)
		return;
	c->best = have;
	c->tries = c->auths = 0;
	c->since = mono_now();
}

static bool
session_has_tries(struct session_call *c)
{
	int64_t limit = session_ms(c->session->env->progress);
	int64_t waited;

	session_note_progress(c);
	waited = (mono_now().ns - c->since.ns) / MONO_NS_PER_MS;
	return c->tries < c->session->tries_max &&
	       (limit == 0 || waited < limit);
}

static void
session_wait(struct session_call *c, int64_t ms)
{
	struct timeval tv = { ms / 1000, (ms % 1000) * 1000 };

	(void)evtimer_add(c->delay, &tv);
}

/* Tries again a little later, if there are tries left; false if not. */
static bool
session_again(struct session_call *c, int64_t retry_after)
{
	int64_t ms = SESSION_DELAY_MS;

	if (!session_has_tries(c) || retry_after > SESSION_WAIT_MAX_S)
		return false;
	for (unsigned int i = 1; i < c->tries; i++)
		ms *= 3;
	ms += arc4random_uniform((uint32_t)ms / 2 + 1);
	if (ms < session_ms(retry_after))
		ms = session_ms(retry_after) +
		     arc4random_uniform(SESSION_JITTER_MS);
	session_wait(c, ms);
	return true;
}

/*
 * A registry that wants to be left alone is, by all pulls with the same
 * credentials: limits are often those of an account.
 */
static int64_t
session_held_ms(const struct session_call *c)
{
	const struct session *s = c->session;

	return holds_left(s->env->holds, s->key);
}

/* Not if it is long, nor while there is another place to ask. */
static bool
session_is_worth_waiting(const struct session_call *c, int64_t ms)
{
	return c->session->tries_max > 1 &&
	       ms <= session_ms(SESSION_WAIT_MAX_S);
}

static void
session_delay_over(evutil_socket_t fd, short what, void *arg)
{
	struct session_call *c = arg;
	int64_t ms = session_held_ms(c);
	char why[96];

	(void)fd;
	(void)what;
	if (ms == 0 || session_is_worth_waiting(c, ms)) {
		session_send(c);
		return;
	}
	(void)snprintf(why, sizeof(why),
	    "it asked to be left alone, for another %lld seconds",
	    (long long)(ms + 999) / 1000);
	session_fail(c, CERR_UNAVAILABLE, why);
}

/* True if the call is to wait; if it is to fail, then from the loop. */
static bool
session_is_held(struct session_call *c)
{
	int64_t ms = session_held_ms(c);

	if (ms == 0)
		return false;
	session_wait(c, session_is_worth_waiting(c, ms)
			    ? ms + arc4random_uniform(SESSION_JITTER_MS)
			    : 0);
	return true;
}

/* ---- authentication ---- */

static void
session_authorize(struct session *s, char *authorization)
{
	struct session_call *c;

	auth_wipe(s->authorization);
	s->authorization = authorization;
	s->generation++;
	TAILQ_FOREACH(c, &s->calls, entry) {
		if (!c->waiting)
			continue;
		c->waiting = false;
		c->auths++;
		c->tries--; /* it is the same try */
		session_send(c);
	}
}

/* No token: the waiting calls fail, or try again if that may help. */
static void
session_unauthorized(struct session *s, enum cerr_code code, const char *why,
    bool again)
{
	struct session_call *c;

	session_ref(s);
	do {
		TAILQ_FOREACH(c, &s->calls, entry) {
			if (c->waiting)
				break;
		}
		if (c == NULL)
			break;
		c->waiting = false;
		if (!again || !session_again(c, -1))
			session_fail(c, code, why);
	} while (true);
	session_unref(s);
}

static void
session_token_failed(struct session *s, const struct http_reply *r)
{
	char why[600];
	bool fine = r->fault == HTTP_FINE;
	bool refused =
	    fine && (r->status == 401 || r->status == 403 || r->status == 400);
	bool again = r->fault == HTTP_FAULT_NET ||
		     (fine && (r->status >= 500 || r->status == 429));

	if (fine && again)
		holds_add(s->env->holds, s->key, session_ms(r->retry_after));
	if (refused)
		(void)snprintf(why, sizeof(why),
		    "token server %s refused (status %ld)%s", r->host,
		    r->status,
		    auth_creds_any(s->creds) ? " the credentials"
					     : " without credentials");
	else if (fine)
		(void)snprintf(why, sizeof(why), "token server %s: status %ld",
		    r->host, r->status);
	else
		(void)snprintf(why, sizeof(why), "token server %s: %s", r->host,
		    r->error);
	session_unauthorized(s, refused ? CERR_UNAUTHENTICATED : CERR_UNKNOWN,
	    why, again);
}

static void
session_token_done(void *arg, const struct http_reply *r)
{
	struct session *s = arg;
	struct cerr err;
	char *token;

	s->token = NULL;
	session_ref(s);
	if (r->fault != HTTP_FINE || r->status != 200) {
		session_token_failed(s, r);
	} else if (auth_token_parse(r->body, r->len, &token, &err) == -1) {
		session_unauthorized(s, err.code, err.text, false);
	} else {
		session_authorize(s, auth_bearer(token));
		auth_wipe(token);
	}
	session_unref(s);
}

static bool
session_is_token_server(const struct session *s, const char *host)
{
	return s->e.token_server != NULL &&
	       strcasecmp(s->e.token_server, host) == 0;
}

/* What forbids to ask the realm for a token, or NULL. */
static const char *
session_realm_check(const struct session *s, const struct url *realm,
    bool *send, bool *told)
{
	char url[sizeof(s->e.host) + 16];
	struct url own;

	(void)snprintf(url, sizeof(url), "https://%s/", s->e.host);
	if (url_parse(url, &own) != NULL)
		return "the registry's name is not valid";
	if (!realm->tls && !s->plain)
		return "its token server is not https";
	*told = strcmp(own.host, realm->host) != 0;
	*send = auth_creds_any(s->creds) && auth_creds_for(s->creds, s->e.host);
	if (*send && !auth_same_site(own.host, realm->host) &&
	    !session_is_token_server(s, realm->host))
		return "its token server is of another site, which the "
		       "credentials are not for";
	if (*send && *told && !realm->tls)
		return "its token server is not https";
	return NULL;
}

/* The certificate to show, of several that the registry may want. */
static const struct registry_client *
session_client(const struct session *s)
{
	return s->client < s->e.nclients ? &s->e.clients[s->client] : NULL;
}

static const char *
session_ask_token(struct session *s, const struct auth_challenge *ch)
{
	char url[AUTH_URL_SIZE], scope[sizeof(s->e.path) + 32];
	struct http_request r = { .url = url,
		.body_max = AUTH_REPLY_MAX,
		.accept = "application/json",
		.plain = s->plain,
		.ca = s->e.ca,
		.ca_len = s->e.ca_len,
		.near = s->near,
		.done = session_token_done,
		.arg = s };
	struct url realm;
	const char *why = url_parse(ch->realm, &realm);
	char *form = NULL, *basic = NULL;
	bool send = false;

	if (why != NULL)
		return "its challenge's realm is not a valid URL";
	why = session_realm_check(s, &realm, &send, &r.told);
	if (why != NULL)
		return why;
	if (!r.told) {
		r.client = session_client(s);
		r.unverified = s->e.insecure || s->e.unverified;
	}
	(void)snprintf(scope, sizeof(scope), "repository:%s:pull", s->e.path);
	if (send && s->creds->identity_token[0] != '\0') {
		form = auth_token_form(ch, scope, s->creds);
		(void)snprintf(url, sizeof(url), "%s", ch->realm);
	} else if (auth_token_url(ch, scope, url) == -1) {
		return "its challenge is too long";
	} else if (send && s->creds->username[0] != '\0') {
		basic = auth_basic(s->creds);
	}
	r.form = form;
	r.authorization = basic;
	s->token = http_start(s->env->http, &r);
	auth_wipe(form);
	auth_wipe(basic);
	return NULL;
}

/* Basic: once, if there is a password for this host. */
static const char *
session_use_basic(struct session *s)
{
	if (s->authorization != NULL)
		return "the credentials were refused";
	if (s->creds->username[0] == '\0')
		return "it wants credentials";
	if (!auth_creds_for(s->creds, s->e.host))
		return "it wants credentials; those given are for another "
		       "server";
	return NULL;
}

static void
session_challenged(struct session_call *c, const struct http_reply *r)
{
	struct session *s = c->session;
	struct auth_challenge ch;
	const char *why = NULL;

	if (c->generation != s->generation) {
		c->tries--; /* another call has authenticated since */
		session_send(c);
		return;
	}
	if (c->auths >= SESSION_AUTH_MAX)
		why = "it refuses what it was authenticated with";
	else if (auth_challenge_parse(r->challenges, r->nchallenges, &ch) == -1)
		why = "not authorized, and no challenge that could be met";
	else if (ch.scheme == AUTH_BASIC)
		why = session_use_basic(s);
	else if (s->creds->registry_token[0] != '\0' &&
		 s->authorization != NULL && s->generation == 0)
		why = "the registry token was refused";
	else if (s->token == NULL)
		why = session_ask_token(s, &ch);
	if (why != NULL) {
		session_fail(c, CERR_UNAUTHENTICATED, why);
		return;
	}
	c->waiting = true;
	if (ch.scheme == AUTH_BASIC)
		session_authorize(s, auth_basic(s->creds));
}

/* ---- requests and replies ---- */

static enum cerr_code
session_code_of(long status)
{
	switch (status) {
	case 401:
		return CERR_UNAUTHENTICATED;
	case 403:
		return CERR_PERMISSION_DENIED;
	case 404:
		return CERR_NOT_FOUND;
	case 429:
		return CERR_UNAVAILABLE;
	default:
		return status == 408 || status >= 500
			   ? CERR_UNKNOWN
			   : CERR_FAILED_PRECONDITION;
	}
}

/*
 * The code of a registry's error, {"errors":[{"code":"..."}]}: upper-case
 * words only.  Its message is not repeated: a hostile registry could put there
 * what it was sent.
 */
static void
session_error_code(const struct http_reply *r, char out[40])
{
	json_t *doc =
	    json_read_bounded("error", r->body, r->len, HTTP_ERROR_MAX, NULL);
	json_t *first = json_array_get(json_object_get(doc, "errors"), 0);
	const char *code = json_string_value(json_object_get(first, "code"));

	out[0] = '\0';
	if (code != NULL && strlen(code) < 36 &&
	    strspn(code, "ABCDEFGHIJKLMNOPQRSTUVWXYZ_") == strlen(code))
		(void)snprintf(out, 40, ", %s", code);
	json_decref(doc);
}

/* Whether the same request may have a better answer. */
static bool
session_may_repeat(struct session_call *c, const struct http_reply *r)
{
	if (r->status == 416 && c->r.sink != NULL && !c->whole) {
		c->whole = true;
		return true;
	}
	/* Without a word of when, asking often is what it complains about. */
	if (r->status == 429)
		return r->retry_after >= 0 || c->tries < 2;
	return r->status == 408 || (r->status >= 500 && r->status != 501);
}

static void
session_status(struct session_call *c, const struct http_reply *r)
{
	char why[600], code[40];
	bool again = session_may_repeat(c, r);

	if (again && !r->foreign)
		holds_add(c->session->env->holds, c->session->key,
		    session_ms(r->retry_after));
	if (again && session_again(c, r->retry_after))
		return;
	session_error_code(r, code);
	(void)snprintf(why, sizeof(why), "%s%sstatus %ld%s",
	    r->status == 404 ? "not found, " : "",
	    r->foreign ? "after a redirect, " : "", r->status, code);
	session_fail(c, session_code_of(r->status), why);
}

/* What is asked for in another way at once: true if it was. */
static bool
session_ask_otherwise(struct session_call *c, const struct http_reply *r)
{
	struct session *s = c->session;

	if (r->answered || r->foreign || c->tries > 1 ||
	    (r->fault != HTTP_FAULT_NET && r->fault != HTTP_FAULT_TLS))
		return false;
	if (s->client + 1 < s->e.nclients)
		s->client++;
	else if (r->fault == HTTP_FAULT_NET && s->e.insecure && !s->plain)
		s->plain = true;
	else
		return false;
	c->tries = 0;
	session_send(c);
	return true;
}

static enum cerr_code
session_code_of_fault(enum http_fault fault)
{
	return fault == HTTP_FAULT_NET || fault == HTTP_FAULT_TLS ||
		       fault == HTTP_FAULT_PROXY
		   ? CERR_UNKNOWN
		   : CERR_DATA_LOSS;
}

static void
session_faulted(struct session_call *c, const struct http_reply *r)
{
	char why[600];

	if (session_ask_otherwise(c, r))
		return;
	if (r->fault == HTTP_FAULT_NET && session_again(c, -1))
		return;
	if (r->foreign)
		(void)snprintf(why, sizeof(why), "after a redirect to %s: %s",
		    r->host, r->error);
	else
		(void)snprintf(why, sizeof(why), "%s", r->error);
	session_fail(c, session_code_of_fault(r->fault), why);
}

static void
session_reply(void *arg, const struct http_reply *r)
{
	struct session_call *c = arg;

	c->http = NULL;
	c->session->near |= r->near;
	c->session->signatures |= r->signatures && !r->foreign;
	if (r->fault != HTTP_FINE)
		session_faulted(c, r);
	else if (r->status == 200 || (r->status == 206 && c->r.sink != NULL))
		session_end(c, r, NULL);
	else if (r->status == 401 && !r->foreign && c->session->url == NULL)
		session_challenged(c, r);
	else
		session_status(c, r);
}

static void
session_url(const struct session_call *c, char *url, size_t size)
{
	const struct registry_endpoint *e = &c->session->e;

	(void)snprintf(url, size, "%s://%s%s/%s/%s/%s%s%s",
	    c->session->plain ? "http" : "https", e->host,
	    c->r.root != NULL ? c->r.root : e->root, e->path, c->r.kind,
	    c->name, e->ns[0] != '\0' ? "?ns=" : "", e->ns);
}

static void
session_send(struct session_call *c)
{
	struct session *s = c->session;
	char url[sizeof(s->e) + DIGEST_SIZE + 64];
	struct http_request r = { .url = s->url != NULL ? s->url : url,
		.accept = c->r.accept,
		.authorization = s->authorization,
		.plain = s->plain,
		.told = s->url != NULL,
		.unverified = s->e.insecure || s->e.unverified,
		.ca = s->e.ca,
		.ca_len = s->e.ca_len,
		.client = session_client(s),
		.headers = s->e.headers,
		.nheaders = s->e.nheaders,
		.near = s->near,
		.body_max = c->r.body_max,
		.sink = c->r.sink,
		.sink_arg = c->r.arg,
		.done = session_reply,
		.arg = c };

	if (session_is_held(c))
		return;
	session_url(c, url, sizeof(url));
	if (c->r.offset != NULL && !c->whole)
		r.offset = c->r.offset(c->r.arg);
	session_note_progress(c);
	c->tries++;
	c->generation = s->generation;
	c->http = http_start(s->env->http, &r);
}

struct session_call *
session_get(struct session *s, const struct session_request *r)
{
	struct session_call *c = calloc(1, sizeof(*c));

	if (c == NULL)
		fatal("session: calloc");
	c->session = session_ref(s);
	c->r = *r;
	(void)snprintf(c->name, sizeof(c->name), "%s", r->name);
	c->since = mono_now();
	c->delay = evtimer_new(s->env->base, session_delay_over, c);
	if (c->delay == NULL)
		fatalx("session: evtimer_new");
	TAILQ_INSERT_TAIL(&s->calls, c, entry);
	session_send(c);
	return c;
}
