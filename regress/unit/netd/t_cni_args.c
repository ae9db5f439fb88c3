#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "netd/args.h"
#include "netd/quantity.h"
#include "proto/msg.pb-c.h"

static char empty[] = "", id[] = "aa", ns[] = "default", name[] = "web",
	    uid[] = "u-1";

static Criod__NetPod
pod(void)
{
	Criod__NetPod p = CRIOD__NET_POD__INIT;

	p.pod_id = id;
	p.namespace_ = ns;
	p.name = name;
	p.uid = uid;
	p.cgroup_parent = empty;
	return p;
}

static void
test_args(void **state)
{
	static char semicolon[] = "a;K8S_POD_UID=x", equals[] = "a=b",
		    newline[] = "a\nb", high[] = "\xc3\xa9";
	char *const bad[] = { semicolon, equals, newline, high };
	char buf[PLUGIN_ARGS_MAX + 1], longname[1025];
	Criod__NetPod p = pod();
	struct cerr err;

	(void)state;
	assert_int_equal(args_make(&p, buf, &err), 0);
	assert_string_equal(buf,
	    "IgnoreUnknown=1;K8S_POD_NAMESPACE=default;K8S_POD_NAME=web;"
	    "K8S_POD_INFRA_CONTAINER_ID=aa;K8S_POD_UID=u-1");
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		p = pod();
		p.name = bad[i];
		assert_int_equal(args_make(&p, buf, &err), -1);
		p = pod();
		p.uid = bad[i];
		assert_int_equal(args_make(&p, buf, &err), -1);
		assert_int_equal(err.code, CERR_INVALID_ARGUMENT);
	}
	memset(longname, 'a', sizeof(longname) - 1);
	longname[sizeof(longname) - 1] = '\0';
	p = pod();
	p.name = longname;
	assert_int_equal(args_make(&p, buf, &err), -1);
}

static char *
capabilities(const Criod__NetPod *p)
{
	struct cerr err;
	json_t *caps = args_capabilities(p, &err);
	char *text = caps == NULL ? NULL : json_dumps(caps, JSON_COMPACT);

	json_decref(caps);
	return text;
}

static void
test_ports(void **state)
{
	Runtime__V1__PortMapping m[2] = { RUNTIME__V1__PORT_MAPPING__INIT,
		RUNTIME__V1__PORT_MAPPING__INIT };
	Runtime__V1__PortMapping *list[2] = { &m[0], &m[1] };
	static char ip[] = "127.0.0.1";
	Criod__NetPod p = pod();
	char *text;

	(void)state;
	p.n_port_mappings = 2;
	p.port_mappings = list;
	m[0].container_port = 80;
	m[1].container_port = 53;
	m[1].host_port = 5353;
	m[1].protocol = RUNTIME__V1__PROTOCOL__UDP;
	m[1].host_ip = ip;
	text = capabilities(&p);
	assert_string_equal(text,
	    "{\"portMappings\":[{\"hostPort\":5353,\"containerPort\":53,"
	    "\"protocol\":\"udp\",\"hostIP\":\"127.0.0.1\"}]}");
	free(text);
	m[1].host_port = 70000;
	assert_null(capabilities(&p));
	m[1].host_port = -1;
	assert_null(capabilities(&p));
	m[1].host_port = 1;
	m[1].container_port = 0;
	assert_null(capabilities(&p));
	m[1].container_port = 1;
	m[1].protocol = (Runtime__V1__Protocol)7;
	assert_null(capabilities(&p));
}

static void
test_bandwidth(void **state)
{
	Criod__NetPod__AnnotationsEntry e =
	    CRIOD__NET_POD__ANNOTATIONS_ENTRY__INIT;
	Criod__NetPod__AnnotationsEntry *list[1] = { &e };
	static char key[] = "kubernetes.io/ingress-bandwidth", good[] = "10M",
		    small[] = "10", bad[] = "10x", cgroup[] = "/kubepods";
	Criod__NetPod p = pod();
	char *text;

	(void)state;
	p.n_annotations = 1;
	p.annotations = list;
	p.cgroup_parent = cgroup;
	e.key = key;
	e.value = good;
	text = capabilities(&p);
	assert_string_equal(text,
	    "{\"bandwidth\":{\"ingressRate\":10000000,"
	    "\"ingressBurst\":2147483647},\"cgroupPath\":\"/kubepods\"}");
	free(text);
	e.value = small;
	assert_null(capabilities(&p));
	e.value = bad;
	assert_null(capabilities(&p));
}

static void
test_quantity(void **state)
{
	static const struct {
		const char *s;
		uint64_t value;
	} good[] = {
		{ "0", 0 },
		{ "10M", 10000000 },
		{ "1.5Gi", 1610612736 },
		{ "2e6", 2000000 },
		{ "1500m", 2 },
		{ "1n", 1 },
		{ "0.5k", 500 },
		{ "+7", 7 },
		{ "1E3", 1000 },
		{ "1E", UINT64_C(1000000000000000000) },
		{ "7Ei", UINT64_C(7) << 60 },
	};
	static const char *const bad[] = { "", "-1", "x", ".", "1x", "1 M",
		"1.2.3", "1e", "1e99", "9999999999999999999", "999Ei", "10E",
		"1Mib", "1e1k" };
	uint64_t v;

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		assert_int_equal(quantity_parse(good[i].s, &v), 0);
		assert_true(v == good[i].value);
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(quantity_parse(bad[i], &v), -1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_args),
		cmocka_unit_test(test_ports),
		cmocka_unit_test(test_bandwidth),
		cmocka_unit_test(test_quantity),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
