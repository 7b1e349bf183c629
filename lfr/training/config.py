"""What an experiment is about, as its ``config.yaml`` says it: nothing unknown is taken."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from lfr.models import CROP_SIDE

__all__ = [
    "Augmentation",
    "Backbone",
    "Condition",
    "Data",
    "Distillation",
    "Margin",
    "Measuring",
    "Optimiser",
    "Section",
    "TrainingConfig",
]

Range = tuple[float, float]
Share = Annotated[float, Field(ge=0.0, le=1.0)]


class Section(BaseModel):
    """A part of an experiment's file."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Data(Section):
    """Which images, and who of them trains, is held out and measures."""

    dataset: Literal["lfw", "folder", "demo"] = Field(default="lfw", description="Layout, as `lfr evaluate` takes it.")
    manifest: str = Field(default="", description="An evaluation manifest instead, below the experiment's folder.")
    digest: str = Field(default="", pattern=r"^([0-9a-f]{64})?$", description="Data digest that must be met; '': any.")
    card: str = Field(default="", description="Data card that describes the data; its digest must be the data's.")
    measure_share: float = Field(default=0.5, gt=0.0, lt=1.0, description="Share of subjects that only measure.")
    held_out_share: float = Field(default=0.1, gt=0.0, lt=1.0, description="Share of the others that stop training.")
    seed: int = Field(default=8, ge=0, description="Of the split by subject.")
    margin_px: int = Field(default=16, ge=0, le=56, description="Pixels kept around the 112x112 crop on each side.")
    unreadable_share: Share = Field(default=0.01, description="Share of unreadable images over which training stops.")


class Backbone(Section):
    """The network that is trained."""

    name: str = Field(
        default="sface",
        description="'sface', or a timm model that gives maps with their channels first, as all but transformers do.",
    )
    initial: Literal["sface", "random"] = Field(default="sface", description="Where its weights start.")
    embedding_size: int = Field(default=128, ge=8, le=2048, description="Numbers in a template.")
    head: Literal["pool", "depthwise", "flatten"] = Field(
        default="depthwise", description="How a timm backbone's last map becomes a template."
    )
    keep_resolution: bool = Field(
        default=True, description="Whether a timm backbone's first stride of 2 becomes 1: 112 px then go as far as 224."
    )

    input_px: int = Field(
        default=CROP_SIDE,
        ge=32,
        le=CROP_SIDE,
        multiple_of=16,
        description="Side that SFace makes a face before it looks at it: 64 px are a third of the work of 112.",
    )
    frozen_layers: int = Field(
        default=0, ge=0, le=26, description="Convolutions of SFace, from the picture on, that stay as they are."
    )

    @model_validator(mode="after")
    def _starts_somewhere(self) -> Backbone:
        if self.name != "sface" and self.initial == "sface":
            raise ValueError(f"{self.name} cannot start from the weights of sface; say initial: random")
        if self.name == "sface" and self.embedding_size != 128:
            raise ValueError("the templates of sface have 128 numbers")
        if self.name != "sface" and self.input_px != CROP_SIDE:
            raise ValueError(f"input_px: {self.name} takes pictures of {CROP_SIDE} px")
        if self.frozen_layers and self.initial != "sface":
            raise ValueError("frozen_layers: weights that start at random must be trained")
        return self


class Distillation(Section):
    """Embed a degraded face where the teacher embeds its clean self; needs no labels."""

    kind: Literal["distillation"]
    clean_share: Share = Field(default=0.3, description="Share of images that the student sees clean.")
    relation: float = Field(
        default=0.0, ge=0.0, description="Weight of the difference of the batch's scores to the teacher's."
    )
    ranking: float = Field(
        default=0.0, ge=0.0, description="Weight of whom, of all training images, a face is said to be like."
    )
    ranking_scale: float = Field(default=20.0, gt=0.0, description="Of the cosine before that softmax.")


