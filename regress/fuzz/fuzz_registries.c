#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "lib/log.h"
#include "proto/msg.pb-c.h"

#include "imaged/authfile.h"
#include "imaged/regconf.h"
#include "imaged/registry.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static char path_registries[] = "/e/registries.conf",
	    path_hosts[] = "/e/certs.d/a.test/hosts.toml",
	    path_cert[] = "/e/certs.d/a.test/a.crt", prefix[] = "a.test",
	    path_ca[] = "/e/ca.crt", ca[] = "-----BEGIN CERTIFICATE-----";

static void
fuzz_file(Criod__RegistryFile *f, unsigned int kind, char *path,
    const uint8_t *text, size_t len)
{
	criod__registry_file__init(f);
	f->kind = (Criod__RegistryFile__Kind)kind;
	f->path = path;
	f->text.len = len;
	f->text.data = malloc(len + 1);
	if (f->text.data == NULL)
		abort();
	memcpy(f->text.data, text, len);
}

/* Every place that comes of it must make a URL. */
static void
fuzz_ask(struct regconf *rc, struct authfile *const *auths, const char *name)
{
	struct registry_endpoint e[REGISTRY_ENDPOINTS_MAX];
	struct ref refs[REGISTRY_CANDIDATES_MAX];
	struct cerr err;
	size_t n, m;

	if (registry_candidates(rc, name, true, refs, &n, &err) == -1)
		return;
	for (size_t i = 0; i < n; i++) {
		if (registry_endpoints(rc, &refs[i], auths, e, &m, &err) == -1)
			continue;
		for (size_t j = 0; j < m; j++) {
			if (!ref_domain_valid(e[j].host) ||
			    e[j].path[0] == '\0' || e[j].path[0] == '/')
				abort();
		}
	}
}

/* The first byte says which file it is; one that is {} may be credentials, and
 * any may be header fields of criod.conf. */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static const struct {
		unsigned int kind;
		char *path;
	} kinds[] = {
		{ CRIOD__REGISTRY_FILE__KIND__REGISTRIES, path_registries },
		{ CRIOD__REGISTRY_FILE__KIND__HOSTS, path_hosts },
		{ CRIOD__REGISTRY_FILE__KIND__CERTS, path_cert },
	};
	const size_t kind = len == 0 ? 0 : data[0] % 3;
	Criod__Registry named = CRIOD__REGISTRY__INIT,
			*registries[] = { &named };
	Criod__BootImaged boot = CRIOD__BOOT_IMAGED__INIT;
	Criod__RegistryFile files[2], *list[] = { &files[0], &files[1] };
	struct authfile *auths[REGISTRY_AUTHS] = { NULL };
	struct cerr err;
	struct regconf *rc;

	if (len == 0)
		return 0;
	log_configure(LOG_LVL_ERROR, LOG_FMT_TEXT);
	fuzz_file(&files[0], kinds[kind].kind, kinds[kind].path, data + 1,
	    len - 1);
	fuzz_file(&files[1], CRIOD__REGISTRY_FILE__KIND__NAMED, path_ca,
	    (const uint8_t *)ca, sizeof(ca) - 1);
	boot.files = list;
	boot.n_files = 2;
	if (data[0] >= 128) {
		named.prefix = prefix;
		named.headers =
		    (ProtobufCBinaryData){ len - 1, files[0].text.data };
		boot.registries = registries;
		boot.n_registries = 1;
	}
	auths[1] = authfile_parse("auth", data, len, &err);
	rc = regconf_new(&boot);
	fuzz_ask(rc, auths, "a.test/b:1");
	fuzz_ask(rc, auths, "busybox");
	fuzz_ask(rc, auths, "x.wild.test:99/c");
	regconf_unref(rc);
	authfile_free(auths[1]);
	free(files[0].text.data);
	free(files[1].text.data);
	return 0;
}
