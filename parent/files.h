#ifndef CRIOD_PARENT_FILES_H
#define CRIOD_PARENT_FILES_H

/*
 * Files of the administrator's that helpers need and cannot reach.  They are
 * opened here and read there.
 */

#include <stdbool.h>

struct conf;
struct dirent;
struct link;

#define FILES_KINDS	  7 /* of criod.File.Kind */
#define FILES_CNI_MAX	  64
#define FILES_WAITING_MAX 192 /* descriptors that a helper leaves unread */

/*
 * Sends what there is of kind.  What cannot be opened is logged, unless a
 * helper asks again, which it may do often.
 */
void files_send(struct link *link, const struct conf *c, unsigned int kind,
    bool again);

/* For scandir: in the order of bytes, whatever the locale. */
int files_compare(const struct dirent **a, const struct dirent **b);
/* Of root's, and writable by no other; logged if not, unless again. */
bool files_dir_trusted(int fd, const char *path, bool again);

#endif
