/* usage: make-keys MODULE LABEL PIN-FILE
 *
 * Makes an RSA key of 2048 bits and one on P-256 for the programs beside this one, private and for signing only, as the
 * agent makes its own. Prints the public numbers in hexadecimal: RS256 MODULUS EXPONENT, ES256 POINT.
 */
#include "token.h"

#include <stdio.h>
#include <string.h>

static CK_BBOOL yes = CK_TRUE, no = CK_FALSE;

static CK_OBJECT_HANDLE generate(const struct token *token, CK_SESSION_HANDLE session, enum algorithm algorithm) {
    const char *identifier = key_identifiers[algorithm];
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
    CK_OBJECT_HANDLE publicKey, privateKey;
    check(token->functions->C_GenerateKeyPair(session, &mechanism, public, count, private,
                                              sizeof private / sizeof private[0], &publicKey, &privateKey),
          "C_GenerateKeyPair");
    return publicKey;
}

static void print_attribute(const struct token *token, CK_SESSION_HANDLE session, CK_OBJECT_HANDLE key,
                            CK_ATTRIBUTE_TYPE type) {
    unsigned char value[1024];
    CK_ATTRIBUTE attribute = { type, value, sizeof value };
    check(token->functions->C_GetAttributeValue(session, key, &attribute, 1), "C_GetAttributeValue");
    putchar(' ');
    for (CK_ULONG place = 0; place < attribute.ulValueLen; place++) printf("%02x", value[place]);
}

int main(int count, char **arguments) {
    if (count != 4) fail("usage: make-keys MODULE LABEL PIN-FILE");
    struct token token = token_open(arguments[1], arguments[2], arguments[3]);
    CK_SESSION_HANDLE session = token_session(&token);
    CK_OBJECT_HANDLE key = generate(&token, session, RS256);
    printf("RS256");
    print_attribute(&token, session, key, CKA_MODULUS);
    print_attribute(&token, session, key, CKA_PUBLIC_EXPONENT);
    key = generate(&token, session, ES256);
    printf("\nES256");
    print_attribute(&token, session, key, CKA_EC_POINT);
    putchar('\n');
    check(token.functions->C_Finalize(NULL), "C_Finalize");
}
