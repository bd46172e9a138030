"""Training: skip-gram, CBOW, FastText, GloVe and PPMI from an encoded corpus, in single runs and ensembles."""

from wordgeo.training.config import TrainingConfig, defaults_table, load_toml
from wordgeo.training.continuation import next_config
from wordgeo.training.reproduction import Reproduction, reproduce
from wordgeo.training.resample import Resample, document_order
from wordgeo.training.resplits import splits_of_models, train_splits
from wordgeo.training.runs import train
from wordgeo.training.trainers import train_embeddings

__all__ = [
    "Reproduction",
    "Resample",
    "TrainingConfig",
    "defaults_table",
    "document_order",
    "load_toml",
    "next_config",
    "reproduce",
    "splits_of_models",
    "train",
    "train_embeddings",
    "train_splits",
]
