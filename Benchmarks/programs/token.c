#include "token.h"

#include <dlfcn.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *const key_identifiers[] = { [RS256] = "bench-rs256", [ES256] = "bench-es256" };

void fail(const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    fputs("error: ", stderr);
    vfprintf(stderr, format, arguments);
    fputc('\n', stderr);
    exit(1);
}

void check(CK_RV value, const char *function) {
    if (value != CKR_OK) fail("%s: 0x%lx", function, (unsigned long)value);
}

enum algorithm algorithm_named(const char *name) {
    if (strcmp(name, "RS256") == 0) return RS256;
    if (strcmp(name, "ES256") == 0) return ES256;
    fail("no algorithm is called %s here", name);
}

static void read_pin(const char *path, char *pin, size_t size) {
    FILE *file = fopen(path, "r");
    if (!file || !fgets(pin, (int)size, file)) fail("the PIN file %s cannot be read", path);
    fclose(file);
    pin[strcspn(pin, "\r\n")] = 0;
}

static CK_SLOT_ID find_slot(CK_FUNCTION_LIST *functions, const char *label) {
    CK_SLOT_ID slots[64];
    CK_ULONG count = 64;
    check(functions->C_GetSlotList(CK_TRUE, slots, &count), "C_GetSlotList");
    for (CK_ULONG place = 0; place < count; place++) {
        CK_TOKEN_INFO info;
        char name[sizeof info.label + 1] = { 0 };
        if (functions->C_GetTokenInfo(slots[place], &info) != CKR_OK) continue;
        memcpy(name, info.label, sizeof info.label);
        for (size_t end = sizeof info.label; end > 0 && name[end - 1] == ' ';) name[--end] = 0;
        if (strcmp(name, label) == 0) return slots[place];
    }
    fail("the module shows no token with the label %s", label);
}

struct token token_open(const char *module, const char *label, const char *pin_file) {
    struct token token;
    char pin[256];
    void *library = dlopen(module, RTLD_NOW | RTLD_LOCAL);
    if (!library) fail("%s", dlerror());
    CK_C_GetFunctionList list = (CK_C_GetFunctionList)dlsym(library, "C_GetFunctionList");
    if (!list) fail("%s is no PKCS#11 module", module);
    check(list(&token.functions), "C_GetFunctionList");
    CK_C_INITIALIZE_ARGS arguments = { .flags = CKF_OS_LOCKING_OK };
    check(token.functions->C_Initialize(&arguments), "C_Initialize");
    token.slot = find_slot(token.functions, label);
    read_pin(pin_file, pin, sizeof pin);
    CK_RV value =
        token.functions->C_Login(token_session(&token), CKU_USER, (unsigned char *)pin, (CK_ULONG)strlen(pin));
    if (value != CKR_USER_ALREADY_LOGGED_IN) check(value, "C_Login");
    return token;
}

CK_SESSION_HANDLE token_session(const struct token *token) {
    CK_SESSION_HANDLE session;
    check(token->functions->C_OpenSession(token->slot, CKF_SERIAL_SESSION | CKF_RW_SESSION, NULL, NULL, &session),
          "C_OpenSession");
    return session;
}

/* Private keys of which one attribute is so, at most so many. */
static CK_ULONG find(const struct token *token, CK_SESSION_HANDLE session, CK_ATTRIBUTE attribute,
                     CK_OBJECT_HANDLE *keys, CK_ULONG most) {
    CK_OBJECT_CLASS class = CKO_PRIVATE_KEY;
    CK_ATTRIBUTE template[] = { { CKA_CLASS, &class, sizeof class }, attribute };
    CK_ULONG count = 0, more = 1;
    check(token->functions->C_FindObjectsInit(session, template, 2), "C_FindObjectsInit");
    for (; more > 0 && count < most; count += more)
        check(token->functions->C_FindObjects(session, keys + count, most - count, &more), "C_FindObjects");
    check(token->functions->C_FindObjectsFinal(session), "C_FindObjectsFinal");
    return count;
}

CK_OBJECT_HANDLE token_key(const struct token *token, CK_SESSION_HANDLE session, enum algorithm algorithm) {
    const char *identifier = key_identifiers[algorithm];
    CK_OBJECT_HANDLE keys[2];
    CK_ULONG count =
        find(token, session, (CK_ATTRIBUTE){ CKA_ID, (void *)identifier, strlen(identifier) }, keys, 2);
    if (count != 1) fail("the token has %lu keys called %s, not one", (unsigned long)count, identifier);
    return keys[0];
}

