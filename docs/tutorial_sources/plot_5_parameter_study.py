r"""
5. A parameter study, from laptop to cluster
============================================

Which strength of nudging is best, and does it depend on the kind of feedback? You will learn how to describe such a study in a
file, run it on all cores or on a Dask cluster, go on with it after a crash, and read what comes out.
"""

# %%
# The file
# --------
# A study is a specification with a ``[grid]``, or a ``[random]`` sample, over any of its fields. Each network is trained with
# several seeds and judged on training images that are held out; the test images are never used to choose.
import tempfile
from pathlib import Path

import matplotlib.pyplot as plt

from ghost_spiking.study import Study, plot_error_bars, plot_heat_map, run_study, summarize

folder = Path(tempfile.mkdtemp())
(folder / "nudging.toml").write_text(
    """
dataset = "digits"
epochs = 8
seeds = 3
held_out = 300

[network]
sizes = [64, 32, 10]

[protocol]
batch_size = 20

[grid]
"protocol.beta" = [1.0, 2.0, 4.0, 8.0]
"network.feedback" = ["transpose", "alignment"]
"""
)
study = Study.load(folder / "nudging.toml")
print(len(study.cells), "cells, the first:", study.cells[0])

# %%
# Running it
# ----------
# From the shell this is ``ghost-spiking study nudging.toml``. Every cell is saved as soon as it ends. If the computer goes down
# half-way, the same command goes on from there; a study that is finished costs nothing to run again.
records = run_study(study, folder / "results", jobs=1)
for row in summarize(records)[:3]:
    print(row["parameters"], f"{row['mean']:.1f} ± {row['std']:.1f} %")

# %%
# Looking at it
# -------------
# The folder has a table for your own tools and a picture. The functions that draw it take matplotlib axes:
print((folder / "results" / "table.csv").read_text()[:300])
figure, axes = plt.subplots(figsize=(6, 4), layout="constrained")
plot_error_bars(records, "protocol.beta", axes, lines="network.feedback")

# %%
# The dots are means over three seeds, the bars standard deviations. A gentle nudge of 1 learns too slowly for eight epochs, less so with
# alignment. From 4 on the curves are flat, the bars overlap, and the kind of feedback makes no difference that three seeds could
# show. The best value is at the end of the grid: before one believes in it, larger ones have to be tried.
#
# The same as a map:
figure, axes = plt.subplots(figsize=(6, 3), layout="constrained")
plot_heat_map(records, "protocol.beta", "network.feedback", axes)

# %%
# On a cluster
# ------------
# With ``pip install 'ghost-spiking[dask]'`` on all machines, start a scheduler and, on each machine, workers:
#
# .. code-block:: text
#
#    dask scheduler
#    dask worker tcp://HEAD:8786 --nworkers 8 --nthreads 1
#
# and give the study its address: ``ghost-spiking study nudging.toml --scheduler tcp://HEAD:8786``. Results come back to where you
# started it. A worker that dies costs the cell that it was training, which another one trains again.
#
# scikit-learn's own searches
# ---------------------------
# For features of any kind there is `GhostClassifier`, and all of scikit-learn's machinery works with it. Its batches are smaller
# than those of the command line, so that small data sets are enough:
from sklearn.datasets import load_digits
from sklearn.model_selection import GridSearchCV

from ghost_spiking import GhostClassifier

X, y = load_digits(return_X_y=True)
search = GridSearchCV(
    GhostClassifier((32,), epochs=8, random_state=0),
    {"learning_rate": [0.5, 1.0, 2.0]},
    cv=3,
)
search.fit(X[:900], y[:900])
for found in zip(
    search.cv_results_["params"],
    search.cv_results_["mean_test_score"],
    search.cv_results_["std_test_score"],
    strict=True,
):
    print("{}: {:.3f} ± {:.3f}".format(*found))

# %%
# The fastest rate does best on average, but the three are hardly further apart than the folds of one. Again the best value is at
# the end of the grid: with 600 images and eight epochs, training is far from its end. ``GridSearchCV(..., n_jobs=2)`` trains two networks at a
# time. On a cluster, connect a ``distributed.Client`` and fit within ``joblib.parallel_config("dask")``.
#
# To try
# ------
# * Replace ``[grid]`` by ``[random]`` with ``samples = 20`` and ``"protocol.beta" = { low = 0.5, high = 10.0, log = true }``.
# * Add ``"network.lesion" = [0.0, 0.3, 0.6]`` to the grid and run it again: cells that are there already are not trained anew.
#
# Next: :ref:`DenseSynapses in your own model <sphx_glr_tutorials_plot_6_dense_synapses.py>`.
