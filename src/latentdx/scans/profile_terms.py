"""Words that may be kept: what a scanner writes by itself. Everything else could name a person.

Defined terms are those of DICOM PS3.3; a value is kept only where it is one of them.
"""

from __future__ import annotations

import hashlib
import re


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


MODALITIES = _words("""
    ANN AR ASMT AU BDUS BI BMD CFM CR CT CTPROTOCOL DG DMS DOC DX ECG EEG EMG EOG EPS ES FID GM
    HC HD IO IOL IVOCT IVUS KER KO LEN LS M3D MG MR NM OAM OCT OP OPM OPT OPTBSV OPTENF OPV OSS OT
    PA PLAN POS PR PT PX REG RESP RF RG RTDOSE RTIMAGE RTINTENT RTPLAN RTRAD RTRECORD RTSEGANN
    RTSTRUCT RWV SEG SM SMR SR SRF STAIN TEXTUREMAP TG US VA XA XAPROTOCOL XC
    AS CD CF CP CS DD DF DM DS EC FA FS LP MA MS OPR ST VF""")
"""PS3.3 C.7.3.1.1.1, the retired ones in the last line."""

VIEWS = _words("""
    AP PA LL RL RLD LLD RLO LLO LAT LATERAL CC MLO ML LM LMO XCC XCCL XCCM FB SIO ISO CV
    AT""")
"""PS3.3 C.8.1 and C.8.11.7."""

SEXES = frozenset("MFO")

_YES_NO = frozenset({"YES", "NO"})
_SIDES = frozenset("RLUB")
_BODY = _words("""
    ABDOMEN ABDOMENPELVIS ADRENAL ANKLE AORTA ARM AXILLA BACK BLADDER BRAIN BREAST BRONCHUS
    BUTTOCK CALCANEUS CALF CAROTID CEREBELLUM CERVIX CHEEK CHEST CHESTABDOMEN CHESTABDPELVIS
    CLAVICLE COCCYX COLON CORNEA CORONARYARTERY CSPINE CTSPINE DUODENUM EAR ELBOW ESOPHAGUS
    EXTREMITY EYE EYELID FACE FEMUR FINGER FOOT GALLBLADDER HAND HEAD HEADNECK HEART HIP HUMERUS
    ILEUM ILIUM JAW JEJUNUM KIDNEY KNEE LARYNX LEG LIVER LSPINE LSSPINE LUNG MAXILLA MEDIASTINUM
    MOUTH NECK NECKCHEST NECKCHESTABDOMEN NECKCHESTABDPELV NOSE ORBIT OVARY PANCREAS PAROTID PATELLA
    PELVIS PENIS PHARYNX PROSTATE RECTUM RIB SCALP SCAPULA SCROTUM SHOULDER SKULL SPINE SPLEEN
    SSPINE STERNUM STOMACH SUBMANDIBULAR TESTIS THIGH THYMUS THYROID TLSPINE TOE TONGUE TRACHEA
    TSPINE ULNA URETER URETHRA UTERUS VAGINA VULVA WHOLEBODY WRIST ZYGOMA""")

