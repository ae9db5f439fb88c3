/*
 * "criodctl run": one pod with one container, its output on the terminal,
 * everything removed after.
 */
#include <err.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "criodctl/criodctl.h"
#include "criodctl/ctl.h"
#include "criodctl/logtail.h"
#include "criodctl/pod.h"
#include "lib/id.h"
#include "proto/cri.pb-c.h"

#define RUN_POLL_MS 20
#define RUN_LOG	    "0.log"

struct run {
	struct ctl *ctl;
	char uid[37];
	char log_dir[64];
	char log_path[80];
	char *pod, *ctr;
	Runtime__V1__PodSandboxMetadata pod_meta;
	Runtime__V1__NamespaceOption ns;
	Runtime__V1__LinuxSandboxSecurityContext pod_sc;
	Runtime__V1__LinuxPodSandboxConfig pod_linux;
	Runtime__V1__PodSandboxConfig pod_config;
	Runtime__V1__ContainerMetadata ctr_meta;
	Runtime__V1__ImageSpec image;
	Runtime__V1__LinuxContainerSecurityContext ctr_sc;
	Runtime__V1__LinuxContainerConfig ctr_linux;
	Runtime__V1__ContainerConfig ctr_config;
	int exit_code;
};

static volatile sig_atomic_t run_interrupted;

static void
run_interrupt(int sig)
{
	(void)sig;
	run_interrupted = 1;
}

static void
run_fill_pod(struct run *r, bool host_network)
{
	static char name[] = "criodctl-run", namespace[] = "criodctl";

	runtime__v1__pod_sandbox_metadata__init(&r->pod_meta);
	runtime__v1__namespace_option__init(&r->ns);
	runtime__v1__linux_sandbox_security_context__init(&r->pod_sc);
	runtime__v1__linux_pod_sandbox_config__init(&r->pod_linux);
	runtime__v1__pod_sandbox_config__init(&r->pod_config);
	r->pod_meta.name = name;
	r->pod_meta.namespace_ = namespace;
	r->pod_meta.uid = r->uid;
	r->ns.network = host_network ? RUNTIME__V1__NAMESPACE_MODE__NODE
				     : RUNTIME__V1__NAMESPACE_MODE__POD;
	r->ns.pid = RUNTIME__V1__NAMESPACE_MODE__CONTAINER;
	r->pod_sc.namespace_options = &r->ns;
	r->pod_linux.security_context = &r->pod_sc;
	r->pod_config.metadata = &r->pod_meta;
	r->pod_config.log_directory = r->log_dir;
	r->pod_config.linux = &r->pod_linux;
	if (!host_network)
		r->pod_config.hostname = name;
}

static void
run_fill_ctr(struct run *r, char *image, int argc, char **argv)
{
	static char name[] = "run", log[] = RUN_LOG;

	runtime__v1__container_metadata__init(&r->ctr_meta);
	runtime__v1__image_spec__init(&r->image);
	runtime__v1__linux_container_security_context__init(&r->ctr_sc);
	runtime__v1__linux_container_config__init(&r->ctr_linux);
	runtime__v1__container_config__init(&r->ctr_config);
	r->ctr_meta.name = name;
	r->image.image = image;
	r->ctr_sc.namespace_options = &r->ns;
	r->ctr_linux.security_context = &r->ctr_sc;
	r->ctr_config.metadata = &r->ctr_meta;
	r->ctr_config.image = &r->image;
	r->ctr_config.log_path = log;
	r->ctr_config.linux = &r->ctr_linux;
	r->ctr_config.n_command = (size_t)argc;
	r->ctr_config.command = argv;
}

/* The image is pulled unless it is here. */
static int
run_need_image(struct run *r, struct cerr *err)
{
	Runtime__V1__ImageStatusRequest ask;
	Runtime__V1__PullImageRequest pull;
	ProtobufCMessage *msg;
	bool here;

	runtime__v1__image_status_request__init(&ask);
	runtime__v1__pull_image_request__init(&pull);
	ask.image = pull.image = &r->image;
	if (ctl_call(r->ctl, "ImageService/ImageStatus", &ask.base,
		&runtime__v1__image_status_response__descriptor, &msg,
		err) == -1)
		return -1;
	here = ((Runtime__V1__ImageStatusResponse *)msg)->image != NULL;
	protobuf_c_message_free_unpacked(msg, NULL);
	if (here)
		return 0;
	return ctl_call(r->ctl, "ImageService/PullImage", &pull.base,
	    &runtime__v1__pull_image_response__descriptor, NULL, err);
}

