#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "proto/msg.pb-c.h"

#include "imaged/auth.h"
#include "imaged/authfile.h"
#include "imaged/regconf.h"
#include "imaged/registry.h"
#include "imaged/url.h"

#define FILES_MAX 16

static struct {
	Criod__RegistryFile files[FILES_MAX], *list[FILES_MAX];
	Criod__BootImaged boot;
	struct authfile *auths[REGISTRY_AUTHS];
} given;

static void
begin(void)
{
	criod__boot_imaged__init(&given.boot);
	given.boot.files = given.list;
}

static void
file(unsigned int kind, const char *path, const char *text)
{
	Criod__RegistryFile *f = &given.files[given.boot.n_files];
	void *bytes[2];

	assert_true(given.boot.n_files < FILES_MAX);
	criod__registry_file__init(f);
	memcpy(bytes, (const void *[]){ path, text }, sizeof(bytes));
	f->kind = (Criod__RegistryFile__Kind)kind;
	f->path = bytes[0];
	f->text.data = bytes[1];
	f->text.len = strlen(text);
	given.list[given.boot.n_files++] = f;
}

#define REGS  CRIOD__REGISTRY_FILE__KIND__REGISTRIES
#define HOSTS CRIOD__REGISTRY_FILE__KIND__HOSTS
#define CERTS CRIOD__REGISTRY_FILE__KIND__CERTS
#define NAMED CRIOD__REGISTRY_FILE__KIND__NAMED
#define CERT  "-----BEGIN CERTIFICATE-----\nx\n"
#define KEY   "-----BEGIN PRIVATE KEY-----\nx\n"
#define D                                                                      \
	"sha256:"                                                              \
	"0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

/*
 * Where text is read from: "HOST ROOT/PATH" and then what is said of it: i
 * insecure, u unverified, p plain, R cannot resolve, P cannot pull, c has CAs,
 * k client certificates, h headers, n= the registry it stands for, a= the user
 * of the credentials.  "!TEXT" is an error's.
 */
static char *
places(struct regconf *rc, const char *text)
{
	static char out[2048];
	struct registry_endpoint e[REGISTRY_ENDPOINTS_MAX];
	struct ref ref;
	struct cerr err;
	size_t n, at = 0;

	assert_int_equal(ref_parse(text, &ref, &err), 0);
	out[0] = '\0';
	if (registry_endpoints(rc, &ref, given.auths, e, &n, &err) == -1) {
		(void)snprintf(out, sizeof(out), "!%s", err.text);
		return out;
	}
	for (size_t i = 0; i < n; i++)
		at += (size_t)snprintf(out + at, sizeof(out) - at,
		    "%s%s %s/%s %s%s%s%s%s%s%s%s%s%s%s%s", i > 0 ? "|" : "",
		    e[i].host, e[i].root, e[i].path, e[i].insecure ? "i" : "",
		    e[i].unverified ? "u" : "", e[i].plain ? "p" : "",
		    e[i].resolve ? "" : "R", e[i].pull ? "" : "P",
		    e[i].ca != NULL ? "c" : "", e[i].nclients > 0 ? "k" : "",
		    e[i].nheaders > 0 ? "h" : "",
		    e[i].ns[0] != '\0' ? "n=" : "", e[i].ns,
		    e[i].creds != NULL ? "a=" : "",
		    e[i].creds != NULL ? e[i].creds->username : "");
	return out;
}

static const char registries[] = "[[registry]]\n"
				 "location = \"docker.io\"\n"
				 "[[registry.mirror]]\n"
				 "location = \"m1.test:5000\"\n"
				 "insecure = true\n"
				 "[[registry.mirror]]\n"
				 "location = \"m2.test/hub/\"\n"
				 "pull-from-mirror = \"digest-only\"\n"
				 "[[registry.mirror]]\n"
				 "location = \"m3.test\"\n"
				 "pull-from-mirror = \"tag-only\"\n"
				 "[[registry]]\n"
				 "prefix = \"docker.io/library\"\n"
				 "location = \"docker.io/library\"\n"
				 "mirror-by-digest-only = true\n"
				 "mirror = [{ location = \"lib.test\" }]\n"
				 "[[registry]]\n"
				 "prefix = \"evil.test\"\n"
				 "location = \"evil.test\"\n"
				 "blocked = true\n"
				 "[[registry]]\n"
				 "prefix = \"evil.test/good/one\"\n"
				 "location = \"good.test/some/where\"\n"
				 "insecure = true\n"
				 "[[registry]]\n"
				 "prefix = \"*.wild.test\"\n"
				 "[[registry.mirror]]\n"
				 "location = \"wm.test/w\"\n"
				 "[[registry]]\n"
				 "prefix = \"*.moved.wild.test\"\n"
				 "location = \"moved.test/x\"\n"
				 "[[registry]]\n"
				 "prefix = \"tags.test/a:old\"\n"
				 "location = \"tags.test/a\"\n"
				 "blocked = true\n";

