"""Texts that tokenizers are tested with: ordinary ones, hostile ones, and seeded random ones. All as bytes."""

import random

ORDINARY = """\
She go to school every days, and she like it.
The committee have decided to postpone the meeting until next Tuesday.
I look forward to hear from you soon.
Despite of the rain, we went out for a long walk along the river.
There is many reasons why peoples choose to live in the city.
He said that he will come yesterday, but he didn't.
It's raining; isn't it? Don't forget your umbrella!
"Where are you going?" he asked. "Home," she said.
The price rose from $1,250.75 to $1,300.00 (about 3.9 %) in 2019.
Please send an e-mail to nobody@example.org or visit http://example.org/a?b=c&d=e#f.
If I was you, I would of taken the earlier train.
The informations that you gave me was very usefull.
One of the most important thing in life is health.
Me and my brother has been living here since ten years.
We was waiting for the bus when it start to rain.
Can you borrow me your pen, please?
In my opinion , the goverment should to do more .
He is more taller than his sister, who is 1.65m tall.
They discussed about the problem during three hours.
A apple a day keeps the doctor away, as the saying goes.
The childrens' toys were everywhere: under the table, on the chairs, in the bath.
This is the house in that I was born in 1984-05-17 at 03:45 a.m.
She suggested me to try the new restaurant on 5th Avenue.
No one know what will happen in the future...
THE QUICK BROWN FOX JUMPS OVER THE LAZY DOG. the quick brown fox jumps over the lazy dog.
I've already saw this film two times; it worth watching it.
x = a[i] * (b + c) / 2;  if (x != 0) { return -1; }
Dr. Smith's ph.D. thesis was about mRNA-based vaccines, COVID-19, and so on & so forth.
Ich weiß nicht, was soll es bedeuten, daß ich so traurig bin.
Où est la bibliothèque ? L'été dernier, j'étais à Besançon.
El niño comió una manzana; ¿qué más quería? ¡Nada!
Žluťoučký kůň úpěl ďábelské ódy.
Съешь же ещё этих мягких французских булок, да выпей чаю.
Ξεσκεπάζω την ψυχοφθόρα βδελυγμία.
私は昨日、友達と東京へ行きました。とても楽しかったです。
我昨天去了图书馆，借了三本书。
나는 어제 도서관에 갔다.
هذا نص عربي قصير، مع علامات ترقيم؟
זהו משפט קצר בעברית.
यह हिन्दी का एक छोटा वाक्य है।
นี่คือประโยคภาษาไทย
Bu sabah İstanbul'da yağmur yağıyor; ılık bir gün.
Tiếng Việt có nhiều dấu thanh.
Ⅳ. ﬁnal ﬂow of ½ cup at 25℃, ㎏ and ™ signs, ｆｕｌｌ ｗｉｄｔｈ　ｔｅｘｔ, ﷺ
""".splitlines()

