"""Parameter studies: a grid or a random sample over the fields of a specification, with seeds."""

from ._cells import Cell, Record
from ._optimise import optimise
from ._plots import plot_error_bars, plot_heat_map, plot_scatter, save_study_plots
from ._run import run_study
from ._study import Range, Sample, Study
from ._table import best_run, summarize

__all__ = [
    "Cell",
    "Range",
    "Record",
    "Sample",
    "Study",
    "best_run",
    "optimise",
    "plot_error_bars",
    "plot_heat_map",
    "plot_scatter",
    "run_study",
    "save_study_plots",
    "summarize",
]
