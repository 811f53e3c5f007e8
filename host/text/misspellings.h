/* misspellings.h - a list of misspellings and of the words that were meant: misspellings.table of a
 * model folder.
 *
 * A small model cannot know how every word may be misspelt; a list can, and it costs nothing in a
 * pass. So misspellings that can stand for one word alone are mended before the model reads a
 * sentence. scripts/train/misspelling_table.py makes the list, by a
 * noisy channel (Kernighan, Church and Gale, COLING 1990).
 *
 * The file, little-endian, without gaps:
 *   8 bytes             "stetmsp1"
 *   u32                 rows, words, bytes of the words, bytes of the rows
 *   u32 [words]         where each word ends among the bytes of the words
 *   u32 [ceil(rows/16)] where each block of 16 rows begins among the bytes of the rows
 *   the words, then the rows, which are sorted by the bytes of their misspelling
 * A row is a misspelling and the number of its word (u16). The first of a block: u8 length and the
 * bytes. The others: u8, of which the upper half says how many bytes are those of the row before,
 * the lower half how many more there are; and those.
 */
#ifndef STETI_MISSPELLINGS_H
#define STETI_MISSPELLINGS_H

#include <stddef.h>
#include <stdint.h>

#include "file_map.h"
#include "status.h"

#define STETI_MISSPELLINGS_FILE "misspellings.table"
#define STETI_MISSPELLING_MAX 255 /* bytes of a misspelling, and of a word */

struct steti_misspellings {
    struct steti_file_map map;         /* of an opened one */
    const uint8_t *word_ends, *blocks; /* u32 each */
    const uint8_t *words, *rows;
    uint32_t n_rows, n_words, words_len, rows_len;
};

/* The table of a folder; one without rows if there is no such file. STET_E_IO, STET_E_FORMAT
 * (message: file, and row or word). Close it also after a failure. */
stet_status steti_misspellings_open(const char *folder, struct steti_misspellings *out,
                                    stet_error *err);
void steti_misspellings_close(struct steti_misspellings *t); /* legal on a zeroed one */

/* The same of bytes that stay the caller's and must outlive *out. Everything is checked, so that
 * looking up needs no check. `name` is for messages. */
stet_status steti_misspellings_parse(const void *data, size_t len, const char *name,
                                     struct steti_misspellings *out, stet_error *err);

/* The word that was meant, not NUL-terminated; NULL: this is no known misspelling. */
const char *steti_misspellings_find(const struct steti_misspellings *t, const char *s, size_t n,
                                    size_t *word_len);

/* Where a text is put. */
struct steti_mended {
    char *data;
    size_t cap, len;
};

/* s[0 .. n) with its misspellings mended; s is one sentence, or at_start 0, the rest of one.
 * Returns how many words changed; 0: *out is not to be used, also if it is too small. What stands
 * between white space is looked up without quotes, brackets and punctuation around it, parts at a
 * hyphen one by one, unless there is a slash, a dot or another sign of an address among them. A
 * capital letter at the beginning counts as a small one only at the start of a sentence: elsewhere
 * it may be a name. */
size_t steti_misspellings_mend(const struct steti_misspellings *t, const char *s, size_t n,
                               int at_start, struct steti_mended *out);

#endif
