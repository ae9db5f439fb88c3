#ifndef CRIOD_CRIODCTL_STORE_H
#define CRIOD_CRIODCTL_STORE_H

/* What the image commands ask of criod; all end the program if that fails. */

#include <stdbool.h>
#include <stdint.h>

#include "lib/cerr.h"
#include "proto/msg.pb-c.h"

struct ctl;

/* One image, or NULL for all; the caller's (store_details_free). */
Criod__ImgDetailsAre *store_details(struct ctl *ctl, const char *image,
    bool config);
void store_details_free(Criod__ImgDetailsAre *d);

/* Its first tag or digest, or its id. */
const char *store_name(const Criod__ImgDetail *im);
/* Whether pattern ("x", "x*", "*x*"; NULL: any) means a name of the image. */
bool store_matches(const Criod__ImgDetail *im, const char *pattern);

/* The image's id, which is the caller's; NULL with err. */
char *store_pull(struct ctl *ctl, const char *image, bool quiet,
    struct cerr *err) __attribute__((warn_unused_result));
int store_remove(struct ctl *ctl, const char *image, struct cerr *err)
    __attribute__((warn_unused_result));

/* "12.3 MB" */
const char *store_size(uint64_t bytes, char buf[32]);

#endif
