#include <sys/socket.h>
#include <sys/un.h>

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "imsg/codec.h"
#include "imsg/wire.h"
#include "lib/fdio.h"
#include "proto/msg.pb-c.h"

#include "criodctl/ctl.h"

#define CTL_WATCH_MS   500
#define CTL_ANSWER_MAX (64U * 1024 * 1024)

struct ctl {
	int fd;
	uint32_t next_id;
	uint32_t last;	/* request */
	uint32_t asked; /* IMG_TASKS under way; 0: none */
	ctl_tasks_fn watch;
	void *watch_arg;
};

int
ctl_connect(const char *path, struct ctl **ctl, struct cerr *err)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	CLEANUP_FD int fd = -1;

	if (strlen(path) >= sizeof(sun.sun_path))
		return cerr_set(err, CERR_INVALID_ARGUMENT,
		    "socket path is too long: %s", path);
	memcpy(sun.sun_path, path, strlen(path));
	fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	if (fd == -1 || connect(fd, (struct sockaddr *)&sun, sizeof(sun)) == -1)
		return cerr_errno(err, "connect to criod at %s", path);
	*ctl = calloc(1, sizeof(**ctl));
	if (*ctl == NULL)
		return cerr_errno(err, "calloc");
	(*ctl)->fd = fd;
	fd = -1;
	return 0;
}

void
ctl_free(struct ctl *ctl)
{
	if (ctl == NULL)
		return;
	(void)close(ctl->fd);
	free(ctl);
}

pid_t
ctl_server(const struct ctl *ctl)
{
	struct ucred cred = { .pid = -1 };
	socklen_t len = sizeof(cred);

	(void)getsockopt(ctl->fd, SOL_SOCKET, SO_PEERCRED, &cred, &len);
	return cred.pid;
}

static int
ctl_send(struct ctl *ctl, enum msg_type type, uint32_t id, const void *body,
    int fd, struct cerr *err)
{
	struct wire_msg m = { .type = type, .id = id };
	int rc;

	if (codec_pack(&codec_pb, type, body, &m.data, &m.len) == -1)
		return cerr_set(err, CERR_RESOURCE_EXHAUSTED, "no memory");
	if (m.len > msg_info(type)->max) {
		wire_clear(&m);
		return cerr_set(err, CERR_RESOURCE_EXHAUSTED,
		    "request is too large");
	}
	if (fd != -1) {
		m.fds[0] = fd;
		m.nfds = 1;
	}
	rc = wire_send(ctl->fd, &m);
	if (rc == -1)
		(void)cerr_errno(err, "send to criod");
	wire_clear(&m);
	return rc;
}

void
ctl_watch(struct ctl *ctl, ctl_tasks_fn fn, void *arg)
{
	ctl->watch = fn;
	ctl->watch_arg = arg;
}

/* Asks for the tasks when nothing has come for a while. */
static int
ctl_wait(struct ctl *ctl, struct cerr *err)
{
	struct pollfd pfd = { ctl->fd, POLLIN, 0 };
	Criod__Empty empty = CRIOD__EMPTY__INIT;

	while (ctl->watch != NULL && poll(&pfd, 1, CTL_WATCH_MS) == 0) {
		if (ctl->asked != 0)
			continue;
		ctl->asked = ++ctl->next_id;
		if (ctl_send(ctl, MSG_IMG_TASKS, ctl->asked, &empty, -1, err) ==
		    -1)
			return -1;
	}
	return 0;
}

static void
ctl_tell(struct ctl *ctl, const struct wire_msg *m)
{
	void *tasks;

	ctl->asked = 0;
	if (m->type != MSG_IMG_TASKS_ARE || ctl->watch == NULL)
		return;
	tasks = codec_unpack(&codec_pb, MSG_IMG_TASKS_ARE, m->data, m->len);
	if (tasks == NULL)
		return;
	ctl->watch(ctl->watch_arg, tasks);
	codec_free(&codec_pb, MSG_IMG_TASKS_ARE, tasks);
}

/* The message that answers the last request. */
static int
ctl_take(struct ctl *ctl, uint32_t id, struct wire_msg *m, struct cerr *err)
{
	for (;;) {
		if (ctl_wait(ctl, err) == -1)
			return -1;
		if (wire_recv(ctl->fd, m, CTL_ANSWER_MAX) != 1)
			return cerr_set(err, CERR_UNAVAILABLE,
			    "criod went away");
		if (m->id == id)
			return 0;
		if (m->id == ctl->asked)
			ctl_tell(ctl, m);
		wire_clear(m);
	}
}

