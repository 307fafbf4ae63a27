/* The rules in force, and which of them apply to a call. */
#define _GNU_SOURCE
#include "faulty.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct rule *rules[MOST_RULES];
static size_t rule_count;
/* Never freed: a call that is under way, or held, still points at its own. */
static struct rule *ever;
static bool is_broken, is_missing = true;
static struct stat seen;

uint64_t now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (uint64_t)time.tv_sec * 1000000000 + (uint64_t)time.tv_nsec;
}

static bool is_same(const struct stat *one, const struct stat *other) {
    return one->st_dev == other->st_dev && one->st_ino == other->st_ino && one->st_size == other->st_size &&
           one->st_mtim.tv_sec == other->st_mtim.tv_sec && one->st_mtim.tv_nsec == other->st_mtim.tv_nsec &&
           one->st_ctim.tv_sec == other->st_ctim.tv_sec && one->st_ctim.tv_nsec == other->st_ctim.tv_nsec;
}

/* Takes a rule of the same text out of those that were in force, so that its counting goes on. */
static struct rule *take(const char *line) {
    for (size_t i = 0; i < rule_count; i++) {
        if (rules[i] == NULL || strcmp(rules[i]->text, line) != 0) continue;
        struct rule *rule = rules[i];
        rules[i] = NULL;
        return rule;
    }
    return NULL;
}

static struct rule *add(const char *line, char *error, size_t size) {
    struct rule *rule = rule_parse(line, error, size);
    if (rule == NULL) return NULL;
    rule->appeared = now();
    rule->next_ever = ever;
    return ever = rule;
}

/* Under the lock. */
static void read_rules(FILE *file) {
    struct rule *fresh[MOST_RULES];
    size_t count = 0;
    char *line = NULL, error[160];
    size_t size = 0;
    int number = 0;
    is_broken = false;
    while (!is_broken && getline(&line, &size, file) >= 0) {
        number++;
        line[strcspn(line, "\r\n")] = '\0';
        if (line[0] == '#' || line[strspn(line, " \t")] == '\0') continue;
        struct rule *rule = take(line);
        snprintf(error, sizeof error, "more than %d rules", MOST_RULES);
        if (rule == NULL && count < MOST_RULES) rule = add(line, error, sizeof error);
        if (rule == NULL) {
            complain("%s:%d: %s: %s", settings.control, number, error, line);
            is_broken = true;
        } else {
            fresh[count++] = rule;
        }
    }
    free(line);
    memcpy(rules, fresh, count * sizeof *fresh);
    rule_count = count;
}

/* Under the lock. Every call looks, so that a rule is in force as soon as it is in the file. */
static void reload(void) {
    if (settings.control == NULL) return;
    struct stat status;
    if (stat(settings.control, &status) != 0) {
        is_broken = errno != ENOENT;
        if (is_broken && !is_missing) complain("%s: %m", settings.control);
        is_missing = true;
        rule_count = 0;
        return;
    }
    if (!is_missing && is_same(&status, &seen)) return;
    FILE *file = fopen(settings.control, "re");
    if (file == NULL) return;
    /* What was opened counts: another may have taken its place since. */
    if (fstat(fileno(file), &seen) == 0) {
        is_missing = false;
        read_rules(file);
    }
    fclose(file);
}

/* The CKA_ID of the key or other object a call is about. */
static bool has_key(const struct call *call, const unsigned char *key, size_t key_length) {
    CK_OBJECT_HANDLE object = call->object;
    CK_MECHANISM_TYPE mechanism;
    if (call->has_object) {
        if (object_in(&object, false) != CKR_OK) return false;
    } else if (!call->has_session || !session_signature(call->session, &object, &mechanism)) {
        return false;
    }
    unsigned char value[64];
    CK_ATTRIBUTE id = {.type = CKA_ID, .pValue = value, .ulValueLen = sizeof value};
    return REAL(C_GetAttributeValue, call->session, object, &id, 1) == CKR_OK && id.ulValueLen == key_length &&
           memcmp(value, key, key_length) == 0;
}

static bool has_mechanism(const struct call *call, CK_MECHANISM_TYPE wanted) {
    CK_OBJECT_HANDLE key;
    CK_MECHANISM_TYPE mechanism = call->mechanism;
    if (!call->has_mechanism && !(call->has_session && session_signature(call->session, &key, &mechanism))) return false;
    return mechanism == wanted;
}

static unsigned actions_for(const struct rule *rule, const struct call *call) {
    const bool is_named = rule->function == ANY_FUNCTION || rule->function == call->function;
    unsigned actions = is_named ? rule->actions & CALL_ACTIONS & ~(unsigned)ACT_CORRUPT : 0;
    if (is_named && action_concerns(ACT_CORRUPT, call->function)) actions |= rule->actions & ACT_CORRUPT;
    for (unsigned action = ACT_SERIAL; action <= ACT_PAIR_LIMIT; action <<= 1) {
        if (action_concerns(action, call->function)) actions |= rule->actions & action;
    }
    return actions;
}

static bool is_over(const struct rule *rule) {
    return rule->is_ended || (rule->duration != 0 && now() - rule->appeared >= rule->duration);
}

/* Under the lock. */
static bool applies(struct rule *rule, const struct call *call) {
    if (is_over(rule)) return false;
    if (rule->has_mechanism && !has_mechanism(call, rule->mechanism)) return false;
    if (rule->has_key && !has_key(call, rule->key, rule->key_length)) return false;
    if (rule->has_session) {
        if (!call->has_session) return false;
        if (rule->is_first_session && !rule->knows_session) {
            rule->knows_session = true;
            rule->session = call->session;
        }
        if (call->session != rule->session) return false;
    }
    rule->matched++;
    if (rule->matched < rule->first) return false;
    const uint64_t since = rule->matched - rule->first;
    return since % rule->every == 0 && (rule->most == 0 || since / rule->every < rule->most);
}

bool rules_match(struct call *call) {
    pthread_mutex_lock(&lock);
    reload();
    const bool is_good = !is_broken;
    for (size_t i = 0; is_good && i < rule_count; i++) {
        if (rules[i]->matched > 0 && rules[i]->until == call->function) rules[i]->is_ended = true;
        const unsigned actions = actions_for(rules[i], call);
        if (actions == 0 || !applies(rules[i], call)) continue;
        call->actions[call->rule_count] = actions;
        call->rules[call->rule_count++] = rules[i];
    }
    pthread_mutex_unlock(&lock);
    return is_good;
}

bool rule_remains(const struct rule *rule) {
    pthread_mutex_lock(&lock);
    reload();
    /* When the file is gone altogether, its directory is, and with it the test: nobody waits for the call, and it is
       not to wake up in a process that ends. */
    bool remains = is_missing || is_broken;
    for (size_t i = 0; i < rule_count; i++) remains = remains || (rules[i] == rule && !is_over(rule));
    pthread_mutex_unlock(&lock);
    return remains;
}

const struct rule *rule_with(const struct call *call, unsigned actions) {
    for (size_t i = 0; i < call->rule_count; i++) {
        if ((call->actions[i] & actions) != 0) return call->rules[i];
    }
    return NULL;
}
