r"""Table II, "Structured learning [9]": ordinal levels, tied in pairs by copulas.

Reference [9] (Walecki et al., CVPR 2017) calls it CCNN-IT. Features h(x) of a network;
for each AU q an ordinal unary with ordered thresholds ν₁ < … < ν₅ (ν₀ = −∞, ν₆ = ∞),

.. math::

    P(y_q \le l \mid x) = \sigma\left(\frac{\nu_{l+1} - w_q \cdot h(x)}{s_q^2}\right)

and for each of the ten pairs (q, r) the Frank copula of the two distributions,

.. math::

    C_\theta(u, v) = -\frac1\theta \ln\left(1 +
        \frac{(e^{-\theta u} - 1)(e^{-\theta v} - 1)}{e^{-\theta} - 1}\right)

whose differences are P(y_q = l, y_r = m | x); θ = 0 is independence. The estimate is
the joint state, one of 6⁵ = 7,776, that maximises

    mean over AUs of log P(y_q) + mean over pairs of log P(y_q, y_r)

Training is "iterative on balanced batches". Three kinds of batch alternate, and each
updates only its own part of the model:

    batch 0, 3, …  balanced over subjects               the network, w included
    batch 1, 4, …  balanced over the levels of one AU   w, ν and s of that AU
    batch 2, 5, …  balanced over the levels of a pair   θ of that pair

We had no access to the text of [9]. The first author's earlier code gives the unary,
the copula, θ between −12.5 and 12.5, and probabilities cut off at 1e−20; other papers
give the three kinds of batch and the equal weights of both terms. Our choices:
VGG16 with its own dropout and the weights that the proposed model starts from; one
learning rate for everything; all ten pairs; w that starts at 0, and thresholds that
give the levels' frequencies (`companion.methods.start` says why); AUs
and pairs take turns; an epoch has three times as many draws as the other methods', so
that the network makes as many steps.
"""

from copy import deepcopy
from itertools import combinations
from pathlib import Path

import torch
from torch import nn

from aulib import AUS, UNKNOWN
from aulib.model import build_model
from companion.methods.objective import LEVELS, Estimate, Objective, frequencies

PAIRS = tuple(combinations(range(len(AUS)), 2))
"""The ten pairs of positions in `aulib.AUS`: (0, 1), (0, 2) … (3, 4)."""
LEAST = 1e-20  # the smallest probability whose logarithm is taken
STRONGEST = 25.0  # θ lies between minus and plus half of this
KINDS = 3  # of batches


class Ordinal(nn.Module):
    """One AU: w, the thresholds ν and the scale s².

    New thresholds make the six levels equally probable where w·h is 0.
    """

    def __init__(self, num_features: int) -> None:
        super().__init__()
        start = torch.logit(torch.arange(1, LEVELS) / LEVELS)
        self.weight = nn.Parameter(torch.empty(num_features).normal_(0, 0.01))
        self.first = nn.Parameter(start[0].clone())
        self.roots = nn.Parameter(start.diff().sqrt())
        self.root_scale = nn.Parameter(torch.tensor(1.0))

    @torch.no_grad()
    def start(self, frequencies: torch.Tensor) -> None:
        """Give the six levels these probabilities, float64 (6,), for any image."""
        nn.init.zeros_(self.weight)
        thresholds = torch.logit(frequencies.cumsum(0)[:-1])
        self.first.copy_(thresholds[0])
        self.roots.copy_(thresholds.diff().sqrt())

    def thresholds(self) -> torch.Tensor:
        """ν, float (5,), ascending: each adds a square to the one before."""
        return torch.cat([self.first[None], self.roots**2]).cumsum(0)

    def below(self, scores: torch.Tensor) -> torch.Tensor:
        """`cumulative` of w·h, float (N,)."""
        return cumulative(scores, self.thresholds(), self.root_scale**2)


class OrdinalPairs(nn.Module):
    """Replaces VGG16's last layer: an `Ordinal` for each AU, θ for each pair.

    In evaluation it maps features, float (N, 4096), to w·h of each AU, float (N, Q).

    In training it returns w·h twice, so that each kind of batch updates its own part of
    the model: as a tensor (N, Q) with gradients for w and the network, and as a list of
    Q tensors (N,) with gradients for w alone.
    """

    def __init__(self, num_features: int) -> None:
        super().__init__()
        self.aus = nn.ModuleList(Ordinal(num_features) for _ in AUS)
        self.raw = nn.ParameterList(torch.tensor(0.01) for _ in PAIRS)

    def forward(self, features):
        weights = torch.stack([au.weight for au in self.aus], 1)
        if not self.training:
            return features @ weights
        ends = features.detach()
        return features @ weights, [ends @ au.weight for au in self.aus]

    def below(self, scores: torch.Tensor) -> torch.Tensor:
        """`cumulative` of each AU: float (N, Q) → float64 (N, Q, 7), on its device."""
        columns = zip(self.aus, scores.to(self.raw[0].device).unbind(1), strict=True)
        return torch.stack([au.below(column) for au, column in columns], 1)

    def theta(self, pair: int) -> torch.Tensor:
        """θ of one of `PAIRS`, float ()."""
        return (torch.sigmoid(self.raw[pair]) - 0.5) * STRONGEST

    def thetas(self) -> torch.Tensor:
        """θ of all ten, float (10,)."""
        return torch.stack([self.theta(pair) for pair in range(len(PAIRS))])


