#include <event2/buffer.h>

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>

#include <limits.h>
#include <stdlib.h>

#include "lib/log.h"
#include "streamd/tls.h"

#define TLS_RECORD (16 * 1024)

struct tls {
	SSL_CTX *ctx;
};

struct tls_conn {
	SSL *ssl;
	BIO *in, *out; /* the SSL's */
	bool ended;
};

void
tls_init(void)
{
	uint64_t how = OPENSSL_INIT_NO_LOAD_CONFIG | OPENSSL_INIT_NO_ATEXIT;

	if (OPENSSL_init_ssl(how, NULL) != 1)
		fatalx("OpenSSL cannot be used");
}

static int
tls_error(struct cerr *err, const char *what)
{
	const char *reason = ERR_reason_error_string(ERR_peek_last_error());

	(void)cerr_set(err, CERR_INVALID_ARGUMENT, "%s: %s", what,
	    reason != NULL ? reason : "not valid");
	ERR_clear_error();
	return -1;
}

/* For keys with a passphrase: there is nobody to ask. */
static int
tls_no_password(char *buf, int size, int rwflag, void *arg)
{
	(void)buf;
	(void)size;
	(void)rwflag;
	(void)arg;
	return -1;
}

static X509 *
tls_read_cert(BIO *b)
{
	return PEM_read_bio_X509(b, NULL, tls_no_password, NULL);
}

/* The server's own comes first, then those that certify it. */
static int
tls_use_chain(SSL_CTX *ctx, BIO *b)
{
	X509 *x = tls_read_cert(b);
	int ok = x != NULL && SSL_CTX_use_certificate(ctx, x) == 1;

	X509_free(x);
	while (ok && (x = tls_read_cert(b)) != NULL) {
		ok = SSL_CTX_add1_chain_cert(ctx, x) == 1;
		X509_free(x);
	}
	if (ok)
		ERR_clear_error(); /* the end of the file was one */
	return ok ? 0 : -1;
}

static int
tls_use_key(SSL_CTX *ctx, BIO *b)
{
	EVP_PKEY *key = PEM_read_bio_PrivateKey(b, NULL, tls_no_password, NULL);
	bool ok = key != NULL && SSL_CTX_use_PrivateKey(ctx, key) == 1 &&
		  SSL_CTX_check_private_key(ctx) == 1;

	EVP_PKEY_free(key);
	return ok ? 0 : -1;
}