static void
test_registries(void **state)
{
	static const char *const want[][2] = {
		{ "foo/bar", "m1.test:5000 /v2/foo/bar i|m3.test /v2/foo/bar |"
			     "registry-1.docker.io /v2/foo/bar " },
		{ "foo/bar@" D,
		    "m1.test:5000 /v2/foo/bar i|m2.test /v2/hub/foo/bar |"
		    "registry-1.docker.io /v2/foo/bar " },
		{ "busybox", "registry-1.docker.io /v2/library/busybox " },
		{ "busybox:1@" D, "lib.test /v2/busybox |"
				  "registry-1.docker.io /v2/library/busybox " },
		{ "docker.iox/a", "docker.iox /v2/a " },
		{ "quay.test/a/b", "quay.test /v2/a/b " },
		{ "evil.test/a",
		    "!registry evil.test is blocked by /etc/r.conf" },
		{ "evil.test:5000/a",
		    "!registry evil.test is blocked by /etc/r.conf" },
		{ "evil.test/good/two",
		    "!registry evil.test is blocked by /etc/r.conf" },
		{ "evil.test/good/one:1", "good.test /v2/some/where i" },
		{ "evil.test/good/one/two", "good.test /v2/some/where/two i" },
		{ "a.wild.test/b", "wm.test /v2/w/b |a.wild.test /v2/b " },
		{ "a.b.wild.test:99/b",
		    "wm.test /v2/w:99/b |a.b.wild.test:99 /v2/b " },
		{ "wild.test/b", "wild.test /v2/b " },
		{ "xwild.test/b", "xwild.test /v2/b " },
		{ "a.wild.test.other/b", "a.wild.test.other /v2/b " },
		{ "a.moved.wild.test/b", "moved.test /v2/x/b " },
		{ "tags.test/a:old",
		    "!registry tags.test/a:old is blocked by /etc/r.conf" },
		{ "tags.test/a:new", "tags.test /v2/a " },
		{ "tags.test/a:older", "tags.test /v2/a " },
	};
	struct regconf *rc;

	(void)state;
	begin();
	file(REGS, "/etc/r.conf", registries);
	rc = regconf_new(&given.boot);
	assert_null(rc->wrong);
	for (size_t i = 0; i < sizeof(want) / sizeof(want[0]); i++)
		assert_string_equal(places(rc, want[i][0]), want[i][1]);
	regconf_unref(rc);
}

/* Drop-ins and criod.conf replace what has the same prefix, no more. */
static void
test_later(void **state)
{
	static char hub[] = "docker.io/library", own[] = "own.test:1/x",
		    place[] = "cache.test/l", fields[] = "X-A: b\r\n# c\n\n";
	Criod__Mirror m = CRIOD__MIRROR__INIT, *ms[] = { &m };
	Criod__Registry r = CRIOD__REGISTRY__INIT, *rs[] = { &r };
	struct regconf *rc;

	(void)state;
	begin();
	file(REGS, "/etc/r.conf", registries);
	file(REGS, "/etc/r.conf.d/1.conf",
	    "[[registry]]\nprefix = \"evil.test\"\nlocation = \"e.test/\"\n");
	m.location = own;
	m.when = CRIOD__MIRROR__WHEN__TAG;
	r.prefix = hub;
	r.location = place;
	r.mirrors = ms;
	r.n_mirrors = 1;
	r.headers.data = (uint8_t *)fields;
	r.headers.len = strlen(fields);
	given.boot.registries = rs;
	given.boot.n_registries = 1;
	rc = regconf_new(&given.boot);
	assert_null(rc->wrong);
	assert_string_equal(places(rc, "evil.test/a"), "e.test /v2/a ");
	assert_string_equal(places(rc, "busybox"),
	    "own.test:1 /v2/x/busybox |cache.test /v2/l/busybox h");
	assert_string_equal(places(rc, "busybox@" D),
	    "cache.test /v2/l/busybox h");
	assert_string_equal(places(rc, "tags.test/a:old"),
	    "!registry tags.test/a:old is blocked by /etc/r.conf");
	regconf_unref(rc);
}