static int
run_start(struct run *r, struct cerr *err)
{
	Runtime__V1__RunPodSandboxRequest pod;
	Runtime__V1__CreateContainerRequest ctr;
	Runtime__V1__StartContainerRequest start;
	ProtobufCMessage *msg;

	runtime__v1__run_pod_sandbox_request__init(&pod);
	runtime__v1__create_container_request__init(&ctr);
	runtime__v1__start_container_request__init(&start);
	pod.config = &r->pod_config;
	if (ctl_call(r->ctl, "RuntimeService/RunPodSandbox", &pod.base,
		&runtime__v1__run_pod_sandbox_response__descriptor, &msg,
		err) == -1)
		return -1;
	r->pod =
	    strdup(((Runtime__V1__RunPodSandboxResponse *)msg)->pod_sandbox_id);
	protobuf_c_message_free_unpacked(msg, NULL);
	ctr.pod_sandbox_id = r->pod;
	ctr.config = &r->ctr_config;
	ctr.sandbox_config = &r->pod_config;
	if (ctl_call(r->ctl, "RuntimeService/CreateContainer", &ctr.base,
		&runtime__v1__create_container_response__descriptor, &msg,
		err) == -1)
		return -1;
	r->ctr =
	    strdup(((Runtime__V1__CreateContainerResponse *)msg)->container_id);
	protobuf_c_message_free_unpacked(msg, NULL);
	start.container_id = r->ctr;
	return ctl_call(r->ctl, "RuntimeService/StartContainer", &start.base,
	    &runtime__v1__start_container_response__descriptor, NULL, err);
}

/* 1 once the container has exited, 0 before, -1 on error. */
static int
run_exited(struct run *r, struct cerr *err)
{
	Runtime__V1__ContainerStatusRequest ask;
	const Runtime__V1__ContainerStatus *st;
	ProtobufCMessage *msg;
	int exited;

	runtime__v1__container_status_request__init(&ask);
	ask.container_id = r->ctr;
	if (ctl_call(r->ctl, "RuntimeService/ContainerStatus", &ask.base,
		&runtime__v1__container_status_response__descriptor, &msg,
		err) == -1)
		return -1;
	st = ((Runtime__V1__ContainerStatusResponse *)msg)->status;
	exited = st->state == RUNTIME__V1__CONTAINER_STATE__CONTAINER_EXITED;
	r->exit_code = st->exit_code;
	protobuf_c_message_free_unpacked(msg, NULL);
	return exited;
}

static int
run_follow(struct run *r, struct cerr *err)
{
	const struct timespec pause = { 0, RUN_POLL_MS * 1000000L };
	struct logtail *t = logtail_new(r->log_path);
	int exited = 0;

	if (t == NULL)
		return cerr_errno(err, "malloc");
	while (exited == 0 && !run_interrupted) {
		exited = run_exited(r, err);
		logtail_poll(t);
		if (exited == 0)
			(void)nanosleep(&pause, NULL);
	}
	logtail_poll(t);
	logtail_free(t);
	if (run_interrupted)
		r->exit_code = 130;
	return exited == -1 ? -1 : 0;
}

/* Whatever happened before. */
static void
run_clean(struct run *r)
{
	if (r->pod != NULL)
		(void)pod_remove(r->ctl, r->pod);
	(void)unlink(r->log_path);
	(void)rmdir(r->log_dir);
	free(r->pod);
	free(r->ctr);
}

static void
run_prepare(struct run *r)
{
	char id[ID_SIZE];

	id_new(id);
	(void)snprintf(r->uid, sizeof(r->uid), "%.8s-%.4s-%.4s-%.4s-%.12s", id,
	    id + 8, id + 12, id + 16, id + 20);
	(void)snprintf(r->log_dir, sizeof(r->log_dir), "/tmp/criodctl.XXXXXX");
	if (mkdtemp(r->log_dir) == NULL)
		err(1, "%s", r->log_dir);
	(void)snprintf(r->log_path, sizeof(r->log_path), "%s/" RUN_LOG,
	    r->log_dir);
	(void)signal(SIGINT, run_interrupt);
	(void)signal(SIGTERM, run_interrupt);
}

int
run_main(struct ctl *ctl, int argc, char **argv)
{
	struct run r = { .ctl = ctl };
	bool host_network = false;
	struct cerr err;
	int c, rc;

	while ((c = getopt(argc, argv, "+H")) != -1) {
		if (c != 'H')
			return 2;
		host_network = true;
	}
	if (optind == argc)
		errx(2, "run: which image?");
	run_prepare(&r);
	run_fill_pod(&r, host_network);
	run_fill_ctr(&r, argv[optind], argc - optind - 1, argv + optind + 1);
	rc = run_need_image(&r, &err);
	if (rc == 0)
		rc = run_start(&r, &err);
	if (rc == 0)
		rc = run_follow(&r, &err);
	if (rc == -1)
		warnx("%s: %s", cerr_name(err.code), err.text);
	run_clean(&r);
	return rc == -1 ? 1 : r.exit_code;
}
