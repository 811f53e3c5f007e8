#include "abbreviations.h"

#include <stdlib.h>
#include <string.h>

#define LONGEST 8

struct abbreviation {
    char word[LONGEST + 1];
    unsigned char kind;
    unsigned char capital; /* only with a capital first letter */
};

/* Sorted by word, in lower case. */
static const struct abbreviation abbreviations[] = {
    {"a.d", STETI_ABBR_STARTER, 0},  {"a.m", STETI_ABBR_STARTER, 0},
    {"adm", STETI_ABBR_NEVER, 0},    {"al", STETI_ABBR_STARTER, 0},
    {"approx", STETI_ABBR_NEVER, 0}, {"apr", STETI_ABBR_DATE, 1},
    {"art", STETI_ABBR_NUMBER, 1},   {"assn", STETI_ABBR_STARTER, 0},
    {"aug", STETI_ABBR_DATE, 1},     {"ave", STETI_ABBR_STARTER, 0},
    {"b", STETI_ABBR_NUMBER, 0},     {"b.a", STETI_ABBR_STARTER, 0},
    {"b.c", STETI_ABBR_STARTER, 0},  {"b.sc", STETI_ABBR_STARTER, 0},
    {"blvd", STETI_ABBR_STARTER, 0}, {"bros", STETI_ABBR_STARTER, 0},
    {"c", STETI_ABBR_NUMBER, 0},     {"ca", STETI_ABBR_NEVER, 0},
    {"capt", STETI_ABBR_NEVER, 0},   {"cf", STETI_ABBR_NEVER, 0},
    {"ch", STETI_ABBR_NUMBER, 0},    {"chap", STETI_ABBR_NUMBER, 0},
    {"cmdr", STETI_ABBR_NEVER, 0},   {"co", STETI_ABBR_STARTER, 0},
    {"col", STETI_ABBR_NEVER, 1},    {"corp", STETI_ABBR_STARTER, 0},
    {"cpl", STETI_ABBR_NEVER, 0},    {"d", STETI_ABBR_NUMBER, 0},
    {"dec", STETI_ABBR_DATE, 1},     {"dept", STETI_ABBR_STARTER, 0},
    {"dr", STETI_ABBR_NEVER, 0},     {"drs", STETI_ABBR_NEVER, 0},
    {"e.g", STETI_ABBR_NEVER, 0},    {"ed", STETI_ABBR_STARTER, 1},
    {"ed.d", STETI_ABBR_STARTER, 0}, {"eds", STETI_ABBR_STARTER, 0},
    {"eg", STETI_ABBR_NEVER, 0},     {"eq", STETI_ABBR_NUMBER, 0},
    {"eqs", STETI_ABBR_NUMBER, 0},   {"esp", STETI_ABBR_NEVER, 0},
    {"est", STETI_ABBR_STARTER, 1},  {"ex", STETI_ABBR_NUMBER, 1},
    {"excl", STETI_ABBR_NEVER, 0},   {"feb", STETI_ABBR_DATE, 1},
    {"fig", STETI_ABBR_NUMBER, 0},   {"figs", STETI_ABBR_NUMBER, 0},
    {"fr", STETI_ABBR_NEVER, 1},     {"fri", STETI_ABBR_DATE, 1},
    {"ft", STETI_ABBR_STARTER, 1},   {"gen", STETI_ABBR_NEVER, 1},
    {"gov", STETI_ABBR_NEVER, 1},    {"hon", STETI_ABBR_NEVER, 1},
    {"hr", STETI_ABBR_STARTER, 0},   {"hrs", STETI_ABBR_STARTER, 0},
    {"i.e", STETI_ABBR_NEVER, 0},    {"ie", STETI_ABBR_NEVER, 0},
    {"inc", STETI_ABBR_STARTER, 0},  {"incl", STETI_ABBR_NEVER, 0},
    {"insp", STETI_ABBR_NEVER, 0},   {"jan", STETI_ABBR_DATE, 1},
    {"jr", STETI_ABBR_STARTER, 0},   {"jul", STETI_ABBR_DATE, 1},
    {"jun", STETI_ABBR_DATE, 1},     {"lb", STETI_ABBR_STARTER, 0},
    {"lbs", STETI_ABBR_STARTER, 0},  {"ll", STETI_ABBR_NUMBER, 0},
    {"llc", STETI_ABBR_STARTER, 0},  {"lt", STETI_ABBR_NEVER, 0},
    {"ltd", STETI_ABBR_STARTER, 0},  {"m.a", STETI_ABBR_STARTER, 0},
    {"m.d", STETI_ABBR_STARTER, 0},  {"m.sc", STETI_ABBR_STARTER, 0},
    {"maj", STETI_ABBR_NEVER, 1},    {"mar", STETI_ABBR_DATE, 1},
    {"messrs", STETI_ABBR_NEVER, 0}, {"mmes", STETI_ABBR_NEVER, 0},
    {"mon", STETI_ABBR_DATE, 1},     {"mr", STETI_ABBR_NEVER, 0},
    {"mrs", STETI_ABBR_NEVER, 0},    {"ms", STETI_ABBR_NEVER, 0},
    {"msgr", STETI_ABBR_NEVER, 0},   {"mt", STETI_ABBR_STARTER, 1},
    {"mx", STETI_ABBR_NEVER, 0},     {"no", STETI_ABBR_NUMBER, 0},
    {"nos", STETI_ABBR_NUMBER, 0},   {"nov", STETI_ABBR_DATE, 1},
    {"oct", STETI_ABBR_DATE, 1},     {"op", STETI_ABBR_NUMBER, 0},
    {"oz", STETI_ABBR_STARTER, 0},   {"p", STETI_ABBR_NUMBER, 0},
    {"p.m", STETI_ABBR_STARTER, 0},  {"para", STETI_ABBR_NUMBER, 0},
    {"ph.d", STETI_ABBR_STARTER, 0}, {"plc", STETI_ABBR_STARTER, 0},
    {"pp", STETI_ABBR_NUMBER, 0},    {"pres", STETI_ABBR_NEVER, 1},
    {"prof", STETI_ABBR_NEVER, 0},   {"profs", STETI_ABBR_NEVER, 0},
    {"pt", STETI_ABBR_NUMBER, 0},    {"pvt", STETI_ABBR_NEVER, 0},
    {"r", STETI_ABBR_NUMBER, 0},     {"rd", STETI_ABBR_STARTER, 0},
    {"rep", STETI_ABBR_STARTER, 1},  {"reps", STETI_ABBR_STARTER, 1},
    {"rev", STETI_ABBR_NEVER, 1},    {"sat", STETI_ABBR_DATE, 1},
    {"sec", STETI_ABBR_NUMBER, 0},   {"sect", STETI_ABBR_NUMBER, 0},
    {"sen", STETI_ABBR_NEVER, 0},    {"sens", STETI_ABBR_NEVER, 0},
    {"sep", STETI_ABBR_DATE, 1},     {"sept", STETI_ABBR_DATE, 0},
    {"sgt", STETI_ABBR_NEVER, 0},    {"sq", STETI_ABBR_STARTER, 0},
    {"sr", STETI_ABBR_STARTER, 0},   {"st", STETI_ABBR_STARTER, 1},
    {"sun", STETI_ABBR_DATE, 1},     {"supt", STETI_ABBR_NEVER, 0},
    {"tab", STETI_ABBR_NUMBER, 1},   {"tel", STETI_ABBR_STARTER, 0},
    {"thu", STETI_ABBR_DATE, 1},     {"thur", STETI_ABBR_DATE, 0},
    {"thurs", STETI_ABBR_DATE, 0},   {"trans", STETI_ABBR_STARTER, 0},
    {"tue", STETI_ABBR_DATE, 1},     {"tues", STETI_ABBR_DATE, 0},
    {"u.k", STETI_ABBR_STARTER, 0},  {"u.n", STETI_ABBR_STARTER, 0},
    {"u.s", STETI_ABBR_STARTER, 0},  {"u.s.a", STETI_ABBR_STARTER, 0},
    {"univ", STETI_ABBR_STARTER, 0}, {"v", STETI_ABBR_NEVER, 0},
    {"ver", STETI_ABBR_NUMBER, 0},   {"viz", STETI_ABBR_NEVER, 0},
    {"vol", STETI_ABBR_NUMBER, 0},   {"vols", STETI_ABBR_NUMBER, 0},
    {"vs", STETI_ABBR_NEVER, 0},     {"wed", STETI_ABBR_DATE, 1},
};

