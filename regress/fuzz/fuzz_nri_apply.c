/*
 * What plugins ask for of a container, as execd puts it into its configuration:
 * a byte of what is allowed, then a ContainerAdjustment.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "execd/nri_apply.h"
#include "execd/pod_ns.h"
#include "lib/json.h"
#include "proto/pballoc.h"
#include "proto/pbcheck.h"

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char base[] =
    "{\"process\":{\"args\":[\"a\"],\"env\":[\"A=1\",\"B=2\"],"
    "\"oomScoreAdj\":0,\"user\":{\"uid\":5,\"gid\":6,"
    "\"additionalGids\":[7,8]},\"rlimits\":[{\"type\":\"RLIMIT_CORE\","
    "\"hard\":1,\"soft\":1}]},\"annotations\":{\"a\":\"b\"},"
    "\"mounts\":[{\"destination\":\"/proc\",\"type\":\"proc\"},"
    "{\"destination\":\"/a\",\"type\":\"bind\",\"options\":[\"ro\"]},"
    "{\"destination\":\"/a/b/c\",\"type\":\"bind\"}],"
    "\"linux\":{\"cgroupsPath\":\"/pod/criod-x\",\"namespaces\":["
    "{\"type\":\"pid\"}],\"resources\":{\"devices\":[{\"allow\":false,"
    "\"access\":\"rwm\"}],\"memory\":{\"limit\":100,\"swap\":150}}}}";

static json_t *root;

int
LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	json_init();
	root = json_loads(base, 0, NULL);
	assert(root != NULL);
	return 0;
}

/* Not a plugin's, whatever it says. */
static void
check(const json_t *spec, const Criod__BootExecd *boot)
{
	static const char *const kept[] = { "cgroupsPath", "namespaces" };
	const json_t *linux_ = json_object_get(spec, "linux");
	const json_t *before = json_object_get(root, "linux");
	char *text = json_dumps(spec, JSON_COMPACT);

	assert(text != NULL);
	free(text);
	for (size_t i = 0; i < sizeof(kept) / sizeof(kept[0]); i++)
		assert(json_equal(json_object_get(linux_, kept[i]),
		    json_object_get(before, kept[i])));
	assert(boot->nri_hooks || json_object_get(spec, "hooks") == NULL);
	assert(boot->nri_seccomp || json_object_get(linux_, "seccomp") == NULL);
}

static void
apply(const Nri__ContainerAdjustment *adjust, uint8_t bits)
{
	Criod__BootExecd boot = CRIOD__BOOT_EXECD__INIT;
	struct policy_pod pod = { 0 };
	struct nri_rules rules = { &boot, &pod, (bits & 1) != 0 };
	struct spec_out spec = { .root = json_deep_copy(root) };
	struct cerr err;

	boot.nri_hooks = (bits & 2) != 0;
	boot.nri_seccomp = (bits & 4) != 0;
	boot.cgroup2 = (bits & 8) != 0;
	boot.hugetlb = (bits & 16) != 0;
	boot.oom_score_adj_min = -500;
	pod.namespaces = (bits & 32) != 0 ? POD_NS_NET | POD_NS_IPC : 0;
	if (nri_apply(&rules, adjust, &spec, &err) == 0)
		check(spec.root, &boot);
	else
		assert(err.code != CERR_OK && err.text[0] != '\0');
	json_decref(spec.root);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const ProtobufCMessageDescriptor *d =
	    &nri__container_adjustment__descriptor;
	struct pballoc mem;
	struct cerr err;
	void *adjust;

	if (size < 1 || pbcheck(d, data + 1, size - 1, &err) == -1)
		return 0;
	pballoc_init(&mem, 1 << 20);
	adjust = protobuf_c_message_unpack(d, &mem.alloc, size - 1, data + 1);
	if (adjust != NULL)
		apply(adjust, data[0]);
	pballoc_clear(&mem);
	return 0;
}
