#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "lib/log.h"
#include "netd/args.h"
#include "netd/quantity.h"
#include "proto/msg.pb-c.h"

#define ARGS_PORTS_MAX 1024

/* What Kubernetes accepts as a pod's bandwidth. */
#define ARGS_RATE_MIN UINT64_C(1000)
#define ARGS_RATE_MAX UINT64_C(1000000000000000)
/* Bits; as large as the bandwidth plugin's 32-bit arithmetic can take. */
#define ARGS_BURST INT32_MAX

static int
args_check(const char *key, const char *value, struct cerr *err)
{
	for (const char *p = value; *p != '\0'; p++) {
		if (*p <= ' ' || *p >= 0x7f || *p == ';' || *p == '=')
			return cerr_set(err, CERR_INVALID_ARGUMENT,
			    "pod %s has a character that CNI_ARGS cannot hold",
			    key);
	}
	return 0;
}

int
args_make(const Criod__NetPod *pod, char buf[PLUGIN_ARGS_MAX + 1],
    struct cerr *err)
{
	if (args_check("namespace", pod->namespace_, err) == -1 ||
	    args_check("name", pod->name, err) == -1 ||
	    args_check("id", pod->pod_id, err) == -1 ||
	    args_check("uid", pod->uid, err) == -1)
		return -1;
	if (snprintf(buf, PLUGIN_ARGS_MAX + 1,
		"IgnoreUnknown=1;K8S_POD_NAMESPACE=%s;K8S_POD_NAME=%s;"
		"K8S_POD_INFRA_CONTAINER_ID=%s;K8S_POD_UID=%s",
		pod->namespace_, pod->name, pod->pod_id,
		pod->uid) > PLUGIN_ARGS_MAX)
		return cerr_set(err, CERR_INVALID_ARGUMENT,
		    "pod name, namespace and uid are too long together");
	return 0;
}

static const char *
args_protocol(Runtime__V1__Protocol p)
{
	static const char *const names[] = {
		[RUNTIME__V1__PROTOCOL__TCP] = "tcp",
		[RUNTIME__V1__PROTOCOL__UDP] = "udp",
		[RUNTIME__V1__PROTOCOL__SCTP] = "sctp",
	};

	if ((size_t)p >= sizeof(names) / sizeof(names[0]))
		return NULL;
	return names[p];
}

/* A mapping without a host port asks for nothing. */
static int
args_add_port(json_t *list, const Runtime__V1__PortMapping *p, struct cerr *err)
{
	const char *protocol = args_protocol(p->protocol);
	json_t *o;

	if (protocol == NULL)
		return cerr_set(err, CERR_INVALID_ARGUMENT,
		    "port_mappings.protocol: unknown number %d", p->protocol);
	if (p->host_port < 0 || p->host_port > UINT16_MAX ||
	    p->container_port < (p->host_port > 0) ||
	    p->container_port > UINT16_MAX)
		return cerr_set(err, CERR_INVALID_ARGUMENT,
		    "port_mappings: port out of range");
	if (p->host_port == 0)
		return 0;
	o = json_pack("{s:i,s:i,s:s}", "hostPort", p->host_port,
	    "containerPort", p->container_port, "protocol", protocol);
	if (p->host_ip != NULL && *p->host_ip != '\0' &&
	    json_object_set_new(o, "hostIP", json_string(p->host_ip)) == -1) {
		json_decref(o);
		return cerr_set(err, CERR_INVALID_ARGUMENT,
		    "port_mappings.host_ip: not valid UTF-8");
	}
	if (json_array_append_new(list, o) == -1)
		fatalx("json_array_append_new");
	return 0;
}

static int
args_add_ports(json_t *caps, const Criod__NetPod *pod, struct cerr *err)
{
	json_t *list = json_array();

	if (pod->n_port_mappings > ARGS_PORTS_MAX) {
		json_decref(list);
		return cerr_set(err, CERR_INVALID_ARGUMENT,
		    "port_mappings: more than %d", ARGS_PORTS_MAX);
	}
	for (size_t i = 0; i < pod->n_port_mappings; i++) {
		if (args_add_port(list, pod->port_mappings[i], err) == -1) {
			json_decref(list);
			return -1;
		}
	}
	if (json_array_size(list) == 0)
		json_decref(list);
	else
		(void)json_object_set_new(caps, "portMappings", list);
	return 0;
}

static int
args_add_rate(json_t *bandwidth, const Criod__NetPod *pod, const char *key,
    const char *rate, const char *burst, struct cerr *err)
{
	const char *value = NULL;
	uint64_t bits;

	for (size_t i = 0; i < pod->n_annotations; i++) {
		if (strcmp(pod->annotations[i]->key, key) == 0)
			value = pod->annotations[i]->value;
	}
	if (value == NULL || *value == '\0')
		return 0;
	if (quantity_parse(value, &bits) == -1 || bits < ARGS_RATE_MIN ||
	    bits > ARGS_RATE_MAX)
		return cerr_set(err, CERR_INVALID_ARGUMENT,
		    "annotation %s: not a bandwidth from 1k to 1P", key);
	(void)json_object_set_new(bandwidth, rate,
	    json_integer((json_int_t)bits));
	(void)json_object_set_new(bandwidth, burst, json_integer(ARGS_BURST));
	return 0;
}

static int
args_add_bandwidth(json_t *caps, const Criod__NetPod *pod, struct cerr *err)
{
	json_t *b = json_object();

	if (args_add_rate(b, pod, "kubernetes.io/ingress-bandwidth",
		"ingressRate", "ingressBurst", err) == -1 ||
	    args_add_rate(b, pod, "kubernetes.io/egress-bandwidth",
		"egressRate", "egressBurst", err) == -1) {
		json_decref(b);
		return -1;
	}
	if (json_object_size(b) == 0)
		json_decref(b);
	else
		(void)json_object_set_new(caps, "bandwidth", b);
	return 0;
}

json_t *
args_capabilities(const Criod__NetPod *pod, struct cerr *err)
{
	json_t *caps = json_object();

	if (args_add_ports(caps, pod, err) == -1 ||
	    args_add_bandwidth(caps, pod, err) == -1)
		goto fail;
	if (*pod->cgroup_parent != '\0' &&
	    json_object_set_new(caps, "cgroupPath",
		json_string(pod->cgroup_parent)) == -1) {
		(void)cerr_set(err, CERR_INVALID_ARGUMENT,
		    "cgroup_parent: not valid UTF-8");
		goto fail;
	}
	return caps;
fail:
	json_decref(caps);
	return NULL;
}
