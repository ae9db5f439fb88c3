#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "nrid/merge.h"

#define ID "container"

static struct pballoc mem;
static struct merge m;
static Nri__Container view;
static struct cerr err;

static int
setup(void **state)
{
	(void)state;
	pballoc_init(&mem, 4 << 20);
	memset(&err, 0, sizeof(err));
	nri__container__init(&view);
	assert_int_equal(merge_init(&m, &mem, ID), 0);
	m.view = &view;
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	pballoc_clear(&mem);
	return 0;
}

static char *
text(const char *s)
{
	char *copy = merge_alloc(&mem, strlen(s) + 1, 1);

	strcpy(copy, s);
	return copy;
}

#define MAKE(var, kind, init)                                                  \
	kind *var = merge_alloc(&mem, 1, sizeof(*var));                        \
	init(var)

static Nri__ContainerAdjustment *
env(const char *key, const char *value)
{
	MAKE(a, Nri__ContainerAdjustment, nri__container_adjustment__init);
	MAKE(kv, Nri__KeyValue, nri__key_value__init);

	kv->key = text(key);
	kv->value = text(value);
	a->env = merge_alloc(&mem, 1, sizeof(*a->env));
	a->env[a->n_env++] = kv;
	return a;
}

static Nri__ContainerAdjustment *
mount(const char *to, const char *from)
{
	MAKE(a, Nri__ContainerAdjustment, nri__container_adjustment__init);
	MAKE(mnt, Nri__Mount, nri__mount__init);

	mnt->destination = text(to);
	mnt->source = text(from);
	a->mounts = merge_alloc(&mem, 1, sizeof(*a->mounts));
	a->mounts[a->n_mounts++] = mnt;
	return a;
}

static Nri__LinuxResources *
limit(int64_t bytes)
{
	MAKE(r, Nri__LinuxResources, nri__linux_resources__init);

	r->memory = merge_alloc(&mem, 1, sizeof(*r->memory));
	nri__linux_memory__init(r->memory);
	r->memory->limit = merge_alloc(&mem, 1, sizeof(*r->memory->limit));
	nri__optional_int64__init(r->memory->limit);
	r->memory->limit->value = bytes;
	return r;
}

static Nri__ContainerAdjustment *
memory(int64_t bytes)
{
	MAKE(a, Nri__ContainerAdjustment, nri__container_adjustment__init);

	a->linux = merge_alloc(&mem, 1, sizeof(*a->linux));
	nri__linux_container_adjustment__init(a->linux);
	a->linux->resources = limit(bytes);
	return a;
}

static void
test_sum(void **state)
{
	(void)state;
	assert_int_equal(merge_adjust(&m, "1-a", env("A", "1"), &err), 0);
	assert_int_equal(merge_adjust(&m, "2-b", env("B", "2"), &err), 0);
	assert_int_equal(merge_adjust(&m, "2-b", mount("/m", "/s"), &err), 0);
	assert_int_equal(merge_adjust(&m, "3-c", memory(5), &err), 0);
	assert_int_equal(merge_adjust(&m, "4-d", NULL, &err), 0);
	assert_int_equal(m.adjust->n_env, 2);
	assert_int_equal(m.adjust->n_mounts, 1);
	assert_int_equal(m.adjust->linux->resources->memory->limit->value, 5);
	assert_int_equal(view.n_env, 2);
	assert_string_equal(view.env[0], "A=1");
	assert_int_equal(view.n_mounts, 1);
	assert_int_equal(view.linux->resources->memory->limit->value, 5);
}

static void
test_conflicts(void **state)
{
	(void)state;
	assert_int_equal(merge_adjust(&m, "1-a", env("A", "1"), &err), 0);
	assert_int_equal(merge_adjust(&m, "2-b", env("A", "1"), &err), -1);
	assert_int_equal(err.code, CERR_ABORTED);
	assert_int_equal(merge_adjust(&m, "1-a", mount("/m", "/s"), &err), 0);
	assert_int_equal(merge_adjust(&m, "2-b", mount("/m", "/t"), &err), -1);
	assert_int_equal(merge_adjust(&m, "1-a", memory(5), &err), 0);
	assert_int_equal(merge_adjust(&m, "2-b", memory(6), &err), -1);
	/* Its own again is no conflict. */
	assert_int_equal(merge_adjust(&m, "1-a", memory(7), &err), 0);
}

/* Who takes it away first may set it. */
static void
test_removal(void **state)
{
	Nri__ContainerAdjustment *a;

	(void)state;
	assert_int_equal(merge_adjust(&m, "1-a", mount("/m", "/s"), &err), 0);
	assert_int_equal(merge_adjust(&m, "2-b", mount("-/m", ""), &err), 0);
	assert_int_equal(view.n_mounts, 0);
	assert_int_equal(m.adjust->n_mounts, 1);
	assert_string_equal(m.adjust->mounts[0]->destination, "-/m");
	assert_int_equal(merge_adjust(&m, "2-b", mount("/m", "/t"), &err), 0);
	assert_int_equal(view.n_mounts, 1);
	assert_string_equal(view.mounts[0]->source, "/t");
	assert_int_equal(merge_adjust(&m, "3-c", mount("/m", "/u"), &err), -1);
	/* Both in one, in the wrong order. */
	a = env("X", "1");
	assert_int_equal(merge_adjust(&m, "1-a", a, &err), 0);
	a = env("X", "2");
	a->n_env = 2;
	a->env = merge_alloc(&mem, 2, sizeof(*a->env));
	a->env[0] = env("X", "2")->env[0];
	a->env[1] = env("-X", "")->env[0];
	assert_int_equal(merge_adjust(&m, "2-b", a, &err), 0);
	assert_int_equal(merge_adjust(&m, "2-b", env("-", ""), &err), -1);
}

