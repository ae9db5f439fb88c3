#include "criod/methods.h"
#include "proto/cri.pb-c.h"

#define METHOD(service, rpc, req, resp, how, fn)                               \
	{                                                                      \
		.path = "/runtime.v1." #service "/" #rpc,                      \
		.request = &runtime__v1__##req##__descriptor,                  \
		.response = &runtime__v1__##resp##__descriptor,                \
		.kind = how,                                                   \
		.handler = fn,                                                 \
	},
#define METHOD_NONE(service, rpc, req, resp, how)                              \
	METHOD(service, rpc, req, resp, how, NULL)

const struct grpc_method methods_cri[] = {
#include "criod/method_table.h"
};

const size_t methods_cri_count = sizeof(methods_cri) / sizeof(methods_cri[0]);
