#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "execd/ctr.h"
#include "execd/mon.h"
#include "execd/runtime.h"
#include "lib/fdio.h"
#include "lib/log.h"

static enum ctr_state
ctr_adopted_state(uint32_t state)
{
	switch (state) {
	case CTR_CREATED:
	case CTR_STARTING:
	case CTR_RUNNING:
	case CTR_EXITED:
		return (enum ctr_state)state;
	default:
		/* Half made or half removed: it goes. */
		return CTR_REMOVING;
	}
}

static void
ctr_adopt_end(struct ctr *c, const Criod__CtrExited *e)
{
	if (e == NULL)
		return;
	c->end.set = true;
	c->end.code = (uint32_t)e->exit_code;
	c->end.finished_at = e->finished_at;
	c->end.oom = e->oom_killed;
	c->end.unknown = e->unknown;
}

static void
ctr_adopt_record(struct ctr *c, const Criod__ExecdCtr *rec)
{
	struct cerr err;

	c->state = ctr_adopted_state(rec->state);
	(void)snprintf(c->pod, sizeof(c->pod), "%s", rec->pod_id);
	if (rec->image_id[0] != '\0')
		c->image = execd_strdup(rec->image_id);
	c->volumes = execd_alloc(rec->n_volumes + 1, sizeof(*c->volumes));
	for (size_t i = 0; i < rec->n_volumes; i++)
		c->volumes[c->nvolumes++] = execd_strdup(rec->volumes[i]);
	c->pid = rec->pid;
	c->start_time = rec->start_time;
	c->started_at = rec->started_at;
	c->frozen = rec->frozen;
	c->log_dir = execd_strdup(rec->log_dir);
	c->log_name = execd_strdup(rec->log_name);
	ctr_adopt_end(c, rec->exit);
	if (c->end.set && c->state != CTR_REMOVING)
		c->state = CTR_EXITED;
	if (runtime_find(c->x, rec->runtime, &c->runtime, &err) == -1)
		log_warn("container %s: %s", c->id, err.text);
}

/*
 * It goes on without us: only its image is held, and its pod not removed, as
 * far as that can be understood.
 */
static void
ctr_adopt_newer(struct ctr *c, int dir)
{
	Criod__ExecdCtr *rec = execd_record_read_newer(dir, CTR_STATE_FILE,
	    &criod__execd_ctr__descriptor);

	log_error("container %s was recorded by a newer version: it is left "
		  "alone",
	    c->id);
	if (rec != NULL) {
		ctr_adopt_record(c, rec);
		EXECD_FREE(rec);
	}
	c->foreign = true;
	c->frozen = false;
	c->state = CTR_RUNNING;
}

/*
 * A container is what its record says.  Without a record that can be read it
 * never was more than a directory, or something is broken: it is removed.
 */
void
ctr_adopt(struct execd *x, const char *id)
{
	struct ctr *c = ctr_new(x, id, "");
	CLEANUP_FD int dir = ctr_open_dir(c);
	Criod__ExecdCtr *rec = NULL;
	struct cerr err = { 0 };

	if (dir == -1)
		(void)cerr_errno(&err, "directory");
	else
		rec = execd_record_read(dir, CTR_STATE_FILE, id,
		    &criod__execd_ctr__descriptor, &err);
	/* At the next start there may be enough of what is short. */
	if (rec == NULL && err.code == CERR_RESOURCE_EXHAUSTED)
		fatalx("container %s: %s", id, err.text);
	if (rec == NULL && err.code == CERR_FAILED_PRECONDITION) {
		ctr_adopt_newer(c, dir);
		return;
	}
	if (rec == NULL) {
		log_warn("container %s: %s; it is removed", id, err.text);
		c->state = CTR_REMOVING;
		return;
	}
	ctr_adopt_record(c, rec);
	EXECD_FREE(rec);
	if (ctr_alive(c))
		mon_connect(c);
}

void
ctr_resume(struct execd *x)
{
	struct ctr *c, *next;

	for (c = LIST_FIRST(&x->ctrs); c != NULL; c = next) {
		next = LIST_NEXT(c, entry);
		if (c->frozen)
			ctr_checkpoint_end(c);
		if (c->state == CTR_REMOVING && c->undo == CTR_UNDO_NONE)
			ctr_remove(c);
		else if (c->orphan)
			mon_bury(c);
		else if (c->state == CTR_STARTING)
			ctr_start_again(c);
	}
}

static void
ctr_announce_image(struct ctr *c, char *image)
{
	Criod__LeaseHave body;

	criod__lease_have__init(&body);
	body.container_id = c->id;
	body.image_id = image;
	(void)link_send(execd_imaged(c->x), MSG_LEASE_HAVE, &body, NULL, 0);
}

/* What imaged must not collect. */
void
ctr_announce(struct execd *x)
{
	struct ctr *c = NULL;
	Criod__LeaseHave body;

	LIST_FOREACH(c, &x->ctrs, entry) {
		if (c->image != NULL)
			ctr_announce_image(c, c->image);
		for (size_t i = 0; i < c->nvolumes; i++)
			ctr_announce_image(c, c->volumes[i]);
	}
	/* One without a container ends the list. */
	criod__lease_have__init(&body);
	(void)link_send(execd_imaged(x), MSG_LEASE_HAVE, &body, NULL, 0);
}
