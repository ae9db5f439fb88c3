#include <stddef.h>

#include "criod/check.h"
#include "criod/check_tab.h"

#define CHECK_SPEC_MAX	   (64U * 1024)
#define CHECK_AUTH_MAX	   (256U * 1024)
#define CHECK_FIELD(field) #field, offsetof(Runtime__V1__ImageSpec, field)

static const struct check_string check_spec[] = {
	{ CHECK_FIELD(image), check_value_reference },
	{ CHECK_FIELD(user_specified_image), check_value_opt_line },
	{ CHECK_FIELD(runtime_handler), check_value_opt_line },
	{ CHECK_FIELD(image_ref), check_value_opt_line },
};

int
check_image(const Runtime__V1__ImageSpec *image, const char *path,
    struct cerr *err)
{
	if (image == NULL)
		return check_fail(err, path, "", "must be given");
	if (protobuf_c_message_get_packed_size(&image->base) > CHECK_SPEC_MAX)
		return check_fail(err, path, "", "larger than 64 KiB");
	return check_strings(image, path, check_spec, CHECK_COUNT(check_spec),
	    err);
}

/* An image without a name filters nothing. */
int
check_image_filter(const Runtime__V1__ImageFilter *f, struct cerr *err)
{
	if (f == NULL || f->image == NULL)
		return 0;
	if (f->image->image[0] == '\0' && f->image->n_annotations == 0)
		return 0;
	return check_image(f->image, "filter.image", err);
}

int
check_pull(const Runtime__V1__PullImageRequest *r, struct cerr *err)
{
	const Runtime__V1__PodSandboxConfig *c = r->sandbox_config;

	if (check_image(r->image, "image", err) == -1)
		return -1;
	if (r->auth != NULL &&
	    protobuf_c_message_get_packed_size(&r->auth->base) > CHECK_AUTH_MAX)
		return check_fail(err, "auth", "", "larger than 256 KiB");
	if (c != NULL && c->metadata != NULL &&
	    protobuf_c_message_get_packed_size(&c->metadata->base) >
		CHECK_SPEC_MAX)
		return check_fail(err, "sandbox_config.metadata", "",
		    "larger than 64 KiB");
	return 0;
}