class Margin(Section):
    """Tell subjects apart with a margin; labels are the training subjects."""

    kind: Literal["arcface", "cosface", "adaface"]
    margin: float = Field(default=0.5, ge=0.0, le=1.0, description="m: radians for ArcFace, cosine for CosFace.")
    scale: float = Field(default=64.0, gt=0.0, description="s, of the cosine before the softmax.")
    concentration: float = Field(default=0.333, ge=0.0, description="h of AdaFace: how far image quality moves m.")
    clean_share: Share = Field(default=0.3, description="Share of images that are not degraded.")


class Augmentation(Section):
    """What a street camera does to a face. Ranges are drawn from uniformly, ``face_px`` log-uniformly."""

    face_px: tuple[float, float] = Field(default=(16.0, 64.0), description="Face height after it was made small.")
    low_resolution: Share = Field(default=1.0, description="Share made small, by area or bilinear resampling.")
    gaussian_blur: Share = Field(default=0.3, description="Share blurred before that.")
    gaussian_sigma: Range = Field(default=(0.3, 1.0), description="Of that blur, in pixels of the small picture.")
    motion_blur: Share = Field(default=0.3, description="Share smeared along a line.")
    motion_px: Range = Field(default=(1.0, 4.0), description="Length of the line, in pixels of the small picture.")
    jpeg: Share = Field(default=0.6, description="Share compressed as JPEG at the small size.")
    jpeg_quality: tuple[int, int] = Field(default=(30, 90), description="As JPEG counts it.")
    light: Share = Field(default=0.4, description="Share with other brightness, contrast and colour.")
    noise: Share = Field(default=0.4, description="Share with sensor noise.")
    noise_sigma: Range = Field(default=(1.0, 6.0), description="Of the noise, in grey levels of 255.")
    occlusion: Share = Field(default=0.1, description="Share with a grey box over 2 to 15% of the crop.")
    flip: bool = Field(default=True, description="Whether half are mirrored.")
    jitter_px: float = Field(
        default=0.35, ge=0.0, description="Deviation of each landmark's place, in pixels of the small picture."
    )
    shift_px: float = Field(
        default=0.0, ge=0.0, description="Deviation of all five together, in pixels of the small picture."
    )


class Optimiser(Section):
    """How weights move."""

    name: Literal["adamw", "sgd"] = Field(default="adamw", description="Rule.")
    learning_rate: float = Field(default=3e-4, gt=0.0, description="At its highest.")
    head_share: Share = Field(
        default=1.0, description="Share of that for the matrix that ends SFace: its 50,176 inputs move together."
    )
    weight_decay: float = Field(default=1e-4, ge=0.0, description="On weights of two axes or more.")
    warm_up_share: Share = Field(default=0.05, description="Share of all steps in which the rate rises from 0.")
    last_share: Share = Field(default=0.02, description="What is left of the rate at the end of its cosine.")
    clip_norm: float = Field(default=1.0, gt=0.0, description="Largest norm of a step's gradient.")
    average: float = Field(default=0.0, ge=0.0, lt=1.0, description="Decay of the weights' running mean; 0: none.")
    train_norms: bool = Field(default=True, description="Whether batch norms follow the training batches.")


class Condition(Section):
    """How the measuring half is degraded: kinds that training never applies."""

    name: str = Field(pattern=r"^[a-z0-9_]+$", description="What figures call it.")
    face_px: tuple[float, float] | None = Field(default=None, description="Face height drawn from; null: as it is.")
    defocus_px: Range | None = Field(default=None, description="Radius of a disk blur, in pixels of the small picture.")
    webp_quality: tuple[int, int] | None = Field(default=None, description="WebP at the small size.")
    gamma: Range | None = Field(default=None, description="Exponent on light of 0..1; over 1 is darker.")
    noise: Range | None = Field(default=None, description="Photon noise: its deviation at full white, in levels.")


