/* Turns a line of the control file into a rule. README.md says what can stand there. */
#define _GNU_SOURCE
#include "faulty.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool number(const char *text, uint64_t *value) {
    char *end;
    errno = 0;
    if (text[0] < '0' || text[0] > '9') return false;
    *value = strtoull(text, &end, strncmp(text, "0x", 2) == 0 ? 16 : 10);
    return errno == 0 && *end == '\0';
}

/* Nanoseconds, of a text such as 5ms, 1s or 200us. */
static bool duration(const char *text, uint64_t *value) {
    static const struct {
        const char *unit;
        uint64_t nanoseconds;
    } units[] = {{"us", 1000}, {"ms", 1000000}, {"s", 1000000000}};
    char *end;
    errno = 0;
    if (text[0] < '0' || text[0] > '9') return false;
    const uint64_t count = strtoull(text, &end, 10);
    for (size_t i = 0; errno == 0 && i < sizeof units / sizeof *units; i++) {
        if (strcmp(end, units[i].unit) != 0) continue;
        *value = count * units[i].nanoseconds;
        return count <= UINT64_MAX / units[i].nanoseconds;
    }
    return false;
}

static bool bytes(const char *text, unsigned char *value, size_t size, size_t *length) {
    const size_t digits = strlen(text);
    if (digits % 2 != 0 || digits / 2 > size || text[strspn(text, "0123456789abcdefABCDEF")] != '\0') return false;
    for (size_t i = 0; i < digits / 2; i++) sscanf(text + 2 * i, "%2hhx", &value[i]);
    *length = digits / 2;
    return true;
}

static bool padded(const char *text, char *field, size_t size) {
    const size_t length = strlen(text);
    if (length > size) return false;
    memset(field, ' ', size);
    memcpy(field, text, length);
    return true;
}

static bool flags(const char *text, CK_FLAGS *value) {
    char copy[256];
    if (strlen(text) >= sizeof copy) return false;
    strcpy(copy, text);
    char *rest;
    for (char *name = strtok_r(copy, "|", &rest); name != NULL; name = strtok_r(NULL, "|", &rest)) {
        CK_ULONG flag;
        if (!value_of(token_flag_names, name, &flag)) return false;
        *value |= flag;
    }
    return *value != 0;
}

static bool add_number(const struct name *names, const char *text, CK_ULONG *values, size_t *count) {
    return *count < MOST_OF_A_KIND && value_of(names, text, &values[(*count)++]);
}

static bool add_answer(struct rule *rule, const char *name, enum answer_kind kind, const char *value) {
    struct answer *answer = calloc(1, sizeof *answer);
    if (answer == NULL) abort();
    answer->kind = kind;
    bool is_good = rule->answer_count < MOST_OF_A_KIND && value_of(attribute_names, name, &answer->type);
    if (kind == ANSWER_BYTES && is_good) {
        const bool is_true = strcmp(value, "true") == 0;
        if (is_true || strcmp(value, "false") == 0) {
            answer->bytes[0] = is_true ? CK_TRUE : CK_FALSE;
            answer->length = 1;
        } else {
            is_good = bytes(value, answer->bytes, sizeof answer->bytes, &answer->length);
        }
    }
    if (!is_good) {
        free(answer);
        return false;
    }
    rule->answers[rule->answer_count++] = answer;
    return true;
}

/* An attribute and what it is, apart by a colon. */
static bool add_attribute(struct rule *rule, char *text) {
    char *value = strchr(text, ':');
    if (value == NULL) return false;
    *value++ = '\0';
    return add_answer(rule, text, ANSWER_BYTES, value);
}

/* Notes an action. False when a rule has it already and cannot have it twice. */
static bool act(struct rule *rule, unsigned action) {
    const unsigned several = ACT_FLAGS | ACT_HIDE_MECHANISM | ACT_ATTRIBUTES | ACT_REFUSE_TEMPLATE;
    if ((rule->actions & action & ~several) != 0) return false;
    rule->actions |= action;
    return true;
}

