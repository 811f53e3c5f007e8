#!/usr/bin/env python3
"""Train an EdgeFormer on made errors, on CPU cores, within a time budget.

Each worker process computes in bf16 (or float32) on one thread; gradients are averaged
over the workers, and every worker applies the same AdamW step to float32
master weights; with --matrix_lr the matrices take orthogonalised momentum
steps (Muon) of that rate instead.  The learning rate follows the clock: it warms up over the
first steps and reaches zero when the budget ends.  An auxiliary loss pulls
the first cross-attention heads of the last decoder layer to the aligned
source piece, and target pieces at edits weigh more.
"""
import argparse
import json
import os
import random
import tempfile
import time

import torch
import torch.distributed as dist
import torch.multiprocessing as mp

from decode_folder import load_folder
from edgeformer import EdgeConfig, EdgeFormer, padding_mask
from greedy_search import greedy_all
from orthogonal_step import MatrixSteps
from pair_batches import bucketed, dev_items, feed, make_batch

CHUNK = 160


class ProjectedLoss(torch.autograd.Function):
    """Weighted label-smoothed cross entropy of the tied output projection.

    Works on a few rows at a time so that the logits stay in the cache, and
    computes the gradients of both inputs in the forward pass.
    """

    @staticmethod
    def forward(ctx, x, table, target, weight, smooth):
        total, norm = x.new_zeros((), dtype=torch.float32), weight.sum()
        slope = torch.empty(x.shape[0], table.shape[0], dtype=x.dtype)
        for at in range(0, x.shape[0], CHUNK):
            part = slice(at, at + CHUNK)
            logits = (x[part] @ table.t()).float()
            share = (weight[part] / norm)[:, None]
            pick = target[part, None]
            logp = logits.log_softmax(-1)
            loss = (1 - smooth) * logp.gather(1, pick)[:, 0]
            loss = loss + smooth * logp.mean(-1)
            total -= (loss * share[:, 0]).sum()
            grad = logp.exp_().sub_(smooth / table.shape[0])
            grad.scatter_add_(1, pick, torch.full(pick.shape, smooth - 1.0))
            slope[part] = grad.mul_(share)
        ctx.save_for_backward(slope @ table, slope.t() @ x)
        return total

    @staticmethod
    def backward(ctx, outer):
        dx, dtable = ctx.saved_tensors
        return dx * outer, dtable * outer, None, None, None


def batch_loss(model, batch, args, heads):
    """(total, token loss, alignment loss) of one batch of arrays."""
    source = torch.from_numpy(batch["source"])
    target = torch.from_numpy(batch["target"])
    weight = torch.from_numpy(batch["weight"])
    mask = padding_mask(batch["lengths"], source.shape[1])
    states = model.encode(source, mask)
    x, cq, ck = model.decode(torch.from_numpy(batch["input"]), states, mask)
    keep = (weight > 0).flatten().nonzero()[:, 0]
    token = ProjectedLoss.apply(
        x.flatten(0, 1)[keep], model.shared.weight, target.flatten()[keep],
        weight.flatten()[keep], args.label_smoothing)
    if not heads:
        return token, token, token.detach() * 0
    scores = model.alignment_scores(cq, ck, mask, heads)
    scores = scores.log_softmax(-1)
    places = torch.from_numpy(batch["places"])[:, None, :, None]
    found = scores.gather(3, places.expand(-1, heads, -1, -1))[..., 0]
    real = (weight > 0).float()[:, None]
    aligned = -(found * real).sum() / (real.sum() * heads)
    return token + args.align_weight * aligned, token, aligned


