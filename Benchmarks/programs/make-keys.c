/* usage: make-keys MODULE LABEL PIN-FILE
 *
 * Makes an RSA key of 2048 bits and one on P-256 for the programs beside this one, private and for signing only, as the
 * agent makes its own. Prints the public numbers in hexadecimal: RS256 MODULUS EXPONENT, ES256 POINT.
 */
#include "token.h"

#include <stdio.h>
#include <string.h>

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
    CK_OBJECT_HANDLE key = token_generate(&token, session, RS256, key_identifiers[RS256]).public;
    printf("RS256");
    print_attribute(&token, session, key, CKA_MODULUS);
    print_attribute(&token, session, key, CKA_PUBLIC_EXPONENT);
    key = token_generate(&token, session, ES256, key_identifiers[ES256]).public;
    printf("\nES256");
    print_attribute(&token, session, key, CKA_EC_POINT);
    putchar('\n');
    check(token.functions->C_Finalize(NULL), "C_Finalize");
}