/* What criod.conf has of a host goes for it as a mirror, and before certs.d. */
static void
test_own_host(void **state)
{
	static char host[] = "m1.test:5000", pem[] = CERT, key[] = KEY,
		    fields[] = "X-A: b";
	Criod__Registry r = CRIOD__REGISTRY__INIT, *rs[] = { &r };
	struct regconf *rc;

	(void)state;
	begin();
	file(REGS, "/etc/r.conf", registries);
	file(CERTS, "/etc/a/certs.d/m1.test:5000/ca.crt", CERT);
	r.prefix = host;
	r.client_cert.data = (uint8_t *)pem;
	r.client_cert.len = strlen(pem);
	r.client_key.data = (uint8_t *)key;
	r.client_key.len = strlen(key);
	r.headers.data = (uint8_t *)fields;
	r.headers.len = strlen(fields);
	given.boot.registries = rs;
	given.boot.n_registries = 1;
	rc = regconf_new(&given.boot);
	assert_null(rc->wrong);
	assert_string_equal(places(rc, "foo/bar"),
	    "m1.test:5000 /v2/foo/bar ikh|m3.test /v2/foo/bar |"
	    "registry-1.docker.io /v2/foo/bar ");
	regconf_unref(rc);
}

static void
test_certs(void **state)
{
	struct regconf *rc;

	(void)state;
	begin();
	file(REGS, "/etc/r.conf", registries);
	file(CERTS, "/etc/a/certs.d/m1.test:5000/ca.crt", CERT);
	file(CERTS, "/etc/a/certs.d/docker.io/ca.crt", CERT);
	file(CERTS, "/etc/a/certs.d/docker.io/client.cert", CERT);
	file(CERTS, "/etc/a/certs.d/docker.io/client.key", KEY);
	file(CERTS, "/etc/b/certs.d/docker.io/other.key", KEY);
	file(CERTS, "/etc/b/certs.d/nokey.test/a.cert", CERT);
	file(CERTS, "/etc/b/certs.d/nocert.test/a.key", KEY);
	file(CERTS, "/etc/b/certs.d/nopem.test/a.crt", "hello");
	rc = regconf_new(&given.boot);
	assert_null(rc->wrong);
	assert_string_equal(places(rc, "foo/bar"),
	    "m1.test:5000 /v2/foo/bar ic|m3.test /v2/foo/bar |"
	    "registry-1.docker.io /v2/foo/bar ck");
	assert_string_equal(places(rc, "nokey.test/a"),
	    "!/etc/b/certs.d/nokey.test/a.cert: a client's certificate "
	    "without its key, *.key");
	assert_string_equal(places(rc, "nocert.test/a"),
	    "!/etc/b/certs.d/nocert.test/a.key: a key without its "
	    "certificate, *.cert");
	assert_string_equal(places(rc, "nopem.test/a"),
	    "!/etc/b/certs.d/nopem.test/a.crt: has no certificate (PEM)");
	assert_string_equal(places(rc, "other.test/a"), "other.test /v2/a ");
	regconf_unref(rc);
}

static const char hosts[] = "server = \"https://up.test/base\"\n"
			    "[host.\"http://plain.test:8080\"]\n"
			    "  capabilities = [\"pull\"]\n"
			    "[host.\"https://tls.test/over/\"]\n"
			    "  override_path = true\n"
			    "  capabilities = [\"resolve\"]\n"
			    "  ca = [\"ca.pem\", \"/etc/named.pem\"]\n"
			    "  client = [[\"c.cert\", \"c.key\"]]\n"
			    "  [host.\"https://tls.test/over/\".header]\n"
			    "    X-A = [\"b\", \"c\"]\n"
			    "[host.\"bare.test\"]\n"
			    "  skip_verify = true\n"
			    "[host.\"https://v2.test/a/v2\"]\n"
			    "[host.\"https://push.test\"]\n"
			    "  capabilities = [\"push\"]\n";