static void
test_args(void **state)
{
	MAKE(a, Nri__ContainerAdjustment, nri__container_adjustment__init);
	MAKE(b, Nri__ContainerAdjustment, nri__container_adjustment__init);
	char *one[] = { text("one") }, *two[] = { text(""), text("two") };

	(void)state;
	a->args = one;
	a->n_args = 1;
	b->args = two + 1;
	b->n_args = 1;
	assert_int_equal(merge_adjust(&m, "1-a", a, &err), 0);
	assert_int_equal(merge_adjust(&m, "2-b", b, &err), -1);
	b->args = two;
	b->n_args = 2;
	assert_int_equal(merge_adjust(&m, "2-b", b, &err), 0);
	assert_int_equal(m.adjust->n_args, 1);
	assert_string_equal(m.adjust->args[0], "two");
	b->n_args = 1;
	assert_int_equal(merge_adjust(&m, "2-b", b, &err), -1);
}

static Nri__ContainerUpdate *
update(const char *id, int64_t bytes, bool ignore)
{
	MAKE(u, Nri__ContainerUpdate, nri__container_update__init);

	u->container_id = text(id);
	u->ignore_failure = ignore;
	u->linux = merge_alloc(&mem, 1, sizeof(*u->linux));
	nri__linux_container_update__init(u->linux);
	u->linux->resources = limit(bytes);
	return u;
}

static void
test_updates(void **state)
{
	Nri__ContainerUpdate *u[] = { update("other", 5, false),
		update("third", 6, true) };
	Nri__ContainerUpdate *again = update("other", 7, false);
	Nri__ContainerUpdate *own = update(ID, 8, false);

	(void)state;
	assert_int_equal(merge_updates(&m, "1-a", u, 2, &err), 0);
	assert_int_equal(m.nupdates, 2);
	assert_true(m.updates[1]->ignore_failure);
	assert_int_equal(merge_updates(&m, "2-b", &again, 1, &err), -1);
	again->ignore_failure = true;
	assert_int_equal(merge_updates(&m, "2-b", &again, 1, &err), 0);
	assert_int_equal(m.updates[0]->linux->resources->memory->limit->value,
	    5);
	assert_int_equal(merge_updates(&m, "2-b", &own, 1, &err), -1);
	m.asked = limit(1);
	assert_int_equal(merge_updates(&m, "2-b", &own, 1, &err), 0);
	assert_int_equal(m.asked->memory->limit->value, 8);
}

static void
test_owners(void **state)
{
	Nri__OwningPlugins *all;
	Nri__FieldOwners *o;

	(void)state;
	assert_int_equal(merge_adjust(&m, "1-a", env("A", "1"), &err), 0);
	assert_int_equal(merge_adjust(&m, "2-b", env("B", "1"), &err), 0);
	assert_int_equal(merge_adjust(&m, "2-b", memory(5), &err), 0);
	all = merge_owners(&m);
	assert_non_null(all);
	assert_int_equal(all->n_owners, 1);
	assert_string_equal(all->owners[0]->key, ID);
	o = all->owners[0]->value;
	assert_int_equal(o->n_simple, 1);
	assert_int_equal(o->simple[0]->key, NRI__FIELD__MemLimit);
	assert_string_equal(o->simple[0]->value, "2-b");
	assert_int_equal(o->n_compound, 1);
	assert_int_equal(o->compound[0]->value->n_owners, 2);
}

/* What a plugin may cost is bounded; it is told. */
static void
test_bounds(void **state)
{
	char key[16] = "K";
	int rv = 0;

	(void)state;
	for (int i = 0; i < 20000 && rv == 0; i++) {
		key[1] = (char)('a' + i % 26);
		key[2] = (char)('a' + i / 26 % 26);
		key[3] = (char)('a' + i / 676 % 26);
		key[4] = (char)('a' + i / 17576 % 26);
		rv = merge_adjust(&m, "1-a", mount(key, "/s"), &err);
	}
	assert_int_equal(rv, -1);
	assert_int_equal(err.code, CERR_RESOURCE_EXHAUSTED);
	assert_true(mem.used <= mem.budget);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_sum, setup, teardown),
		cmocka_unit_test_setup_teardown(test_conflicts, setup,
		    teardown),
		cmocka_unit_test_setup_teardown(test_removal, setup, teardown),
		cmocka_unit_test_setup_teardown(test_args, setup, teardown),
		cmocka_unit_test_setup_teardown(test_updates, setup, teardown),
		cmocka_unit_test_setup_teardown(test_owners, setup, teardown),
		cmocka_unit_test_setup_teardown(test_bounds, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
