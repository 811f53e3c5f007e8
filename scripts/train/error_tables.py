#!/usr/bin/env python3
"""Word tables behind synthesize_errors.py: inflections, misspellings, sets.

Reads the LemmInflect table (lemma, class, forms) and the typos table
(misspelling, corrections) and turns them into plain dictionaries from a
correct lower-case word to its possible wrong forms.
"""
import argparse
import csv
from collections import defaultdict

DETERMINERS = ("a", "an", "the")
PREPOSITIONS = ("in", "on", "at", "to", "for", "of", "with", "from", "by",
                "about", "into", "during", "since", "through", "over",
                "between", "among", "against", "under", "without", "within")
CLOSE_PREPOSITIONS = {
    "in": "on at into to of for", "on": "in at of about to", "at": "in on to",
    "to": "for at in of on into", "for": "to of in about from", "of": "in for from on to about",
    "with": "by to of for", "from": "of in by to since", "by": "with from for of",
    "about": "of on for", "into": "in to", "during": "in on at", "since": "from for",
    "through": "by in over", "over": "on above", "between": "among in",
    "among": "between in", "against": "to with", "under": "below in",
    "without": "with", "within": "in"}
PRONOUNS = {
    "he": "his him she they", "she": "he her", "they": "them their he it", "it": "they this he its",
    "him": "he his", "them": "they their it", "their": "them there his they", "his": "him he her",
    "her": "his she", "i": "me my", "me": "i my", "my": "me mine", "we": "us our",
    "us": "we our", "our": "us ours", "who": "which whom that", "which": "who that what",
    "that": "which who this", "this": "these that", "these": "this those",
    "those": "that these", "himself": "hisself him themself", "themselves": "themself theirselves them",
    "its": "it's it their", "whose": "who who's", "your": "you you're", "mine": "my",
    "myself": "me my-self", "itself": "it", "what": "which that"}
CONFUSION_SETS = """their there they're|its it's|then than|to too two|affect effect
lose loose|your you're|whose who's|were where we're|quite quiet quit|accept except
advice advise|weather whether|passed past|principal principle|led lead|here hear
know now no|by buy bye|of off have|right write|week weak|peace piece|brake break
choose chose|breath breathe|though through thought tough|live leave life|feel fell fill
were was|is are|was were|has have|do does make|make do|don't doesn't|isn't aren't|wasn't weren't
say tell speak talk|says tells|said told|learn teach study|borrow lend|bring take
look see watch|hear listen|big large great|job work|trip travel|fun funny
economic economical|beside besides|historic historical|house home|person people
much many|few little|fewer less|other another others|every each all|some any
rise raise|lay lie|good well|bad badly|real really|because cause|so such|like as
also too|very too much|until till|after before|still yet|even though|especially specially
find found|when while if|farther further|alone lonely|already all-ready|maybe may-be
everyday every-day|almost most|nowadays now-a-days|hard hardly|late lately|near nearly
interesting interested|boring bored|exciting excited|tired tiring|surprised surprising
for four|son sun|sea see|mail male|meet meat|plane plain|won one|would wood will
could can|can could|should shall must|will would|than that|the they|if of|and an|in and
on one|or of are|from form|with whit|there their the|want won't|since sense|course cause
side site|sit seat|wait weight|waist waste|aloud allowed|bare bear|new knew|threw through
lot a-lot|most more|worse worst|better best|country county|desert dessert|personal personnel
sale sell|price prize|safe save|think thing|thinks things|this these|believe belief|prove proof
choice choose|success succeed|succeed success|different difference|important importance
nobody anybody|something anything|someone anyone|never ever|both all|however but|although but
able capable|possible able|happen happened|big bigger|use used|used use|lives lifes|men man|women woman"""
SUFFIX_PAIRS = (("tion", "te"), ("ation", "e"), ("ion", ""), ("ence", "ent"),
                ("ance", "ant"), ("ity", ""), ("ity", "e"), ("ness", ""), ("ly", ""),
                ("ily", "y"), ("iness", "y"), ("ment", ""), ("ful", ""), ("al", ""),
                ("ous", ""), ("er", ""), ("er", "e"), ("or", ""), ("ive", "ion"),
                ("ful", "less"), ("y", ""), ("ally", ""), ("ic", "y"), ("ical", "ic"),
                ("ist", "y"), ("able", ""), ("th", ""), ("ence", ""), ("ance", ""))
MASS_NOUNS = """information knowledge advice equipment furniture homework research
evidence software luggage traffic work music news progress money pollution research
transportation technology behavior behaviour training housing clothing weather
violence health education water air food experience society nature life""".split()
FUNCTION_WORDS = frozenset("""a an the and or but if then than as at by for from in into
is it its of on to with was were be been am are do does did have has had not no nor so
he she him her his they them their we us our i me my you your who whom whose which what
that this these those can could may might must shall should will would there here when
where why how all any some each every both few more most other such only own same too
very just about after before over under again further once out up down off above below
between through during until while because against s t o one""".split())
SINGULAR_CUES = frozenset("a an one every each another this that".split())
PLURAL_CUES = frozenset("""two three four five six seven eight nine ten many several few
these those some all other most both various different""".split())
STRONG_CUES = frozenset("""every each one another many few several these those two three
four five six ten both various""".split())
SUBJECTS = frozenset("he she it i you we they who which that this there everyone".split())
AUXILIARIES = frozenset("""to will would can could may might must shall should do does did
don't doesn't didn't cannot can't won't be is are was were been being has have had i you
we they he she it who that not n't""".split())


