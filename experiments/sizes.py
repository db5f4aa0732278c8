"""Defaults over sizes: 50 to 2000 units and 1 to 10 hidden layers, ghosts that copy.

20,000 images, 3 epochs, tested with 10,000 held-out training images, one seed. Errors and updates
are measured after every epoch; the worst counts.

python experiments/sizes.py [--quick]
"""

import functools

import beyond
import click
import lab

HIDDEN = (
    (50,), (500,), (2000,), (50, 50), (500, 500), (500, 100), (50,) * 5, (200,) * 5, (50,) * 10,
)  # fmt: skip
PLAN = beyond.Plan(20_000, 3, 1, True)


def run(hidden, plan):
    sizes = (784, *hidden, 10)
    fit = beyond.Fit("copy", len(hidden), 0, plan, fields=(("sizes", sizes),))
    training, test = plan.data()
    found = beyond.ghosts(fit, training, test)
    return {
        "hidden": "-".join(map(str, hidden)),
        "accuracy": found["accuracy"],
        "error_angle": found["error_angle"],
        "error_ratio": found["error_ratio"],
        "update_angle": found["update_angle"],
    }


@lab.options
def main(quick, jobs):
    """Learn with networks of many sizes."""
    path = lab.folder(quick) / "sizes.csv"
    known = {row["hidden"] for row in lab.read_rows(path)}
    missing = [
        hidden
        for hidden in (HIDDEN[:4:3] if quick else HIDDEN)
        if "-".join(map(str, hidden)) not in known
    ]
    learn = functools.partial(run, plan=beyond.QUICK if quick else PLAN)
    for row in lab.parallel(jobs, learn, missing, "networks"):
        lab.append_row(path, row)
    order = ["-".join(map(str, hidden)) for hidden in HIDDEN]
    rows = sorted(lab.read_rows(path), key=lambda row: order.index(row["hidden"]))
    lab.save_table(path, rows)
    for row in rows:
        click.echo(" ".join(str(value).rjust(8) for value in row.values()))


if __name__ == "__main__":
    main()
