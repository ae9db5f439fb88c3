#include <stdlib.h>
#include <string.h>

#include "lib/fdio.h"
#include "lib/log.h"
#include "streamd/certs.h"
#include "streamd/tls.h"

struct certs {
	bool client_ca;
	struct tls_pem pem[CERTS_NKINDS];
};

struct certs *
certs_new(bool client_ca)
{
	struct certs *c = calloc(1, sizeof(*c));

	if (c == NULL)
		fatalx("certs_new: out of memory");
	c->client_ca = client_ca;
	return c;
}

/* One of them is a private key. */
static void
certs_forget(struct tls_pem *pem)
{
	if (pem->text != NULL)
		explicit_bzero(pem->text, pem->len);
	free(pem->text);
	pem->text = NULL;
	pem->len = 0;
}

static int
certs_read(struct tls_pem *pem, int fd, struct cerr *err)
{
	ssize_t n;

	certs_forget(pem);
	pem->len = TLS_PEM_MAX + 1;
	pem->text = malloc(pem->len);
	if (pem->text == NULL)
		return cerr_errno(err, "tls");
	n = fdio_read_upto(fd, pem->text, pem->len);
	if (n == -1)
		return cerr_errno(err, "tls");
	if (n > (ssize_t)TLS_PEM_MAX)
		return cerr_set(err, CERR_INVALID_ARGUMENT,
		    "more than %u bytes of certificates", TLS_PEM_MAX);
	pem->len = (size_t)n;
	return 0;
}

static bool
certs_complete(const struct certs *c)
{
	return c->pem[CERTS_CERT].text != NULL &&
	       c->pem[CERTS_KEY].text != NULL &&
	       (!c->client_ca || c->pem[CERTS_CA].text != NULL);
}

int
certs_take(struct certs *c, enum certs_kind kind, int fd, struct tls **tls,
    struct cerr *err)
{
	int result = certs_read(&c->pem[kind], fd, err);

	if (result == 0 && !certs_complete(c))
		return 0;
	if (result == 0) {
		*tls = tls_new(&c->pem[CERTS_CERT], &c->pem[CERTS_KEY],
		    &c->pem[CERTS_CA], err);
		result = *tls == NULL ? -1 : 1;
	}
	for (size_t i = 0; i < CERTS_NKINDS; i++)
		certs_forget(&c->pem[i]);
	return result;
}
