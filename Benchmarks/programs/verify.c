#include "verify.h"

#include <openssl/bn.h>
#include <openssl/ecdsa.h>
#include <openssl/evp.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct verifier {
    EVP_PKEY *key;
    enum algorithm algorithm;
};

struct verifier **verifiers_open(const char *path, enum algorithm algorithm, int *count) {
    struct verifier **verifiers = NULL;
    FILE *file = fopen(path, "r");
    *count = 0;
    for (EVP_PKEY *key; file && (key = d2i_PUBKEY_fp(file, NULL)); ++*count) {
        verifiers = realloc(verifiers, ((size_t)*count + 1) * sizeof(struct verifier *));
        verifiers[*count] = malloc(sizeof(struct verifier));
        *verifiers[*count] = (struct verifier){ key, algorithm };
    }
    if (*count == 0) fail("%s holds no public key", path);
    fclose(file);
    return verifiers;
}

struct verifier *verifier_open(const char *path, enum algorithm algorithm) {
    int count;
    return verifiers_open(path, algorithm, &count)[0];
}

void sha256(const void *data, size_t size, unsigned char *digest) {
    static EVP_MD *sha;
    static __thread EVP_MD_CTX *context;
    if (!__atomic_load_n(&sha, __ATOMIC_ACQUIRE)) __atomic_store_n(&sha, EVP_MD_fetch(NULL, "SHA256", NULL), __ATOMIC_RELEASE);
    if (!context) context = EVP_MD_CTX_new();
    EVP_DigestInit_ex2(context, sha, NULL);
    EVP_DigestUpdate(context, data, size);
    EVP_DigestFinal_ex(context, digest, NULL);
}

int verifier_accepts(const struct verifier *verifier, const void *data, size_t size, const unsigned char *signature,
                     size_t length) {
    unsigned char digest[DIGEST_LENGTH];
    sha256(data, size, digest);
    return verifier_accepts_digest(verifier, digest, signature, length);
}

int verifier_accepts_digest(const struct verifier *verifier, const unsigned char *digest,
                            const unsigned char *signature, size_t length) {
    unsigned char *der = NULL;
    if (verifier->algorithm == ES256) {
        if (length != 64) return 0;
        ECDSA_SIG *numbers = ECDSA_SIG_new();
        ECDSA_SIG_set0(numbers, BN_bin2bn(signature, 32, NULL), BN_bin2bn(signature + 32, 32, NULL));
        int size = i2d_ECDSA_SIG(numbers, &der);
        ECDSA_SIG_free(numbers);
        if (size <= 0) return 0;
        signature = der;
        length = (size_t)size;
    }
    EVP_PKEY_CTX *context = EVP_PKEY_CTX_new(verifier->key, NULL);
    int accepted = EVP_PKEY_verify_init(context) == 1
                   && EVP_PKEY_CTX_set_signature_md(context, EVP_sha256()) == 1
                   && (verifier->algorithm == ES256 || EVP_PKEY_CTX_set_rsa_padding(context, RSA_PKCS1_PADDING) == 1)
                   && EVP_PKEY_verify(context, signature, length, digest, DIGEST_LENGTH) == 1;
    EVP_PKEY_CTX_free(context);
    OPENSSL_free(der);
    return accepted;
}

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

size_t base64url_encode(const unsigned char *bytes, size_t count, char *text) {
    char *at = text;
    for (; count >= 3; bytes += 3, count -= 3) {
        unsigned group = (unsigned)bytes[0] << 16 | (unsigned)bytes[1] << 8 | bytes[2];
        *at++ = alphabet[group >> 18];
        *at++ = alphabet[group >> 12 & 63];
        *at++ = alphabet[group >> 6 & 63];
        *at++ = alphabet[group & 63];
    }
    if (count > 0) {
        unsigned group = (unsigned)bytes[0] << 16 | (count == 2 ? (unsigned)bytes[1] << 8 : 0);
        *at++ = alphabet[group >> 18];
        *at++ = alphabet[group >> 12 & 63];
        if (count == 2) *at++ = alphabet[group >> 6 & 63];
    }
    return (size_t)(at - text);
}

size_t base64url_decode(const char *text, size_t count, unsigned char *bytes) {
    unsigned group = 0, bits = 0;
    size_t written = 0;
    for (size_t place = 0; place < count; place++) {
        const char *found = text[place] ? strchr(alphabet, text[place]) : NULL;
        if (!found) return 0;
        group = group << 6 | (unsigned)(found - alphabet);
        bits += 6;
        if (bits >= 8) {
            bits -= 8;
            bytes[written++] = (unsigned char)(group >> bits);
        }
    }
    return written;
}
