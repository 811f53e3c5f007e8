#!/usr/bin/env python3
"""Orthogonalised momentum steps (Muon) for the matrices of a flat vector.

The momentum of each matrix is pushed towards the nearest orthogonal matrix
by five Newton-Schulz rounds, and scaled so that its entries are about as
large as those of an Adam step.  The workers share the matrices out.
"""
import argparse

import torch
import torch.distributed as dist

ROUND = (3.4445, -4.7750, 2.0315)


def orthogonal(batch, rounds=5, dtype=torch.bfloat16):
    """Newton-Schulz rounds on [n, rows, columns] with rows <= columns."""
    a, b, c = ROUND
    x = batch / (batch.norm(dim=(1, 2), keepdim=True) + 1e-7)
    x = x.to(dtype)
    for _ in range(rounds):
        gram = x @ x.mT
        x = a * x + (b * gram + c * (gram @ gram)) @ x
    return x.float()


class MatrixSteps:
    """Momentum and steps for the 2-D parameters, the embedding left out."""

    def __init__(self, model, rank, world, beta=0.95,
                 dtype=torch.bfloat16):
        self.dtype, self.beta, self.rank, self.world = dtype, beta, rank, world
        self.momentum, self.groups, offset = None, {}, 0
        for name, parameter in model.named_parameters():
            if parameter.ndim == 2 and not name.startswith("shared"):
                self.groups.setdefault(tuple(parameter.shape), []).append(
                    offset)
            offset += parameter.numel()
        self.size = offset
        self.spans = [(at, at + rows * columns) for (rows, columns), places
                      in self.groups.items() for at in places]

    def directions(self, grad):
        """The step direction of every matrix, at its place in the vector."""
        if self.momentum is None:
            self.momentum = torch.zeros_like(grad)
        self.momentum.lerp_(grad, 1.0 - self.beta)
        ahead = grad.lerp(self.momentum, self.beta)
        out = torch.zeros_like(grad)
        for (rows, columns), places in self.groups.items():
            mine = places[self.rank::self.world]
            if not mine:
                continue
            batch = torch.stack([ahead[at:at + rows * columns].view(
                rows, columns) for at in mine])
            flip = rows > columns
            steps = orthogonal(batch.mT if flip else batch, dtype=self.dtype)
            steps = (steps.mT if flip else steps) * (
                0.2 * max(rows, columns) ** 0.5)
            for at, step in zip(mine, steps):
                out[at:at + rows * columns] = step.flatten()
        if self.world > 1:
            dist.all_reduce(out)
        return out


def main():
    """Show the singular values that one call leaves."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=64)
    parser.add_argument("--columns", type=int, default=128)
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    torch.manual_seed(args.seed)
    step = orthogonal(torch.randn(1, args.rows, args.columns))[0]
    values = torch.linalg.svdvals(step)
    print(f"singular values {values.min():.3f} to {values.max():.3f}")


if __name__ == "__main__":
    main()
