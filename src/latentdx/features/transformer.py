"""`AutoencoderFeatures`: the autoencoder as a scikit-learn transformer over image arrays."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted, check_random_state
from torch import nn

from latentdx.autoencoder.engine.fit import Pool, pretrain
from latentdx.autoencoder.engine.settings import FitSettings
from latentdx.autoencoder.family import AutoencoderName, network_for
from latentdx.features.arrays import FEWEST, ArrayError, Shape, scans_of
from latentdx.features.extract import embed, reconstruct
from latentdx.features.kinds import DEFAULT, FeatureKind

Pixels = NDArray[np.float32]


def _has_latent(estimator: AutoencoderFeatures) -> bool:
    return estimator.features == "latent"


class AutoencoderFeatures(ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """Learn an autoencoder from images without labels; transform images to its features.

    Parameters
    ----------
    autoencoder: a name of the family, or a module of your own with ``encode`` and ``decode``
        (see `OwnModule`); the module itself is left as it is, a copy is trained.
    latent_dim: length of the latent (convolutional), channels of the latent map (invariant);
        None for the network's own.
    features: ``"fine-grid"`` (``"grid"`` and contrasts of the first layers in 5 x 5 cells),
        ``"grid"`` (means of every layer in 3 x 3 cells), ``"pooled"`` (mean and deviation of every
        layer), ``"latent"``, ``"multi-scale"`` or ``"second-order"``: see
        `latentdx.features.kinds`.
    epochs: passes over the images, None to choose by their number and size.
    random_state: seed of the weights and of the training, or as scikit-learn takes it.
    shape: of one scan, (H, W), (C, H, W) or (C, X, Y, Z), where scans are given as rows of a
        table (N, D); ``"square"`` for grey square images. Arrays of images are taken with it, too.

    Attributes
    ----------
    network_: the trained network; n_features_in_: values of a scan; n_features_out_: width of
        the features; feature_names_in_: names of the columns, of a table that has them.

    Images are (N, H, W) or (N, C, H, W), volumes (N, C, X, Y, Z), of any size from 8 on, with
    values in 0..1 (bytes are divided by 255). Four axes are always images with channels: give
    grey volumes a channel axis, ``volumes[:, None]``. The network sees mirror images along the
    last axis of images and the first of volumes (left and right in RAS+).

    Examples
    --------
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklearn.svm import SVC
    >>> images = np.random.default_rng(0).random((40, 16, 16)).astype(np.float32)
    >>> model = make_pipeline(AutoencoderFeatures(epochs=1), SVC())
    >>> model.fit(images, np.arange(40) % 2).predict(images).shape
    (40,)
    >>> model = AutoencoderFeatures(autoencoder="convolutional", epochs=1, shape=(16, 16))
    >>> model.fit(images.reshape(40, 256)).n_features_in_
    256
    """

    def __init__(
        self,
        *,
        autoencoder: AutoencoderName | nn.Module = "invariant",
        latent_dim: int | None = None,
        features: FeatureKind = DEFAULT,
        epochs: int | None = None,
        random_state: Any = 0,
        shape: Shape = None,
    ) -> None:
        self.autoencoder = autoencoder
        self.latent_dim = latent_dim
        self.features = features
        self.epochs = epochs
        self.random_state = random_state
        self.shape = shape

    def fit(self, X: ArrayLike, y: Any = None) -> Self:
        """Train on images; `y` is not looked at. Raises `ArrayError` ``E_TOO_FEW``."""
        pixels = scans_of(self, X, self.shape, first=True)
        if len(pixels) < FEWEST:
            raise ArrayError("E_TOO_FEW", f"{len(pixels)} scans to learn from", fix="add scans")
        seed = seed_of(self.random_state)
        settings: dict[str, Any] = {"channels": pixels.shape[1], "size": list(pixels.shape[2:])}
        if self.latent_dim is not None:
            settings["latent_dim"] = self.latent_dim
        network = network_for(self.autoencoder, settings, seed=seed)
        network.fit_normalisation(torch.from_numpy(pixels))
        empty = pixels[:0]
        pretrain(network, Pool(pixels, empty), FitSettings(epochs=self.epochs), seed=seed)
        self.network_ = network
        self.n_features_out_ = embed(network, pixels[:1], self.features).shape[1]
        return self

    def transform(self, X: ArrayLike) -> NDArray[np.float32]:
        """Features (N, n_features_out_) of images."""
        check_is_fitted(self, "network_")
        return embed(self.network_, self._like_fitted(X), self.features)

    def reconstruct(self, X: ArrayLike) -> Pixels:
        """Reconstructions (N, C, *spatial) of images."""
        check_is_fitted(self, "network_")
        return reconstruct(self.network_, self._like_fitted(X))

    @available_if(_has_latent)  # type: ignore[untyped-decorator]
    def inverse_transform(self, X: ArrayLike) -> Pixels:
        """Scans (N, C, *spatial) in 0..1 that the decoder makes of features; of ``latent`` only."""
        check_is_fitted(self, "network_")
        network, features = self.network_, np.asarray(X, np.float32)
        if features.ndim != 2 or features.shape[1] != self.n_features_out_:
            found = f"features of shape {features.shape}, {self.n_features_out_} are made of a scan"
            raise ArrayError("E_SHAPE", found, fix="give what `transform` returned")
        with torch.inference_mode():
            blank = network.encode(torch.zeros(1, *network.shape, device=network.mean.device))
            latent = torch.from_numpy(features).to(blank).reshape(-1, *blank.shape[1:])
            decoded: Pixels = network.decode(latent).float().cpu().numpy()
        return decoded

    @property
    def _n_features_out(self) -> int:
        width: int = self.n_features_out_
        return width

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.two_d_array = self.shape is not None
        tags.input_tags.three_d_array = True
        tags.transformer_tags.preserves_dtype = ["float32"]
        return tags

    def _like_fitted(self, images: ArrayLike) -> Pixels:
        pixels = scans_of(self, images, self.shape, first=False)
        expected = self.network_.shape
        if pixels.shape[1:] != expected:
            found = f"images of shape {pixels.shape[1:]}, trained on {expected}"
            raise ArrayError("E_SHAPE", found, fix="give images as in training")
        return pixels


def seed_of(random_state: Any) -> int:
    """A seed of what scikit-learn calls a random state: an int is its own.

    Examples
    --------
    >>> seed_of(7), seed_of(np.random.RandomState(0)) < 2**31
    (7, True)
    """
    if isinstance(random_state, (int, np.integer)):
        return int(random_state)
    return int(check_random_state(random_state).randint(2**31))
