#include "respell.h"

#include <string.h>

/* Behind its first letter that differs, `said` has `n` more, and the word from `at` on begins with
 * them. */
static int goes_on(const char *word, int n_word, int at, const char *more, int n)
{
    return at + n <= n_word && memcmp(word + at, more, (size_t)n) == 0;
}

/* said[at], said[at + 1] are the word's two letters there in the other order. */
static int is_swap(const char *word, int n_word, const char *said, int n_said, int at)
{
    return at + 1 < n_said && at + 1 < n_word && word[at] == said[at + 1] &&
           word[at + 1] == said[at] &&
           goes_on(word, n_word, at + 2, said + at + 2, n_said - at - 2);
}

int respell_align(const char *word, int n_word, const char *said, int n_said, int mark_last)
{
    int same = 0, n;
    while (same < n_word && same < n_said && word[same] == said[same]) {
        same++;
    }
    n = n_said - same - 1;
    if (n < 0) {
        return same;
    }
    if (same == 0 && n == 0) {
        return -1; /* one letter, and another one: any word */
    }
    if (is_swap(word, n_word, said, n_said, same)) {
        return n_said;
    }
    if (mark_last && goes_on(word, n_word, same, said + same + 1, n)) {
        return same + n; /* don't for dont */
    }
    if (same + 1 < n_word && word[same + 1] == said[same] &&
        goes_on(word, n_word, same + 2, said + same + 1, n)) {
        return same + 2 + n; /* the source has a letter too many */
    }
    if (same < n_word && goes_on(word, n_word, same + 1, said + same + 1, n)) {
        return same + 1 + n; /* a wrong letter */
    }
    return goes_on(word, n_word, same, said + same + 1, n) ? same + n : -1; /* one is missing */
}

static void to_lower(char *out, const char *text, int n)
{
    for (int i = 0; i < n; i++) {
        out[i] = text[i] >= 'A' && text[i] <= 'Z' ? (char)(text[i] - 'A' + 'a') : text[i];
    }
}

int respell(const struct source_draft *d, struct draft_branch *b)
{
    char word[SPELLING_WORD], said[SPELLING_WORD], lower[SPELLING_WORD];
    int at = d->source_word, n_word, n_said, done;
    if (d->spelling == NULL || at >= d->n_src || d->n_out == 0) {
        return 0;
    }
    b->from = d->rest[at].next;
    n_word = spelling_read(d->spelling, d->src + at, b->from - at, word);
    n_said = spelling_read(d->spelling, d->out + d->out_word, d->n_out - d->out_word, said);
    if (n_word < 0 || n_said < 0) {
        return 0;
    }
    to_lower(lower, word, n_word);
    to_lower(said, said, n_said);
    done = respell_align(lower, n_word, said, n_said, d->mark_last);
    if (done < 0) {
        return 0;
    }
    b->n_own = spelling_cut(d->spelling, word + done, n_word - done, b->own);
    return b->n_own >= 0;
}