class FlatWeights:
    """Float32 master weights in one vector, AdamW on it, bf16 in the model."""

    def __init__(self, model, args, rank):
        self.matrices = None
        if args.matrix_lr:
            self.matrices = MatrixSteps(
                model, rank, args.workers,
                dtype=getattr(torch, args.compute_type))
        self.matrix_ratio = args.matrix_lr / args.lr
        self.weight_decay = args.weight_decay
        self.live = list(model.parameters())
        flat = torch.cat([p.detach().flatten() for p in self.live])
        self.master = torch.nn.Parameter(flat.clone())
        self.average, self.steps = flat.clone(), 0
        self.optimizer = torch.optim.AdamW(
            [self.master], lr=args.lr, betas=(0.9, 0.98), eps=1e-9,
            weight_decay=args.weight_decay, fused=True)
        self.buffer = torch.zeros(flat.numel() + 4)

    def publish(self, vector):
        """Copy a flat vector into the model's parameters."""
        with torch.no_grad():
            parts = vector.split([p.numel() for p in self.live])
            for live, part in zip(self.live, parts):
                live.copy_(part.view_as(live))

    def apply(self, grad, rate):
        """AdamW on everything, then orthogonal steps for the matrices."""
        if self.matrices is None:
            return self.optimizer.step()
        change = self.matrices.directions(grad)
        master, rate = self.master.data, rate * self.matrix_ratio
        before = [(a, b, master[a:b].clone()) for a, b in self.matrices.spans]
        self.optimizer.step()
        for a, b, old in before:
            old.mul_(1.0 - rate * self.weight_decay)
            master[a:b] = old.sub_(change[a:b], alpha=rate)
        return None

    def step(self, rate, notes, world, clip, decay):
        """Average gradients and notes over workers, then one AdamW step."""
        with torch.no_grad():
            torch.cat([p.grad.flatten().float() for p in self.live],
                      out=self.buffer[:-4])
            self.buffer[-4:] = torch.tensor(notes)
            if world > 1:
                dist.all_reduce(self.buffer)
                self.buffer /= world
            grad = self.buffer[:-4]
            norm = float(grad.norm())
            if norm > clip:
                grad.mul_(clip / norm)
            self.master.grad = grad
            for group in self.optimizer.param_groups:
                group["lr"] = rate
            if norm == norm:
                self.apply(grad, rate)
                self.steps += 1
                if self.steps % 4 == 0:
                    self.average.lerp_(self.master.data, 1.0 - decay ** 4)
            self.publish(self.master.data)
        for live in self.live:
            live.grad = None
        return norm, self.buffer[-4:].tolist()


def save(path, model, weights, state):
    """Write a checkpoint in one move, so that a stop leaves a whole file."""
    os.makedirs(os.path.dirname(path), exist_ok=True)
    torch.save({"config": vars(model.config), "state": state,
                "master": weights.master.data, "average": weights.average,
                "optimizer": weights.optimizer.state_dict()}, path + ".part")
    os.replace(path + ".part", path)


def dev_report(model, weights, items, pieces, args, heads):
    """Loss, exact matches and edit counts on fixed dev pairs, as a line."""
    weights.publish(weights.average)
    model.eval()
    with torch.no_grad():
        batches = bucketed(list(items), 2000, random.Random(1))
        losses = [batch_loss(model, make_batch(b, 1.0), args, heads)[1]
                  for b in batches]
    some = items[:args.dev_decode]
    outputs = greedy_all(model, [item[0] for item in some])
    model.train()
    weights.publish(weights.master.data)
    right = sum(out == item[1][:-1] for out, item in zip(outputs, some))
    wrong = [(out, item) for out, item in zip(outputs, some)
             if item[0] != item[1]]
    fixed = sum(out == item[1][:-1] for out, item in wrong)
    kept = sum(out == item[0][:-1] for out, item in wrong)
    clean = len(some) - len(wrong)
    lines = [f"dev loss {float(sum(losses)) / len(losses):.4f}  exact "
             f"{right / len(some):.3f}  wrong pairs: fixed "
             f"{fixed / len(wrong):.3f} left as is {kept / len(wrong):.3f}  "
             f"clean pairs kept {(right - fixed) / max(clean, 1):.3f}"]
    for out, item in list(zip(outputs, some))[:args.samples]:
        lines += ["  - " + pieces.decode(item[0][:-1]),
                  "  + " + pieces.decode(out)]
    return "\n".join(lines)