void token_keys(const struct token *token, CK_SESSION_HANDLE session, enum algorithm algorithm, CK_OBJECT_HANDLE *keys,
                CK_ULONG count) {
    CK_KEY_TYPE type = algorithm == ES256 ? CKK_EC : CKK_RSA;
    CK_ULONG found = find(token, session, (CK_ATTRIBUTE){ CKA_KEY_TYPE, &type, sizeof type }, keys, count);
    if (found < count) fail("the token has %lu keys of the algorithm, not %lu", (unsigned long)found, (unsigned long)count);
}

struct key_pair token_generate(const struct token *token, CK_SESSION_HANDLE session, enum algorithm algorithm,
                               const char *identifier) {
    static CK_BBOOL yes = CK_TRUE, no = CK_FALSE;
    CK_ULONG bits = 2048;
    unsigned char exponent[] = { 1, 0, 1 };
    /* secp256r1 as an OBJECT IDENTIFIER. */
    unsigned char curve[] = { 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07 };
    CK_ATTRIBUTE private[] = {
        { CKA_TOKEN, &yes, 1 },       { CKA_PRIVATE, &yes, 1 },
        { CKA_SENSITIVE, &yes, 1 },   { CKA_EXTRACTABLE, &no, 1 },
        { CKA_SIGN, &yes, 1 },        { CKA_DECRYPT, &no, 1 },
        { CKA_UNWRAP, &no, 1 },       { CKA_SIGN_RECOVER, &no, 1 },
        { CKA_DERIVE, &no, 1 },       { CKA_ID, (void *)identifier, strlen(identifier) },
        { CKA_LABEL, (void *)identifier, strlen(identifier) },
    };
    CK_ATTRIBUTE public[] = {
        { CKA_TOKEN, &yes, 1 },
        { CKA_VERIFY, &yes, 1 },
        { CKA_ENCRYPT, &no, 1 },
        { CKA_WRAP, &no, 1 },
        { CKA_ID, (void *)identifier, strlen(identifier) },
        { CKA_LABEL, (void *)identifier, strlen(identifier) },
        { CKA_EC_PARAMS, curve, sizeof curve },
        { CKA_PUBLIC_EXPONENT, exponent, sizeof exponent },
    };
    CK_ULONG count = 7;
    if (algorithm == RS256) {
        public[6] = (CK_ATTRIBUTE){ CKA_MODULUS_BITS, &bits, sizeof bits };
        count = 8;
    }
    CK_MECHANISM mechanism = { algorithm == RS256 ? CKM_RSA_PKCS_KEY_PAIR_GEN : CKM_EC_KEY_PAIR_GEN, NULL, 0 };
    struct key_pair pair;
    check(token->functions->C_GenerateKeyPair(session, &mechanism, public, count, private,
                                              sizeof private / sizeof private[0], &pair.public, &pair.private),
          "C_GenerateKeyPair");
    return pair;
}

size_t token_sign(const struct token *token, CK_SESSION_HANDLE session, CK_OBJECT_HANDLE key, enum algorithm algorithm,
                  const unsigned char *digest, unsigned char *signature) {
    /* RFC 8017 §9.2, note 1. */
    static const unsigned char prefix[] = { 0x30, 0x31, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01,
                                            0x65, 0x03, 0x04, 0x02, 0x01, 0x05, 0x00, 0x04, 0x20 };
    unsigned char data[sizeof prefix + DIGEST_LENGTH];
    CK_MECHANISM mechanism = { algorithm == RS256 ? CKM_RSA_PKCS : CKM_ECDSA, NULL, 0 };
    CK_ULONG length = LONGEST_SIGNATURE, size = DIGEST_LENGTH;
    unsigned char *start = data + sizeof prefix;
    memcpy(start, digest, DIGEST_LENGTH);
    if (algorithm == RS256) {
        memcpy(data, prefix, sizeof prefix);
        start = data;
        size = sizeof data;
    }
    check(token->functions->C_SignInit(session, &mechanism, key), "C_SignInit");
    check(token->functions->C_Sign(session, start, size, signature, &length), "C_Sign");
    return length;
}
