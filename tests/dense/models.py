"""Models for the tests of `DenseSynapses`: drawn at random, and what numpy makes of them.

The oracle evaluates an expression for every row and synapse at once, with arrays whose axes are
rows, pre-synaptic and post-synaptic units, and shares no code with the package.
"""

import random
from dataclasses import dataclass

import numpy as np
from brian2 import NeuronGroup, Synapses

from ghost_spiking.dense import DenseSynapses

# Products of one-sided factors; sides may be any expression.
SHARED = ["eta", "a", "0.5", "-1", "h_post", "k_pre*eta", "sin(20*t/ms)", "1", "eta/3", "1/3",
          "2/N_post", "early_post", "late_post", "1/(N_pre*2)"]  # fmt: skip
PRE = ["x_pre", "u_pre", "x_pre*u_pre", "tanh(x_pre - u_pre)", "(1 - x_pre)", "1", "p_pre/3"]
POST = ["y_post", "v_post", "y_post**2", "exp(-v_post)", "(y_post - v_post)", "1", "q_post/7"]
MATRIX = ["1", "w", "c", "w*c", "(1 - w)", "w**2*0.1", "1", "w/3"]
#: Sums of sides, as a factor or in a function.
MIXED = [
    "eta*(y_post - v_post)*(x_pre - 0.5)",
    "(x_pre - y_post)**2",
    "exp(-(x_pre + v_post))",
    "(x_pre*y_post)**2 - w/3",
    "eta*(y_post*x_pre - y_post**2*w)",
    "y_post*(x_pre - w*y_post)",
    "(x_pre - w)*y_post/3",
    "c*(x_pre - y_post)/3",
    "sin(x_pre - y_post + a)",
    "x_pre - y_post",
    "late_post*(p_pre - q_post)/7",
    "early_post*w*(x_pre - 1) + late_post*c*y_post",
    "0",
]


#: What loses digits, or overflows, as a sum of matrix products; x and y are about 1e8.
HARMFUL = [
    ("exp(x_pre - y_post)", "w*(x_pre - y_post)", "(x_pre - y_post)**2"),
    ("w*(x_pre - y_post)**3", "(x_pre - y_post)*(x_pre + y_post)", "cos(x_pre - y_post)*c"),
    ("sin(x_pre - y_post)/3", "exp(eta*(x_pre - y_post)/3)*w", "x_pre - y_post"),
    ("u_pre*(x_pre - y_post)", "2**(x_pre - y_post) - w*u_pre", "eta*(y_post - x_pre) + c*v_post"),
    ("v_post*(c - x_pre/y_post)", "(u_pre*v_post)**20", "(x_pre - y_post - 1)**2/y_post"),
]
#: What C++ computes in single precision if it is not told otherwise.
WHOLE = [
    ("w*u_pre/3", "w*u_pre/(N_pre*2)", "w*v_post/N_post"),
    ("1/3*v_post", "w*p_pre/7", "p_pre/q_post*c"),
    ("p_pre/N_pre + w*(2/3)", "u_pre**(1/3)*w", "eta/3*w*(2/3)**2"),
    ("(p_pre + q_post)**2/70000", "v_post*(p_pre/3 + q_post/7)", "(i/3 + j/7)*v_post"),
    ("w*(p_pre/7 - q_post/9)", "k_pre/3 + w/7", "h_post*w/(7*N_pre)"),
]

#: One-sided factors, of which the mean is taken over a batch, and coefficients that are zero early
#: or late.
SIDES = [
    ("late_post*y_post + x_pre*eta", "w*x_pre*y_post - 0.5*w*u_pre", "w*y_post*(1 - v_post)"),
    ("early_post*w*x_pre + late_post*c*y_post", "late_post*w*x_pre", "y_post*h_post + x_pre"),
    ("y_post*(x_pre - w*y_post) - late_post/3", "c*exp(u_pre - y_post)", "early_post*c*v_post"),
    ("late_post*(x_pre - y_post)*c + early_post*u_pre*v_post", "1", "w*c"),
    ("2*c + eta*x_pre", "late_post*w*x_pre + 2*c", "c*sin(20*t/ms) + y_post/3"),
    ("sin(20*t/ms)*c*(2 - w)/3 + x_pre*(1 - eta)", "c/3 - eta*x_pre", "2*c"),
]


def draw(seed, number):
    """Return models: a rule, a sum for the target and a sum for the source each."""
    rng = random.Random(seed)

    def expression():
        terms = []
        for _ in range(rng.randint(1, 3)):
            if rng.random() < 0.35:
                terms.append(rng.choice(MIXED))
            else:
                terms.append("*".join(rng.choice(side) for side in (SHARED, MATRIX, POST, PRE)))
        return " + ".join(terms)

    return [(expression(), expression(), expression()) for _ in range(number)]


@dataclass
class Built:
    """Brian2 objects, and the values that they have to be given."""

    objects: list
    values: dict