def cumulative(
    scores: torch.Tensor, thresholds: torch.Tensor, scale: torch.Tensor
) -> torch.Tensor:
    """P(y ≤ l) for l = −1..5: float64 (N, 7), from 0 to 1.

    Args:
        scores: w·h, float (N,).
        thresholds: ν, float (5,); scale: s², float ().
    """
    inner = torch.sigmoid((thresholds - scores.double()[:, None]) / scale)
    ends = torch.zeros_like(inner[:, :1])
    return torch.cat([ends, inner, ends + 1], 1)


def frank(u: torch.Tensor, v: torch.Tensor, theta: torch.Tensor) -> torch.Tensor:
    """The Frank copula C(u, v), of float64 tensors that broadcast.

    Near θ = 0 its first two terms: u·v + θ/2 · u(1−u) · v(1−v).
    """
    near = theta.abs() < 1e-4
    safe = torch.where(near, torch.ones_like(theta), theta)
    product = torch.expm1(-safe * u) * torch.expm1(-safe * v) / torch.expm1(-safe)
    far = -torch.log1p(product) / safe
    return torch.where(near, u * v + theta / 2 * u * (1 - u) * v * (1 - v), far)


def joint(first: torch.Tensor, second: torch.Tensor, theta: torch.Tensor):
    """P(y_q = l, y_r = m): float64 (N, 6, 6) of two `cumulative` (N, 7) and a θ."""
    corners = frank(first[:, :, None], second[:, None, :], theta.double())
    return corners.diff(dim=1).diff(dim=2)


def log(probabilities: torch.Tensor) -> torch.Tensor:
    """The logarithm of probabilities, cut off at 1e−20."""
    return probabilities.clamp_min(LEAST).log()


def unary_loss(below: torch.Tensor, levels: torch.Tensor) -> torch.Tensor:
    """−log P(y_q) of the coders' levels, averaged over the known ones.

    Args:
        below: `cumulative`, (N, Q, 7); levels: int64 (N, Q).
    """
    known = levels != UNKNOWN
    at = torch.where(known, levels, 0)[:, :, None]
    return -log(below.diff(dim=2).gather(2, at))[:, :, 0][known].mean()


def pair_loss(
    below: torch.Tensor, levels: torch.Tensor, thetas: torch.Tensor, pairs=PAIRS
) -> torch.Tensor:
    """−log P(y_q, y_r), averaged over the frames and pairs with both levels known."""
    terms = []
    for number, (q, r) in enumerate(pairs):
        known = (levels[:, q] != UNKNOWN) & (levels[:, r] != UNKNOWN)
        both = joint(below[known, q], below[known, r], thetas[number])
        at = levels[known, q] * LEVELS + levels[known, r]
        terms.append(-log(both.flatten(1).gather(1, at[:, None]))[:, 0])
    return torch.cat(terms).mean()


def turn(batch: int) -> tuple[int, int]:
    """What a batch is balanced over, by its number: the kind, and which AU or pair."""
    kind = batch % KINDS
    return kind, batch // KINDS % (1, len(AUS), len(PAIRS))[kind]


def most_probable(below: torch.Tensor, thetas: torch.Tensor) -> torch.Tensor:
    """The most probable joint state of each frame: int64 (N, 5), exact.

    Scores all 7,776 states, 256 frames at a time; of equal states the first wins.

    Args:
        below: `cumulative`, (N, 5, 7); thetas: (10,).
    """
    answers = []
    for part in below.split(256):
        states = part.new_zeros(len(part), *[LEVELS] * len(AUS))
        for q in range(len(AUS)):
            shape = [LEVELS if axis == q else 1 for axis in range(len(AUS))]
            states += (log(part[:, q].diff(dim=1)) / len(AUS)).view(-1, *shape)
        for number, (q, r) in enumerate(PAIRS):
            shape = [LEVELS if axis in (q, r) else 1 for axis in range(len(AUS))]
            terms = log(joint(part[:, q], part[:, r], thetas[number])) / len(PAIRS)
            states += terms.reshape(-1, *shape)
        best = states.flatten(1).argmax(1)
        answers.append(torch.stack(torch.unravel_index(best, [LEVELS] * len(AUS)), 1))
    return torch.cat(answers)


def structured(weights: str | Path | None, width: float) -> Objective:
    """VGG16 with `OrdinalPairs` for its last layer; see `aulib.model.build_model`."""
    network = build_model("baseline", weights=weights, width=width)
    head = OrdinalPairs(network.classifier[6].in_features)
    network.classifier[6] = head

    def loss(outputs, levels, batch):
        kind, which = turn(batch)
        if kind == 0:
            frozen = deepcopy(head).requires_grad_(False)  # ν, s and θ stay
            below = frozen.below(outputs[0])
            return unary_loss(below, levels) + pair_loss(below, levels, frozen.thetas())
        if kind == 1:
            below = head.aus[which].below(outputs[1][which])
            return unary_loss(below[:, None], levels[:, [which]])
        below = head.below(torch.stack(outputs[1], 1)).detach()
        theta = head.theta(which)[None]
        return pair_loss(below, levels, theta, PAIRS[which : which + 1])

    @torch.no_grad()
    def evaluation_loss(outputs, levels):
        below, levels = head.below(outputs), levels.to(head.raw[0].device)
        return unary_loss(below, levels) + pair_loss(below, levels, head.thetas())

    @torch.no_grad()
    def estimate(outputs):
        below = head.below(outputs)
        steps = torch.arange(LEVELS, dtype=torch.float64, device=below.device)
        values, levels = below.diff(dim=2) @ steps, most_probable(below, head.thetas())
        return Estimate(values.float().cpu(), levels.cpu(), rounded=False)

    def start(levels):
        for au, shares in zip(head.aus, frequencies(levels), strict=True):
            au.start(shares)

    return Objective(network, loss, evaluation_loss, estimate, start)
