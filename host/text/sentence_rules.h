/* sentence_rules.h - does a sentence end at this stop? Asked once for every stop character. */
#ifndef STETI_SENTENCE_RULES_H
#define STETI_SENTENCE_RULES_H

#include <stddef.h>
#include <stdint.h>

/* A line or paragraph, and the sentence in it that is being read. */
struct steti_scan {
    const char *text;
    size_t end;        /* of the segment; the byte before it is not white space */
    size_t begin;      /* of the sentence */
    int quote_is_open; /* '"' seen an odd number of times since begin */
};

/* Code point at pos (< end) and its length; an invalid subpart is U+FFFD. */
uint32_t steti_scan_peek(const struct steti_scan *s, size_t pos, size_t *len);
/* First position >= pos that is not white space, at most the end. */
size_t steti_scan_skip_space(const struct steti_scan *s, size_t pos);

/* 1 for . ! ? and their relatives. */
int steti_is_stop(uint32_t cp);

/* pos: a stop character. Returns the position after the stop, its repetitions and the quotes and
 * brackets that close with it, and sets *ends to 1 if the sentence ends there. */
size_t steti_stop_read(struct steti_scan *s, size_t pos, int *ends);

#endif
