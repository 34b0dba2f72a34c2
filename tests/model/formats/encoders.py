"""Encoders with roles and heads of every kind, put together from tiny folders."""

import string
from pathlib import Path

import torch
from torch import nn

from optical.model.encoder import Encoder
from optical.model.head import Normalise, projection
from optical.model.storage import load_encoder
from optical.model.text.roles import Roles, RoleSettings
from tests.model.formats.folders import MAKERS

ROLES: dict[str, Roles] = {
    "plain": Roles(),
    "prefixes": Roles(query=RoleSettings(prefix="query: "), document=RoleSettings(prefix="passage: ")),
    "markers": Roles(
        query=RoleSettings(marker="[unused0]"),
        document=RoleSettings(marker="[unused1]", silent=(",", "!", "no token")),
    ),
    "augmented": Roles(
        query=RoleSettings(marker="[unused0]", expand_to=12),
        document=RoleSettings(marker="[unused1]", silent=(",", "."), silent_by="first_piece"),
    ),
    "all together": Roles(
        query=RoleSettings(marker="[unused0]", prefix="query: ", expand_to=12, attends=True),
        document=RoleSettings(marker="[unused1]", prefix="passage: ", silent=(",",)),
    ),
    "colbert": Roles(
        query=RoleSettings(marker="[unused0]", expand_to=12),
        document=RoleSettings(marker="[unused1]", silent=tuple(string.punctuation), silent_by="first_piece"),
    ),
    "colbert, all score": Roles(
        query=RoleSettings(marker="[unused0]", expand_to=12, attends=True), document=RoleSettings(marker="[unused1]")
    ),
    "overwritten": Roles(
        query=RoleSettings(marker="[unused0]", prefix=". ", overwrites=True, expand_to=12),
        document=RoleSettings(marker="[unused1]", prefix=". ", overwrites=True),
    ),
    "inner": Roles(query=RoleSettings(prefix="query: ", scored="inner"), document=RoleSettings(scored="inner")),
    "filled otherwise": Roles(query=RoleSettings(expand_to=12, filler=",")),
}


def heads() -> dict[str, nn.Sequential]:
    """Projections: none, one, two with an activation, and a centring layer."""
    torch.manual_seed(3)
    two = nn.Sequential(projection(torch.randn(24, 32), torch.randn(24)), projection(torch.randn(16, 24)))
    two[0].activation = nn.Tanh()
    return {
        "none": nn.Sequential(),
        "one": nn.Sequential(projection(torch.randn(16, 32))),
        "two": two,
        "centring": nn.Sequential(Normalise(), projection(torch.eye(32), torch.randn(32))),
    }


def made(folder: Path, family: str, roles: str, head: str) -> Encoder:
    """An encoder of a tiny backbone with some roles and some head."""
    bare = load_encoder(MAKERS[family](folder)).eval()
    return Encoder(bare.backbone, bare.reader.with_roles(ROLES[roles]), heads()[head]).eval()