def build(
    kind, models, *, batch=None, n_pre=4, n_post=3, prefix="", seed=0, offset=0.0, moving=True,
    low=-1.0, **options,
):  # fmt: skip
    """Build one source, one target, and a projection for every model.

    Parameters
    ----------
    batch : ClampedInput, optional
        Its replicas, for `DenseSynapses`.
    offset : float, optional
        Added to x and y.
    moving : bool, optional
        Whether x and y change.
    low : float, optional
        Smallest weight.
    """
    rng = np.random.default_rng(seed)
    replicas = 1 if batch is None else batch.batch
    clock = options.get("clock")
    sums = range(len(models))
    source = NeuronGroup(
        replicas * n_pre,
        "x : 1\nu : 1\nk : 1 (shared)\np : integer\n" + "\n".join(f"b{m} : 1" for m in sums),
        clock=clock,
        name=f"{prefix}source",
    )
    target = NeuronGroup(
        replicas * n_post,
        """
        y : 1
        v : 1
        h : 1 (shared)
        q : integer
        early = int(t < 0.45*ms) : 1 (shared)
        late = 1 - early : 1 (shared)
        """
        + "\n".join(f"d{m} : 1" for m in sums),
        clock=clock,
        name=f"{prefix}target",
    )
    if moving:
        source.run_regularly("x = x + 0.03*cos(x)", when="end", name=f"{prefix}source_moves")
        target.run_regularly("y = y + 0.05*sin(v + y)", when="end", name=f"{prefix}target_moves")
    values = {
        f"{prefix}source.x": offset + rng.uniform(0.2, 1.2, len(source)),
        f"{prefix}source.u": rng.uniform(0.2, 1.2, len(source)),
        f"{prefix}source.p": rng.integers(1, 99, len(source)),
        f"{prefix}source.k": 0.3,
        f"{prefix}target.y": offset + rng.uniform(0.2, 1.2, len(target)),
        f"{prefix}target.v": rng.uniform(0.2, 1.2, len(target)),
        f"{prefix}target.q": rng.integers(1, 99, len(target)),
        f"{prefix}target.h": 0.7,
    }
    objects = [source, target]
    if kind is DenseSynapses:
        options |= {"batch": batch} if batch is not None else {}
    else:
        options |= {"method": "euler", "order": -0.5}
    for m, (rule, drive, back) in enumerate(models):
        name = f"{prefix}model{m}"
        text = f"""
        dw/dt = ({rule}) / ms : 1 (clock-driven)
        d{m}_post = {drive} : 1 (summed)
        b{m}_pre = {back} : 1 (summed)
        eta : 1 (constant, shared)
        c : 1
        """
        synapses = kind(source, target, text, name=name, namespace={"a": 0.6}, **options)
        if kind is Synapses:
            synapses.connect()
        objects.append(synapses)
        for matrix in "wc":
            values[f"{name}.{matrix}"] = rng.uniform(low, 1, size=(n_pre, n_post))
        values[f"{name}.eta"] = 0.4
    return Built(objects, values)


def give(built):
    """Set the values of objects in runtime mode."""
    owners = {obj.name: obj for obj in built.objects}
    for name, value in built.values.items():
        owner, _, variable = name.partition(".")
        owners[owner].variables[variable].set_value(np.ravel(value))


def evaluate(expression, *, rows, matrices, scalars, pre, post, dtype=np.longdouble):
    """Evaluate an expression for all rows and synapses, shape (rows, n_pre, n_post)."""
    names = {"exp", "sin", "cos", "tanh", "sqrt", "abs", "log"}
    values = {name: getattr(np, name) for name in names}
    values |= {"int": lambda x: np.asarray(x).astype(int), "ms": 1e-3}
    values |= {name: dtype(value) for name, value in scalars.items()}
    values |= {name: np.asarray(value, dtype) for name, value in matrices.items()}
    for side, arrays in (("pre", pre), ("post", post)):
        for name, value in arrays.items():
            value = np.asarray(value, dtype)
            if value.ndim:
                value = value.reshape(rows, -1)
                value = value[:, :, None] if side == "pre" else value[:, None, :]
            values[f"{name}_{side}"] = value
    n_pre, n_post = next(iter(matrices.values())).shape
    values |= {"N_pre": dtype(n_pre), "N_post": dtype(n_post)}
    values |= {"i": np.arange(n_pre)[None, :, None], "j": np.arange(n_post)[None, None, :]}
    return np.broadcast_to(eval(expression, {}, values), (rows, n_pre, n_post))


def moves(x, y, v):
    """Return the states of source and target after a time step."""
    return x + 0.03 * np.cos(x), y + 0.05 * np.sin(v + y)


def follow(
    models, values, steps, *, batch=1, rows=None, prefix="", moving=True, dtype=np.longdouble
):
    """Do in numpy what the objects of `build` do; give weights and sums by name.

    Parameters
    ----------
    rows : callable, optional
        Gives the number of rows at a time step; by default all replicas.
    """
    get = {name.removeprefix(prefix): np.asarray(value) for name, value in values.items()}
    x, y, v = (get[name].astype(dtype) for name in ("source.x", "target.y", "target.v"))
    weights = {m: get[f"model{m}.w"].astype(dtype) for m in range(len(models))}
    found = {}
    for step in range(steps):
        n = batch if rows is None else rows(step)
        t = dtype(step) / 10000
        early = dtype(step < 5)

        def shown(array, n=n):
            return array.reshape(batch, -1)[:n]

        pre = {"x": x, "u": get["source.u"], "p": get["source.p"]}
        post = {"y": y, "v": v, "q": get["target.q"]}
        context = {
            "rows": n,
            "pre": {k: shown(a) for k, a in pre.items()} | {"k": get["source.k"]},
            "post": {k: shown(a) for k, a in post.items()}
            | {"h": get["target.h"], "early": early, "late": 1 - early},
            "dtype": dtype,
        }
        for m, (rule, drive, back) in enumerate(models):
            scalars = {"eta": get[f"model{m}.eta"], "a": 0.6, "t": t}
            matrices = {"w": weights[m], "c": get[f"model{m}.c"]}
            options = context | {"scalars": scalars, "matrices": matrices}
            found[f"d{m}"] = evaluate(drive, **options).sum(axis=1)
            found[f"b{m}"] = evaluate(back, **options).sum(axis=2)
            weights[m] = weights[m] + evaluate(rule, **options).mean(axis=0) / 10
        if moving:
            x, y = moves(x, y, v)
    return found | {f"w{m}": weight for m, weight in weights.items()}
