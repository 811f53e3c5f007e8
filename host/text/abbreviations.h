/* abbreviations.h - the word lists behind the sentence rules. */
#ifndef STETI_ABBREVIATIONS_H
#define STETI_ABBREVIATIONS_H

#include <stddef.h>

/* What a full stop after the word means. */
enum steti_abbreviation {
    STETI_ABBR_NONE,   /* not an abbreviation: the stop ends a sentence */
    STETI_ABBR_NEVER,  /* something always follows: "Mr.", "e.g." */
    STETI_ABBR_NUMBER, /* a number follows, else the stop ends a sentence: "No. 5", "p. 7" */
    /* may end a sentence; it does when a usual first word follows: "Inc. The" */
    STETI_ABBR_STARTER,
    STETI_ABBR_DATE /* as STARTER, and never before a number: "Jan. 5" */
};

/* word: without its last full stop, such as "e.g". Words that are common in lower case with another
 * meaning ("sat", "mar") are only abbreviations with a capital. */
enum steti_abbreviation steti_abbreviation_find(const char *word, size_t len);

/* 1 if sentences often begin with the word ("The", "However"). */
int steti_is_starter(const char *word, size_t len);

#endif
