"""The public sets that can be named in place of a source: facts, and nothing downloaded.

Names, classes, numbers and checksums are those of MedMNIST v2 and MedMNIST+ as their own program
states them (github.com/MedMNIST/MedMNIST, ``medmnist/info.py``, version 3.0.2).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

RECORD = "https://zenodo.org/records/10519652"
"""Where all of them lie, files under ``/files/``."""

CITATION = "Yang et al. 2023, MedMNIST v2, Scientific Data 10:41, doi:10.1038/s41597-022-01721-8"

_SIZES = {2: (28, 64, 128, 224), 3: (28, 64)}


@dataclass(frozen=True)
class PublicSet:
    """One set in all its sizes.

    Attributes
    ----------
    name: as in ``medmnist:NAME``.
    task: what its labels are; ``ordinal`` are grades, ``multi-label`` is several labels a scan.
    shows: what is pictured.
    classes: K names, in the order of the label numbers.
    counts: scans in train, val and test.
    md5: of the file of each size, in the order of `sizes`.
    channels: 1 grey, 3 colour. dims: 2 for images, 3 for volumes (N, D, H, W).
    origin: the data it was made from.
    licence: of the set, as its makers state it.

    Examples
    --------
    >>> found = PUBLIC_SETS["pneumoniamnist"]
    >>> found.sizes, found.file(28), found.file(64)
    ((28, 64, 128, 224), 'pneumoniamnist.npz', 'pneumoniamnist_64.npz')
    """

    name: str
    task: Literal["binary", "multi-class", "ordinal", "multi-label"]
    shows: str
    classes: tuple[str, ...]
    counts: tuple[int, int, int]
    md5: tuple[str, ...]
    channels: Literal[1, 3]
    dims: Literal[2, 3]
    origin: str
    licence: str = "CC BY 4.0"

    @property
    def sizes(self) -> tuple[int, ...]:
        """Sides in pixels in which the set is offered."""
        return _SIZES[self.dims]

    def file(self, size: int) -> str:
        """Name of the file that holds the set at `size`."""
        return f"{self.name}.npz" if size == 28 else f"{self.name}_{size}.npz"

    def md5_of(self, size: int) -> str:
        """MD5 (hex) of that file."""
        return self.md5[self.sizes.index(size)]


_ORGANS = (
    "bladder", "femur-left", "femur-right", "heart", "kidney-left", "kidney-right", "liver",
    "lung-left", "lung-right", "pancreas", "spleen",
)  # fmt: skip
"""Of the three flat organ sets; the numbers of organmnist3d mean other organs."""

# fmt: off
_SETS = (
    PublicSet(
        "pathmnist", "multi-class", "colon histology patches",
        ("adipose", "background", "debris", "lymphocytes", "mucus", "smooth muscle",
         "normal colon mucosa", "cancer-associated stroma",
         "colorectal adenocarcinoma epithelium"),
        (89996, 10004, 7180),
        ("a8b06965200029087d5bd730944a56c1", "55aa9c1e0525abe5a6b9d8343a507616",
         "ac42d08fb904d92c244187169d1fd1d9", "2c51a510bcdc9cf8ddb2af93af1eadec"),
        3, 2, "NCT-CRC-HE-100K and CRC-VAL-HE-7K (Kather et al. 2019)",
    ),
    PublicSet(
        "chestmnist", "multi-label", "chest X-rays",
        ("atelectasis", "cardiomegaly", "effusion", "infiltration", "mass", "nodule", "pneumonia",
         "pneumothorax", "consolidation", "edema", "emphysema", "fibrosis", "pleural", "hernia"),
        (78468, 11219, 22433),
        ("02c8a6516a18b556561a56cbdd36c4a8", "9de6cd0b934ebb5b7426cfba5efbae16",
         "db107e5590b27930b62dbaf558aebee3", "45bd33e6f06c3e8cdb481c74a89152aa"),
        1, 2, "NIH ChestX-ray14 (Wang et al. 2017)",
    ),
    PublicSet(
        "dermamnist", "multi-class", "dermatoscope photographs",
        ("actinic keratoses and intraepithelial carcinoma", "basal cell carcinoma",
         "benign keratosis-like lesions", "dermatofibroma", "melanoma", "melanocytic nevi",
         "vascular lesions"),
        (7007, 1003, 2005),
        ("0744692d530f8e62ec473284d019b0c7", "b70a2f5635c6199aeaa28c31d7202e1f",
         "2defd784463fa5243564e855ed717de1", "8974907d8e169bef5f5b96bc506ae45d"),
        3, 2, "HAM10000 (Tschandl et al. 2018; Codella et al. 2019)", "CC BY-NC 4.0",
    ),
    PublicSet(
        "octmnist", "multi-class", "retinal optical coherence tomography",
        ("choroidal neovascularization", "diabetic macular edema", "drusen", "normal"),
        (97477, 10832, 1000),
        ("c68d92d5b585d8d81f7112f81e2d0842", "e229e9440236b774d9f0dfef9d07bdaf",
         "0a97e76651ace45c5d943ee3f65b63ae", "abc493b6d529d5de7569faaef2773ba3"),
        1, 2, "Kermany et al. 2018",
    ),
    PublicSet(
        "pneumoniamnist", "binary", "chest X-rays of children",
        ("normal", "pneumonia"),
        (4708, 524, 624),
        ("28209eda62fecd6e6a2d98b1501bb15f", "8f4eceb4ccffa70c672198ea285246c6",
         "05b46931834c231683c68f40c47b2971", "d6a3c71de1b945ea11211b03746c1fe1"),
        1, 2, "Kermany et al. 2018",
    ),
    PublicSet(
        "retinamnist", "ordinal", "fundus photographs, grade of retinopathy",
        ("0", "1", "2", "3", "4"),
        (1080, 120, 400),
        ("bd4c0672f1bba3e3a89f0e4e876791e4", "afda852cc34dcda56f86ad2b2457dbcc",
         "e48e916a24454daf90583d4e6efb1a18", "eae7e3b6f3fcbda4ae613ebdcbe35348"),
        3, 2, "DeepDRiD (Liu et al. 2022)",
    ),
    PublicSet(
        "breastmnist", "binary", "breast ultrasound",
        ("malignant", "normal, benign"),
        (546, 78, 156),
        ("750601b1f35ba3300ea97c75c52ff8f6", "742edef2a1fd1524b2efff4bd7ba9364",
         "363e4b3f8d712e9b5de15470a2aaadf1", "b56378a6eefa9fed602bb16d192d4c8b"),
        1, 2, "BUSI (Al-Dhabyani et al. 2020)",
    ),
    PublicSet(
        "bloodmnist", "multi-class", "blood cells under the microscope",
        ("basophil", "eosinophil", "erythroblast",
         "immature granulocytes(myelocytes, metamyelocytes and promyelocytes)", "lymphocyte",
         "monocyte", "neutrophil", "platelet"),
        (11959, 1712, 3421),
        ("7053d0359d879ad8a5505303e11de1dc", "2b94928a2ae4916078ca51e05b6b800b",
         "adace1e0ed228fccda1f39692059dd4c", "b718ff6835fcbdb22ba9eacccd7b2601"),
        3, 2, "Acevedo et al. 2020",
    ),
    PublicSet(
        "tissuemnist", "multi-class", "kidney cortex cells under the microscope",
        ("Collecting Duct, Connecting Tubule", "Distal Convoluted Tubule",
         "Glomerular endothelial cells", "Interstitial endothelial cells", "Leukocytes",
         "Podocytes", "Proximal Tubule Segments", "Thick Ascending Limb"),
        (165466, 23640, 47280),
        ("ebe78ee8b05294063de985d821c1c34b", "123ece2eba09d0aa5d698fda57103344",
         "61b955355d7425a89687b06cca3ce0c2", "b077128c4a949f0a4eb01517f9037b9c"),
        1, 2, "BBBC051 (Ljosa et al. 2012; Woloshuk et al. 2021)",
    ),
    PublicSet(
        "organamnist", "multi-class", "abdominal CT, axial",
        _ORGANS,
        (34561, 6491, 17778),
        ("68e3f8846a6bd62f0c9bf841c0d9eacc", "2dcccc29b88e6da5a01161ef20cda288",
         "eeae80d0a227a8d099027e1b3cfd3b60", "50747347e05c87dd3aaf92c49f9f3170"),
        1, 2, "LiTS (Bilic et al. 2023; Xu et al. 2019)",
    ),
    PublicSet(
        "organcmnist", "multi-class", "abdominal CT, coronal",
        _ORGANS,
        (12975, 2392, 8216),
        ("b9ceb9546e10131b32923c5bbeaea2b1", "3ce34a8724ea6f548e6db4744d03b6a9",
         "773c1f009daa3fe5d9a2a201b2a7ed94", "050f5e875dc056f6768abf94ec9995d1"),
        1, 2, "LiTS (Bilic et al. 2023; Xu et al. 2019)",
    ),
    PublicSet(
        "organsmnist", "multi-class", "abdominal CT, sagittal",
        _ORGANS,
        (13932, 2452, 8827),
        ("9ab87b696fb54e2a387ebe992d6ed5f1", "53a6d115339d874c25e309a994ff46d3",
         "ded0c5fa01a95dc4978b956f613e9b8e", "b354719e553fbbb2513d5533f52a4cb1"),
        1, 2, "LiTS (Bilic et al. 2023; Xu et al. 2019)",
    ),
    PublicSet(
        "organmnist3d", "multi-class", "abdominal CT",
        ("liver", "kidney-right", "kidney-left", "femur-right", "femur-left", "bladder", "heart",
         "lung-right", "lung-left", "spleen", "pancreas"),
        (971, 161, 610),
        ("a0c5a1ff56af4f155c46d46fbb45a2fe", "58a2205adf14a9d0a189cb06dc78bf10"),
        1, 3, "LiTS (Bilic et al. 2023; Xu et al. 2019)",
    ),
    PublicSet(
        "nodulemnist3d", "binary", "lung nodules in chest CT",
        ("benign", "malignant"),
        (1158, 165, 310),
        ("8755a7e9e05a4d9ce80a24c3e7a256f3", "c47c5b7d457bf6332200d2ea6d64ecd8"),
        1, 3, "LIDC-IDRI (Armato et al. 2011)",
    ),
    PublicSet(
        "adrenalmnist3d", "binary", "adrenal gland masks from CT",
        ("normal", "hyperplasia"),
        (1188, 98, 298),
        ("bbd3c5a5576322bc4cdfea780653b1ce", "17721accfe9fb005146a47d33bc54b2f"),
        1, 3, "MedMNIST v2 (Yang et al. 2023)",
    ),
    PublicSet(
        "fracturemnist3d", "multi-class", "rib fractures in chest CT",
        ("buckle rib fracture", "nondisplaced rib fracture", "displaced rib fracture"),
        (1027, 103, 240),
        ("6aa7b0143a6b42da40027a9dda61302f", "f01d7e6316aedf4210da0da5b7437b42"),
        1, 3, "RibFrac (Jin et al. 2020)",
    ),
    PublicSet(
        "vesselmnist3d", "binary", "brain vessel masks from MR angiography",
        ("vessel", "aneurysm"),
        (1335, 191, 382),
        ("b41fd4f7e7e2feedddb201585ecafa1b", "6bb274a8846e1097066dcd64e2c4520f"),
        1, 3, "IntrA (Yang et al. 2020)",
    ),
    PublicSet(
        "synapsemnist3d", "binary", "synapses under the electron microscope",
        ("inhibitory synapse", "excitatory synapse"),
        (1230, 177, 352),
        ("1235b78a3cd6280881dd7850a78eadb6", "43bd14ebf3af9d3dd072446fedc14d5e"),
        1, 3, "MedMNIST v2 (Yang et al. 2023)",
    ),
)
# fmt: on

PUBLIC_SETS: dict[str, PublicSet] = {known.name: known for known in _SETS}
"""Every set by its name."""