# Terms by keyword; a value with several terms is kept up to the first that is not among them.
KEPT: dict[str, frozenset[str]] = {
    "Modality": MODALITIES,
    "ViewPosition": VIEWS,
    "PatientSex": SEXES,
    "SmokingStatus": frozenset({"YES", "NO", "UNKNOWN"}),
    "PatientSexNeutered": frozenset({"ALTERED", "UNALTERED"}),
    "BodyPartExamined": _BODY,
    "Laterality": _SIDES,
    "ImageLaterality": _SIDES,
    "FrameLaterality": _SIDES,
    "PatientPosition": _words("HFP HFS HFDR HFDL FFP FFS FFDR FFDL LFP LFS RFP RFS"),
    "PatientOrientation": _words("A P L R H F AL AR AH AF PL PR PH PF LA LP LH LF RA RP RH RF HA "
        "HP HL HR FA FP "
        "FL FR"),
    "PhotometricInterpretation": frozenset(
        {"MONOCHROME1", "MONOCHROME2", "PALETTE COLOR", "RGB", "YBR_FULL", "YBR_FULL_422",
         "YBR_ICT", "YBR_RCT", "YBR_PARTIAL_420", "YBR_PARTIAL_422", "XYB"}
    ),
    "ImageType": _words(
        """ORIGINAL DERIVED PRIMARY SECONDARY AXIAL LOCALIZER MPR PROJECTION~IMAGE VOLUME M P R I
        NORM DIS2D DIS3D FM ND NONE MIXED MAGNITUDE PHASE FFE SE IR T1 T2 PROTON_DENSITY DIFFUSION
        ADC TRACEW FA WATER FAT IN_PHASE OUT_PHASE OTHER TOMO TOMOSYNTHESIS STATIC DYNAMIC GATED
        WHOLE~BODY SINGLE~PLANE BIPLANE~A BIPLANE~B SUBTRACTION RESAMPLED ANGIO PERFUSION
        LABEL THUMBNAIL OVERVIEW POST_PROCESSED POST_CONTRAST"""
    ),
    "ConversionType": _words("DV DI DF WSD SD SI DRW SYN"),
    "BurnedInAnnotation": _YES_NO,
    "RecognizableVisualFeatures": _YES_NO,
    "QualityControlImage": _YES_NO | {"BOTH"},
    "LossyImageCompression": frozenset({"00", "01"}),
    "LossyImageCompressionMethod": _words("ISO_10918_1 ISO_14495_1 ISO_15444_1 ISO_15444_15 "
        "ISO_18181_1 ISO_13818_2 ISO_14496_10 "
        "ISO_23008_2"),
    "PresentationLUTShape": frozenset({"IDENTITY", "INVERSE"}),
    "PresentationIntentType": frozenset({"FOR PRESENTATION", "FOR PROCESSING"}),
    "PixelIntensityRelationship": frozenset({"LIN", "LOG", "DISP"}),
    "RescaleType": _words("OD HU US MGML Z_EFF ED EDW HU_MOD PCT"),
    "ModalityLUTType": _words("OD HU US MGML Z_EFF ED EDW HU_MOD PCT"),
    "VOILUTFunction": frozenset({"LINEAR", "LINEAR_EXACT", "SIGMOID"}),
    "PixelPresentation": frozenset({"MONOCHROME", "COLOR", "MIXED", "TRUE_COLOR"}),
    "VolumetricProperties": frozenset({"VOLUME", "SAMPLED", "DISTORTED", "MIXED"}),
    "PixelSpacingCalibrationType": frozenset({"GEOMETRY", "FIDUCIAL"}),
    "ScanningSequence": _words("SE IR GR EP RM"),
    "SequenceVariant": _words("SK MTC SS TRSS SP MP OSP TOF NONE"),
    "MRAcquisitionType": frozenset({"1D", "2D", "3D"}),
    "AngioFlag": frozenset("YN"),
    "InPlanePhaseEncodingDirection": frozenset({"ROW", "COL", "COLUMN", "OTHER"}),
    "FrameType": _words("ORIGINAL DERIVED PRIMARY MIXED VOLUME NONE"),
    "RotationDirection": frozenset({"CW", "CC"}),
    "ExposureStatus": _words("NORMAL ABORTED CALIBRATION"),
    "Units": _words("CNTS NONE CM2 PCNT CPS BQML MGMINML UMOLMINML MLMING MLG 1CM"),
    "DecayCorrection": frozenset({"NONE", "START", "ADMIN"}),
    "DimensionOrganizationType": frozenset({"3D", "3D_TEMPORAL", "TILED_FULL", "TILED_SPARSE"}),
    "SegmentationType": frozenset({"BINARY", "FRACTIONAL", "LABELMAP"}),
    "DoseUnits": frozenset({"GY", "RELATIVE"}),
    "DoseType": frozenset({"PHYSICAL", "EFFECTIVE", "ERROR"}),
    "DoseSummationType": _words("PLAN MULTI_PLAN FRACTION BEAM BRACHY CONTROL_POINT"),
    "PatientIdentityRemoved": _YES_NO,
    "BreastImplantPresent": _YES_NO,
    "FieldOfViewShape": frozenset({"RECTANGLE", "ROUND", "HEXAGONAL"}),
    "DetectorType": frozenset({"DIRECT", "SCINTILLATOR", "STORAGE", "FILM"}),
    "FilterType": _words("STRIP WEDGE BUTTERFLY MULTIPLE FLAT SHAPED NONE"),
    "AnodeTargetMaterial": _words("TUNGSTEN MOLYBDENUM RHODIUM"),
    "FilterMaterial": _words("MOLYBDENUM ALUMINUM COPPER RHODIUM NIOBIUM EUROPIUM LEAD"),
    "Grid": _words("FIXED FOCUSED RECIPROCATING PARALLEL CROSSED NONE"),
}  # fmt: skip
KEPT["ImageType"] = frozenset(term.replace("~", " ") for term in KEPT["ImageType"])


