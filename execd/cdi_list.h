#ifndef CRIOD_EXECD_CDI_LIST_H
#define CRIOD_EXECD_CDI_LIST_H

/*
 * The files of the CDI directories in one piece: of each a line "SIZE PATH",
 * SIZE bytes, and an end of line.  Directories come in the order of the
 * configuration, a later one is looked at first.  A file that is not
 * trusted, not read or too large has a reason instead: "! PATH: REASON".
 */

#include <stddef.h>

#include "lib/cerr.h"

#define CDI_DIRS_MAX 16
#define CDI_FILES    256 /* of all directories */
#define CDI_FILE_MAX (1024U * 1024)
#define CDI_LIST_MAX (8U * 1024 * 1024)

/* A sealed memfd, the caller's; -1 with err. */
int cdi_list_make(const char *const *dirs, size_t n, struct cerr *err)
    __attribute__((warn_unused_result));

#endif
