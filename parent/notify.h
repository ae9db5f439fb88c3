#ifndef CRIOD_PARENT_NOTIFY_H
#define CRIOD_PARENT_NOTIFY_H

/*
 * The service manager's notification socket (sd_notify(3) describes the
 * protocol): datagrams of NAME=VALUE lines.  All are no-ops without one.
 */

/* Takes NOTIFY_SOCKET out of the environment. */
void notify_init(void);
void notify_ready(void);
void notify_reloading(void);
void notify_stopping(void);

#endif
