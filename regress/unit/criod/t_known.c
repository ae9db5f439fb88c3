/* What the front knows of images. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "criod/front.h"
#include "criod/known.h"
#include "criod/pb.h"

static struct known k;

static void
tell(Criod__ImgNews__What what, const char *gone, const char *const *ids)
{
	Criod__ImgNews news = CRIOD__IMG_NEWS__INIT;
	Runtime__V1__Image images[8], *list[8];
	char *one = pb_str(gone);

	news.what = what;
	news.gone = &one;
	news.n_gone = gone != NULL;
	news.images = list;
	for (; ids != NULL && ids[news.n_images] != NULL; news.n_images++) {
		list[news.n_images] = &images[news.n_images];
		runtime__v1__image__init(list[news.n_images]);
		list[news.n_images]->id = pb_str(ids[news.n_images]);
	}
	known_take(&k, &news);
}

static void
knows(const char *ids)
{
	char all[64] = "";

	for (size_t i = 0; i < k.n; i++)
		(void)strncat(all, k.images[i]->id,
		    sizeof(all) - strlen(all) - 1);
	assert_string_equal(all, ids);
}

static int
forget(void **state)
{
	(void)state;
	known_forget(&k);
	return 0;
}

static void
changes_are_in_order(void **state)
{
	(void)state;
	tell(CRIOD__IMG_NEWS__WHAT__ALL, NULL,
	    (const char *[]){ "c", "a", NULL });
	assert_true(k.complete);
	knows("ac");
	tell(CRIOD__IMG_NEWS__WHAT__CHANGES, "c",
	    (const char *[]){ "b", "a", "d", NULL });
	knows("abd");
	/* Gone and there again, as of one message. */
	tell(CRIOD__IMG_NEWS__WHAT__CHANGES, "a",
	    (const char *[]){ "a", NULL });
	knows("abd");
	tell(CRIOD__IMG_NEWS__WHAT__CHANGES, "z", NULL);
	knows("abd");
	tell(CRIOD__IMG_NEWS__WHAT__ALL, NULL, (const char *[]){ "x", NULL });
	knows("x");
}

static void
nothing_is_believed_before_all(void **state)
{
	(void)state;
	tell(CRIOD__IMG_NEWS__WHAT__CHANGES, NULL,
	    (const char *[]){ "a", NULL });
	assert_false(k.complete);
	knows("");
	tell(CRIOD__IMG_NEWS__WHAT__ALL, NULL, NULL);
	assert_true(k.complete);
	tell(CRIOD__IMG_NEWS__WHAT__ASK, NULL, NULL);
	assert_false(k.complete);
	assert_null(k.fs);
}

/* An imaged that tells more and more. */
static void
it_is_bounded(void **state)
{
	Criod__ImgNews news = CRIOD__IMG_NEWS__INIT;
	Runtime__V1__Image image = RUNTIME__V1__IMAGE__INIT, *one = &image;
	char *big = calloc(1, KNOWN_BYTES_MAX / 8), id[16];

	(void)state;
	assert_non_null(big);
	memset(big, 'x', KNOWN_BYTES_MAX / 8 - 1);
	tell(CRIOD__IMG_NEWS__WHAT__ALL, NULL, NULL);
	image.id = id;
	image.username = big;
	news.images = &one;
	news.n_images = 1;
	for (int i = 0; i < 9; i++) {
		assert_int_equal(k.complete, i < 8);
		(void)snprintf(id, sizeof(id), "%d", i);
		known_take(&k, &news);
		assert_true(k.bytes <= KNOWN_BYTES_MAX);
	}
	knows("");
	free(big);
}

static void
usage_is_kept(void **state)
{
	Criod__ImgNews news = CRIOD__IMG_NEWS__INIT;
	Runtime__V1__ImageFsInfoResponse fs =
	    RUNTIME__V1__IMAGE_FS_INFO_RESPONSE__INIT;

	(void)state;
	news.fs = &fs;
	known_take(&k, &news);
	assert_non_null(k.fs);
	tell(CRIOD__IMG_NEWS__WHAT__CHANGES, NULL, NULL);
	assert_non_null(k.fs);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(changes_are_in_order, forget),
		cmocka_unit_test_teardown(nothing_is_believed_before_all,
		    forget),
		cmocka_unit_test_teardown(it_is_bounded, forget),
		cmocka_unit_test_teardown(usage_is_kept, forget),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
