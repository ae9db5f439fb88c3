#ifndef CRIOD_PARENT_NOTIFY_H
#define CRIOD_PARENT_NOTIFY_H

/*
 * The service manager's notification socket (sd_notify(3) describes the
 * protocol): datagrams of NAME=VALUE lines.  All are no-ops without one.
 */

#include <stdint.h>

/* Takes NOTIFY_SOCKET, WATCHDOG_USEC and _PID out of the environment. */
void notify_init(void);
void notify_ready(void);
void notify_reloading(void);
void notify_stopping(void);
/* The service is well; to be said more often than each notify_watchdog_ms
 * milliseconds, if that is not 0. */
void notify_watchdog(void);
int64_t notify_watchdog_ms(void);

#endif
