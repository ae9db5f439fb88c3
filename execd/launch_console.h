#ifndef CRIOD_EXECD_LAUNCH_CONSOLE_H
#define CRIOD_EXECD_LAUNCH_CONSOLE_H

/*
 * Where a runtime leaves the master of the terminal that it made for a
 * command: a socket in the launcher's scratch directory.
 */

#include "execd/launch.h"
#include "lib/id.h"

#define CONSOLE_NAME_SIZE (ID_SIZE + 4)

struct console {
	int listen; /* -1: none */
	int dir;
	char name[CONSOLE_NAME_SIZE];
	char path[108]; /* for --console-socket; fits a sockaddr_un */
};

int console_open(struct console *c, const struct launch *l, const char *exec,
    struct cerr *err) __attribute__((warn_unused_result));
/* Once the runtime has ended: the terminal, the caller's; -1 with err. */
int console_take(const struct console *c, struct cerr *err)
    __attribute__((warn_unused_result));
/* Removes it; nothing if there is none. */
void console_close(struct console *c);

#endif
