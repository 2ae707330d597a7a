"""What the page of results says of recipes that were not run, and of how much networks were trained."""

from __future__ import annotations

from whorl import recipes
from whorl.report.bench_words import bare
from whorl.standings import Standings


def failures(found: Standings) -> str:
    """Say which recipes were not run, and why; recipes of one reason in one line."""
    reasons: dict[str, list[str]] = {}
    for one in {one.recipe: one for one in found.failures}.values():
        reason = one.reason.removeprefix(f"{one.recipe}: ").split(": neither --weights")[0]
        reasons.setdefault(reason, []).append(f"`{one.recipe}`")
    lines = [f"- {reason}: {', '.join(sorted(names))}" for reason, names in sorted(reasons.items())]
    return "\n".join(lines) or "Every recipe that was asked for ended with a figure."


def trained(found: Standings) -> str:
    """Say which recipes trained a network, where, and how much."""
    small: dict[str, set[str]] = {}
    full: dict[str, set[str]] = {}
    own: dict[str, set[str]] = {}
    for edition in found.membership:
        for row in edition.rows:
            name = bare(row.recipe)
            kinds = small if row.recipe.endswith("-effort") else own if row.own else full
            if kinds is small or recipes.learns(recipes.load(name)):
                kinds.setdefault(f"`{edition.title}`", set()).add(f"`{name}`")
    if not small:
        return "No recipe that trains a network was run."
    names, whole, ours = (sorted(set().union(*kinds.values())) for kinds in (small, full, own))
    said = (
        f"{len(names)} recipes that train a network were run with `--effort small` "
        "(64 × 64, a quarter of the channels, at most 400 steps of 32 pictures), three seeds where they "
        f"draw, nearly all on {len(small)} of the {len(found.membership)} editions: {', '.join(small)}. "
    )
    said += f"Our own that train one have no other effort: {', '.join(ours)}. " if ours else ""
    if not whole:
        return said + "None was run with the effort of its paper."
    said += f"With the effort of its paper, one seed, on {', '.join(full)}: {', '.join(whole)}. "
    left = sorted(set(names) - set(whole))
    return said + (f"Not run with it: {', '.join(left)}." if left else "")


def absent(found: Standings) -> str:
    """List the recipes of this question that no line is about, by what they would need."""
    there = {bare(row.recipe) for row in found.overall} | {one.recipe for one in found.failures}
    needs: dict[str, list[str]] = {}
    for name in recipes.names():
        recipe = recipes.load(name)
        if recipe.task == "membership" and name not in there:
            kind = "ask" if recipes.needs_weights(recipe) else "train further"
            needs.setdefault(kind, []).append(f"`{name}`")
    lines = []
    for kind, names in needs.items():
        what = f"{len(names)} that {kind} a network whose weights were not at hand"
        lines.append(f"- {what}: {', '.join(names)}")
    return "\n".join(lines)
