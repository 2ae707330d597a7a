"""The commands that make pictures: demo, forge phantom."""

from __future__ import annotations

from typing import Annotated

from cyclopts import Parameter

from whorl.cli.options import OUTPUT, Output, counted, running


def demo(*, output: Output = OUTPUT) -> None:
    """Make a hospital and three generators with known truth, and answer both questions about them.

    Example: whorl demo --out my-demo
    """
    from whorl import demo as showing
    from whorl.conclusions import number
    from whorl.display import Display, interval, print_json, print_table, say
    from whorl.forge.editions import Plan

    with Display(output.json) as display:
        how = running(output, None, display)
        shown = showing.demo(output.folder("demo"), plan=Plan(seed=output.seed), running=how)
    if output.json:
        print_json({"audits": shown.rows, "attribution": shown.attribution, "page": str(shown.page)})
        return
    rows = [
        [
            *(str(row[key]) for key in ("name", "truth", "verdict", "best_attack")),
            interval(row["auc"]),
            number(row["p_value"]),
        ]
        for row in shown.rows
    ]
    print_table(["generator", "truth", "verdict", "strongest attack", "AUC (chance 0.5)", "adjusted p"], rows)
    found = shown.attribution
    bag = f"{found['pictures']} mixed pictures, k = {found['count']} given"
    say(f"attribution of {bag}: ARI {interval(found['ari'])} (chance 0)")
    say(f"took {shown.seconds:.0f} s")
    say(f"open {shown.page.resolve()}")


def phantom(
    *,
    patients: Annotated[int, counted("Patients in all; half are members, half holdout.")] = 144,
    slices: Annotated[int, counted("Pictures per patient.")] = 3,
    generated: Annotated[int, counted("Pictures per generator.")] = 240,
    size: Annotated[int, counted("128 or 256 pixels.")] = 128,
    rate: Annotated[float, Parameter(help="Share of near copies in what the leaking generator makes.")] = 0.5,
    output: Output = OUTPUT,
) -> None:
    """Draw a hospital of made-up chest CT pictures, three generators, and their editions.

    Example: whorl forge phantom --out phantom --patients 80 --size 256
    """
    from whorl.display import Display, print_json, say
    from whorl.forge import editions

    plan = editions.Plan(patients, slices, generated, size, output.seed, rate)
    with Display(output.json) as display:
        written = editions.write_all(output.folder("phantom"), plan, progress=display)
    if output.json:
        print_json({"written": [str(path) for path in written]})
        return
    for path in written:
        say(f"wrote {path}")