DESCRIPTORS = _words("""
    1D 2D 3D 4D T1 T2 T1W T2W T2* PD FLAIR STIR DWI ADC SWI TOF MRA MRV CTA CTV MPRAGE TSE FSE
    SE GRE EPI FFE SPGR BRAVO VIBE LAVA DIXON FS FATSAT AX AXIAL SAG SAGITTAL COR CORONAL TRA
    TRANSVERSE OBL OBLIQUE AP PA LAT LATERAL CC MLO SUPINE PRONE UPRIGHT PORTABLE LEFT RIGHT LT RT
    L R BILATERAL CHEST THORAX LUNG ABDOMEN PELVIS HEAD BRAIN NECK SPINE CERVICAL THORACIC LUMBAR
    SACRUM KNEE HIP SHOULDER ELBOW WRIST HAND FOOT ANKLE FEMUR TIBIA BREAST LIVER KIDNEY HEART
    CARDIAC AORTA PROSTATE SKULL SINUS ORBIT CT MR US XR MG NM PET PRE POST CONTRAST W WO WITH
    WITHOUT GD IV ORAL ARTERIAL VENOUS PORTAL DELAYED PHASE LOCALIZER SCOUT SURVEY HRCT LOW DOSE
    SOFT BONE STANDARD KERNEL RECON MIP MPR THIN THICK MM CM SEC S FAST ROUTINE SERIES IMAGE
    SCREENING DIAGNOSTIC AND OR OF THE FOLLOW UP VIEW VIEWS STUDY EXAM""")
"""Words of technique and anatomy to which descriptions are cut where they are cleaned."""

_VENDORS = {
    "GE": r"\bge\b|general electric|gems\b|lunar|datex",
    "Siemens": r"siemens|acuson|\bcti\b",
    "Philips": r"philips|adac|\bpicker\b|marconi|\batl\b|elscint",
    "Canon": r"\bcanon|toshiba|vital images",
    "Fujifilm": r"fuji|sonosite",
    "Agfa": r"agfa",
    "Carestream": r"carestream|kodak",
    "Hologic": r"hologic|lorad",
    "Samsung": r"samsung|medison",
    "Hitachi": r"hitachi|aloka",
    "Konica Minolta": r"konica|minolta",
    "Shimadzu": r"shimadzu",
    "Mindray": r"mindray",
    "Esaote": r"esaote",
    "Varian": r"varian",
    "Elekta": r"elekta",
    "United Imaging": r"united imaging|\buih\b",
    "Planmed": r"planmed|planmeca",
    "Bruker": r"bruker",
    "Neusoft": r"neusoft",
    "Accuray": r"accuray|tomotherapy",
    "Sectra": r"sectra",
    "Swissray": r"swissray",
    "Imaging Dynamics": r"imaging dynamics",
    "Vieworks": r"vieworks",
    "Rayence": r"rayence",
    "Dentsply Sirona": r"sirona|dentsply",
    "Trex": r"\btrex\b",
    "IMS Giotto": r"giotto",
    "Leica": r"\bleica",
    "Hamamatsu": r"hamamatsu",
    "Olympus": r"olympus",
    "Zeiss": r"\bzeiss",
    "Topcon": r"topcon",
    "Heidelberg Engineering": r"heidelberg eng",
}
_PATTERNS = [(name, re.compile(pattern)) for name, pattern in _VENDORS.items()]


def vendor(text: str | None, key: bytes) -> str | None:
    """A maker's name from a short list, else a keyed pseudonym; None where nothing is given.

    Examples
    --------
    >>> vendor("SIEMENS Healthineers (typed by Dr. X)", b"k")
    'Siemens'
    >>> vendor("X-ray Room Doe", b"k").startswith("maker-")
    True
    """
    plain = " ".join((text or "").replace("\0", " ").replace("_", " ").casefold().split())
    if not plain:
        return None
    for name, pattern in _PATTERNS:
        if pattern.search(plain):
            return name
    return "maker-" + _tail(plain, key, b"maker")


def model_name(text: str | None, key: bytes) -> str | None:
    """A keyed pseudonym of a device's model, None where nothing is given."""
    plain = " ".join((text or "").replace("\0", " ").casefold().split())
    return "model-" + _tail(plain, key, b"model") if plain else None


def cleaned_words(text: str) -> str:
    """A description cut to `DESCRIPTORS` and numbers of at most three digits.

    Examples
    --------
    >>> cleaned_words("T1 ax post GD, Mr. Doe 19600101 5 mm")
    'T1 ax post GD 5 mm'
    """
    words = re.split(r"[\s,;:/_+()\-^=]+", text)
    kept = [
        word for word in words if word.upper() in DESCRIPTORS or re.fullmatch(r"(?a)\d{1,3}", word)
    ]
    return " ".join(kept)


def _tail(text: str, key: bytes, person: bytes) -> str:
    return hashlib.blake2b(text.encode(), digest_size=4, key=key, person=person).hexdigest()
