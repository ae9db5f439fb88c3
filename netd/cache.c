#include <sys/stat.h>

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/fdio.h"
#include "lib/json.h"
#include "lib/log.h"
#include "lib/record.h"
#include "netd/cache.h"
#include "netd/conf.h"

struct attachment *
attachment_new(const char *pod, struct conf *conf, const char *args,
    json_t *capabilities)
{
	struct attachment *a = calloc(1, sizeof(*a));

	if (a == NULL)
		fatal("calloc");
	memcpy(a->pod, pod, ID_LEN);
	a->conf = conf_ref(conf);
	memcpy(a->args, args, strnlen(args, PLUGIN_ARGS_MAX));
	a->capabilities = capabilities;
	a->begun = conf_count(conf);
	return a;
}

void
attachment_free(struct attachment *a)
{
	if (a == NULL)
		return;
	conf_unref(a->conf);
	json_decref(a->capabilities);
	json_decref(a->result);
	free(a);
}

void
attachment_set_result(struct attachment *a, json_t *result)
{
	json_decref(a->result);
	a->result = result;
}

int
cache_write(int dirfd, const struct attachment *a, bool sync, struct cerr *err)
{
	json_t *doc = json_pack("{s:O,s:s,s:O,s:O*,s:b}", "config",
	    a->conf->doc, "args", a->args, "capabilities", a->capabilities,
	    "result", a->result, "complete", (int)a->complete);
	CLEANUP_FREE char *text = NULL;

	if (doc == NULL)
		return cerr_set(err, CERR_INTERNAL, "network record");
	text = json_dumps(doc, JSON_COMPACT);
	json_decref(doc);
	if (text == NULL)
		return cerr_set(err, CERR_INTERNAL, "network record");
	return record_write(dirfd, a->pod, a->pod, text, strlen(text), sync,
	    err);
}

int
cache_sync(int dirfd, const char *pod, struct cerr *err)
{
	CLEANUP_FD int fd =
	    openat(dirfd, pod, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);

	if (fd == -1 && errno == ENOENT)
		return cerr_set(err, CERR_NOT_FOUND, "no network record %s",
		    pod);
	if (fd == -1 || fsync(fd) == -1 || fsync(dirfd) == -1)
		return cerr_errno(err, "sync network record %s", pod);
	return 0;
}

static struct attachment *
cache_build(const char *pod, const json_t *doc, struct cerr *err)
{
	json_t *config, *caps, *result;
	struct attachment *a;
	struct conf *conf;
	const char *args;

	if (json_want(doc, "config", JSON_OBJECT, true, &config, err) == -1 ||
	    json_want(doc, "capabilities", JSON_OBJECT, true, &caps, err) ==
		-1 ||
	    json_want(doc, "result", JSON_OBJECT, false, &result, err) == -1 ||
	    json_want_str(doc, "args", true, &args, err) == -1)
		return NULL;
	conf =
	    conf_from_json("recorded configuration", json_incref(config), err);
	if (conf == NULL)
		return NULL;
	a = attachment_new(pod, conf, args, json_incref(caps));
	conf_unref(conf);
	a->result = json_incref(result);
	a->complete = json_is_true(json_object_get(doc, "complete"));
	return a;
}

struct attachment *
cache_read(int dirfd, const char *pod, struct cerr *err)
{
	CLEANUP_FREE uint8_t *buf = NULL;
	struct attachment *a;
	struct cerr why;
	json_t *doc;
	size_t len;

	if (record_read(dirfd, pod, pod, &buf, &len, err) == -1)
		return NULL;
	doc = json_read_bounded("network record", buf, len, RECORD_MAX, &why);
	a = doc == NULL ? NULL : cache_build(pod, doc, &why);
	json_decref(doc);
	if (a == NULL)
		(void)cerr_set(err, CERR_DATA_LOSS, "record %s: %s", pod,
		    why.text);
	return a;
}

/* What a failed fsync(2) has lost, another one does not bring back. */
int
cache_renew(int dirfd, const char *pod, struct cerr *err)
{
	struct attachment *a = cache_read(dirfd, pod, err);
	int rc;

	if (a == NULL)
		return -1;
	rc = cache_write(dirfd, a, true, err);
	attachment_free(a);
	return rc;
}

int
cache_remove(int dirfd, const char *pod, struct cerr *err)
{
	if (unlinkat(dirfd, pod, 0) == -1 && errno != ENOENT)
		return cerr_errno(err, "remove network record %s", pod);
	return 0;
}

struct cache_walk {
	void (*fn)(void *arg, const char *pod);
	void *arg;
};

static void
cache_list_one(void *arg, const char *name)
{
	struct cache_walk *w = arg;

	if (id_valid(name))
		w->fn(w->arg, name);
}

int
cache_list(int dirfd, void (*fn)(void *arg, const char *pod), void *arg,
    struct cerr *err)
{
	struct cache_walk w = { fn, arg };

	return record_each(dirfd, cache_list_one, &w, err);
}
