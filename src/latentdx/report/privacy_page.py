"""The page of `latentdx privacy`: four attacks, in words for who is no engineer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from latentdx.report.card import known_number, number
from latentdx.report.choice_page import Page, Section, rendered

CAUTION = (
    "Attacks that fail here do not prove that none would succeed: stronger ones exist, and come. "
    "Treat model and embeddings as patients' data. Only training with differential privacy gives a "
    "guarantee, and only for what was trained so."
)
_ATTACKED = {
    "classifier": "the classifier (LiRA, shadow models)",
    "model": "the model as it is (how sure of the label)",
    "autoencoder": "the autoencoder (how well it rebuilds)",
}
_STRONG = 0.1  # of members told at 1 % false accusations


def privacy_page(found: Mapping[str, Any]) -> str:
    """``privacy.html`` from ``privacy.json``."""
    lead = " ".join(sentences(found))
    sections = [_membership(found), _same(found), _inversion(found)]
    if found["samples"] is not None:
        sections.append(_samples(found["samples"]))
    return rendered(Page("privacy", found["run"], lead, CAUTION, sections))


def sentences(found: Mapping[str, Any]) -> list[str]:
    """What was found, one sentence an attack."""
    told = [
        _membership_sentence(name, attack)
        for name, attack in found["membership"].items()
        if attack["true_positive_rate_at"]["0.01"] is not None
    ]
    same = found["reidentification"]
    if "reason" not in same:
        rate, chance = same["embeddings"]["top1"]["value"], same["embeddings"]["chance"]
        told.append(
            f"Of 100 embeddings {100 * rate:.0f} lead to another scan of the same patient; "
            f"guessing would find {100 * chance:.1f}."
        )
    inverted = found["inversion"]
    told.append(
        f"From an embedding alone a scan can be painted with a likeness (SSIM) of "
        f"{number(inverted['embeddings']['value'])}; the mean of all scans has "
        f"{number(inverted['mean scan']['value'])}, 1 is the scan itself."
    )
    return told


def _membership_sentence(name: str, attack: Mapping[str, Any]) -> str:
    rate = attack["true_positive_rate_at"]["0.01"]["value"]
    verdict = "it gives away whom it learned from" if rate >= _STRONG else "little is given away"
    return (
        f"Who attacks {_ATTACKED[name]} and wrongly accuses 1 of 100 scans tells "
        f"{100 * rate:.1f} of 100 that were learned from, guessing 1: {verdict}."
    )


def _membership(found: Mapping[str, Any]) -> Section:
    rows = [
        (
            _ATTACKED[name],
            _told(attack["auroc"]),
            *(_told(attack["true_positive_rate_at"][rate]) for rate in ("0.01", "0.001")),
            f"{attack['n_members']:,} and {attack['n_others']:,}",
        )
        for name, attack in found["membership"].items()
    ]
    note = (
        "AUROC .5 is guessing. TPR: the share of scans learned from that are told, where 1 % or "
        "0.1 % of the others are falsely accused; not told where there are too few others. "
        "Intervals resample patients. Counts are answers judged: of shadow models, scans by models."
    )
    header = ("attacked", "AUROC", "TPR at 1 %", "TPR at 0.1 %", "members, others")
    return Section("Can be told whom it learned from?", "", header, rows, note)


def _same(found: Mapping[str, Any]) -> Section:
    same = found["reidentification"]
    rows = [
        (
            name,
            _told(same[name]["top1"]),
            number(same[name]["chance"]),
            f"{same[name]['n_among']:,}",
        )
        for name in ("embeddings", "pixels")
        if name in same
    ]
    note = same.get("reason", "Scans of one study are not searched for each other.")
    header = ("searched by", "most similar is of the same patient", "guessing", "scans searched")
    return Section("Do embeddings lead to the patient?", "", header, rows, note)


def _inversion(found: Mapping[str, Any]) -> Section:
    names = {
        "decoder": "its own decoder, from the latent",
        "embeddings": "a regression, from what the classifier reads",
        "mean scan": "the mean of all scans, from nothing",
    }
    rows = [(text, _told(found["inversion"][name])) for name, text in names.items()]
    note = "SSIM of scans that were not learned from; the mean scan is what knowing nothing gives."
    return Section("What can be painted again?", "", ("painted by", "SSIM"), rows, note)


def _samples(found: Mapping[str, Any]) -> Section:
    rows = [
        ("drawn scans", number(found["nearest_median"])),
        ("held-out scans", number(found["held_out_median"])),
    ]
    note = (
        f"Median distance (root mean square of pixels) to the nearest scan learned from; "
        f"{100 * found['copies']:.1f} % of {found['n_samples']} drawn scans are nearer than half "
        "of what the nearest hundredth of held-out scans are: copies."
    )
    return Section("Are drawn scans copies?", "", ("", "distance"), rows, note)


def _told(estimate: Mapping[str, Any] | None) -> str:
    if estimate is None or estimate["value"] is None:
        return "not known"
    value, low, high = (known_number(estimate[name]) for name in ("value", "low", "high"))
    return f"{number(value)} ({number(low)} to {number(high)})"
