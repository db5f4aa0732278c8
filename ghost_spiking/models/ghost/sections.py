"""The fields of a specification that ghost networks have beside the common ones."""

from __future__ import annotations

from typing import Literal

from ..._checks import Count, Flag, Fraction, NotNegative, Number, Positive, Whole
from ...graph import Connection
from .._sections import InitialWeights, LearningRates, Network, Protocol

__all__ = ["GhostInitialWeights", "GhostLearningRates", "GhostNetwork", "GhostProtocol"]


#: Images of MNIST.
_USUAL = 60_000


class GhostInitialWeights(InitialWeights):
    """How weights start: gains on the Glorot-uniform bound sqrt(6 / (fan_in + fan_out)).

    Attributes
    ----------
    feedforward : tuple of float
        W^f, one gain for each connection.
    feedback : tuple of float
        W^b, one for each connection between layers above the input; not used where W^b is the
        transpose of W^f.
    ghost_forward : tuple of float
        V^f, one for each connection into a layer with ghosts.
    ghost_feedback : tuple of float
        V^b, one for each connection between layers above the input.
    ghost_bias : float
        Bias that ghosts start with.
    ghost_distribution : {"uniform", "normal"}
        Distribution of V^f; a normal one has the same standard deviation.
    self_predicting : bool
        Start with V^f = W^f and V^b = W^b (MA only), so that ghosts cancel from the start.

    Examples
    --------
    >>> from ghost_spiking import Specification
    >>> specification = Specification.create(
    ...     sizes=(784, 500, 10), initial_weights={"feedforward": [1.0, 0.5]}
    ... )
    >>> specification.network.initial_weights.feedforward
    (1.0, 0.5)
    """

    feedback: tuple[NotNegative, ...]
    ghost_forward: tuple[NotNegative, ...]
    ghost_feedback: tuple[NotNegative, ...]
    ghost_bias: Number
    ghost_distribution: Literal["uniform", "normal"]
    self_predicting: Flag


class GhostNetwork(Network):
    """The structure of a ghost network; the common fields are those of `Network`.

    Attributes
    ----------
    feedback : tuple of {"transpose", "alignment", "reconstruction", "mirror"}
        What W^b is, for each hidden layer that receives feedback: the transpose of W^f; fixed
        and random; learned, so that it reconstructs the layer's rates from those above; or learned
        from noise as a mirror of W^f, while ghosts are calibrated (MA only).
    ghosts : tuple of int
        Ghosts attached to each layer with a connection from a hidden layer (2 .. L in a
        chain); chosen freely in MB only.
    dale : bool
        Whether ghosts obey Dale's law: V^b >= 0, by projection after each change.
    lesion : float
        Fraction of the ghosts of each layer that are silent, at least 0 and less than 1.
    initial_weights : GhostInitialWeights
        How weights start.

    Examples
    --------
    >>> from ghost_spiking import Specification
    >>> network = Specification.create(sizes=(784, 300, 300, 10), model="MB", ghosts=100).network
    >>> network.feedback, network.ghosts
    (('transpose', 'transpose'), (100, 100))
    """

    feedback: tuple[Literal["transpose", "alignment", "reconstruction", "mirror"], ...]
    ghosts: tuple[Count, ...]
    dale: Flag
    lesion: Fraction
    initial_weights: GhostInitialWeights

    def ghosts_of(self, layer: int) -> int:
        """Return the number of ghosts attached to a layer."""
        return self.ghosts[self.graph.feedback_sources.index(layer)]

    def feedback_of(self, layer: int) -> str:
        """Return the kind of feedback that a hidden layer receives."""
        return self.feedback[self.graph.feedback_targets.index(layer)]

    @property
    def ghost_connections(self) -> tuple[Connection, ...]:
        """Connections that ghosts receive too: all into a layer with ghosts."""
        return self.graph.into(self.graph.feedback_sources)

    @property
    def reconstructed_layers(self) -> tuple[int, ...]:
        """Layers whose feedback is learned by reconstruction."""
        targets = self.graph.feedback_targets
        return tuple(layer for layer in targets if self.feedback_of(layer) == "reconstruction")