def read_inflections(path):
    """Return {class: {lemma: [forms]}} with lower-case single words only."""
    table = defaultdict(dict)
    with open(path, encoding="utf-8", newline="") as handle:
        for row in csv.reader(handle):
            lemma, kind = row[0], row[1]
            if not lemma.isalpha() or not lemma.islower():
                continue
            cells = [cell.split("/") for cell in row[2:] if cell]
            table[kind][lemma] = [form for cell in cells for form in cell
                                  if form.isalpha()]
    return table


def noun_map(nouns):
    """Singular -> plurals and plural -> singular, plus doubtful plurals."""
    wrong = defaultdict(list)
    for lemma, forms in nouns.items():
        for form in forms:
            if form != lemma:
                wrong[lemma].append(form)
                wrong[form].append(lemma)
                if not form.endswith("s"):
                    wrong[form] += [lemma + "s", form + "s"]
    for lemma in MASS_NOUNS:
        wrong[lemma] = [lemma[:-1] + "ies" if lemma[-2:] in ("ty", "gy")
                        else lemma + "s"]
    return {word: forms for word, forms in wrong.items()
            if word not in FUNCTION_WORDS and len(word) > 2}


def verb_map(verbs):
    """Each verb form -> the other forms, with regularised irregular pasts."""
    wrong = defaultdict(set)
    for lemma, forms in verbs.items():
        family = [lemma] + forms
        extra = []
        irregular = [f for f in forms if not f.endswith(("ed", "ing", "s"))]
        if irregular:
            extra = [lemma + ("d" if lemma.endswith("e") else "ed")]
        for form in family:
            wrong[form].update(family)
            if form in irregular:
                wrong[form].update(extra)
            if lemma[-1] == "e" and form == lemma[:-1] + "ing":
                wrong[form].add(lemma + "ing")
    return {word: sorted(forms - {word}) for word, forms in wrong.items()
            if word not in FUNCTION_WORDS and len(forms) > 1}


def derivation_map(table):
    """Word -> relatives that differ by a derivational suffix."""
    lemmas = set()
    for kind in ("noun", "verb", "adj", "adv"):
        lemmas.update(word for word in table[kind] if len(word) > 3)
    wrong = defaultdict(set)
    for word in lemmas:
        for longer, shorter in SUFFIX_PAIRS:
            if not word.endswith(longer) or len(word) - len(longer) < 3:
                continue
            other = word[:len(word) - len(longer)] + shorter
            if other in lemmas:
                wrong[word].add(other)
                wrong[other].add(word)
    for lemma, forms in table["adj"].items():
        for form in forms:
            wrong[form].update([lemma, "more " + form, "more " + lemma])
            wrong[lemma].add(form)
    return {word: sorted(forms) for word, forms in wrong.items()
            if word not in FUNCTION_WORDS}


def agreement_map(verbs):
    """Base form -> third person and back, with the forms learners make up."""
    wrong = defaultdict(list)
    for lemma, forms in verbs.items():
        for form in forms:
            if form.endswith("s") and form != lemma:
                wrong[lemma].append(form)
                wrong[form] += [lemma, lemma]
                if form.endswith("es") and form[:-2] == lemma:
                    wrong[form].append(lemma + "s")
                if form.endswith("ies"):
                    wrong[form].append(lemma + "s")
    return {word: forms for word, forms in wrong.items()
            if word not in FUNCTION_WORDS}


def read_misspellings(path):
    """Correct word -> listed misspellings (the typos table reversed)."""
    wrong = defaultdict(list)
    with open(path, encoding="utf-8", newline="") as handle:
        for row in csv.reader(handle):
            if len(row) < 2 or len(row) > 4:
                continue
            for right in row[1:]:
                if right.isalpha() and row[0].isalpha() and right != row[0]:
                    wrong[right].append(row[0])
    return dict(wrong)


def confusion_map():
    """Word -> the other members of its confusion sets ('-' is a blank)."""
    wrong = defaultdict(set)
    for group in CONFUSION_SETS.replace("\n", "|").split("|"):
        words = group.split()
        for word in words:
            others = {w for w in words if w != word}
            wrong[word].update(w.replace("-", " ") for w in others)
    return {word: sorted(others) for word, others in wrong.items()}


def main():
    """Print the size of every table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", required=True,
                        help="data folder that holds tables/")
    args = parser.parse_args()
    table = read_inflections(args.data + "/tables/lemminflect_infl_lu.csv")
    spell = read_misspellings(args.data + "/tables/typos_words.csv")
    for name, words in (("noun", noun_map(table["noun"])),
                        ("verb", verb_map(table["verb"])),
                        ("agreement", agreement_map(table["verb"])),
                        ("derivation", derivation_map(table)),
                        ("spelling", spell), ("confusion", confusion_map())):
        print(name, len(words))


if __name__ == "__main__":
    main()