int
ctl_end(struct ctl *ctl, enum msg_type type, void **answer, struct cerr *err)
{
	enum msg_type want = msg_info(type)->reply;
	struct wire_msg m;
	void *b = NULL;

	if (ctl_take(ctl, ctl->last, &m, err) == -1)
		return -1;
	if (msg_check(&m, ROLE_FRONT, ROLE_CTL, MSG_STATE_RUN) == NULL &&
	    msg_answers(type, (enum msg_type)m.type))
		b = codec_unpack(&codec_pb, (enum msg_type)m.type, m.data,
		    m.len);
	if (b == NULL) {
		wire_clear(&m);
		return cerr_set(err, CERR_INTERNAL, "criod's answer is odd");
	}
	if (m.type != want) {
		codec_pb.error_get(b, err);
		codec_free(&codec_pb, (enum msg_type)m.type, b);
		wire_clear(&m);
		return -1;
	}
	wire_clear(&m);
	*answer = b;
	return 0;
}

int
ctl_begin(struct ctl *ctl, enum msg_type type, const void *body, int fd,
    struct cerr *err)
{
	ctl->last = ++ctl->next_id;
	return ctl_send(ctl, type, ctl->last, body, fd, err);
}

void
ctl_free_answer(enum msg_type type, void *answer)
{
	codec_free(&codec_pb, msg_info(type)->reply, answer);
}

static int
ctl_ask(struct ctl *ctl, enum msg_type type, const void *request, void **body,
    struct cerr *err)
{
	if (ctl_begin(ctl, type, request, -1, err) == -1)
		return -1;
	return ctl_end(ctl, type, body, err);
}

int
ctl_call(struct ctl *ctl, const char *method, const ProtobufCMessage *request,
    const ProtobufCMessageDescriptor *desc, ProtobufCMessage **response,
    struct cerr *err)
{
	Criod__CtlCall call = CRIOD__CTL_CALL__INIT;
	CLEANUP_FREE uint8_t *packed = NULL;
	CLEANUP_FREE char *path = NULL;
	ProtobufCMessage *msg;
	Criod__CtlReply *reply;
	void *body;

	call.request.len = protobuf_c_message_get_packed_size(request);
	packed = malloc(call.request.len + 1);
	if (packed == NULL || asprintf(&path, "/runtime.v1.%s", method) == -1)
		return cerr_errno(err, "malloc");
	(void)protobuf_c_message_pack(request, packed);
	call.request.data = packed;
	call.path = path;
	if (ctl_ask(ctl, MSG_CTL_CALL, &call, &body, err) == -1)
		return -1;
	reply = body;
	msg = protobuf_c_message_unpack(desc, NULL, reply->response.len,
	    reply->response.data);
	codec_free(&codec_pb, MSG_CTL_REPLY, body);
	if (msg == NULL)
		return cerr_set(err, CERR_INTERNAL, "%s: malformed response",
		    method);
	if (response != NULL)
		*response = msg;
	else
		protobuf_c_message_free_unpacked(msg, NULL);
	return 0;
}

int
ctl_blob(struct ctl *ctl, const char *digest, int fd, struct cerr *err)
{
	Criod__ImgBlob blob = CRIOD__IMG_BLOB__INIT;
	char copy[256];

	(void)snprintf(copy, sizeof(copy), "%s", digest);
	blob.digest = copy;
	return ctl_send(ctl, MSG_IMG_BLOB, 0, &blob, fd, err);
}

int
ctl_import(struct ctl *ctl, const char *reference, const char *digest,
    char **image_ref, struct cerr *err)
{
	Criod__ImgImport import = CRIOD__IMG_IMPORT__INIT;
	CLEANUP_FREE char *ref = strdup(reference);
	CLEANUP_FREE char *dig = strdup(digest);
	Runtime__V1__PullImageResponse *pulled;
	void *body;

	import.reference = ref;
	import.manifest_digest = dig;
	if (ctl_ask(ctl, MSG_IMG_IMPORT, &import, &body, err) == -1)
		return -1;
	pulled = body;
	*image_ref = strdup(pulled->image_ref);
	codec_free(&codec_pb, MSG_IMG_IMPORTED, body);
	return *image_ref == NULL ? cerr_errno(err, "strdup") : 0;
}
