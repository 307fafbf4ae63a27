#ifndef TOKEN_H
#define TOKEN_H

#include <p11-kit/pkcs11.h>
#include <stddef.h>

/*
 * One token of a PKCS#11 module, as the agent uses it: SHA-256 is computed outside, RS256 is CKM_RSA_PKCS over the
 * DigestInfo, ES256 is CKM_ECDSA over the digest. Every function ends the program with a line that says which call
 * failed; none is for a program that goes on.
 */
enum algorithm { RS256, ES256 };

struct token {
    CK_FUNCTION_LIST *functions;
    CK_SLOT_ID slot;
};

enum { LONGEST_SIGNATURE = 512, DIGEST_LENGTH = 32 };

enum algorithm algorithm_named(const char *name);

/* Loads the module, finds the token by its label and logs the process in. The login lasts as long as the process: one
   session stays open. */
struct token token_open(const char *module, const char *label, const char *pin_file);

CK_SESSION_HANDLE token_session(const struct token *token);

/* The private key of the algorithm that make-keys made. */
CK_OBJECT_HANDLE token_key(const struct token *token, CK_SESSION_HANDLE session, enum algorithm algorithm);

/* So many private keys of the algorithm's type, whoever made them. */
void token_keys(const struct token *token, CK_SESSION_HANDLE session, enum algorithm algorithm, CK_OBJECT_HANDLE *keys,
                CK_ULONG count);

struct key_pair {
    CK_OBJECT_HANDLE public, private;
};

/* Generates a pair for signing only, with this CKA_ID and label: RSA of 2048 bits, or on P-256. */
struct key_pair token_generate(const struct token *token, CK_SESSION_HANDLE session, enum algorithm algorithm,
                               const char *identifier);

/* Signs a SHA-256 digest; returns the length of the signature, which has room for LONGEST_SIGNATURE bytes. */
size_t token_sign(const struct token *token, CK_SESSION_HANDLE session, CK_OBJECT_HANDLE key, enum algorithm algorithm,
                  const unsigned char *digest, unsigned char *signature);

/* The CKA_ID of the key of an algorithm. */
extern const char *const key_identifiers[];

void check(CK_RV value, const char *function);
_Noreturn void fail(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
