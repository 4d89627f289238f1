"""Points of the search's space: what they mean for every member; 1 is the member itself."""

import doctest

import pytest

from latentdx.autoencoder.family import BUILT_IN, build
from latentdx.autoencoder.objectives.names import OBJECTIVES
from latentdx.core.errors import StopError
from latentdx.study import search_space
from latentdx.study.beginning import network_settings
from latentdx.study.search_space import RANGES, Space, run_values, space_of
from latentdx.study.settings import settings_from


class Given:
    """A trial that suggests one end of each range, or a name."""

    def __init__(self, end, **names):
        self.end, self.names, self.asked = end, names, []

    def suggest_categorical(self, name, choices):
        assert self.names[name] in choices
        return self.names[name]

    def suggest_float(self, name, low, high, *, log):
        assert log
        self.asked.append(name)
        return (low, high)[self.end]


def test_the_examples_run():
    found = doctest.testmod(search_space)
    assert (found.attempted > 0, found.failed) == (True, 0)


@pytest.mark.parametrize("family", BUILT_IN)
def test_a_members_own_point_changes_nothing(family):
    assert run_values(Space.own(family)) == {"autoencoder": family}


@pytest.mark.parametrize("end", [0, 1])
@pytest.mark.parametrize("family", BUILT_IN)
def test_both_ends_of_the_space_build_every_member(family, end):
    space = space_of((family,), ("vicreg",))
    trial = Given(end, autoencoder=family, objective="vicreg")
    settings = settings_from({"source": "x", **run_values(space.suggested(trial))})
    network = build(family, network_settings(settings, (1, 16, 16)))
    own = build(family, {"channels": 1, "size": 16})
    assert network.latent_dim == max(1, round(RANGES["latent"][end] * own.latent_dim))
    assert settings.learning_rate == pytest.approx(
        RANGES["learning_rate"][end] * own.learning_rate, rel=1e-3
    )
    if hasattr(own, "widths"):
        told = network.widths[-1] / own.widths[-1]
        assert told == pytest.approx(RANGES["width"][end], rel=0.2)
        assert all(width % 8 == 0 for width in network.widths)
    weight = OBJECTIVES["vicreg"].weight * RANGES["objective_weight"][end]
    assert settings.objectives == {"vicreg": pytest.approx(weight, rel=1e-3)}


def test_no_objective_has_no_weight():
    trial = Given(0, autoencoder="invariant", objective="none")
    values = run_values(space_of(()).suggested(trial))
    assert "objectives" not in values
    assert trial.asked == ["width", "latent", "learning_rate"]


def test_nothing_named_is_everything():
    assert space_of(()) == Space(BUILT_IN, tuple(OBJECTIVES))
    assert space_of(("masked", "masked"), ()) == Space(("masked",), ())


@pytest.mark.parametrize(
    ("families", "objectives"), [(("invariont",), ()), (("invariant",), ("vigreg",))]
)
def test_an_unknown_name_is_refused_with_the_known_ones(families, objectives):
    with pytest.raises(StopError, match="is called") as caught:
        space_of(families, objectives)
    assert caught.value.code == "E_NAME"
    assert ("vicreg" if objectives else "invariant") in caught.value.fix
