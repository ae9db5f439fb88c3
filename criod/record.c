#include <string.h>

#include "criod/record.h"
#include "imsg/audit.h"

/* The member of m called name, if it is one string or one message. */
static const void *
record_member(const ProtobufCMessage *m, const char *name, ProtobufCType type)
{
	const ProtobufCFieldDescriptor *f;

	if (m == NULL)
		return NULL;
	f = protobuf_c_message_descriptor_get_field_by_name(m->descriptor,
	    name);
	if (f == NULL || f->type != type ||
	    f->label == PROTOBUF_C_LABEL_REPEATED)
		return NULL;
	return *(const void *const *)((const char *)m + f->offset);
}

static const ProtobufCMessage *
record_message(const ProtobufCMessage *m, const char *name)
{
	return record_member(m, name, PROTOBUF_C_TYPE_MESSAGE);
}

/* Leaves to as it is if there is no such member. */
static void
record_string(const ProtobufCMessage *m, const char *name, char *to,
    size_t size)
{
	const char *s = record_member(m, name, PROTOBUF_C_TYPE_STRING);

	if (s != NULL && s[0] != '\0')
		audit_text(to, size, s);
}

/* Members that requests and responses have in common. */
static void
record_ids(const ProtobufCMessage *m, struct fixed_audit_call *body)
{
	const ProtobufCMessage *config = record_message(m, "config");
	const ProtobufCMessage *pod = record_message(m, "sandbox_config");
	const ProtobufCMessage *image = record_message(m, "image");

	record_string(m, "pod_sandbox_id", body->pod, sizeof(body->pod));
	record_string(m, "container_id", body->ctr, sizeof(body->ctr));
	if (image == NULL)
		image = record_message(config, "image");
	record_string(image, "image", body->image, sizeof(body->image));
	/* Of a pod its namespace; of a container, its pod's. */
	record_string(record_message(pod, "metadata"), "namespace",
	    body->namespace, sizeof(body->namespace));
	record_string(record_message(config, "metadata"), "namespace",
	    body->namespace, sizeof(body->namespace));
	record_string(record_message(config, "metadata"), "name", body->name,
	    sizeof(body->name));
}

/* "RunPodSandbox"; what is no method of ours, as it is, if it is short. */
static const char *
record_method(const struct grpc_outcome *o)
{
	if (o->path[0] == '\0')
		return "(none)";
	return o->method != NULL && strrchr(o->path, '/') != NULL
		   ? strrchr(o->path, '/') + 1
		   : o->path;
}

void
record_call(struct audit *a, const struct grpc_outcome *o)
{
	struct fixed_audit_call body = {
		.took_us = (uint64_t)o->took_ns / 1000,
		.uid = o->uid,
		.pid = (uint32_t)o->pid,
		.code = o->err != NULL ? (uint32_t)o->err->code : CERR_OK,
		.flags = (o->gone ? AUDIT_CALL_GONE : 0) |
			 (o->local ? AUDIT_CALL_CTL : 0),
	};

	if (a == NULL)
		return;
	audit_text(body.method, sizeof(body.method), record_method(o));
	if (o->request != NULL)
		record_ids(o->request, &body);
	if (o->response != NULL)
		record_ids(o->response, &body);
	audit_call(a, &body);
}

void
record_local(struct audit *a, const char *method, const char *image, int pid,
    const struct cerr *err)
{
	struct fixed_audit_call body = {
		.pid = (uint32_t)pid,
		.code = err != NULL ? (uint32_t)err->code : CERR_OK,
		.flags = AUDIT_CALL_CTL,
	};

	audit_text(body.method, sizeof(body.method), method);
	audit_text(body.image, sizeof(body.image), image);
	audit_call(a, &body);
}