class Measuring(Section):
    """What is measured on the measuring half, against SFace on the same images."""

    conditions: tuple[Condition, ...] = Field(default=(Condition(name="clean"),), description="One search set each.")
    fpir: float = Field(default=0.01, gt=0.0, lt=1.0, description="FPIR at which rates are compared.")
    replicates: int = Field(default=2000, ge=100, description="Of the bootstrap over subjects.")
    pairs: str = Field(
        default="", description="LFW's pairs file below the data's folder: its pairs of measuring people are verified."
    )
    listed: int | None = Field(default=None, ge=1, description="People on the watchlist, drawn; null: all.")
    mated_probes: int | None = Field(default=None, ge=1, description="Most probes of a listed person; null: all.")
    non_mated: int | None = Field(default=None, ge=1, description="Strangers, drawn; null: all.")
    seed: int = Field(default=80, ge=0, description="Of draws, degradations and bootstrap.")

    @field_validator("conditions")
    @classmethod
    def _named_once(cls, conditions: tuple[Condition, ...]) -> tuple[Condition, ...]:
        names = [condition.name for condition in conditions]
        if not names or len(set(names)) < len(names):
            raise ValueError(f"conditions need names of their own, these are {', '.join(names) or 'none'}")
        return conditions


class TrainingConfig(Section):
    """A training experiment."""

    kind: Literal["training"]
    question: str = Field(min_length=1, description="What it is to answer.")
    data: Data
    backbone: Backbone = Field(default=Backbone())
    objective: Distillation | Margin = Field(discriminator="kind")
    augmentation: Augmentation = Field(default=Augmentation())
    optimiser: Optimiser = Field(default=Optimiser())
    epochs: int = Field(ge=1, description="Passes over the training images, or over so many of them.")
    images_an_epoch: int | None = Field(default=None, ge=2, description="Images drawn for an epoch; null: all.")
    most_minutes: float | None = Field(
        default=None, gt=0.0, description="Training time by which the learning rate has fallen to its end; null: any."
    )
    batch_size: int = Field(default=64, ge=2, description="Images a step, over all workers together.")
    held_out_images: int = Field(default=512, ge=2, description="Most held-out images that are looked at.")
    patience: int = Field(
        default=5,
        ge=1,
        description="Epochs without a better held-out loss before it stops; with `blend` it does not.",
    )
    precision: Literal["auto", "f32", "bf16"] = Field(
        default="auto", description="bf16 by autocast, f32, or bf16 on a GPU and f32 elsewhere."
    )
    loaders: int = Field(default=1, ge=0, le=64, description="Processes that read and degrade, for each worker.")
    threads: int | None = Field(default=None, ge=1, description="Torch's threads in each worker; null: torch's choice.")
    seed: int = Field(default=0, ge=0, description="Of weights, order and degradations.")
    measuring: Measuring = Field(default=Measuring())
    blend: tuple[Share, ...] = Field(
        default=(),
        description="Shares of the trained weights, the rest the initial ones, of which that one is kept with which "
        "fewest degraded held-out faces are missed, and no more clean ones than without training but for `clean_lost`; "
        "none: the best epoch's weights.",
    )
    clean_lost: Share = Field(
        default=0.0, description="By how much the FNMR of clean held-out faces may rise for a share that is kept."
    )
    licence: str = Field(min_length=1, description="Under which terms the trained weights may be used.")

    @model_validator(mode="after")
    def _blends_with_something(self) -> TrainingConfig:
        if self.blend and self.backbone.initial != "sface":
            raise ValueError("blend: initial weights that are random know nothing to keep")
        return self

    @model_validator(mode="after")
    def _says_what_lfw_allows(self) -> TrainingConfig:
        if self.data.dataset == "lfw" and not self.data.manifest and "research only" not in self.licence:
            raise ValueError("licence: weights that saw LFW are for research only, and it must say so")
        return self

    @model_validator(mode="after")
    def _teacher_fits(self) -> TrainingConfig:
        if isinstance(self.objective, Distillation) and self.backbone.embedding_size != 128:
            raise ValueError("backbone.embedding_size: the teacher's templates have 128 numbers")
        return self