/* Sorted. */
static const char starters[][16] = {
    "A",        "According", "After",        "Afterwards", "All",       "Also",
    "Although", "An",        "And",          "Another",    "Anyway",    "Are",
    "As",       "At",        "Because",      "Before",     "Besides",   "Between",
    "Both",     "But",       "By",           "Can",        "Could",     "Despite",
    "Did",      "Do",        "Does",         "During",     "Each",      "Even",
    "Every",    "Everyone",  "Everything",   "Finally",    "First",     "Firstly",
    "For",      "From",      "Furthermore",  "Had",        "Has",       "Have",
    "He",       "Hence",     "Her",          "Here",       "His",       "How",
    "However",  "I",         "If",           "In",         "Indeed",    "Instead",
    "Is",       "It",        "Its",          "Just",       "Last",      "Lastly",
    "Later",    "Let",       "Many",         "Maybe",      "Meanwhile", "Moreover",
    "Most",     "My",        "Nevertheless", "Next",       "No",        "Nobody",
    "None",     "Not",       "Nothing",      "Now",        "Of",        "On",
    "Once",     "One",       "Only",         "Or",         "Other",     "Others",
    "Our",      "Over",      "People",       "Perhaps",    "Please",    "Second",
    "Secondly", "She",       "Should",       "Since",      "So",        "Some",
    "Someone",  "Something", "Sometimes",    "Soon",       "Still",     "Such",
    "That",     "The",       "Their",        "Then",       "There",     "Therefore",
    "These",    "They",      "This",         "Those",      "Though",    "Thus",
    "To",       "Today",     "Tomorrow",     "Two",        "Under",     "Unfortunately",
    "Unlike",   "Until",     "Usually",      "Was",        "We",        "Well",
    "Were",     "What",      "When",         "Whenever",   "Where",     "Whereas",
    "Whether",  "Which",     "While",        "Who",        "Why",       "Will",
    "With",     "Within",    "Without",      "Would",      "Yes",       "Yesterday",
    "Yet",      "You",       "Your",
};