/* Words without a value. */
static bool parse_word(struct rule *rule, const char *word) {
    static const struct {
        const char *word;
        unsigned action;
    } actions[] = {
        {"hold", ACT_HOLD}, {"hold-after", ACT_HOLD_AFTER}, {"corrupt", ACT_CORRUPT},
        {"invalidate-sessions", ACT_INVALIDATE_SESSIONS}, {"invalidate-objects", ACT_INVALIDATE_OBJECTS},
        {"logout", ACT_LOGOUT}, {"blank", ACT_BLANK}, {"absent", ACT_ABSENT},
        {"write-protected", ACT_WRITE_PROTECTED},
    };
    for (size_t i = 0; i < sizeof actions / sizeof *actions; i++) {
        if (strcmp(word, actions[i].word) == 0) return act(rule, actions[i].action);
    }
    if (strcmp(word, "short-point") == 0) {
        return act(rule, ACT_ATTRIBUTES) && add_answer(rule, "CKA_EC_POINT", ANSWER_SHORT_POINT, NULL);
    }
    return strcmp(word, "raw-point") == 0 && act(rule, ACT_ATTRIBUTES) &&
           add_answer(rule, "CKA_EC_POINT", ANSWER_RAW_POINT, NULL);
}

static bool parse_action(struct rule *rule, const char *word, char *value) {
    if (value == NULL) return parse_word(rule, word);
#define IS(name, action) (strcmp(word, name) == 0 && act(rule, action))
    if (IS("return", ACT_RETURN)) return value_of(return_value_names, value, &rule->returns);
    if (IS("return-after", ACT_RETURN_AFTER)) return value_of(return_value_names, value, &rule->returns_after);
    if (IS("delay", ACT_DELAY)) return duration(value, &rule->delay);
    if (IS("invalidate-objects", ACT_INVALIDATE_OBJECTS)) return value_of(return_value_names, value, &rule->invalid_key);
    if (IS("serial", ACT_SERIAL)) return padded(value, rule->serial, sizeof rule->serial - 1);
    if (IS("label", ACT_LABEL)) return padded(value, rule->label, sizeof rule->label - 1);
    if (IS("flags", ACT_FLAGS)) return flags(value, &rule->flags);
    if (IS("clear-flags", ACT_FLAGS)) return flags(value, &rule->cleared_flags);
    if (IS("hide-mechanism", ACT_HIDE_MECHANISM)) {
        return add_number(mechanism_names, value, rule->hidden, &rule->hidden_count);
    }
    if (IS("no-attribute", ACT_ATTRIBUTES)) return add_answer(rule, value, ANSWER_NONE, NULL);
    if (IS("attribute", ACT_ATTRIBUTES)) return add_attribute(rule, value);
    if (IS("refuse-template", ACT_REFUSE_TEMPLATE)) {
        return add_number(attribute_names, value, rule->refused, &rule->refused_count);
    }
    uint64_t count;
    if (IS("sessions", ACT_SESSIONS)) return number(value, &count) && (rule->sessions = (CK_ULONG)count, true);
    if (IS("object-limit", ACT_OBJECT_LIMIT)) return number(value, &count) && (rule->object_limit = (CK_ULONG)count, true);
    if (IS("free-memory", ACT_FREE_MEMORY)) return number(value, &count) && (rule->free_memory = (CK_ULONG)count, true);
    if (IS("pair-limit", ACT_PAIR_LIMIT)) return number(value, &count) && (rule->pair_limit = (CK_ULONG)count, true);
#undef IS
    return false;
}

static bool parse_condition(struct rule *rule, const char *word, const char *value, bool *is_good) {
    uint64_t count = 0;
    if (value == NULL) return false;
    if (strcmp(word, "nth") == 0) {
        *is_good = number(value, &rule->first) && rule->first > 0;
    } else if (strcmp(word, "every") == 0) {
        *is_good = number(value, &rule->every) && rule->every > 0;
    } else if (strcmp(word, "count") == 0) {
        *is_good = number(value, &rule->most) && rule->most > 0;
    } else if (strcmp(word, "for") == 0) {
        *is_good = duration(value, &rule->duration) && rule->duration > 0;
    } else if (strcmp(word, "until") == 0) {
        rule->until = function_of(value);
        *is_good = rule->until != FUNCTION_COUNT;
    } else if (strcmp(word, "session") == 0) {
        rule->has_session = true;
        rule->is_first_session = strcmp(value, "first") == 0;
        *is_good = rule->is_first_session || number(value, &count);
        rule->session = (CK_SESSION_HANDLE)count;
    } else if (strcmp(word, "key-id") == 0) {
        rule->has_key = true;
        *is_good = bytes(value, rule->key, sizeof rule->key, &rule->key_length);
    } else if (strcmp(word, "mechanism") == 0) {
        rule->has_mechanism = true;
        *is_good = value_of(mechanism_names, value, &rule->mechanism);
    } else {
        return false;
    }
    return true;
}

