#ifndef CRIOD_CRIODCTL_POD_H
#define CRIOD_CRIODCTL_POD_H

struct ctl;

/* Stops and removes a pod; failures are printed.  -1 if any. */
int pod_remove(struct ctl *ctl, char *id);

#endif
