"""The fused Triton kernel against torch.compile on an NVIDIA GPU: ``python -m benchmarks.ot_gpu``.

One step goes from bfloat16 embeddings to losses and the gradient in the source, with a fixed number of sweeps. The
peer is what a careful user of torch would write: costs by a batched product, the scaling form in a loop, the plan held
constant, compiled as a whole; in its default mode and with CUDA graphs (``reduce-overhead``). The kernel is timed as
it is called, and out of a CUDA graph. Each figure is the median over repetitions after a warm-up, by CUDA events.
"""

import argparse
import statistics
import sys
from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn.functional import normalize

from optical.ot.kernels.triton import backend
from optical.ot.settings import Settings

DEVICE = "cuda"
DIM = 128
SWEEPS = 50
EPSILON = 0.1
STEP_PAIRS = 2048
CHUNK_PAIRS = 65_536
MANY_PAIRS = 1_048_576

Step = Callable[[], object]
Pairs = tuple[Tensor, Tensor, Tensor, Tensor]


def random_pairs(batch: int, tokens: int) -> Pairs:
    """Full sentences, of which nothing can be skipped: noisy copies of the target's tokens, uniform masses."""
    generator = torch.Generator(DEVICE).manual_seed(0)
    target = normalize(torch.randn(batch, tokens, DIM, device=DEVICE, generator=generator), dim=-1)
    noise = torch.randn(batch, tokens, DIM, device=DEVICE, generator=generator) / DIM**0.5
    source = normalize(target.flip(1) + noise, dim=-1)
    mass = torch.full((batch, tokens), 1 / tokens, device=DEVICE)
    return source.bfloat16(), target.bfloat16(), mass, mass.clone()


def fused(pairs: Pairs) -> Step:
    """One step by the kernel."""
    settings = Settings(epsilon=EPSILON, tolerance=0.0, max_iterations=SWEEPS)
    return lambda: backend.transport(*pairs, settings)


def graphed(step: Step) -> Step:
    """The same step, recorded once as a CUDA graph and replayed."""
    step()
    torch.cuda.synchronize()
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        step()
    return graph.replay


def peer_loss(source: Tensor, target: Tensor, a: Tensor, b: Tensor) -> Tensor:
    """<P, C> per pair with P from the scaling form, shifted by row minima, and held constant."""
    cost = 1 - torch.bmm(source, target.transpose(1, 2)).float()
    with torch.no_grad():
        kernel = torch.exp((cost.amin(2, keepdim=True) - cost) / EPSILON)
        v = torch.ones_like(b)
        for _ in range(SWEEPS):
            u = a / (kernel * v.unsqueeze(1)).sum(2)
            v = b / (kernel * u.unsqueeze(2)).sum(1)
        plan = u.unsqueeze(2) * kernel * v.unsqueeze(1)
    return (plan * cost).sum((1, 2))


def compiled(pairs: Pairs, mode: str) -> Step:
    """One step by torch.compile."""
    loss = torch.compile(peer_loss, mode=mode, dynamic=False)
    source = pairs[0].clone().requires_grad_(True)

    def step() -> Tensor:
        source.grad = None
        if mode == "reduce-overhead":
            torch.compiler.cudagraph_mark_step_begin()
        loss(source, *pairs[1:]).sum().backward()
        return source.grad

    return step


def milliseconds(step: Step, repetitions: int) -> float:
    """The median time of a step."""
    for _ in range(max(3, repetitions // 4)):
        step()
    events = [(torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)) for _ in range(repetitions)]
    torch.cuda.synchronize()
    for start, end in events:
        start.record()
        step()
        end.record()
    torch.cuda.synchronize()
    return statistics.median(start.elapsed_time(end) for start, end in events)


def agreement(pairs: Pairs) -> tuple[float, float]:
    """Relative error of loss (worst pair) and of gradient against the same sweeps in double precision."""
    few = tuple(tensor[:256] for tensor in pairs)
    solved = fused(few)()
    exact = [tensor.double() for tensor in few]
    exact[0].requires_grad_(True)
    cost = 1 - exact[0] @ exact[1].transpose(1, 2)
    with torch.no_grad():
        f, g = torch.zeros_like(exact[2]), (cost - cost.amin(2, keepdim=True)).amin(1)
        for _ in range(SWEEPS):
            f = EPSILON * (exact[2].log() - torch.logsumexp((g.unsqueeze(1) - cost) / EPSILON, 2))
            g = EPSILON * (exact[3].log() - torch.logsumexp((f.unsqueeze(2) - cost) / EPSILON, 1))
        plan = torch.exp((f.unsqueeze(2) + g.unsqueeze(1) - cost) / EPSILON)
    value = (plan * cost).sum((1, 2))
    value.sum().backward()
    loss_error = ((solved.value - value).abs() / value).max().item()
    gradient = exact[0].grad
    return loss_error, ((solved.source_gradient - gradient).norm() / gradient.norm()).item()


def training_step(repetitions: int) -> list[str]:
    """The table of one training batch."""
    pairs = random_pairs(STEP_PAIRS, 32)
    times = {
        "fused kernel": milliseconds(fused(pairs), repetitions),
        "fused kernel, CUDA graph": milliseconds(graphed(fused(pairs)), repetitions),
        "torch.compile": milliseconds(compiled(pairs, "default"), repetitions),
        "torch.compile, reduce-overhead": milliseconds(compiled(pairs, "reduce-overhead"), repetitions),
    }
    ours = times["fused kernel"]
    lines = [
        f"B = {STEP_PAIRS}, n = m = 32, d = {DIM}, {SWEEPS} sweeps, epsilon {EPSILON}, bfloat16: loss and gradient"
    ]
    lines += [f"  {name:32} {1000 * time:9.1f} us  {time / ours:6.2f} x" for name, time in times.items()]
    return lines


def many_pairs(tokens: int, repetitions: int) -> str:
    """The row of a million pairs at one width."""
    pairs = random_pairs(CHUNK_PAIRS, tokens)
    chunks = MANY_PAIRS // CHUNK_PAIRS
    ours = chunks * milliseconds(fused(pairs), repetitions)
    peer = chunks * milliseconds(compiled(pairs, "default"), max(3, repetitions // 5))
    loss_error, gradient_error = agreement(pairs)
    errors = f"loss error {loss_error:.1e}, gradient error {gradient_error:.1e}"
    return (
        f"  n = m = {tokens:3}  fused {ours:8.1f} ms   torch.compile {peer:9.1f} ms   {peer / ours:6.2f} x   {errors}"
    )


def main() -> int:
    """Print the tables; 1 where there is no GPU to measure."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.ot_gpu", description="The fused kernel on a GPU.")
    parser.add_argument("--repetitions", type=int, default=50, help="timed steps per figure")
    repetitions = parser.parse_args().repetitions
    if not torch.cuda.is_available():
        print("no NVIDIA GPU here: nothing was measured", file=sys.stderr)
        return 1
    reason = backend.not_fused(*random_pairs(1, 32)[:2])
    if reason:
        print(f"the Triton backend is unavailable: {reason}", file=sys.stderr)
        return 1
    print(f"{torch.cuda.get_device_name()}, torch {torch.__version__}, median of {repetitions}")
    print("\n".join(training_step(repetitions)))
    print(f"{MANY_PAIRS} pairs in batches of {CHUNK_PAIRS}, otherwise the same")
    for tokens in (32, 64, 128):
        print(many_pairs(tokens, repetitions), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