static void
test_hosts(void **state)
{
	struct regconf *rc;

	(void)state;
	begin();
	file(HOSTS, "/etc/c/up.test_5000_/hosts.toml",
	    "[host.\"https://port.test\"]\n");
	file(HOSTS, "/etc/c/up.test/c.cert", CERT);
	file(HOSTS, "/etc/c/up.test/c.key", KEY);
	file(HOSTS, "/etc/c/up.test/ca.pem", CERT);
	file(HOSTS, "/etc/c/up.test/hosts.toml", hosts);
	file(NAMED, "/etc/named.pem", CERT);
	file(HOSTS, "/etc/c/_default/hosts.toml",
	    "[host.\"https://all.test\"]\n");
	file(HOSTS, "/etc/c/bad.test/hosts.toml", "\n[host.\"x y\"]\n");
	file(HOSTS, "/etc/c/lost.test/hosts.toml", "ca = \"/etc/shadow\"\n");
	file(HOSTS, "/etc/c/old.test/ca.crt", CERT);
	file(REGS, "/etc/r.conf", "[[registry]]\nlocation = \"conf.test\"\n");
	rc = regconf_new(&given.boot);
	assert_null(rc->wrong);
	assert_string_equal(places(rc, "up.test/a/b"),
	    "plain.test:8080 /v2/a/b pRn=up.test|"
	    "tls.test /over/a/b Pckhn=up.test|"
	    "bare.test /v2/a/b un=up.test|v2.test /a/v2/a/b n=up.test|"
	    "up.test /base/v2/a/b ");
	assert_string_equal(places(rc, "up.test:5000/a"),
	    "port.test /v2/a n=up.test:5000|up.test:5000 /v2/a ");
	assert_string_equal(places(rc, "busybox"),
	    "all.test /v2/library/busybox n=docker.io|"
	    "registry-1.docker.io /v2/library/busybox ");
	assert_string_equal(places(rc, "bad.test/a"),
	    "!/etc/c/bad.test/hosts.toml:2: \"x y\" is not "
	    "http[s]://HOST[:PORT][/PATH]");
	assert_string_equal(places(rc, "lost.test/a"),
	    "!/etc/c/lost.test/hosts.toml:1: /etc/shadow is not among the "
	    "files of certificates that criod has");
	assert_string_equal(places(rc, "old.test/a"),
	    "all.test /v2/a n=old.test|old.test /v2/a c");
	assert_string_equal(places(rc, "conf.test/a"), "conf.test /v2/a ");
	regconf_unref(rc);
}

/* A place gets what is for it: not what is for the registry it stands for. */
static void
test_auth(void **state)
{
	static const char auths[] =
	    "{\"auths\":{\"docker.io\":{\"auth\":\"aHViOnA=\"},"
	    "\"m1.test:5000/foo\":{\"auth\":\"bTE6cA==\"},"
	    "\"good.test\":{\"auth\":\"Z29vZDpw\"},"
	    "\"evil.test\":{\"auth\":\"ZXZpbDpw\"}}}";
	struct regconf *rc;
	struct registry_endpoint e[REGISTRY_ENDPOINTS_MAX];
	static const char team[] =
	    "{\"auths\":{\"m3.test\":{\"auth\":\"bnM6cA==\"}}}";
	struct ref ref;
	struct cerr err;
	size_t n;

	(void)state;
	begin();
	file(REGS, "/etc/r.conf", registries);
	given.auths[1] =
	    authfile_parse("auths", auths, sizeof(auths) - 1, &err);
	assert_non_null(given.auths[1]);
	rc = regconf_new(&given.boot);
	assert_null(rc->wrong);
	assert_string_equal(places(rc, "foo/bar"),
	    "m1.test:5000 /v2/foo/bar ia=m1|m3.test /v2/foo/bar |"
	    "registry-1.docker.io /v2/foo/bar a=hub");
	assert_string_equal(places(rc, "fox/bar"),
	    "m1.test:5000 /v2/fox/bar i|m3.test /v2/fox/bar |"
	    "registry-1.docker.io /v2/fox/bar a=hub");
	assert_string_equal(places(rc, "evil.test/good/one"),
	    "good.test /v2/some/where ia=good");
	/* Those of a namespace go first. */
	given.auths[0] = authfile_parse("team", team, sizeof(team) - 1, &err);
	assert_non_null(given.auths[0]);
	assert_int_equal(ref_parse("foo/bar", &ref, &err), 0);
	assert_int_equal(registry_endpoints(rc, &ref, given.auths, e, &n, &err),
	    0);
	assert_string_equal(e[0].creds->username, "m1");
	assert_string_equal(e[1].creds->username, "ns");
	assert_false(registry_is_own(&e[1], &ref));
	assert_true(registry_is_own(&e[2], &ref));
	authfile_free(given.auths[0]);
	authfile_free(given.auths[1]);
	memset(given.auths, 0, sizeof(given.auths));
	regconf_unref(rc);
}

