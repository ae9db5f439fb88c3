/*
 * A gRPC server on criod's transport with handlers made for tests: no pod, no
 * peer process.  grpc_echo SOCKET [STALL IDLE], the latter in seconds.
 *
 * Version	     "counts": how many calls were started, ended, cancelled
 *		     and are open; "hang": no answer, ends when cancelled;
 *		     "stuck": no answer ever; "sleep:MS"; "fail:TEXT"; else the
 *		     text comes back
 * ImageStatus	     the length of image.image, as the image's size
 * ListImages	     one image whose id has image.image (a number) bytes
 * StreamImages	     "COUNT:SIZE": that many messages; COUNT 0: until cancelled
 */
#include <sys/socket.h>
#include <sys/un.h>

#include <event2/event.h>

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "criod/grpc_int.h"
#include "criod/h2_int.h"
#include "lib/log.h"
#include "proto/cri.pb-c.h"

struct echo {
	struct event_base *base;
	struct grpc_server *server;
	unsigned int started, ended, cancelled;
};

struct echo_job {
	struct echo *echo;
	struct grpc_call *call;
	struct event *timer;
	unsigned long count, size;
	bool forever;
};

#define METHOD(svc, rpc, req, resp, how, fn)                                   \
	{ "/runtime.v1." #svc "/" #rpc, &runtime__v1__##req##__descriptor,     \
		&runtime__v1__##resp##__descriptor, how, NULL },
#define METHOD_NONE(svc, rpc, req, resp, how)                                  \
	METHOD(svc, rpc, req, resp, how, NULL)
static struct grpc_method echo_methods[] = {
#include "criod/method_table.h"
};

#define ECHO_NMETHODS (sizeof(echo_methods) / sizeof(echo_methods[0]))

static void
echo_version_reply(struct grpc_call *call, char *text)
{
	Runtime__V1__VersionResponse r = RUNTIME__V1__VERSION_RESPONSE__INIT;

	r.version = text;
	r.runtime_name = (char *)(uintptr_t) "echo";
	r.runtime_version = (char *)(uintptr_t) "1";
	r.runtime_api_version = (char *)(uintptr_t) "v1";
	grpc_reply(call, &r);
}

static struct echo_job *
echo_job_new(struct echo *echo, struct grpc_call *call)
{
	struct echo_job *job = calloc(1, sizeof(*job));

	if (job == NULL)
		fatalx("out of memory");
	job->echo = echo;
	job->call = call;
	return job;
}

static void
echo_job_free(struct echo_job *job)
{
	job->echo->ended++;
	if (job->timer != NULL)
		event_free(job->timer);
	free(job);
}

static void
echo_job_cancelled(void *arg)
{
	struct echo_job *job = arg;
	struct cerr err;

	job->echo->cancelled++;
	(void)cerr_set(&err, CERR_CANCELLED, "cancelled");
	grpc_fail(job->call, &err);
	echo_job_free(job);
}

static void
echo_count_cancel(void *arg)
{
	((struct echo *)arg)->cancelled++;
}

static void
echo_slept(evutil_socket_t fd, short what, void *arg)
{
	struct echo_job *job = arg;

	(void)fd;
	(void)what;
	echo_version_reply(job->call, (char *)(uintptr_t) "slept");
	echo_job_free(job);
}

static void
echo_sleep(struct echo *echo, struct grpc_call *call, unsigned long ms)
{
	struct echo_job *job = echo_job_new(echo, call);
	struct timeval tv = { (time_t)(ms / 1000),
		(suseconds_t)(ms % 1000) * 1000 };

	job->timer = evtimer_new(echo->base, echo_slept, job);
	(void)evtimer_add(job->timer, &tv);
	/* As work that cannot be stopped does: it goes on. */
	grpc_on_cancel(call, echo_count_cancel, echo);
}

static void
echo_counts(struct echo *echo, struct grpc_call *call)
{
	char text[128];

	(void)snprintf(text, sizeof(text), "started %u ended %u cancelled %u",
	    echo->started, echo->ended, echo->cancelled);
	echo_version_reply(call, text);
}

static void
echo_version(void *ctx, struct grpc_call *call, const void *request)
{
	const Runtime__V1__VersionRequest *r = request;
	struct echo *echo = ctx;
	struct cerr err;

	if (strcmp(r->version, "counts") == 0) {
		echo_counts(echo, call);
	} else if (strcmp(r->version, "hang") == 0) {
		echo->started++;
		grpc_on_cancel(call, echo_job_cancelled,
		    echo_job_new(echo, call));
	} else if (strcmp(r->version, "stuck") == 0) {
		echo->started++;
		grpc_on_cancel(call, echo_count_cancel, echo);
	} else if (strncmp(r->version, "sleep:", 6) == 0) {
		echo->started++;
		echo_sleep(echo, call, strtoul(r->version + 6, NULL, 10));
	} else if (strncmp(r->version, "fail:", 5) == 0) {
		(void)cerr_set(&err, CERR_NOT_FOUND, "%s", r->version + 5);
		grpc_fail(call, &err);
	} else {
		echo_version_reply(call, r->version);
	}
}

static void
echo_image_status(void *ctx, struct grpc_call *call, const void *request)
{
	const Runtime__V1__ImageStatusRequest *r = request;
	Runtime__V1__ImageStatusResponse resp =
	    RUNTIME__V1__IMAGE_STATUS_RESPONSE__INIT;
	Runtime__V1__Image image = RUNTIME__V1__IMAGE__INIT;

	(void)ctx;
	image.size = r->image == NULL ? 0 : strlen(r->image->image);
	resp.image = &image;
	grpc_reply(call, &resp);
}

static char *
echo_text(unsigned long size)
{
	char *s = malloc(size + 1);

	if (s == NULL)
		fatalx("out of memory");
	memset(s, 'x', size);
	s[size] = '\0';
	return s;
}

static void
echo_list_images(void *ctx, struct grpc_call *call, const void *request)
{
	const Runtime__V1__ListImagesRequest *r = request;
	Runtime__V1__ListImagesResponse resp =
	    RUNTIME__V1__LIST_IMAGES_RESPONSE__INIT;
	Runtime__V1__Image image = RUNTIME__V1__IMAGE__INIT, *one = &image;
	unsigned long size = 0;

	(void)ctx;
	if (r->filter != NULL && r->filter->image != NULL)
		size = strtoul(r->filter->image->image, NULL, 10);
	image.id = echo_text(size);
	resp.n_images = 1;
	resp.images = &one;
	grpc_reply(call, &resp);
	free(image.id);
}

static int
echo_stream_one(struct echo_job *job)
{
	Runtime__V1__StreamImagesResponse resp =
	    RUNTIME__V1__STREAM_IMAGES_RESPONSE__INIT;
	Runtime__V1__Image image = RUNTIME__V1__IMAGE__INIT, *one = &image;
	int rv;

	image.id = echo_text(job->size);
	resp.n_images = 1;
	resp.images = &one;
	rv = grpc_stream(job->call, &resp);
	free(image.id);
	return rv;
}

static void
echo_stream_next(evutil_socket_t fd, short what, void *arg)
{
	struct echo_job *job = arg;
	struct timeval soon = { 0, 100 };
	struct cerr err;

	(void)fd;
	(void)what;
	if (job->count == 0 && !job->forever) {
		grpc_end(job->call);
		echo_job_free(job);
		return;
	}
	if (echo_stream_one(job) == -1) {
		(void)cerr_set(&err, CERR_RESOURCE_EXHAUSTED, "slow reader");
		grpc_fail(job->call, &err);
		echo_job_free(job);
		return;
	}
	if (!job->forever)
		job->count--;
	(void)evtimer_add(job->timer, &soon);
}

static void
echo_stream_images(void *ctx, struct grpc_call *call, const void *request)
{
	const Runtime__V1__StreamImagesRequest *r = request;
	struct echo_job *job = echo_job_new(ctx, call);
	char *end = NULL;

	job->echo->started++;
	if (r->filter != NULL && r->filter->image != NULL) {
		job->count = strtoul(r->filter->image->image, &end, 10);
		if (*end == ':')
			job->size = strtoul(end + 1, NULL, 10);
	}
	job->forever = job->count == 0 && end != NULL;
	grpc_on_cancel(call, echo_job_cancelled, job);
	job->timer = evtimer_new(job->echo->base, echo_stream_next, job);
	event_active(job->timer, EV_TIMEOUT, 0);
}

static void
echo_handle(const char *path, grpc_handler handler)
{
	for (size_t i = 0; i < ECHO_NMETHODS; i++) {
		if (strcmp(echo_methods[i].path, path) == 0)
			echo_methods[i].handler = handler;
	}
}

static int
echo_listen(const char *path)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	(void)snprintf(sun.sun_path, sizeof(sun.sun_path), "%s", path);
	(void)unlink(path);
	if (fd == -1 || bind(fd, (struct sockaddr *)&sun, sizeof(sun)) == -1 ||
	    listen(fd, 1024) == -1)
		fatal("%s", path);
	return fd;
}

