"""``python -m benchmarks``: what can be measured, and how."""

from __future__ import annotations

BENCHMARKS = {
    "headline": "whole studies on public data, with baselines and intervals (an hour or more)",
    "training": "the engine against a bare loop, plain PyTorch, pythae and Keras (ten minutes)",
    "quality_time": "seconds until features are as good as the classic ones (five minutes)",
    "gate": "how many scans of wrong kinds are stopped, how many right ones (ten minutes)",
    "worth": "trained against untrained encoders, pixels and HOG, on five sets (an hour)",
    "label_curves": "AUROC by number of labels, beside a CNN from scratch, on six sets (two hours)",
    "suggest": "suggested labels against labels drawn by lot, on three sets (ten minutes)",
    "semi_supervised": "unlabelled scans beside few labels, on three sets (ten minutes)",
    "classifiers": "every classifier on the same features of two sets (ten minutes)",
    "covariates": "what age, sex and view add on two sets, by their weight (ten minutes)",
    "knowledge": "presets of reading, regions and a focus, one at a time (ten minutes)",
    "fine_tune": "the encoder's last block trained on labels, on three sets (half an hour)",
    "svm_scale": "an SVM on a thousand to a million rows (half an hour)",
    "coverage": "promises of sets, risk, thresholds and probabilities, counted (ten minutes)",
    "statistics": "the bootstrap's speed, and how often intervals hold the truth (half an hour)",
    "planted_faults": "leaks and shortcuts planted in small cohorts, counted (half an hour)",
    "resume": "trainings killed a hundred times (five minutes)",
    "speed": "members by layout and precision, ingest, bootstrap (a few minutes)",
    "ingest": "files into a collection, against pydicom and MONAI; peak memory (20 minutes)",
    "batches": "stored pixels read back for training (a few minutes)",
    "privacy": "attacks on planted models, and AUROC by epsilon, on one set (a quarter of an hour)",
    "federated": "two sites with one encoder, alone and pooled, on phantoms (a quarter of an hour)",
    "figures": "writes the tables of headline and label_curves into READMEs and docs",
}


def main() -> None:
    """List them."""
    print("Each writes its numbers to benchmarks/results, with machine, versions and commit.")
    print("Try one with --quick first; headline needs public data sets (LATENTDX_DATA=folder).\n")
    for name, text in BENCHMARKS.items():
        print(f"  python -m benchmarks.{name:<16}{text}")


if __name__ == "__main__":
    main()
