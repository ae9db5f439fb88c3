#include <sys/stat.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "execd/execd.h"
#include "lib/fdio.h"
#include "lib/log.h"
#include "lib/record.h"

struct link *
execd_front(struct execd *x)
{
	return helper_link(x->helper, ROLE_FRONT);
}

struct link *
execd_imaged(struct execd *x)
{
	return helper_link(x->helper, ROLE_IMAGED);
}

struct link *
execd_launcher(struct execd *x)
{
	return helper_link(x->helper, ROLE_EXECLAUNCH);
}

struct link *
execd_nrid(struct execd *x)
{
	return helper_link(x->helper, ROLE_NRID);
}

void *
execd_alloc(size_t n, size_t size)
{
	void *p = calloc(n, size);

	if (p == NULL)
		fatal("calloc");
	return p;
}

char *
execd_image_asked(const Runtime__V1__ImageSpec *spec)
{
	static char nothing[1];

	if (spec == NULL)
		return nothing;
	return *spec->user_specified_image != '\0' ? spec->user_specified_image
						   : spec->image;
}

char *
execd_strdup(const char *s)
{
	char *p = strdup(s);

	if (p == NULL)
		fatal("strdup");
	return p;
}

void *
execd_copy(const void *message)
{
	const ProtobufCMessage *m = message;
	size_t len = protobuf_c_message_get_packed_size(m);
	uint8_t *buf = execd_alloc(1, len + 1);
	void *copy;

	(void)protobuf_c_message_pack(m, buf);
	copy = protobuf_c_message_unpack(m->descriptor, NULL, len, buf);
	free(buf);
	if (copy == NULL)
		fatalx("cannot copy a %s", m->descriptor->name);
	return copy;
}

int
execd_record_write(int dirfd, const char *name, const char *owner,
    const void *message, struct cerr *err)
{
	const ProtobufCMessage *m = message;
	size_t len = protobuf_c_message_get_packed_size(m);
	uint8_t *buf = execd_alloc(1, len + 1);
	int ret;

	(void)protobuf_c_message_pack(m, buf);
	ret = record_write(dirfd, name, owner, buf, len, false, err);
	free(buf);
	return ret;
}

void *
execd_record_read(int dirfd, const char *name, const char *owner,
    const ProtobufCMessageDescriptor *d, struct cerr *err)
{
	uint8_t *buf;
	size_t len;
	void *m;

	if (record_read(dirfd, name, owner, &buf, &len, err) == -1)
		return NULL;
	m = protobuf_c_message_unpack(d, NULL, len, buf);
	free(buf);
	if (m == NULL)
		(void)cerr_set(err, CERR_DATA_LOSS, "record %s: malformed",
		    name);
	return m;
}

void *
execd_record_read_newer(int dirfd, const char *name,
    const ProtobufCMessageDescriptor *d)
{
	CLEANUP_FREE uint8_t *buf = NULL;
	size_t len;

	if (record_read_newer(dirfd, name, &buf, &len, NULL) == -1)
		return NULL;
	return protobuf_c_message_unpack(d, NULL, len, buf);
}

int
execd_open_dir(struct execd *x, const char *name)
{
	return openat(x->root, name,
	    O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
}

static void
execd_remove_files(int dirfd)
{
	int copy = fcntl(dirfd, F_DUPFD_CLOEXEC, 0);
	DIR *d = copy != -1 ? fdopendir(copy) : NULL;
	struct dirent *e;

	if (d == NULL) {
		fdio_close(&copy);
		return;
	}
	while ((e = readdir(d)) != NULL) {
		if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0)
			(void)unlinkat(dirfd, e->d_name, 0);
	}
	(void)closedir(d);
}

int
execd_remove_dir(struct execd *x, const char *name, struct cerr *err)
{
	CLEANUP_FD int fd = execd_open_dir(x, name);

	if (fd == -1 && errno == ENOENT)
		return 0;
	if (fd == -1)
		return cerr_errno(err, "open bundle %s", name);
	execd_remove_files(fd);
	if (unlinkat(x->root, name, AT_REMOVEDIR) == -1 && errno != ENOENT)
		return cerr_errno(err, "remove bundle %s", name);
	return 0;
}

void
execd_wait_add(struct execd_waits *w, struct link_call *call)
{
	struct execd_wait *e = execd_alloc(1, sizeof(*e));

	e->call = call;
	SIMPLEQ_INSERT_TAIL(w, e, entry);
}

void
execd_wait_end(struct execd_waits *w, enum msg_type type,
    const struct cerr *err)
{
	Criod__Empty empty;
	struct execd_wait *e;

	criod__empty__init(&empty);
	while ((e = SIMPLEQ_FIRST(w)) != NULL) {
		SIMPLEQ_REMOVE_HEAD(w, entry);
		if (err != NULL)
			link_refuse(e->call, err);
		else
			link_reply(e->call, type, &empty, NULL, 0);
		free(e);
	}
}
