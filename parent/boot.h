#ifndef CRIOD_PARENT_BOOT_H
#define CRIOD_PARENT_BOOT_H

/*
 * The parts of BOOT and the arguments, for the role table.  What is hung
 * into a BOOT is on the heap, as protobuf-c's unpack would leave it.
 */

#include "lib/cerr.h"

struct Criod__Boot;
struct plan_args;
struct plan_facts;

int boot_front(struct Criod__Boot *boot, const struct plan_facts *f,
    struct cerr *err);
int boot_streamd(struct Criod__Boot *boot, const struct plan_facts *f,
    struct cerr *err);
int boot_imaged(struct Criod__Boot *boot, const struct plan_facts *f,
    struct cerr *err);
int boot_netd(struct Criod__Boot *boot, const struct plan_facts *f,
    struct cerr *err);
int boot_execd(struct Criod__Boot *boot, const struct plan_facts *f,
    struct cerr *err);

int boot_nrid(struct Criod__Boot *boot, const struct plan_facts *f,
    struct cerr *err);
int boot_nothing(struct Criod__Boot *boot, const struct plan_facts *f,
    struct cerr *err);

void boot_execlaunch_args(struct plan_args *a, const struct plan_facts *f);
void boot_netlaunch_args(struct plan_args *a, const struct plan_facts *f);
void boot_unpack_args(struct plan_args *a, const struct plan_facts *f);

#endif
