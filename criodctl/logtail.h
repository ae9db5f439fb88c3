#ifndef CRIOD_CRIODCTL_LOGTAIL_H
#define CRIOD_CRIODCTL_LOGTAIL_H

/*
 * Follows a CRI log file ("STAMP STREAM TAG TEXT"): text goes to standard
 * output or standard error as its stream says.
 */

struct logtail;

struct logtail *logtail_new(const char *path); /* NULL without memory */
void logtail_free(struct logtail *t);
/* Prints what has come since.  The file need not exist yet. */
void logtail_poll(struct logtail *t);

#endif