HOSTILE = [
    b"", b" ", b"  ", b"\t", b"\n", b"\r\n", b" \t\r\n ", b"a", b" a", b"a ", b"  a  ", b"a  b", b"a   b    c ",
    b"\x00", b"\x00a", b"a\x00", b"a\x00b", b"\x00\x00\x00", b"a\x01b\x7fc\x1b[0m",
    b"\x80", b"\xbf", b"\xc0\x80", b"\xc1\xbf", b"\xe0\x80\x80", b"\xe0\x9f\xbf", b"\xf0\x80\x80\x80",
    b"\xf5\x80\x80\x80", b"\xf8\x88\x80\x80\x80", b"\xfe", b"\xff", b"\xff\xff\xff\xff", b"\xed\xa0\x80",
    b"\xed\xbf\xbf", b"\xed\xa0\x80\xed\xb0\x80", b"\xf4\x90\x80\x80", b"\xf4\x8f\xbf\xbf", b"\xc3", b"\xe2",
    b"\xe2\x96", b"\xf0\x9f", b"\xf0\x9f\x98", b"ab\xc3", b"ab\xe2\x82", b"ab\xf0\x9f\x98", b"a\xe2\x82b",
    b"a\xf0\x9f\x98b", b"\xc3(", b"\xa0\xa1", b"\xe2(\xa1", b"\xe2\x82(", b"\xf0(\x8c\xbc", b"\xf0\x90(\xbc",
    b"\xf0(\x8c(", b" \xff ", b"a \xff b", b"\xff a", b"a \xff",
    "\ufeff".encode(), "\ufeffa".encode(), "a\ufeffb".encode(), "\ufffd".encode(), "\ufffe".encode(),
    "\uffff".encode(), "\U0010ffff".encode(), "\U0001fffe".encode(),
    "\u00a0".encode(), "\u00a0a\u00a0".encode(), "\u3000".encode(), "\u3000a\u3000\u3000b".encode(),
    "\u200b".encode(), "a\u200bb".encode(), "\u2028".encode(), "a\u2028b\u2029c".encode(), "\u00ad".encode(),
    "soft\u00adhyphen".encode(), "\u180e\u2060\u202f\u205f".encode(), "\u0085a\u0085".encode(),
    "\u2581".encode(), "\u2581\u2581".encode(), "\u2581a".encode(), "a\u2581".encode(), "a\u2581b".encode(),
    "a \u2581 b".encode(), " \u2581".encode(), "\u2581 ".encode(), "\u2581\u2581a\u2581\u2581".encode(),
    b"<s>", b"</s>", b"<unk>", b"<pad>", b"<0x0A>", b"<0x00>", b"a</s>b", b" </s> ", b"<s>a</s>", b"<extra_id_0>",
    b"<sep>", b"a<sep>b", b" <sep> ", b"<sep><sep>", b"<se", b"<sep", b"...", b"....", b"a...b", b"http://",
    b"http:/", b"xhttp://y", "\u2014".encode(), "a\u2014b".encode(), "\u00df".encode(), "stra\u00dfe".encode(),
    b"don't", b"don'tt", b"ddon't", b"don", b"it's a <sep>...don't",
    b"a" * 300, b"_" * 300, b" " * 300, b"aA" * 150, b"0123456789" * 20, b"." * 100, b"<" * 50, b"the " * 60,
    ("\u4e2d" * 100).encode(), ("e" + "\u0301" * 100).encode(), ("\u2581" * 60).encode(), (" \u2581" * 40).encode(),
    "e\u0301 \u00e9 E\u0301 \u00c9".encode(), "\u1100\u1161\u11a8 \uac01".encode(), "\ufdfa".encode(),
    ("\ufdfa" * 20).encode(), "\u1e9b\u0323".encode(), "\u212b \u00c5 A\u030a".encode(), "\ufb01\ufb02\ufb03".encode(),
    "\u0130\u0131Ii".encode(), "\u01c4\u01c5\u01c6".encode(), "\u2126\u03a9".encode(), "\uff21\uff22\uff23".encode(),
    "\u3099\u304b\u3099".encode(), "\u00bd \u2153 \u2468 \u2169".encode(), "x\u00b2 + y\u2082".encode(),
    "\u202eabc\u202c \u2066def\u2069".encode(), "\U0001f468\u200d\U0001f469\u200d\U0001f467".encode(),
    "\U0001f1e9\U0001f1ea 1\ufe0f\u20e3 \U0001f44d\U0001f3fd".encode(), "\U0001f600".encode(),
    "a\U0001f600b\U0001f601c".encode(), "\U0001d504\U0001d4ea".encode(), "\u2764\ufe0f \u2764\ufe0e".encode(),
    "Z\u0350\u0351a\u0352\u0353l\u0354\u0355g\u0356\u0357o\u0358".encode(), "\u0e33 \u0eb3".encode(),
    "\u2018q\u2019 \u201cr\u201d \u2032 \u2033".encode(), "a\u2026b".encode(), "\u00a8 \u00b4 \u00b8".encode(),
    b"\x1f", b"\x7f", b"a\x0bb\x0cc", b"\x85", b"\x1ca\x1db\x1ec", b"%s%n%x", b"'; DROP TABLE t;--", b"../../etc",
    b"{\"a\": [1, 2.5e-3, null]}", b"<script>alert(1)</script>", b"\\u0000\\n", b"NULL", b"nan", b"-0", b"1e999",
]

