#ifndef CRIOD_CRIOD_METHODS_H
#define CRIOD_CRIOD_METHODS_H

/*
 * The CRI as a table, made from criod/method_table.h, where each call's
 * handler is named.  The handlers are declared here and written in
 * criod/'s files of calls.
 */

#include "criod/grpc.h"

#define METHOD(service, rpc, request, response, kind, handler)                 \
	void handler(void *ctx, struct grpc_call *call, const void *request_);
#define METHOD_NONE(service, rpc, request, response, kind)
#include "criod/method_table.h"
#undef METHOD
#undef METHOD_NONE

extern const struct grpc_method methods_cri[];
extern const size_t methods_cri_count;

#endif