/* True when the rule can be about its function. */
static bool is_about_its_function(const struct rule *rule) {
    if (rule->function == ANY_FUNCTION) return true;
    for (unsigned action = ACT_CORRUPT; action <= ACT_PAIR_LIMIT; action <<= 1) {
        if ((action & CALL_ACTIONS) != 0 && action != ACT_CORRUPT) continue;
        if ((rule->actions & action) != 0 && !action_concerns(action, rule->function)) return false;
    }
    return true;
}

bool action_concerns(unsigned action, enum function function) {
    switch (action) {
    case ACT_CORRUPT: return function == F_C_Sign || function == F_C_SignFinal;
    case ACT_SERIAL:
    case ACT_LABEL:
    case ACT_FREE_MEMORY:
    case ACT_FLAGS: return function == F_C_GetTokenInfo;
    case ACT_BLANK: return function == F_C_GetTokenInfo || function == F_C_FindObjects;
    case ACT_ABSENT:
        return function == F_C_GetSlotList || function == F_C_GetSlotInfo || function == F_C_GetTokenInfo ||
               function == F_C_OpenSession || function == F_C_GetMechanismList || function == F_C_GetMechanismInfo;
    case ACT_SESSIONS: return function == F_C_GetTokenInfo || function == F_C_OpenSession;
    case ACT_WRITE_PROTECTED:
        return function == F_C_GetTokenInfo || function == F_C_OpenSession || function == F_C_DestroyObject ||
               function == F_C_SetAttributeValue || action_concerns(ACT_OBJECT_LIMIT, function);
    case ACT_OBJECT_LIMIT:
        return function == F_C_GenerateKeyPair || function == F_C_GenerateKey || function == F_C_CreateObject ||
               function == F_C_CopyObject || function == F_C_UnwrapKey || function == F_C_DeriveKey;
    case ACT_HIDE_MECHANISM:
        switch (function) {
        case F_C_GetMechanismList:
        case F_C_GetMechanismInfo:
        case F_C_EncryptInit:
        case F_C_DecryptInit:
        case F_C_DigestInit:
        case F_C_SignInit:
        case F_C_SignRecoverInit:
        case F_C_VerifyInit:
        case F_C_VerifyRecoverInit:
        case F_C_GenerateKey:
        case F_C_GenerateKeyPair:
        case F_C_WrapKey:
        case F_C_UnwrapKey:
        case F_C_DeriveKey: return true;
        default: return false;
        }
    case ACT_ATTRIBUTES: return function == F_C_GetAttributeValue;
    case ACT_PAIR_LIMIT:
    case ACT_REFUSE_TEMPLATE: return function == F_C_GenerateKeyPair;
    default: return false;
    }
}

struct rule *rule_parse(const char *line, char *error, size_t size) {
    struct rule *rule = calloc(1, sizeof *rule);
    char *words = strdup(line);
    if (rule == NULL || words == NULL) abort();
    rule->first = rule->every = 1;
    rule->until = FUNCTION_COUNT;
    rule->invalid_key = CKR_KEY_HANDLE_INVALID;
    char *rest;
    char *word = strtok_r(words, " \t", &rest);
    rule->function = strcmp(word, "*") == 0 ? ANY_FUNCTION : function_of(word);
    bool is_good = rule->function != FUNCTION_COUNT;
    if (!is_good) snprintf(error, size, "\"%s\" is no function", word);
    while (is_good && (word = strtok_r(NULL, " \t", &rest)) != NULL) {
        char name[64];
        char *value = strchr(word, '=');
        snprintf(name, sizeof name, "%.*s", (int)strcspn(word, "="), word);
        if (value != NULL) value++;
        if (!parse_condition(rule, name, value, &is_good)) is_good = parse_action(rule, name, value);
        if (!is_good) snprintf(error, size, "\"%s\" is no action or condition, or stands there twice", name);
    }
    if (is_good && rule->actions == 0) {
        is_good = false;
        snprintf(error, size, "no action");
    }
    if (is_good && !is_about_its_function(rule)) {
        is_good = false;
        snprintf(error, size, "%s has nothing to do with that", function_names[rule->function]);
    }
    free(words);
    if (is_good) {
        rule->text = strdup(line);
        if (rule->text == NULL) abort();
        return rule;
    }
    for (size_t i = 0; i < rule->answer_count; i++) free(rule->answers[i]);
    free(rule);
    return NULL;
}
