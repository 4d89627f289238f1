"""What is hidden stays hidden: no map, token or statistic depends on a pixel under the mask."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from family_cases import small
from numpy.typing import NDArray

from latentdx.autoencoder.masked import MaskedAutoencoder
from latentdx.autoencoder.masked_vit import MaskedVitAutoencoder
from latentdx.autoencoder.masking import MaskedLoss, draw_visible, locally_normalised, spread
from latentdx.autoencoder.patches import from_patches, sine_cosine, to_patches
from latentdx.core.errors import StopError

Discs = Callable[..., NDArray[np.float32]]

SIZES = [(16, 16), (29, 31), (13, 14, 15)]
every_size = pytest.mark.parametrize("size", SIZES, ids=str)


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def scans(discs: Discs, size: tuple[int, ...], count: int = 4) -> torch.Tensor:
    return torch.from_numpy(discs(count, size=size))


def masked(size: tuple[int, ...], **more: Any) -> MaskedAutoencoder:
    network = small("masked", size=size, **more)
    assert isinstance(network, MaskedAutoencoder)
    return network


@every_size
@pytest.mark.parametrize("training", [True, False])
def test_pixels_under_the_mask_change_nothing_where_it_is_visible(
    size: tuple[int, ...], training: bool, discs: Discs
) -> None:
    pixels = scans(discs, size)
    masks = masked(size, widths=(8, 16, 16)).draw_masks(4, seeded())
    other = torch.where(masks[0], pixels, torch.rand(pixels.shape, generator=seeded(1)))
    assert not torch.equal(pixels, other)
    found = []
    for seen in (pixels, other):
        network = masked(size, widths=(8, 16, 16)).train(training)
        masks = network.draw_masks(4, seeded())
        assert [tuple(mask.shape[2:]) for mask in masks] == [network.size, *network.sizes]
        with torch.no_grad():
            maps = network.visible_layers(seen, masks)
        found.append([*maps, *network.state_dict().values()])
    assert all(torch.equal(first, second) for first, second in zip(*found, strict=True))


@every_size
def test_maps_are_zero_where_all_is_hidden_and_only_there(
    size: tuple[int, ...], discs: Discs
) -> None:
    network = masked(size, widths=(8, 16, 16)).train()
    masks = network.draw_masks(4, seeded())
    with torch.no_grad():
        maps = network.visible_layers(scans(discs, size), masks)
    for number, (held, mask) in enumerate(zip(maps, masks[1:], strict=True), 1):
        assert not held[~mask.expand_as(held)].any()
        assert held.sum(dim=1, keepdim=True)[mask].ne(0).float().mean() > 0.9
        cells = spread(mask, 2**number, size)
        assert (masks[0] <= cells).all()  # a pixel that is seen lies in a place that is seen


def test_statistics_are_those_of_visible_places(discs: Discs) -> None:
    network = masked((16, 16)).train()
    pixels = scans(discs, (16, 16), 16)
    masks = network.draw_masks(16, seeded())
    with torch.no_grad():
        network.visible_layers(pixels, masks)
        first = network.stages[0].convolutions[0](  # type: ignore[index, union-attr]
            torch.nn.functional.pixel_unshuffle(pixels * masks[0], 2)
        )
    seen = first.movedim(1, -1)[masks[1][:, 0]]
    norm = network.stages[0].norms[0]  # type: ignore[index, union-attr]
    torch.testing.assert_close(norm.running_mean, 0.1 * seen.mean(dim=0))
    torch.testing.assert_close(norm.running_var, 0.9 + 0.1 * seen.var(dim=0))


def test_with_everything_visible_the_masked_norm_is_the_plain_one(discs: Discs) -> None:
    pixels = scans(discs, (16, 16))
    first, second = masked((16, 16)).train(), masked((16, 16)).train()
    masks = [torch.ones_like(mask) for mask in first.draw_masks(4, seeded())]
    for one, other in zip(
        first.visible_layers(pixels, masks), second.visible_layers(pixels, None), strict=True
    ):
        torch.testing.assert_close(one, other, atol=1e-5, rtol=1e-4)
    for one, other in zip(first.buffers(), second.buffers(), strict=True):
        torch.testing.assert_close(one, other)


@pytest.mark.parametrize("size", [(8, 8), (8, 8, 8), (9, 8)], ids=str)
@pytest.mark.parametrize("name", ["masked", "masked-vit"])
def test_the_smallest_scans_can_be_masked(name: str, size: tuple[int, ...], discs: Discs) -> None:
    more = {"widths": (4, 8, 8, 8)} if name == "masked" else {}
    network = small(name, size=size, **more).train()
    terms = network.losses(scans(discs, size), seeded())
    assert all(term.isfinite() and term > 0 for term in terms.values())


@pytest.mark.parametrize("ratio", [0.0, 0.3, 0.6, 0.99, 1.0])
def test_as_many_cells_are_hidden_as_asked_for(ratio: float) -> None:
    drawn = draw_visible(50, 20, ratio, seeded())
    hidden = min(max(round(20 * ratio), 1), 19)
    assert (~drawn).sum(dim=1).tolist() == [hidden] * 50
    assert len({tuple(row) for row in drawn.tolist()}) > 10
    shares = drawn.float().mean(dim=0)
    assert shares.std() < 0.15  # no cell is preferred


def test_the_token_fills_what_is_hidden(discs: Discs) -> None:
    pixels = scans(discs, (16, 16))
    for name in ("masked", "masked-vit"):
        network = small(name).eval()
        with torch.no_grad():
            before = network.losses(pixels, seeded())
            rebuilt = network(pixels)
            network.mask_token += 1.0  # type: ignore[operator]
            after = network.losses(pixels, seeded())
            assert torch.equal(network(pixels), rebuilt)
        assert not torch.equal(before["masked"], after["masked"])


def test_hidden_patches_are_not_encoded(discs: Discs) -> None:
    """The encoder of the transformer sees as many tokens as are visible, and they decide alone."""
    network = small("masked-vit", mask_ratio=0.75, visible_weight=0.0)
    assert isinstance(network, MaskedVitAutoencoder)
    pixels = scans(discs, (16, 16))
    seen: list[torch.Tensor] = []
    network.encoder[0].register_forward_pre_hook(lambda _, given: seen.append(given[0]))
    visible = draw_visible(4, math.prod(network.grid), 0.75, seeded())
    mask = spread(visible.reshape(4, 1, *network.grid), network.patch, network.size)
    other = torch.where(mask, pixels, 1 - pixels)
    for given in (pixels, other):
        network.losses(given, seeded())
    assert seen[0].shape == (4, 16, 32)
    assert torch.equal(seen[0], seen[1])
    network.encode(pixels)
    assert seen[2].shape == (4, 64, 32)
    with torch.no_grad():
        expected = network._tokens(pixels)[visible].reshape(4, 16, 32)
    torch.testing.assert_close(seen[0], expected)


@every_size
def test_only_hidden_pixels_count_where_visible_ones_weigh_nothing(
    size: tuple[int, ...],
) -> None:
    scan, rebuilt = (torch.rand(3, 1, *size, generator=seeded(seed)) for seed in (1, 2))
    visible = torch.rand(3, 1, *size, generator=seeded(3)) < 0.4
    for loss, error in (
        ("mse", (rebuilt - scan).square()),
        ({"mse": 2.0}, 2 * (rebuilt - scan).square()),
    ):
        told = MaskedLoss(loss, 0.5, 4, normalised=False)(rebuilt, scan, visible)
        torch.testing.assert_close(told["masked"], error[~visible].mean())
        torch.testing.assert_close(told["visible"], 0.5 * error[visible].mean())
    only = MaskedLoss("ssim-gradient", 0.0, 4, normalised=False)
    assert only(rebuilt, scan, visible).keys() == {"masked"}
    cheated = torch.where(visible, rebuilt, scan)
    assert only(cheated, scan, visible)["masked"].abs() < 1e-5


@every_size
def test_a_target_normalised_by_patch_has_no_level_and_no_contrast(size: tuple[int, ...]) -> None:
    scan = torch.rand(2, 2, *size, generator=seeded())
    _, target = locally_normalised(scan, scan, 4)
    corner = (..., *(slice(0, 4),) * len(size))
    torch.testing.assert_close(target[corner].mean(), torch.tensor(0.0), atol=1e-4, rtol=0)
    torch.testing.assert_close(
        target[corner].flatten(2).std(dim=2, correction=0), torch.ones(2, 2), atol=1e-3, rtol=0
    )
    _, faint = locally_normalised(scan, 0.5 * scan + 0.2, 4)
    whole = (..., *(slice(0, 12),) * len(size))  # a patch that is cut may be flat
    torch.testing.assert_close(faint[whole], target[whole], atol=1e-3, rtol=0)
    _, flat = locally_normalised(scan, torch.full_like(scan, 0.5), 4)
    torch.testing.assert_close(flat, torch.zeros_like(flat), atol=1e-4, rtol=0)


@pytest.mark.parametrize("name", ["masked", "masked-vit"])
def test_a_normalised_target_is_learned_with_mse_alone(name: str, discs: Discs) -> None:
    network = small(name, normalised_target=True).train()
    pixels = scans(discs, (16, 16))
    plain = small(name).train().losses(pixels, seeded())
    assert network.losses(pixels, seeded())["masked"] > 2 * plain["masked"]
    with pytest.raises(StopError) as caught:
        small(name, normalised_target=True, reconstruction="ssim")
    assert caught.value.code == "E_CONFIG"


@pytest.mark.parametrize(("size", "patch"), [((12, 8), 4), ((8, 4, 12), 2), ((15, 9), 3)], ids=str)
def test_patches_are_put_together_as_they_were_cut(size: tuple[int, ...], patch: int) -> None:
    pixels = torch.rand(2, 3, *size, generator=seeded())
    patches = to_patches(pixels, patch)
    assert torch.equal(from_patches(patches, patch, (3, *size)), pixels)
    second = (0, slice(None), *(slice(0, patch),) * (len(size) - 1), slice(patch, 2 * patch))
    assert torch.equal(patches[0, 1], pixels[second].flatten())


def test_positions_differ_and_are_near_for_neighbours() -> None:
    for grid in ((7, 8), (4, 5, 6)):
        found = sine_cosine(grid, 32)[0]
        assert found.shape == (math.prod(grid), 32)
        apart = torch.cdist(found, found)
        assert apart.fill_diagonal_(9.0).min() > 0.1
        assert apart[0, 1] < apart[0, grid[-1] - 1]


@pytest.mark.parametrize("more", [{"patch": 16}, {"depth": 1}])
def test_a_transformer_needs_two_patches_and_two_blocks(more: dict[str, int]) -> None:
    with pytest.raises(StopError) as caught:
        small("masked-vit", **more)
    assert caught.value.code == "E_CONFIG"


def test_a_scan_that_is_not_of_whole_patches_ends_with_its_border(discs: Discs) -> None:
    pixels = scans(discs, (13, 14, 15))
    network = small("masked-vit", size=(13, 14, 15), patch=4)
    larger = small("masked-vit", size=(16, 16, 16), patch=4)
    larger.load_state_dict(network.state_dict())
    repeated = torch.nn.functional.pad(pixels, (0, 1, 0, 2, 0, 3), mode="replicate")
    with torch.no_grad():
        torch.testing.assert_close(network.encode(pixels), larger.encode(repeated))
        torch.testing.assert_close(network(pixels), larger(repeated)[..., :13, :14, :15])


def test_a_transformer_learns_to_rebuild_what_it_sees_whole(discs: Discs) -> None:
    pixels = scans(discs, (16, 16), 9)
    network = small("masked-vit", visible_weight=0.5).train()
    told = network.losses(pixels, seeded())
    torch.testing.assert_close(
        told["whole"], 0.5 * (network(pixels[:2]) - pixels[:2]).square().mean()
    )
    assert small("masked-vit", visible_weight=0.0).losses(pixels, seeded()).keys() == {"masked"}
