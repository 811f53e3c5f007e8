#!/usr/bin/env python3
"""Writes tests/fixtures/prompts/t5_prompts.tsv: what transformers makes of sentences with an instruction in front.

usage: make_prompt_fixture.py

Needs PyTorch, transformers and sentencepiece. The model and its tokenizer are those of tests/fixtures/hf-t5-c; its
SentencePiece model has pieces of bytes, which transformers' own T5Tokenizer does not know, so sentencepiece
cuts the texts. Every line is a prompt, a sentence, the source ids of prompt + sentence as one string (without the
end-of-sentence token) and the ids of greedy decoding, with tabs between them. Sentences whose logits come close to
a tie are left out: two implementations may differ there.
"""

import os
import random

import sentencepiece
import torch
import transformers

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
FOLDER = os.path.join(ROOT, "tests", "fixtures", "hf-t5-c")
OUTPUT = os.path.join(ROOT, "tests", "fixtures", "prompts", "t5_prompts.tsv")
PROMPTS = ("grammar: ", "Fix grammatical errors in this sentence: ", "bace ", "fix:", "ba", "so tu  ")
WORDS = "bace difo guha jeki lomu nape risotu vawexi yozu ba ce di fo gu ha je ki lo mu na pe".split()
SENTENCES, LONGEST, MAX_OUT, MARGIN = 16, 7, 24, 2e-3


def is_clear(scores, ids):
    """1 if no choice was nearly another one."""
    for step in scores:
        best = step[0].topk(2).values
        if float(best[0] - best[1]) < MARGIN * float(step.abs().max()):
            return False
    return len(ids) > 1


def sentence(rng):
    text = " ".join(rng.choice(WORDS) for _ in range(rng.randint(1, LONGEST)))
    return text.capitalize() + "." if rng.random() < 0.5 else text


def main():
    rng = random.Random(20)
    tokenizer = sentencepiece.SentencePieceProcessor(model_file=os.path.join(FOLDER, "spiece.model"))
    model = transformers.T5ForConditionalGeneration.from_pretrained(FOLDER, dtype=torch.float32).eval()
    lines = []
    for prompt in PROMPTS:
        for _ in range(SENTENCES):
            text = sentence(rng)
            source = tokenizer.encode(prompt + text)
            ids = torch.tensor([source + [model.config.eos_token_id]])
            out = model.generate(ids, max_new_tokens=MAX_OUT, num_beams=1, do_sample=False, output_scores=True,
                                 return_dict_in_generate=True)
            ids = out.sequences[0].tolist()[1:]
            if is_clear(out.scores, ids):
                ids = ids[:-1] if ids[-1] == model.config.eos_token_id else ids
                lines.append("\t".join((prompt, text, " ".join(map(str, source)), " ".join(map(str, ids)))))
    os.makedirs(os.path.dirname(OUTPUT), exist_ok=True)
    with open(OUTPUT, "w", encoding="utf-8") as f:
        f.write("\n".join(lines) + "\n")
    print(f"{len(lines)} lines")


if __name__ == "__main__":
    main()
