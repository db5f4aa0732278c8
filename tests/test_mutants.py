"""Mistakes that the fast tests have to notice.

Each row changes a copy of the package in one place, as a slip of the pen might, and names tests;
they have to pass before and to fail afterwards. A row whose text is gone is an error: put
the same mistake into what has replaced it.
"""

import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow
ROOT = Path(__file__).parent.parent

CPP = "tests/dense/test_cpp.py", "batch or clamped or responses or shown"
CPP_ALONE = "tests/dense/test_cpp.py", "test_equals_numpy or float32"
DENSE = "tests/dense/test_accuracy.py tests/dense/test_synapses.py", ""
EACH = "tests/dense/test_expressions.py", "not equals_synapses"
SUMS = "tests/dense/test_cases.py", "Sums or run_time"
PROGRAMS = "tests/dense/test_programs.py", ""
ENGINES = "tests/numerics/test_engines.py", "test_options and dense or half_life or onset"
PRIVATE = "tests/dense/test_private.py", "matrices"
OURS = "tests/numerics/test_engines.py", "test_options and dense and (copy or local or calibration)"
NOISE = "tests/test_noise.py", ""
SPIKES = "tests/numerics/test_spikes.py", "test_numpy and (lif or poisson)"
POOL = "tests/dense/test_pool.py", "brian2 or cpp"
COUNTS = "tests/dense/test_pool.py", "counts"
BITS = "tests/test_spikes.py", "grid or keeps_the_mean"
NORMALISED = "tests/numerics/test_engines.py", "normalised and dense"
ADAPTATION = "tests/test_adaptation.py", "shows or probe_measures"
EVALUATION = "tests/numerics/test_engines.py", "test_evaluation and numpy"
DEFAULTS = "tests/test_defaults.py", ""
RUNS = "tests/test_runs.py", "goes_on_as_if_never_stopped"
STOPPED = "tests/test_runs.py", "part_of_an_epoch"


@dataclass(frozen=True)
class Mutant:
    """A place, what stands there, and what takes its place; files and ``-k`` of the tests."""

    file: str
    text: str
    replacement: str
    tests: tuple[str, str]


