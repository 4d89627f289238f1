"""`AutoencoderFeatures`: the autoencoder as a scikit-learn transformer over image arrays."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils.validation import check_is_fitted
from torch import nn

from latentdx.autoencoder.engine.fit import Pool, pretrain
from latentdx.autoencoder.engine.settings import FitSettings
from latentdx.autoencoder.family import AutoencoderName, network_for
from latentdx.core.errors import StopError
from latentdx.features.extract import FeatureKind, embed, reconstruct

Pixels = NDArray[np.float32]

_SMALLEST = 8  # the side of a scan that every member of the family takes


class AutoencoderFeatures(TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """Learn an autoencoder from images without labels; transform images to its features.

    Parameters
    ----------
    autoencoder: a name of the family, or a module of your own with ``encode`` and ``decode``
        (see `OwnModule`); the module itself is left as it is, a copy is trained.
    latent_dim: length of the latent (convolutional), channels of the latent map (invariant);
        None for the network's own.
    features: ``"pooled"`` (mean and deviation of every layer) or ``"latent"``.
    epochs: passes over the images, None to choose by their number and size.
    random_state: seed of the weights and of the training.

    Attributes
    ----------
    network_: the trained network; n_features_out_: width of the features.

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
    """

    def __init__(
        self,
        *,
        autoencoder: AutoencoderName | nn.Module = "invariant",
        latent_dim: int | None = None,
        features: FeatureKind = "pooled",
        epochs: int | None = None,
        random_state: int = 0,
    ) -> None:
        self.autoencoder = autoencoder
        self.latent_dim = latent_dim
        self.features = features
        self.epochs = epochs
        self.random_state = random_state

    def fit(self, X: ArrayLike, y: Any = None) -> Self:
        """Train on images; `y` is not looked at. Raises `StopError` ``E_TOO_FEW``."""
        pixels = as_images(X)
        settings: dict[str, Any] = {"channels": pixels.shape[1], "size": list(pixels.shape[2:])}
        if self.latent_dim is not None:
            settings["latent_dim"] = self.latent_dim
        network = network_for(self.autoencoder, settings, seed=self.random_state)
        network.fit_normalisation(torch.from_numpy(pixels))
        empty = pixels[:0]
        pretrain(
            network, Pool(pixels, empty), FitSettings(epochs=self.epochs), seed=self.random_state
        )
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

    def get_feature_names_out(self, input_features: Any = None) -> NDArray[Any]:
        """``autoencoderfeatures0``, ``autoencoderfeatures1``, ..."""
        check_is_fitted(self, "network_")
        names = [f"autoencoderfeatures{number}" for number in range(self.n_features_out_)]
        return np.array(names, dtype=object)

    def _like_fitted(self, images: ArrayLike) -> Pixels:
        pixels = as_images(images)
        expected = self.network_.shape
        if pixels.shape[1:] != expected:
            found = f"images of shape {pixels.shape[1:]}, trained on {expected}"
            raise StopError("E_SHAPE", found, fix="give images as in training")
        return pixels


def as_images(images: ArrayLike) -> Pixels:
    """float32 (N, C, H, W) or (N, C, X, Y, Z) in 0..1 of images or volumes.

    Raises `StopError` ``E_SHAPE`` or ``E_NAN``.

    Examples
    --------
    >>> as_images(np.zeros((2, 29, 31))).shape, as_images(np.zeros((2, 1, 9, 8, 10))).shape
    ((2, 1, 29, 31), (2, 1, 9, 8, 10))
    """
    given = np.asarray(images)
    scaled = given.astype(np.float32) / (255 if given.dtype == np.uint8 else 1)
    pixels = scaled[:, None] if scaled.ndim == 3 else scaled
    if pixels.ndim not in (4, 5) or not pixels.size or min(pixels.shape[2:]) < _SMALLEST:
        found = f"an array of shape {given.shape}"
        fix = f"give images (N, H, W) or (N, C, H, W), or volumes (N, C, X, Y, Z), of {_SMALLEST} "
        raise StopError("E_SHAPE", found, fix=fix + "pixels a side or more")
    if not np.isfinite(pixels).all():
        raise StopError("E_NAN", "a value is NaN or infinite", fix="replace it on purpose")
    return np.ascontiguousarray(pixels)
