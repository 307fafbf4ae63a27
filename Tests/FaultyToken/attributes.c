/* C_GetAttributeValue: counts what is asked for, and answers what rules want answered. */
#include "forward.h"

#include <stdlib.h>
#include <string.h>

/* The last rule that has an answer for the attribute wins over those above it. */
static const struct answer *answer_for(const struct call *call, CK_ATTRIBUTE_TYPE type) {
    const struct answer *result = NULL;
    for (size_t i = 0; i < call->rule_count; i++) {
        if ((call->actions[i] & ACT_ATTRIBUTES) == 0) continue;
        for (size_t j = 0; j < call->rules[i]->answer_count; j++) {
            if (call->rules[i]->answers[j]->type == type) result = call->rules[i]->answers[j];
        }
    }
    return result;
}

static CK_RV give(CK_ATTRIBUTE *attribute, const void *bytes, CK_ULONG length) {
    if (attribute->pValue == NULL) {
        attribute->ulValueLen = length;
        return CKR_OK;
    }
    if (attribute->ulValueLen < length) {
        attribute->ulValueLen = CK_UNAVAILABLE_INFORMATION;
        return CKR_BUFFER_TOO_SMALL;
    }
    memcpy(attribute->pValue, bytes, length);
    attribute->ulValueLen = length;
    return CKR_OK;
}

/* The point as some tokens give it: without the OCTET STRING around it that the standard wants, or with its length in one
   byte, as if it could not be more than 127. */
static CK_RV give_point(CK_SESSION_HANDLE session, CK_OBJECT_HANDLE object, CK_ATTRIBUTE *attribute, bool is_raw) {
    unsigned char point[512], shortened[512] = {0x04};
    CK_ATTRIBUTE whole = {.type = CKA_EC_POINT, .pValue = point, .ulValueLen = sizeof point};
    const CK_RV value = REAL(C_GetAttributeValue, session, object, &whole, 1);
    if (value != CKR_OK) {
        attribute->ulValueLen = whole.ulValueLen;
        return value;
    }
    const unsigned char *content = point;
    CK_ULONG length = whole.ulValueLen;
    if (length > 2 && point[0] == 0x04) {
        const CK_ULONG header = point[1] < 0x80 ? 2 : point[1] == 0x81 ? 3 : point[1] == 0x82 ? 4 : 0;
        CK_ULONG said = header == 2 ? point[1] : 0;
        for (CK_ULONG i = 2; header > 2 && i < header; i++) said = said << 8 | point[i];
        if (header != 0 && header + said == length) {
            content += header;
            length = said;
        }
    }
    if (is_raw || length > 0xFF) return give(attribute, content, length);
    shortened[1] = (unsigned char)length;
    memcpy(shortened + 2, content, length);
    return give(attribute, shortened, length + 2);
}

static CK_RV answer(const struct answer *answer, CK_SESSION_HANDLE session, CK_OBJECT_HANDLE object, CK_ATTRIBUTE *attribute) {
    switch (answer->kind) {
    case ANSWER_BYTES: return give(attribute, answer->bytes, answer->length);
    case ANSWER_RAW_POINT: return give_point(session, object, attribute, true);
    case ANSWER_SHORT_POINT: return give_point(session, object, attribute, false);
    case ANSWER_NONE: break;
    }
    attribute->ulValueLen = CK_UNAVAILABLE_INFORMATION;
    return CKR_ATTRIBUTE_TYPE_INVALID;
}

/* Whether the function has nevertheless looked at every attribute (PKCS#11 v2.40 base §5.7, C_GetAttributeValue). */
static bool is_of_single_attribute(CK_RV value) {
    return value == CKR_OK || value == CKR_ATTRIBUTE_SENSITIVE || value == CKR_ATTRIBUTE_TYPE_INVALID ||
           value == CKR_BUFFER_TOO_SMALL;
}

static CK_RV get(const struct call *call, CK_ATTRIBUTE_PTR template, CK_ULONG count) {
    CK_ATTRIBUTE *asked = calloc(count + 1, sizeof *asked);
    if (asked == NULL) return CKR_HOST_MEMORY;
    CK_ULONG asked_count = 0;
    for (CK_ULONG i = 0; i < count; i++) {
        if (answer_for(call, template[i].type) == NULL) asked[asked_count++] = template[i];
    }
    /* The object must be there, whatever is asked of it. */
    if (asked_count == 0) asked[asked_count++].type = CKA_CLASS;
    CK_RV value = REAL(C_GetAttributeValue, call->session, call->object, asked, asked_count);
    asked_count = 0;
    for (CK_ULONG i = 0; is_of_single_attribute(value) && i < count; i++) {
        const struct answer *const wanted = answer_for(call, template[i].type);
        if (wanted == NULL) {
            template[i].ulValueLen = asked[asked_count++].ulValueLen;
            continue;
        }
        const CK_RV own = answer(wanted, call->session, call->object, &template[i]);
        if (value == CKR_OK) value = own;
    }
    free(asked);
    return value;
}

static CK_RV forward_C_GetAttributeValue(CK_SESSION_HANDLE session, CK_OBJECT_HANDLE object, CK_ATTRIBUTE_PTR template,
                                         CK_ULONG count) {
    struct call call = {.function = F_C_GetAttributeValue};
    IN_SESSION;
    ON_OBJECT(object);
    for (CK_ULONG i = 0; template != NULL && i < count; i++) {
        char name[48];
        name_of(attribute_names, template[i].type, name, sizeof name);
        count_name("C_GetAttributeValue", name);
    }
    CK_RV value;
    if (!call_before(&call, &value)) return value;
    value = rule_with(&call, ACT_ATTRIBUTES) != NULL && template != NULL
                ? get(&call, template, count)
                : REAL(C_GetAttributeValue, session, call.object, template, count);
    return call_after(&call, value);
}

const CK_C_GetAttributeValue wrapped_C_GetAttributeValue = forward_C_GetAttributeValue;
