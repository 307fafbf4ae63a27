#ifndef VERIFY_H
#define VERIFY_H

#include "token.h"

#include <stddef.h>

struct verifier;

/* A public key from a file that holds its SubjectPublicKeyInfo in DER. */
struct verifier *verifier_open(const char *path, enum algorithm algorithm);

/* All of the public keys that stand one after the other in a file. */
struct verifier **verifiers_open(const char *path, enum algorithm algorithm, int *count);

/* Whether this is the key's signature of the data, under SHA-256. That of ES256 is R and S, 32 bytes each. */
int verifier_accepts(const struct verifier *verifier, const void *data, size_t size, const unsigned char *signature,
                     size_t length);
int verifier_accepts_digest(const struct verifier *verifier, const unsigned char *digest,
                            const unsigned char *signature, size_t length);

void sha256(const void *data, size_t size, unsigned char *digest);

/* Base64url without padding. The first returns how many characters it wrote, the second how many bytes, or 0 for text
   that is not. */
size_t base64url_encode(const unsigned char *bytes, size_t count, char *text);
size_t base64url_decode(const char *text, size_t count, unsigned char *bytes);

#endif
