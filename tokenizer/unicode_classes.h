/* unicode_classes.h - the properties of characters that tokenizer.json files lean on (Unicode
 * 16). */
#ifndef STETI_UNICODE_CLASSES_H
#define STETI_UNICODE_CLASSES_H

#include <stddef.h>
#include <stdint.h>

#define STETI_CLASS_LETTER 1u   /* \p{L} */
#define STETI_CLASS_NUMBER 2u   /* \p{N} */
#define STETI_CLASS_WORD 4u     /* \w */
#define STETI_CLASS_EXTEND 8u   /* Grapheme_Cluster_Break: Extend */
#define STETI_CLASS_SPACING 16u /* SpacingMark */
#define STETI_CLASS_PREPEND 32u
#define STETI_CLASS_CONTROL 64u /* Control, CR and LF */
#define STETI_CLASS_PICTURE 128u
#define STETI_CLASS_CONSONANT 256u /* Indic_Conjunct_Break */
#define STETI_CLASS_LINKER 512u

unsigned steti_cp_classes(uint32_t cp);

/* Bytes of the extended grapheme cluster that s[0..n) begins with (UAX 29); n > 0, valid UTF-8. */
size_t steti_cluster_len(const char *s, size_t n);

#endif