static int compare_abbreviation(const void *key, const void *element)
{
    return strcmp(key, ((const struct abbreviation *)element)->word);
}

static int compare_starter(const void *key, const void *element)
{
    return strcmp(key, element);
}

static int is_capital(char c)
{
    return c >= 'A' && c <= 'Z';
}

enum steti_abbreviation steti_abbreviation_find(const char *word, size_t len)
{
    char key[LONGEST + 1];
    const struct abbreviation *a;
    if (len == 0 || len > LONGEST) {
        return STETI_ABBR_NONE;
    }
    for (size_t i = 0; i < len; i++) {
        key[i] = is_capital(word[i]) ? (char)(word[i] - 'A' + 'a') : word[i];
    }
    key[len] = '\0';
    a = bsearch(key, abbreviations, sizeof abbreviations / sizeof abbreviations[0],
                sizeof abbreviations[0], compare_abbreviation);
    if (a == NULL || (a->capital && !is_capital(word[0]))) {
        return STETI_ABBR_NONE;
    }
    return (enum steti_abbreviation)a->kind;
}

int steti_is_starter(const char *word, size_t len)
{
    char key[sizeof starters[0]];
    if (len == 0 || len >= sizeof key) {
        return 0;
    }
    memcpy(key, word, len);
    key[len] = '\0';
    return bsearch(key, starters, sizeof starters / sizeof starters[0], sizeof starters[0],
                   compare_starter) != NULL;
}