MUTANTS = {
    # -- BLAS in C++
    "one-sided factors without their mean": Mutant(
        "blas.h", "mean[unit] *= alpha / rows;", "mean[unit] *= 1;", CPP
    ),
    "one-sided factors summed over rows": Mutant(
        "blas.h", "mean[unit] *= alpha / rows;", "mean[unit] *= alpha;", CPP
    ),
    "products summed over rows": Mutant(
        "blas.h", "n_pre, n_post, rows, alpha / rows,", "n_pre, n_post, rows, alpha,", CPP
    ),
    "old values stay": Mutant("blas.h", "beta == 0 ? T(0) : beta * entry", "entry", CPP),
    "all rows, also those without data": Mutant(
        "dense_rule.cpp",
        "{{out}}, _n_rows, {{n_pre}}",
        "{{out}}, {{sizes.pre}} / {{n_pre}}, {{n_pre}}",
        CPP,
    ),
    # -- rules in C++
    "a buffer keeps what an earlier coefficient has left": Mutant(
        "dense_rule.cpp", "std::fill_n({{out}}, {{sizes.matrix}}, ({{float}})0);\n", ";\n", CPP
    ),
    "a buffer is added to": Mutant("dense_rule.cpp", "({{0 if p.buffer else 1}}", "(1", CPP),
    "what is computed for each synapse is summed over rows": Mutant(
        "dense_rule.cpp", "{{_array(e.buffer)}}[_i] /= _n_rows;", ";", CPP
    ),
    "only the last step of a presentation is learned": Mutant(
        "dense_rule.cpp", "_total[_i] += _delta[_i];", "_total[_i] = _delta[_i];", CPP
    ),
    "weights are written one step too early": Mutant(
        "dense_rule.cpp",
        "variables['_clamped_steps'])}} - 1)",
        "variables['_clamped_steps'])}} - 2)",
        CPP,
    ),
    "a presentation is learned twice": Mutant(
        "dense_rule.cpp", "    {{_array(names.accumulated)}}[0] = 0;\n}", "}", CPP
    ),
    # -- sums in C++
    "weights are not transposed": Mutant(
        "dense_sum.cpp", "{{'true' if transposed else 'false'}}", "false", CPP
    ),
    "the Gram matrix of the last batch": Mutant(
        "dense_sum.cpp", "{{_array(names.gram_valid)}}[0] = 0;", "", CPP
    ),
    "the Gram matrix is no mean": Mutant("dense_sum.cpp", "({{_drive_type}})1 / _n_rows", "1", CPP),
    "a change is applied in every step": Mutant(
        "dense_sum.cpp", "    {{_array(names.pending)}}[0] = 0;\n", "", CPP
    ),
    "the drive forgets the change": Mutant(
        "dense_sum.cpp", "{{n_out}}, 1, {{_array(names", "{{n_out}}, 0, {{_array(names", CPP
    ),
    "what others write to the drive stays": Mutant(
        "dense_sum.cpp", "names.drive)}}, _n_rows *", "names.drive)}}, 0 *", CPP
    ),
    "the last product overwrites the others": Mutant(
        "dense_sum.cpp", "written.value or not p.buffer %}", "false %}", CPP_ALONE
    ),
    # -- rules that are private to each replica
    "replicas do not see their own changes": Mutant(
        "dense_sum.cpp", "dense_each_row({{_array(private.count)}}[0]", "dense_each_row(0", PRIVATE
    ),
    "what is kept of the weights is left out of sums": Mutant(
        "dense_sum.cpp", "_array(private.kept) + '[0] * '", "'1 * '", PRIVATE
    ),
    "private changes are summed over replicas": Mutant(
        "dense_private_rule.cpp", "({{_float}})1 / _n_rows", "({{_float}})1", PRIVATE
    ),
    "private changes do not decay": Mutant(
        "dense_private_rule.cpp", "_changes[_i] *= 1 + {{decay}};", ";", PRIVATE
    ),
    "changes of the last presentation stay": Mutant(
        "dense_private_rule.cpp", "{{_history(names.pre)}}.clear();", "", PRIVATE
    ),
    "numpy: private changes are summed over replicas": Mutant(
        "dense_private_rule.py_",
        ".reshape(-1, {{n_post}}) / _n_rows",
        ".reshape(-1, {{n_post}})",
        PRIVATE,
    ),
    "a coefficient is left out": Mutant(
        "macros.cpp", "+= {{e.scale}} * {{e.value}}", "+= {{e.value}}", CPP
    ),
    # -- input and responses in C++
    "rows in the order of the data": Mutant(
        "clamped_input.cpp", "order.begin()[first + row]", "(first + row)", CPP
    ),
    "a full batch at the end": Mutant(
        "clamped_input.cpp", "{{_value('rows')}} = rows;", "{{_value('rows')}} = {{batch}};", CPP
    ),
    "the scale is left out": Mutant("clamped_input.cpp", "scale * shown[unit]", "shown[unit]", CPP),
    "the last batch keeps rows of the one before": Mutant(
        "clamped_input.cpp", "rate[i] = 0;", ";", CPP
    ),
    "responses of replicas without a row": Mutant(
        "response_monitor.cpp", "rows * {{n_units}} * sizeof", "{{size}} * sizeof", CPP
    ),
    "responses in every step": Mutant("response_monitor.cpp", "if (_note)", "if (true)", CPP),
    # -- templates of numpy
    "numpy: products summed over rows": Mutant(
        "dense_rule.py_", "{{_rows(right, n_post)}} / _n_rows", "{{_rows(right, n_post)}}", DENSE
    ),
    "numpy: the drive is not computed anew when a run begins": Mutant(
        "dense_sum.py_", "{{_flag(clamped.names.drive_valid)}} = 0", "pass", DENSE
    ),
    "numpy: a sum adds up over time": Mutant("dense_sum.py_", "_target[:] = 0\n", "pass\n", DENSE),
    # -- what becomes a product
    "sums of sides are multiplied out": Mutant(
        "_factorise.py", "not self._is_mixed(addend) and not", "False and not", DENSE
    ),
    "a sign is lost": Mutant("_factorise.py", "ast.Constant(-1)", "ast.Constant(1)", DENSE),
    "divisors multiply": Mutant("_factorise.py", "inverted != divides)\n", "inverted)\n", DENSE),
    "integers are divided in single precision": Mutant(
        "_codeobjects.py", 'else "1.0"', 'else "1.0f"', CPP_ALONE
    ),
    # -- single synapses, and sums of several projections
    "synapses are numbered column by column": Mutant(
        "_indices.py",
        "np.repeat(np.arange(n_pre), n_post)",
        "np.tile(np.arange(n_pre), n_post)",
        SUMS,
    ),
    "transposed weights are in the order of their owner": Mutant(
        "_indices.py", "reshape(n_post, n_pre).T.ravel()", "ravel()", EACH
    ),
    "transposed weights are set as they are": Mutant(
        "_matrix_view.py", "matrix.T if self._transposed else matrix", "matrix", EACH
    ),
    "replicas are not refused": Mutant(
        "_variables.py", "if index in (PRE, POST) and not name", "if False and not name", EACH
    ),
    "Python reads old weights during a presentation": Mutant(
        "synapses.py", "if isinstance(updater.codeobj, NumpyCodeObject):", "if False:", EACH
    ),
    "several sums grow for ever": Mutant("dense_zero.py_", "}}] = 0", "}}] += 0", SUMS),
    "Synapses overwrite the sums of others": Mutant(
        "_updaters.py", "\nAFTER_OTHER_SUMS = 0.01", "\nAFTER_OTHER_SUMS = -0.01", SUMS
    ),
    "the shortcut although others change the weights": Mutant(
        "synapses.py",
        "if users and self._matrices & self._names_in(obj.abstract_code):",
        "if False:",
        DENSE,
    ),
    "the shortcut although weights change before the sum": Mutant(
        "_updaters.py",
        "synapses.order <= synapses.target.order - 1 + AFTER_OTHER_SUMS",
        "False",
        DENSE,
    ),
    # -- programs
    "any variable may be set to anything": Mutant(
        "standalone.py", "if given.ndim and shape is not None and", "if False and", PROGRAMS
    ),
    "rows that do not exist": Mutant(
        "clamped.py", "if rows.min() < 0 or rows.max() >= len(given):", "if False:", PROGRAMS
    ),
    # -- the network
    "weights are not transposed for Brian2": Mutant(
        "simulation.py", "weight.T for name", "weight.reshape(weight.shape[::-1]) for name", ENGINES
    ),
    "weights are not transposed back": Mutant(
        "simulation.py", "weight.shape[::-1]).T.copy()", "weight.shape).copy()", ENGINES
    ),
    "evaluation learns": Mutant(
        "values.py",
        "rate if learn or projection.always else 0.0",
        "rate",
        EVALUATION,
    ),
    "evaluation without what always learns": Mutant(
        "values.py", "learn or projection.always", "learn", EVALUATION
    ),
    "presentations before this run do not count": Mutant(
        "values.py",
        "(layout.ages, presented)",
        "(layout.ages, 0)",
        ENGINES,
    ),
    # -- defaults
    "the noise of small batches": Mutant(
        "_choices.py", "max(1.0, 100 / self.batch) ** 0.5", "max(1.0, 100 / self.batch)", DEFAULTS
    ),
    "imitation by the nearest layer only": Mutant(
        "_rates.py",
        "sum(self.sizes[k] * weights.get(k, 1) for k in below)",
        "self.sizes[post - 1]",
        DEFAULTS,
    ),
    "cancellation whatever the ghosts": Mutant(
        "_rates.py", "sum(n_ghosts[layer] for layer in above)", "20", DEFAULTS
    ),
    "MB cancels slowly in small batches": Mutant(
        "_rates.py",
        "return rate / self.noise if self.paired else rate",
        "return rate / self.noise",
        DEFAULTS,
    ),
    "ghosts that copy learn as fast beside it": Mutant(
        "_rates.py", "_COPIED = 0.25", "_COPIED = 1.0", DEFAULTS
    ),
    # -- input units that adapt, and normalised rules
    "C++ shows inputs with their mean": Mutant(
        "clamped_input.cpp", " - offset[row * {{n_units}} + unit]", "", ADAPTATION
    ),
    "numpy shows inputs with their mean": Mutant(
        "clamped.py", "* scale - offset[: len(shown)]", "* scale", ADAPTATION
    ),
    "a mean without the gain": Mutant(
        "adaptation.py", "np.tile(self.gain * self.mean", "np.tile(self.mean", ADAPTATION
    ),
    "backpropagation through inputs as they are": Mutant(
        "_probe.py",
        "self._simulation.input_rates(self._images, maximum=self._maximum)",
        "self._images / self._maximum",
        ADAPTATION,
    ),
    "relative to another power": Mutant(
        "equations.py", "(1 + power_pre)", "(2 + power_pre)", NORMALISED
    ),
    "power without the square": Mutant(
        "equations.py", "rate_pre**2 : 1 (summed)", "rate_pre : 1 (summed)", NORMALISED
    ),
    "rates fall from the start": Mutant(
        "equations.py", "clip(2 * decay * age, 1, 1e300)", "(1 + decay * age)", ENGINES
    ),
    # -- ghosts that follow and are calibrated
    "V^b follows with the sides exchanged": Mutant(
        "equations.py", "rate_post * change_pre", "rate_post * rate_pre", OURS
    ),
    "ghosts follow before W^f learns": Mutant(
        "equations.py", "follow * nudging_post * change_post", "follow * change_post", OURS
    ),
    "noise all the time": Mutant(
        "equations.py", "deviation = noise_size * calibrating", "deviation = noise_size", OURS
    ),
    "calibration by differences, not by what fluctuates": Mutant(
        "equations.py", "fluctuation = mismatch - last_mismatch", "fluctuation = mismatch", OURS
    ),
    "a mirror without decay": Mutant(
        "equations.py", '/ variance - w) / dt"', '/ variance) / dt"', OURS
    ),
    "the same noise for all seeds": Mutant(
        "values.py",
        "(layout.seeds, seed % 2**31)",
        "(layout.seeds, 0)",
        NOISE,
    ),
    # -- spikes
    "rules see this step's spikes": Mutant(
        "_layout.py", 'f"trace_{side}"', 'f"spikes_{side}"', SPIKES
    ),
    "errors of rules have a memory": Mutant(
        "_layout.py", 'f"raw_{variable}_{side}", line)', 'f"{variable}_{side}", line)', SPIKES
    ),
    "a trace of one stage": Mutant(
        "_layout.py", "(rise - trace) / trace_time", "(spikes - trace) / trace_time", SPIKES
    ),
    "slow currents": Mutant("_layout.py", ") / synaptic_time : 1", ") / tau : 1", SPIKES),
    "all of the phase is read": Mutant(
        "_layout.py", '"counted_from": first // 2', '"counted_from": 0', SPIKES
    ),
    "the neurons of a unit share their noise": Mutant(
        "neuron_pool.cpp", "pool_bits(k * {{size}}u + i,", "pool_bits(i,", POOL
    ),
    "neurons without a reset": Mutant("pool.py", 'v[spiked] = value["reset"]', "pass", POOL),
    "likely spikes counted from the wrong side": Mutant(
        "noise.py", "np.where(p > 0.5, trials - count, count)", "count", COUNTS
    ),
    "rounded to the nearest value": Mutant("weight_rounding.cpp", "+ _uniform", "+ 0.5", BITS),
    "other noise in C++": Mutant("noise.py", "(hash >> 11) *", "(hash >> 12) * 2 *", NOISE),
    # -- runs on disk
    "presented is not saved": Mutant(
        "runs.py", '"presented": np.array(self.presented)', '"presented": np.array(0)', RUNS
    ),
    "presented is not restored": Mutant(
        "runs.py",
        "simulation.adaptation, simulation.presented = self.adaptation, self.presented",
        "simulation.adaptation = self.adaptation",
        RUNS,
    ),
    "history is not restored": Mutant(
        "runs.py", "training.history[:] = self.history", "pass", RUNS
    ),
    "weights are not restored": Mutant(
        "runs.py", "weight.copy() for name", "0 * weight for name", RUNS
    ),
    "responses of a stopped epoch are not restored": Mutant(
        "runs.py", "training.responses = self.responses.copy()", "pass", STOPPED
    ),
}