PARTS = [
    " ", "  ", "a", "b", "e", "th", "the", "ing", "tion", "A", "Z", "0", "42", ".", ",", "...", "'", "don't", "<sep>",
    "http://", "</s>", "\u2581", "\u2581\u2581", "\u00e9", "e\u0301", "\u00df", "\u2014", "\u4e2d", "\uac01",
    "\U0001f600", "\u00a0", "\u3000", "\u200b", "\ufb01", "\uff21", "\ufdfa", "\u0130", "\u212b", "\n", "\t", "\x00",
]
BROKEN = [b"\xff", b"\x80", b"\xc3", b"\xe2\x96", b"\xed\xa0\x80", b"\xf0\x9f\x98"]


def random_texts(count, seed=20, longest=30):
    """Texts put together from PARTS, every fourth one with broken UTF-8 in it."""
    rng = random.Random(seed)
    texts = []
    for i in range(count):
        parts = [rng.choice(PARTS).encode() for _ in range(rng.randint(1, longest))]
        if i % 4 == 0:
            parts.insert(rng.randint(0, len(parts)), rng.choice(BROKEN))
        texts.append(b"".join(parts))
    return texts


WORDS = """\
the of and to in is that it was for on with he as you do at this but his by from they we say her she
or will an my Haus größer über Äpfel Straße Donaudampfschifffahrt kůň žluťoučký řeka příliš ěšč
đường Việt İstanbul ışık niño ¿qué déjà слово Йогурт день мир Беларусь λόγος ΟΔΟΣ 中文 我们 图书馆 東京 カタカナ
ひらがな 한국어 한글 مرحبا كِتَابٌ שלום नमस्ते क्षेत्र ภาษาไทย தமிழ் ქართული I'm you've they'll don't he'd
it's we're 'tis o'clock rock'n'roll isn’t 3.14 1,000,000 2024-11-26 42nd ½ Ⅷ ٣٤ 三 if(x==0){return;}
a[i]+=b->c; def f(self,x): /* c */ </div> <a href="#"> https://example.org/?q=1&r=%20 foo_bar
__init__ C++ #include 😀 👨‍👩‍👧 👍🏽 ❤️ 🇩🇪 1️⃣ ©‍® ™ €5 — … “q” «q» ... ?! -- <sep> <mask>
""".replace("\n", " ").strip().split(" ")
GAPS = [" "] * 12 + ["", "", "  ", "   ", "\t", "\n", "\n\n", "\r\n", " \n", "\u00a0", "\u3000", "\u200b",
                     " \u00a0 ", "\u2028"]
# Where the characters of random words come from: every script and kind of sign that a rule may ask for.
BLOCKS = [(0x20, 0x7F), (0xA0, 0x250), (0x2B0, 0x370), (0x370, 0x530), (0x590, 0x700), (0x900, 0xE00), (0xE00, 0x1100),
          (0x1100, 0x1200), (0x1E00, 0x2000), (0x2000, 0x2070), (0x2070, 0x2800), (0x3000, 0x3100), (0x4E00, 0x9FFF),
          (0xA000, 0xAC00), (0xAC00, 0xD7A4), (0xF900, 0xFE00), (0xFE00, 0x10000), (0x10000, 0x12000),
          (0x1D400, 0x1D800), (0x1E800, 0x1F000), (0x1F000, 0x1FB00), (0x20000, 0x2A6DF), (0x0, 0x110000)]


def random_word(rng):
    low, high = rng.choice(BLOCKS)
    chars = [rng.randrange(low, high) for _ in range(rng.randint(1, 4))]
    if rng.random() < 0.3:
        chars.insert(rng.randint(0, len(chars)), rng.choice([0x301, 0x308, 0x20D0, 0x200D, 0xFE0F, 0x94D, 0x600]))
    return "".join(chr(c) for c in chars if not 0xD800 <= c < 0xE000)


def mixed_texts(count, seed=21, longest=8):
    """Words of many languages, numbers, code and random characters, with odd white space between them."""
    rng = random.Random(seed)
    texts = []
    for i in range(count):
        parts = []
        for _ in range(rng.randint(1, longest)):
            parts += [random_word(rng) if rng.random() < 0.25 else rng.choice(WORDS), rng.choice(GAPS)]
        text = "".join(parts[:-1] if rng.random() < 0.8 else parts).encode()
        texts.append(text + rng.choice(BROKEN) + b"x" if i % 16 == 0 else text)
    return texts


def all_texts(random_count=120):
    return [t.encode() for t in ORDINARY] + HOSTILE + random_texts(random_count)