def learning_rate(args, step, progress):
    """Linear warm-up over steps, linear decay to zero over the clock."""
    return args.lr * min((step + 1) / args.warmup, 1.0) * max(
        1.0 - progress, 0.0)


def build(args):
    """The model of the wished shape or of the start folder, float32."""
    torch.manual_seed(args.seed)
    if args.start:
        return load_folder(args.start).train()
    return EdgeFormer(EdgeConfig(
        vocab_size=args.vocab_size, d_model=args.d_model,
        encoder_layers=args.encoder_layers, decoder_layers=args.decoder_layers,
        heads=args.heads or args.d_model // 64,
        encoder_ffn_dim=args.encoder_ffn_dim,
        decoder_ffn_dim=args.decoder_ffn_dim,
        attention_groups=args.attention_groups or args.encoder_layers,
        ffn_groups=args.ffn_groups or args.encoder_layers,
        lora_rank=args.lora_rank,
        decoder_shares_attention=args.decoder_shares_attention,
        dropout=args.dropout))


def restore(args, weights, state):
    """Load the newest checkpoint when resuming."""
    path = os.path.join(args.output, "last.pt")
    if args.resume and os.path.exists(path):
        kept = torch.load(path, weights_only=True)
        weights.master.data.copy_(kept["master"])
        weights.average.copy_(kept["average"])
        weights.optimizer.load_state_dict(kept["optimizer"])
        state.update(kept["state"])
    weights.publish(weights.master.data)


def start_feeder(args, rank, step):
    """The background producer of this worker, and its queue."""
    options = {key: getattr(args, key) for key in (
        "data", "input", "tokenizer", "longest", "reserved", "tokens",
        "pool", "edit_weight", "clean_share", "dense_share", "drill_share",
        "drill_until", "hours", "misspellings")}
    context = mp.get_context("spawn")
    queue = context.Queue(24)
    context.Process(target=feed, daemon=True, args=(
        queue, options, rank, args.workers, args.seed + step)).start()
    return queue, options


def train_loop(args, rank, model, weights, state, queue, report):
    """Steps until the clock has used up the budget."""
    origin = time.time() - state["elapsed"]
    budget, shown, checked, saved = args.hours * 3600, 0, time.time(), 0
    sums, seen = [0.0] * 4, time.time()
    progress = state["elapsed"] / budget
    heads = args.guided_heads
    while progress < 1.0:
        batch = queue.get()
        total, token, aligned = batch_loss(model, batch, args, heads)
        total.backward()
        notes = [token.item(), aligned.item(), float(batch["weight"].astype(
            bool).sum()), (time.time() - origin) / budget]
        norm, notes = weights.step(
            learning_rate(args, state["step"], progress), notes, args.workers,
            args.clip, min(args.ema, (1 + state["step"]) / (
                10 + state["step"])))
        progress = notes[3]
        state["step"] += 1
        state["tokens"] += notes[2] * args.workers
        state["elapsed"] = progress * budget
        sums = [a + b for a, b in zip(sums, notes)]
        shown += 1
        if shown == args.log_every and rank == 0:
            speed = sums[2] * args.workers / (time.time() - seen)
            print(f"step {state['step']} done {progress:.4f} loss "
                  f"{sums[0] / shown:.4f} align {sums[1] / shown:.4f} norm "
                  f"{norm:.2f} tokens {state['tokens'] / 1e6:.2f}M "
                  f"{speed:.0f}/s queue {queue.qsize()}", flush=True)
        if shown == args.log_every:
            sums, shown, seen = [0.0] * 4, 0, time.time()
        if rank == 0 and time.time() - checked > args.save_minutes * 60:
            save(os.path.join(args.output, "last.pt"), model, weights, state)
            saved += 1
            if saved % args.dev_every == 0:
                print(report(), flush=True)
            checked = time.time()