@pytest.fixture
def copy(tmp_path):
    """Return a copy of the package, with its tests."""
    for name in ("tests", "ghost_spiking"):
        ignored = shutil.ignore_patterns("__pycache__", "mnist")
        shutil.copytree(ROOT / name, tmp_path / name, ignore=ignored)
    data = Path("ghost_spiking", "datasets", "mnist")
    (tmp_path / data).symlink_to(ROOT / data)
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    return tmp_path


def run(folder, tests):
    files, chosen = tests
    command = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider"]
    command += ["--basetemp", str(folder / "temporary"), *files.split()]
    if chosen:
        command += ["-k", chosen]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("tests", sorted({mutant.tests for mutant in MUTANTS.values()}))
def test_tests_pass_without_a_mutant(copy, tests):
    done = run(copy, tests)
    assert done.returncode == 0, done.stdout[-2000:]


@pytest.mark.parametrize("name", MUTANTS)
def test_mutant_is_caught(copy, name):
    mutant = MUTANTS[name]
    files = [
        path
        for path in (copy / "ghost_spiking").rglob(f"*{mutant.file}")
        if mutant.text in path.read_text()
    ]
    assert len(files) == 1, f"{mutant.text!r} is not in one file {mutant.file}, but in {files}"
    original = files[0].read_text()
    files[0].write_text(original.replace(mutant.text, mutant.replacement))
    done = run(copy, mutant.tests)
    assert done.returncode == 1, f"nothing noticed it: {done.stdout[-500:]}"
    # a mistake in the numbers, not one that no compiler lets through
    assert "compiler failed" not in done.stdout, done.stdout[-3000:]
    assert "SyntaxError" not in done.stdout, done.stdout[-3000:]
