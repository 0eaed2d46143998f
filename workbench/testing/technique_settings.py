"""SettingsContract, the promises of a technique's settings: faces, conditions and refusals."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from workbench.errors import SettingsError
from workbench.settings import Knob, TechniqueSettings, knobs
from workbench.technique import Technique
from workbench.techniques import TECHNIQUES
from workbench.testing import faces
from workbench.testing.contract import Contract, registered
from workbench.testing.values import other_value, search_points, walk

__all__ = ["N_POINTS", "SettingsContract"]

MOST_VISIBLE = 7
N_POINTS = 200  # of a search space that are tried


class SettingsContract(Contract):
    """All tests of a technique's settings; the fixture "declared" is the technique.

    Override `other_value` where a setting takes only certain values.
    """

    @pytest.fixture(autouse=True)
    def registration(self, declared: Technique) -> Iterator[None]:
        """Recipe, command line and form find the technique by its name."""
        with registered(TECHNIQUES, declared.name, declared):
            yield

    def other_value(self, k: Knob) -> Any:
        """A valid value of one setting that is not its default."""
        return other_value(k)

    def all_values(self, declared: Technique) -> list[dict[str, Any]]:
        """Flat values that differ from the defaults, for every choice that conditions name."""
        return list(walk(declared.settings, self.other_value))

    def all_settings(self, declared: Technique) -> list[TechniqueSettings]:
        """The defaults, and settings away from them."""
        changed = [declared.settings.from_flat(values) for values in self.all_values(declared)]
        return [declared.settings(), *changed]

    def test_every_face_goes_round_to_the_same_settings(self, declared: Technique) -> None:
        for settings in self.all_settings(declared):
            assert declared.settings.from_flat(settings.flat()) == settings, "form and code"
            assert faces.through_yaml(settings) == settings, "YAML"
            assert faces.through_recipe(declared, settings) == settings, "recipe"
            assert faces.through_shell(declared, settings) == settings, "command line"

    def test_parameters_cell_goes_round_to_the_same_settings(self, declared: Technique) -> None:
        for settings in self.all_settings(declared):
            assert faces.through_cell(declared, settings) == settings

    def test_form_shows_and_gives_back_the_same_settings(self, declared: Technique) -> None:
        for settings in self.all_settings(declared):
            assert faces.through_form(declared, settings) == settings

    def test_every_setting_has_an_effect_beside_some_choice_of_the_others(
        self, declared: Technique
    ) -> None:
        walked = self.all_values(declared)
        never = [
            k.name
            for k in knobs(declared.settings)
            if all(values[k.name] == k.default for values in walked)
        ]
        assert not never, f"Nothing gives {never} an effect: mend their `only_if`."

    def test_value_without_an_effect_is_refused_with_the_reason(self, declared: Technique) -> None:
        walked = self.all_values(declared)
        for k in (k for k in knobs(declared.settings) if k.only_if):
            without = next((values for values in walked if not k.applies(values)), None)
            assert without is not None, f"the condition of `{k.name}` always holds: leave it out"
            with pytest.raises(SettingsError, match=f"`{k.name}` has an effect only if .*; here "):
                declared.settings.from_flat({**without, k.name: self.other_value(k)})

    def test_at_most_seven_settings_are_visible_at_the_defaults_of_each_method(
        self, declared: Technique
    ) -> None:
        """The budget is not counted: every technique has it, and a form shows it with the run."""
        methods = next((k.choices for k in knobs(declared.settings) if k.name == "method"), ())
        for values in [{"method": method} for method in methods] or [{}]:
            for form in declared.accepts:
                shown = declared.settings(**values).visible(model_form=form)
                visible = [k.name for k in shown if k.name != "budget"]
                assert len(visible) <= MOST_VISIBLE, f"{values}: mark some of {visible} as expert"

    def test_points_of_the_search_space_are_valid_settings(self, declared: Technique) -> None:
        for point in search_points(declared.settings, N_POINTS):
            settings = declared.settings.from_flat(point)
            assert declared.settings.from_flat(settings.flat()) == settings
            for k in (k for k in knobs(declared.settings) if k.search and k.applies(point)):
                low, high = k.search or (0, 0)
                assert low <= point[k.name] <= high

    def test_bad_values_are_refused_with_the_message(self, declared: Technique) -> None:
        for k in knobs(declared.settings):
            if k.high is not None:
                with pytest.raises(SettingsError, match=f"`{k.name}` must be at most"):
                    declared.settings.from_flat({k.name: k.high * 2 + 1})
            if k.low is not None:
                with pytest.raises(SettingsError, match=f"`{k.name}` must be (at least|more than)"):
                    declared.settings.from_flat({k.name: k.low - 1})
            if k.kind == "choice":
                with pytest.raises(SettingsError, match=f"`{k.name}` got 'nonsense'.*Valid: "):
                    declared.settings.from_flat({k.name: "nonsense"})
        with pytest.raises(SettingsError, match="Unknown setting `nonsense`"):
            declared.settings.from_flat({"nonsense": 1})

    def test_declaration_is_fit_to_be_shown(self, declared: Technique) -> None:
        assert declared.title
        assert declared.summary.endswith(".")
        for k in knobs(declared.settings):
            assert k.help.endswith("."), f"{declared.name}.{k.name}: help is a sentence"
        again = declared.settings.model_validate_json(declared.settings().model_dump_json())
        assert again == declared.settings()