/* What names may mean: "A|B", or "!TEXT". */
static char *
means(const struct regconf *rc, const char *text, bool pull)
{
	static char out[2048];
	struct ref refs[REGISTRY_CANDIDATES_MAX];
	char one[REF_TEXT_SIZE];
	struct cerr err;
	size_t n;

	out[0] = '\0';
	if (registry_candidates(rc, text, pull, refs, &n, &err) == -1) {
		(void)snprintf(out, sizeof(out), "!%s", err.text);
		return out;
	}
	for (size_t i = 0; i < n; i++) {
		ref_text(&refs[i], one);
		(void)strcat(strcat(out, i > 0 ? "|" : ""), one);
	}
	return out;
}

static struct regconf *
configured(const char *text)
{
	struct regconf *rc;

	begin();
	file(REGS, "/etc/r.conf", text);
	rc = regconf_new(&given.boot);
	assert_null(rc->wrong);
	return rc;
}

#define SEARCH "unqualified-search-registries = "

static void
test_short(void **state)
{
	static const char *const want[][3] = {
		{ "", "bb:1", "docker.io/library/bb:1" },
		{ "", "a.test/b", "a.test/b:latest" },
		{ SEARCH "[]", "bb",
		    "!short name \"bb\": it is no alias, and /etc/r.conf has "
		    "no registry to search" },
		{ SEARCH "[\"q.test:5000\"]", "bb:1", "q.test:5000/bb:1" },
		{ SEARCH "[\"q.test\", \"docker.io\"]", "bb",
		    "!short name \"bb\": it is no alias, and /etc/r.conf has "
		    "several registries to search, which is ambiguous "
		    "(short-name-mode enforcing)" },
		{ SEARCH "[\"q.test\", \"docker.io\"]\n"
			 "short-name-mode = \"permissive\"",
		    "bb", "q.test/bb:latest|docker.io/library/bb:latest" },
		{ SEARCH "[\"q.test\", \"docker.io\"]\n"
			 "short-name-mode = \"disabled\"",
		    "x/bb@" D, "q.test/x/bb@" D "|docker.io/x/bb@" D },
		{ SEARCH "[\"q.test\", \"docker.io\"]\n[aliases]\n"
			 "bb = \"a.test:1/x/bb\"\n\"x/y\" = \"z.test/y\"",
		    "bb:2", "a.test:1/x/bb:2" },
		{ SEARCH "[\"q.test\"]\n[aliases]\n\"x/y\" = \"z.test/y\"",
		    "x/y@" D, "z.test/y@" D },
		{ SEARCH "[\"q.test\"]\n[aliases]\nbb = \"\"", "bb",
		    "q.test/bb:latest" },
	};
	struct regconf *rc;

	(void)state;
	for (size_t i = 0; i < sizeof(want) / sizeof(want[0]); i++) {
		rc = configured(want[i][0]);
		assert_string_equal(means(rc, want[i][1], true), want[i][2]);
		regconf_unref(rc);
	}
	/* To look for, all of them, whatever the mode. */
	rc = configured(want[7][0]);
	assert_string_equal(means(rc, "bb:2", false),
	    "a.test:1/x/bb:2|q.test/bb:2|docker.io/library/bb:2");
	regconf_unref(rc);
}