static int
tls_use_ca(SSL_CTX *ctx, BIO *b)
{
	X509_STORE *store = SSL_CTX_get_cert_store(ctx);
	size_t n = 0;
	bool ok = true;
	X509 *x;

	while (ok && (x = tls_read_cert(b)) != NULL) {
		ok = X509_STORE_add_cert(store, x) == 1 &&
		     SSL_CTX_add_client_CA(ctx, x) == 1;
		X509_free(x);
		n++;
	}
	if (!ok || n == 0)
		return -1;
	ERR_clear_error();
	SSL_CTX_set_verify(ctx,
	    SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
	return 0;
}

static int
tls_use(SSL_CTX *ctx, const struct tls_pem *pem, const char *what,
    int (*use)(SSL_CTX *ctx, BIO *b), struct cerr *err)
{
	BIO *b = BIO_new_mem_buf(pem->text, (int)pem->len);
	int result = b == NULL ? -1 : use(ctx, b);

	BIO_free(b);
	return result == -1 ? tls_error(err, what) : 0;
}

static void
tls_set_up(SSL_CTX *ctx)
{
	(void)SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION);
	(void)SSL_CTX_set_options(ctx,
	    SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_TICKET | SSL_OP_NO_COMPRESSION |
		SSL_OP_CIPHER_SERVER_PREFERENCE);
	(void)SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
	(void)SSL_CTX_set_num_tickets(ctx, 0);
	(void)SSL_CTX_set_mode(ctx, SSL_MODE_ENABLE_PARTIAL_WRITE |
					SSL_MODE_RELEASE_BUFFERS |
					SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
}

struct tls *
tls_new(const struct tls_pem *cert, const struct tls_pem *key,
    const struct tls_pem *ca, struct cerr *err)
{
	struct tls *tls = calloc(1, sizeof(*tls));

	if (tls == NULL ||
	    (tls->ctx = SSL_CTX_new(TLS_server_method())) == NULL) {
		(void)tls_error(err, "tls");
		tls_free(tls);
		return NULL;
	}
	tls_set_up(tls->ctx);
	if (tls_use(tls->ctx, cert, "certificate", tls_use_chain, err) == -1 ||
	    tls_use(tls->ctx, key, "key", tls_use_key, err) == -1 ||
	    (ca->text != NULL &&
		tls_use(tls->ctx, ca, "ca", tls_use_ca, err) == -1)) {
		tls_free(tls);
		return NULL;
	}
	return tls;
}

void
tls_free(struct tls *tls)
{
	if (tls == NULL)
		return;
	SSL_CTX_free(tls->ctx);
	free(tls);
}

struct tls_conn *
tls_conn_new(struct tls *tls)
{
	struct tls_conn *c = calloc(1, sizeof(*c));

	if (c == NULL)
		return NULL;
	c->ssl = SSL_new(tls->ctx);
	c->in = BIO_new(BIO_s_mem());
	c->out = BIO_new(BIO_s_mem());
	if (c->ssl == NULL || c->in == NULL || c->out == NULL) {
		BIO_free(c->in);
		BIO_free(c->out);
		SSL_free(c->ssl);
		free(c);
		return NULL;
	}
	(void)BIO_set_mem_eof_return(c->in, -1);
	SSL_set_bio(c->ssl, c->in, c->out);
	SSL_set_accept_state(c->ssl);
	return c;
}

void
tls_conn_free(struct tls_conn *c)
{
	if (c == NULL)
		return;
	SSL_free(c->ssl);
	free(c);
}

/* What SSL_read and SSL_write say when they want more from the socket. */
static int
tls_conn_judge(struct tls_conn *c, int result)
{
	int why = SSL_get_error(c->ssl, result);

	if (why == SSL_ERROR_WANT_READ)
		return 0;
	if (why == SSL_ERROR_ZERO_RETURN) {
		c->ended = true;
		return 0;
	}
	log_debug("tls: %s",
	    ERR_reason_error_string(ERR_peek_last_error()) != NULL
		? ERR_reason_error_string(ERR_peek_last_error())
		: "connection failed");
	return -1;
}

int
tls_conn_receive(struct tls_conn *c, const void *buf, size_t len,
    struct evbuffer *plain)
{
	uint8_t record[TLS_RECORD];
	int n;

	ERR_clear_error();
	if (len > INT_MAX || BIO_write(c->in, buf, (int)len) != (int)len)
		return -1;
	while ((n = SSL_read(c->ssl, record, sizeof(record))) > 0) {
		if (evbuffer_add(plain, record, (size_t)n) == -1)
			return -1;
	}
	return tls_conn_judge(c, n);
}

bool
tls_conn_ended(const struct tls_conn *c)
{
	return c->ended;
}

static int
tls_conn_collect(struct tls_conn *c, struct evbuffer *raw)
{
	uint8_t buf[TLS_RECORD];
	int n;

	while ((n = BIO_read(c->out, buf, sizeof(buf))) > 0) {
		if (evbuffer_add(raw, buf, (size_t)n) == -1)
			return -1;
	}
	return 0;
}

int
tls_conn_send(struct tls_conn *c, struct evbuffer *plain, struct evbuffer *raw)
{
	int result = 0;

	ERR_clear_error();
	while (result == 0 && SSL_is_init_finished(c->ssl) &&
	       evbuffer_get_length(plain) > 0) {
		size_t len = evbuffer_get_length(plain);
		int n;

		if (len > TLS_RECORD)
			len = TLS_RECORD;
		n = SSL_write(c->ssl, evbuffer_pullup(plain, (ssize_t)len),
		    (int)len);
		if (n > 0)
			(void)evbuffer_drain(plain, (size_t)n);
		else
			result = -1;
	}
	return tls_conn_collect(c, raw) == -1 ? -1 : result;
}

void
tls_conn_end(struct tls_conn *c)
{
	ERR_clear_error();
	if (SSL_is_init_finished(c->ssl))
		(void)SSL_shutdown(c->ssl);
}