def worker(rank, args, store):
    """One training process."""
    torch.set_num_threads(args.threads)
    if args.workers > 1:
        dist.init_process_group("gloo", init_method="file://" + store,
                                rank=rank, world_size=args.workers)
    model = build(args)
    weights = FlatWeights(model, args, rank)
    state = {"step": 0, "tokens": 0.0, "elapsed": 0.0}
    model.to(getattr(torch, args.compute_type))
    model.positions = model.positions.to(getattr(torch, args.compute_type))
    restore(args, weights, state)
    queue, options = start_feeder(args, rank, state["step"])
    report = None
    if args.pin:
        os.sched_setaffinity(0, {rank % os.cpu_count()})
    if rank == 0:
        import sentencepiece
        pieces = sentencepiece.SentencePieceProcessor(
            model_file=args.tokenizer)
        items = dev_items(options, args.dev)

        def report():
            return dev_report(model, weights, items, pieces, args,
                              args.guided_heads)
        print(json.dumps(vars(args)), flush=True)
        print(f"{weights.master.numel():,} parameters", flush=True)
    train_loop(args, rank, model, weights, state, queue, report)
    if rank == 0:
        save(os.path.join(args.output, "last.pt"), model, weights, state)
        print("final " + report(), flush=True)
        print("training ended", flush=True)
    if args.workers > 1:
        dist.barrier()


def parse_arguments():
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    for name, text in (("data", "data folder that holds tables/"),
                       ("input", "clean text"), ("tokenizer", "spiece.model"),
                       ("output", "folder for checkpoints")):
        parser.add_argument("--" + name, required=True, help=text)
    numbers = {"hours": 1.0, "lr": 1e-3, "matrix_lr": 0.0, "label_smoothing": 0.1,
               "dropout": 0.0, "weight_decay": 0.01, "clip": 1.0,
               "ema": 0.998, "align_weight": 0.3, "edit_weight": 2.5,
               "clean_share": 0.17, "dense_share": 0.0, "drill_share": 0.0,
               "drill_until": 0.7, "save_minutes": 4.0}
    counts = {"vocab_size": 4096, "d_model": 256, "encoder_layers": 6,
              "decoder_layers": 2, "heads": 0, "encoder_ffn_dim": 1024,
              "decoder_ffn_dim": 256, "attention_groups": 0, "ffn_groups": 0,
              "lora_rank": 0, "workers": 2, "threads": 1, "tokens": 2000,
              "longest": 100, "reserved": 4000, "pool": 6000, "warmup": 700,
              "guided_heads": 1, "log_every": 25, "dev": 300,
              "dev_decode": 100, "dev_every": 4, "samples": 6, "seed": 1}
    for name, value in numbers.items():
        parser.add_argument("--" + name, type=float, default=value)
    for name, value in counts.items():
        parser.add_argument("--" + name, type=int, default=value)
    parser.add_argument("--decoder_shares_attention", action="store_true")
    parser.add_argument("--compute_type", default="bfloat16",
                        choices=("bfloat16", "float32"), help="float32 is the"
                        " faster one where bfloat16 has no matrix unit")
    parser.add_argument("--start", help="model folder whose weights, shape and"
                        " sharing are the start")
    parser.add_argument("--misspellings", help="misspellings.table that the model folder will have")
    parser.add_argument("--pin", action="store_true",
                        help="keep each worker on a core of its own")
    parser.add_argument("--resume", action="store_true")
    return parser.parse_args()


def main():
    """Start the workers."""
    args = parse_arguments()
    store = os.path.join(tempfile.mkdtemp(), "store")
    if args.workers == 1:
        worker(0, args, store)
    else:
        mp.spawn(worker, (args, store), nprocs=args.workers)


if __name__ == "__main__":
    main()