static void
echo_stop(evutil_socket_t fd, short what, void *arg)
{
	struct echo *echo = arg;

	(void)fd;
	(void)what;
	grpc_server_stop(echo->server);
	(void)event_base_loopbreak(echo->base);
}

int
main(int argc, char **argv)
{
	struct echo echo = { 0 };
	struct event *term;

	if (argc != 2 && argc != 4)
		return 2;
	log_init("grpc_echo");
	(void)signal(SIGPIPE, SIG_IGN);
	echo_handle("/runtime.v1.RuntimeService/Version", echo_version);
	echo_handle("/runtime.v1.ImageService/ImageStatus", echo_image_status);
	echo_handle("/runtime.v1.ImageService/ListImages", echo_list_images);
	echo_handle("/runtime.v1.ImageService/StreamImages",
	    echo_stream_images);
	echo.base = event_base_new();
	echo.server =
	    grpc_server_new(echo.base, echo_methods, ECHO_NMETHODS, &echo);
	if (argc == 4) {
		echo.server->h2->stall_time = atoi(argv[2]);
		echo.server->h2->idle_time = atoi(argv[3]);
	}
	grpc_server_listen(echo.server, echo_listen(argv[1]));
	term = evsignal_new(echo.base, SIGTERM, echo_stop, &echo);
	(void)event_add(term, NULL);
	(void)printf("ready\n");
	(void)fflush(stdout);
	(void)event_base_dispatch(echo.base);
	grpc_server_free(echo.server);
	event_free(term);
	event_base_free(echo.base);
	return 0;
}