class GhostLearningRates(LearningRates):
    """Learning rates, multiplied by dt/tau in every time step; 0 switches learning off.

    Attributes
    ----------
    feedforward : tuple of float
        eta_W of W^f, eq. (5) and (7), one for each connection.
    bias : tuple of float
        Of the biases of the layers 1 .. L; by default that of the nearest connection.
    ghost_forward : tuple of float
        eta_Vf of V^f, eq. (3), one for each connection into a layer with ghosts. Stable only
        while the sum of eta_Vf * dt/tau * N_(l-1) over a ghost's connections is of the order
        of 1. Not used in MB.
    ghost_bias : tuple of float
        Of the biases of ghosts, one for each layer with ghosts. In MB they keep the ghosts'
        mean rate at `GhostProtocol.ghost_rate`.
    ghost_feedback : tuple of float
        eta_Vb of V^b, eq. (4) and (6), one for each connection between layers above the input.
        The same bound holds, with the number of ghosts.
    feedback : tuple of float
        Of W^b where it is learned, one for each connection between layers above the input. By a
        mirror: the part of W^b that is replaced in a step.
    calibration : float
        Which part of W - V calibration removes in a step, for few units and large mini-batches; it
        is divided by 1 + 2 * (sending units) / (images). Stable below 1. Not used without
        calibration.

    Examples
    --------
    >>> from ghost_spiking import Specification
    >>> specification = Specification.create(
    ...     sizes=(784, 500, 10), learning_rates={"ghost_feedback": 0.1}
    ... )
    >>> specification.protocol.learning_rates.ghost_feedback
    (0.1,)
    """

    ghost_forward: tuple[NotNegative, ...]
    ghost_bias: tuple[NotNegative, ...]
    ghost_feedback: tuple[NotNegative, ...]
    feedback: tuple[NotNegative, ...]
    calibration: NotNegative


class GhostProtocol(Protocol):
    """How images are presented to a ghost network; the common fields are those of `Protocol`.

    Attributes
    ----------
    ghost_delay : int
        Steps at the beginning of each presentation, while activity settles, in which
        ghosts do not learn.
    ghost_onset, feedforward_onset : int
        Presentations (mini-batches) at the beginning of training in which ghosts, or W^f,
        do not learn.
    half_life : int or "auto"
        Presentations after which the learning rates of W^f have halved, 0 for constant rates.
        Ghosts go on learning, and catch up. With "auto" it is chosen when a training begins, for
        the number of its images: ten times all of 60,000, in proportion to the power 3/4 of that.
    schedule : {"exponential", "inverse_time"}
        How they fall: by half in each half-life; or not at all for half of one, and from then on
        in inverse proportion to the number of presentations, which suits any number of epochs.
    normalised : bool
        Whether rules of ghosts are relative to the sum of squared pre-synaptic rates, where these
        are not bounded, and where feedback is private; not in the paper.
    following : {"none", "copy", "local"}
        How ghosts follow W^f in the nudging phase (MA only; not in the paper, which has none):
        they copy their partner's change, or infer it from how far the partner's state has moved
        away from theirs.
    calibration_steps : int
        Steps of a third phase, not in the paper, in which noise that ghosts share with their
        partners calibrates V^f and V^b, in place of eq. (3) and (4) (MA only); 0 for none.
    calibration_settling : int
        Steps before, in which nothing is nudged or learned, and activity settles; at least 1.
    calibration_noise : float
        Standard deviation of that noise, which adds to rates.
    private_feedback : bool
        Whether each image of a mini-batch has its own changes of V^b while it is presented, of
        which V^b keeps the mean (MB only); otherwise all images change the same V^b in every step.
        The paper presents one image at a time, where both are the same.
    ghost_rate : float
        Mean rate that the biases of ghosts aim at in MB (homeostasis).
    learning_rates : GhostLearningRates
        Learning rates of all projections.

    Examples
    --------
    >>> from ghost_spiking import Specification
    >>> Specification.create(sizes=(784, 500, 10), half_life=1500).protocol.half_life
    1500
    """

    ghost_delay: Whole
    ghost_onset: Whole
    feedforward_onset: Whole
    half_life: Whole | Literal["auto"]
    schedule: Literal["exponential", "inverse_time"]
    normalised: Flag
    following: Literal["none", "copy", "local"]
    calibration_steps: Whole
    calibration_settling: Count
    calibration_noise: Positive
    private_feedback: Flag
    ghost_rate: Number
    learning_rates: GhostLearningRates

    def half_life_for(self, n_images: int = _USUAL) -> int:
        """Return the half-life for a training with so many images.

        Examples
        --------
        >>> from ghost_spiking import Specification
        >>> protocol = Specification.create(sizes=(784, 500, 10)).protocol
        >>> protocol.half_life, protocol.half_life_for(60_000), protocol.half_life_for(5000)
        ('auto', 6000, 930)
        """
        if self.half_life != "auto":
            return self.half_life
        # Small sets are seen more often, but in fewer mini-batches.
        images = 10 * _USUAL * (n_images / _USUAL) ** 0.75
        return max(1, int(images) // self.batch_size)
