"""Steps until the prediction phase is within 1 % of its fixed point, over depth.

It uses the networks of theorem1.py, and trains those that are missing.

python experiments/settling.py [--quick]
"""

from lab import COLOURS, figure, folder, options, save_table
from theorem1 import idealised, networks

from ghost_spiking.values import initial_weights

#: Free steps in the published settings of equilibrium propagation (Scellier & Bengio 2017), whose
#: time step is the same: dt = 0.5.
EQUILIBRIUM_PROPAGATION = {1: 20, 2: 150, 3: 500}


@options
def main(quick, jobs):
    """Count the steps that the prediction phase needs."""
    rows = []
    for depth, trained, probe in networks(quick, jobs):
        weights = trained.weights("before rest")
        rows.append(
            {
                "hidden_layers": depth,
                "trained": probe.settling_steps(weights),
                "untrained": probe.settling_steps(initial_weights(trained.specification, 0)),
                "ideal_ghosts": probe.settling_steps(idealised(weights)),
                "equilibrium_propagation": EQUILIBRIUM_PROPAGATION.get(depth),
            }
        )
        print(rows[-1], flush=True)
    save_table(folder(quick) / "settling.csv", rows)
    draw(rows, folder(quick) / "settling.png")


def draw(rows, path):
    drawing, axes = figure()
    panel = axes[0, 0]
    for key, colour, marker, label in (
        ("equilibrium_propagation", COLOURS[1], "s--", "equilibrium propagation, published"),
        ("trained", COLOURS[0], "o-", "ghost units, trained"),
        ("ideal_ghosts", COLOURS[2], "^:", "the same, ideal ghosts"),
    ):
        points = [(row["hidden_layers"], row[key]) for row in rows if row[key] is not None]
        if points:
            panel.plot(*zip(*points, strict=True), marker, ms=4, color=colour, label=label)
    panel.set_yscale("log")
    panel.set_ylim(5, 6000)
    panel.yaxis.set_major_formatter("{x:g}")
    panel.set_xticks([row["hidden_layers"] for row in rows])
    panel.set_xlabel("hidden layers")
    panel.set_ylabel("steps to within 1 %")
    panel.legend(frameon=False, fontsize="x-small", loc="upper center")
    drawing.savefig(path)


if __name__ == "__main__":
    main()