static void
test_broken(void **state)
{
	static const char *const bad[][2] = {
		{ "x", "1: x: = is missing" },
		{ "\n[[registry]]\nlocation = 1",
		    "3: location must be of type string, not integer" },
		{ "[[registry]]\nprefix = \"a.test\"",
		    "1: a registry needs a location, or a prefix *.DOMAIN" },
		{ "[[registry]]\nlocation = \"https://a.test\"",
		    "1: location \"https://a.test\" must not have a scheme" },
		{ "[[registry]]\nlocation = \"a.test/UP\"",
		    "1: prefix \"a.test/UP\" is not HOST[:PORT][/PATH] or "
		    "*.DOMAIN" },
		{ "[[registry]]\nprefix = \"a.test\"\nlocation = \"b:x\"",
		    "1: location \"b:x\" is not HOST[:PORT][/PATH]" },
		{ "[[registry]]\nprefix = \"*.a.test/x\"",
		    "1: prefix \"*.a.test/x\" is not HOST[:PORT][/PATH] or "
		    "*.DOMAIN" },
		{ "[registry]\nlocation = \"a.test\"",
		    "1: registry must be of type array, not table" },
		{ "[[registry]]\nlocation = \"a.test\"\n"
		  "pull-from-mirror = \"all\"",
		    "1: pull-from-mirror is for mirrors only" },
		{ "[[registry]]\nlocation = \"a.test\"\n[[registry.mirror]]",
		    "3: a mirror needs a location" },
		{ "[[registry]]\nlocation = \"a.test\"\n[[registry.mirror]]\n"
		  "location = \"b.test\"\npull-from-mirror = \"some\"",
		    "3: pull-from-mirror must be all, digest-only or "
		    "tag-only" },
		{ "[[registry]]\nlocation = \"a.test\"\n"
		  "mirror-by-digest-only = true\n[[registry.mirror]]\n"
		  "location = \"b.test\"\npull-from-mirror = \"all\"",
		    "4: pull-from-mirror cannot be where "
		    "mirror-by-digest-only is" },
		{ "[registries.search]\nregistries = [\"a\"]",
		    "1: version 1 of this format is not understood; say "
		    "unqualified-search-registries and [[registry]]" },
		{ SEARCH "[\"a.test/x\"]",
		    "1: search registry \"a.test/x\" is not HOST[:PORT]" },
		{ "short-name-mode = \"prompt\"",
		    "1: short-name-mode must be enforcing, permissive or "
		    "disabled" },
		{ "[aliases]\n\"a.test/b\" = \"c.test/d\"",
		    "2: alias \"a.test/b\" is not a name without registry, "
		    "tag and digest" },
		{ "[aliases]\nb = \"c.test/d:1\"",
		    "2: image \"c.test/d:1\" is not a name with a registry, "
		    "without tag and digest" },
	};
	char text[256];
	struct regconf *rc;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		begin();
		file(REGS, "/etc/r.conf", bad[i][0]);
		rc = regconf_new(&given.boot);
		(void)snprintf(text, sizeof(text), "!/etc/r.conf:%s",
		    bad[i][1]);
		assert_string_equal(places(rc, "q.test/a"), text);
		assert_string_equal(means(rc, "a", true), text);
		regconf_unref(rc);
	}
}

static void
test_url(void **state)
{
	static const char *const bad[] = { "", "x", "/a", "file:///etc/passwd",
		"ftp://a/b", "http://", "https://u:p@a/b", "https://u@a/",
		"http://a b/", "http://a/\r\nX: y", "http://a:0x/",
		"http://a:99999/", "https://b\xc3\xbc.example/", "gopher://a",
		"unix:///x", "//a/b" };
	struct url u, v;

	(void)state;
	assert_null(url_parse("https://A.b/c?d", &u));
	assert_true(u.tls);
	assert_int_equal(u.port, 443);
	assert_string_equal(u.host, "a.b");
	assert_null(url_parse("https://a.b:443/x", &v));
	assert_true(url_same_origin(&u, &v));
	assert_null(url_parse("http://a.b:443/x", &v));
	assert_false(url_same_origin(&u, &v));
	assert_null(url_parse("https://a.b:444/x", &v));
	assert_false(url_same_origin(&u, &v));
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		if (url_parse(bad[i], &u) == NULL)
			fail_msg("taken: %s", bad[i]);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_registries),
		cmocka_unit_test(test_later),
		cmocka_unit_test(test_own_host),
		cmocka_unit_test(test_certs),
		cmocka_unit_test(test_hosts),
		cmocka_unit_test(test_auth),
		cmocka_unit_test(test_short),
		cmocka_unit_test(test_broken),
		cmocka_unit_test(test_url),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
